//! The filter of the list of domains: `web state:running mem>1G`.
//!
//! A filter is terms with blanks between them, all of which must hold. A word alone is a part of
//! the name. Other terms have a column, a comparison and a value: `:` and `=` for the same value,
//! `~` for a part of it, `<`, `<=`, `>`, `>=` for numbers; `!` before a term reverses it. A term
//! may have blanks around its comparison and after its `!`.

use super::list_values::Listed;
use super::params::bad_value;
use crate::core::model::Invalid;
use crate::shape;
use std::time::SystemTime;
use xend_spelling::nearest;

/// The most terms of a filter.
const MAX_TERMS: usize = 16;

/// A column with a value to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Name,
    Id,
    State,
    Type,
    Memory,
    Vcpus,
    Cpu,
    Uptime,
    Address,
    Device,
    Uuid,
}

/// The names of the fields. The first one of each is the one that errors show.
const FIELDS: [(&str, Field); 14] = [
    ("name", Field::Name),
    ("id", Field::Id),
    ("state", Field::State),
    ("type", Field::Type),
    ("mem", Field::Memory),
    ("memory", Field::Memory),
    ("vcpus", Field::Vcpus),
    ("cpu", Field::Cpu),
    ("uptime", Field::Uptime),
    ("address", Field::Address),
    ("ip", Field::Address),
    ("device", Field::Device),
    ("devices", Field::Device),
    ("uuid", Field::Uuid),
];

impl Field {
    /// The units of its numbers, each with what it is multiplied by; the one with an empty name is
    /// assumed. `None` for a field of text.
    const fn units(self) -> Option<&'static [(&'static str, u64)]> {
        match self {
            Self::Id | Self::Vcpus => Some(&[("", 1)]),
            Self::Cpu => Some(&[("", 1), ("%", 1)]),
            // In MiB.
            Self::Memory => Some(&[
                ("", 1),
                ("m", 1),
                ("mb", 1),
                ("mib", 1),
                ("g", 1 << 10),
                ("gb", 1 << 10),
                ("gib", 1 << 10),
                ("t", 1 << 20),
                ("tb", 1 << 20),
                ("tib", 1 << 20),
            ]),
            // In seconds.
            Self::Uptime => Some(&[
                ("", 1),
                ("s", 1),
                ("m", 60),
                ("min", 60),
                ("h", 3600),
                ("d", 86_400),
                ("w", 604_800),
            ]),
            Self::Name | Self::State | Self::Type | Self::Address | Self::Device | Self::Uuid => {
                None
            }
        }
    }

    /// All values that a domain can have; `None` if they cannot be listed.
    const fn words(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Type => Some(&["PV", "PVH", "HVM"]),
            Self::State => Some(&STATE_WORDS),
            _ => None,
        }
    }

    /// What a value looks like, for errors.
    const fn example(self) -> &'static str {
        match self {
            Self::Memory => "512M or 2G",
            Self::Uptime => "90min or 2d",
            Self::Cpu => "50",
            Self::Id | Self::Vcpus => "2",
            Self::Name => "web1",
            Self::State => "running",
            Self::Type => "HVM",
            Self::Address => "10.0.0.1",
            Self::Device => "vif",
            Self::Uuid => "5c31b5a9-3b63-4b2c-9c43-3d24f94b1a11",
        }
    }
}

/// The states that the list shows: those of domains, and what is being done with them.
const STATE_WORDS: [&str; 13] = [
    "running",
    "paused",
    "halted",
    "suspended",
    "crashed",
    "shutdown",
    "building",
    "dying",
    "gone",
    "saving",
    "restoring",
    "migrating",
    "dumping",
];

/// How a value is compared with that of a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Contains,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The comparisons; longer ones come before those that they begin with.
const COMPARISONS: [(&str, Comparison); 7] = [
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    (":", Comparison::Equal),
    ("=", Comparison::Equal),
    ("~", Comparison::Contains),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

/// The characters of comparisons.
const SIGNS: [char; 5] = [':', '=', '~', '<', '>'];

impl Comparison {
    const fn holds(self, value: u64, than: u64) -> bool {
        match self {
            Self::Equal | Self::Contains => value == than,
            Self::Less => value < than,
            Self::LessOrEqual => value <= than,
            Self::Greater => value > than,
            Self::GreaterOrEqual => value >= than,
        }
    }
}

/// What a term asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    /// A text, in lower case; `whole` unless a part suffices.
    Text { text: String, whole: bool },
    /// A number, in thousandths of the field's unit.
    Number(Comparison, u64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    field: Field,
    test: Test,
    reversed: bool,
}

/// A filter that was read. The empty one lets all domains pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter(Vec<Term>);

/// What a domain is compared with beside its own values.
pub(super) struct Moment {
    /// In percent of one CPU; `None` if it is unknown.
    pub(super) cpu: Option<f64>,
    pub(super) now: SystemTime,
}

impl Filter {
    /// Reads a filter.
    pub(super) fn parse(text: &str) -> Result<Self, Invalid> {
        let terms = terms(text);
        if terms.len() > MAX_TERMS {
            let reason = format!("it has {} terms, write {MAX_TERMS} at most", terms.len());
            return Err(bad_value("q", reason));
        }
        terms.iter().map(|term| Term::parse(term)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a domain passes.
    pub(super) fn matches(&self, domain: &impl Listed, moment: impl FnOnce() -> Moment) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let moment = moment();
        self.0.iter().all(|term| term.matches(domain, &moment))
    }
}

/// The terms of a filter, each without the blanks around its comparison.
fn terms(text: &str) -> Vec<String> {
    let mut terms: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match terms.last_mut() {
            Some(term) if goes_on(term, word) => term.push_str(word),
            _ => terms.push(word.to_owned()),
        }
    }
    terms
}

/// Whether a term that has no value yet goes on with the next word.
fn goes_on(term: &str, word: &str) -> bool {
    let term = term.strip_prefix('!').unwrap_or(term);
    match term.find(SIGNS) {
        Some(at) => term[at..].chars().all(|c| SIGNS.contains(&c)),
        None => term.is_empty() || word.starts_with(SIGNS),
    }
}

/// The columns, each by one name.
fn columns() -> String {
    let mut shown: Vec<(&str, Field)> = Vec::new();
    for (name, field) in FIELDS {
        if shown.iter().all(|(_, other)| *other != field) {
            shown.push((name, field));
        }
    }
    shown.into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(", ")
}

impl Term {
    fn parse(term: &str) -> Result<Self, Invalid> {
        let (rest, reversed) = term.strip_prefix('!').map_or((term, false), |rest| (rest, true));
        let refuse = |reason: String| bad_value("q", format!("{term}: {reason}"));
        let Some(at) = rest.find(SIGNS) else {
            let test = Test::Text { text: rest.to_lowercase(), whole: false };
            return Ok(Self { field: Field::Name, test, reversed });
        };
        let (name, rest) = rest.split_at(at);
        let name = name.to_ascii_lowercase();
        if name.is_empty() {
            let columns = columns();
            return Err(refuse(format!(
                "a column is expected before {rest}, like mem>1G; columns are {columns}"
            )));
        }
        let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == name) else {
            let names = || FIELDS.iter().map(|(known, _)| *known);
            return Err(refuse(match nearest(&name, names()) {
                Some(known) => format!("there is no column {name}, did you mean {known}?"),
                None => format!(
                    "there is no column {name}, write name~{term} for a part of names; columns are \
                     {}",
                    columns()
                ),
            }));
        };
        let found = COMPARISONS
            .iter()
            .find_map(|(sign, comparison)| Some((*comparison, rest.strip_prefix(*sign)?)));
        let Some((comparison, value)) = found else {
            let signs: Vec<&str> = COMPARISONS.iter().map(|(sign, _)| *sign).collect();
            let signs = signs.join(" ");
            return Err(refuse(format!("after {name}, one of {signs} is expected")));
        };
        if value.is_empty() {
            let example = field.example();
            return Err(refuse(format!("a value is expected after {name}, like {example}")));
        }
        let test = match field.units() {
            Some(units) => {
                let Some(number) = thousandths(value, units) else {
                    let example = field.example();
                    return Err(refuse(format!("'{value}' is not a number, write {example}")));
                };
                Test::Number(comparison, number)
            }
            None => match comparison {
                Comparison::Equal | Comparison::Contains => Test::Text {
                    text: value.to_lowercase(),
                    whole: comparison == Comparison::Equal,
                },
                _ => {
                    return Err(refuse(format!(
                        "{name} is not a number, write {name}:{value}, or {name}~{value} for a part"
                    )));
                }
            },
        };
        if let (Some(words), Test::Text { text, whole: true }) = (field.words(), &test) {
            if words.iter().all(|word| !word.eq_ignore_ascii_case(text)) {
                let known = words.join(", ");
                return Err(refuse(match nearest(text, words.iter().copied()) {
                    Some(word) => {
                        format!(
                            "'{value}' is not a {name}, did you mean {word}? The {name}s are {known}"
                        )
                    }
                    None => format!("'{value}' is not a {name}, the {name}s are {known}"),
                }));
            }
        }
        Ok(Self { field: *field, test, reversed })
    }

    fn matches(&self, domain: &impl Listed, moment: &Moment) -> bool {
        let holds = match &self.test {
            Test::Number(comparison, than) => {
                let value = number(self.field, domain, moment);
                value.is_some_and(|value| comparison.holds(value, *than))
            }
            Test::Text { text, whole } => has_text(self.field, domain, text, *whole),
        };
        holds != self.reversed
    }
}

/// A value of a numeric field in thousandths; `None` if the domain has none.
fn number(field: Field, domain: &impl Listed, moment: &Moment) -> Option<u64> {
    let whole = match field {
        Field::Id => u64::from(domain.domid()?.0),
        Field::Memory => domain.memory_mib(),
        Field::Vcpus => u64::from(domain.vcpus()),
        Field::Uptime => moment.now.duration_since(domain.started()?).unwrap_or_default().as_secs(),
        Field::Cpu => return moment.cpu.map(percent_in_thousandths),
        _ => return None,
    };
    Some(whole.saturating_mul(1000))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "CPU use is positive, and far below 2^53"
)]
fn percent_in_thousandths(percent: f64) -> u64 {
    (percent * 1000.0) as u64
}

fn has_text(field: Field, domain: &impl Listed, text: &str, whole: bool) -> bool {
    let is_it = |value: &str| {
        let value = value.to_lowercase();
        if whole { value == text } else { value.contains(text) }
    };
    match field {
        Field::Name => is_it(domain.name()),
        Field::State => is_it(&domain.shown_state()) || is_it(shape::state_name(domain.state())),
        Field::Type => domain.type_word().is_some_and(is_it),
        Field::Address => domain.has_address(&is_it),
        Field::Device => domain.has_device(&is_it),
        Field::Uuid => is_it(&domain.uuid().to_string()),
        _ => false,
    }
}

/// A number with one of these units, in thousandths of the plain unit: `1.5G`.
fn thousandths(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let fraction = fraction.get(..3).unwrap_or(fraction);
    let digits = u32::try_from(fraction.len()).ok()?;
    let fraction = fraction.parse::<u64>().ok()? * 10_u64.pow(3 - digits);
    let whole = whole.parse::<u64>().ok()?;
    Some(whole.saturating_mul(1000).saturating_add(fraction).saturating_mul(*factor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{Device, DomName, DomainConfig, GuestKind, Image, Text, Vif};
    use crate::core::snapshot::DomainView;
    use crate::core::snapshot::fixtures::running;
    use std::time::Duration;

    fn image(kind: GuestKind) -> Image {
        Image {
            kind,
            builder: Text::default(),
            kernel: Text::default(),
            ramdisk: None,
            args: Text::default(),
            loader: None,
            device_model: None,
            rest: Vec::new(),
        }
    }

    fn passes(filter: &str) -> bool {
        let mut config = DomainConfig::new(DomName::new("Web-12").unwrap(), 2048);
        config.vcpus = 4;
        config.image = Some(image(GuestKind::Hvm));
        config.devices.push(Device::Vif(Vif::default()));
        let mut view = DomainView::clone(&running(7, config));
        let started = SystemTime::UNIX_EPOCH + Duration::from_secs(100_000);
        if let Some(facts) = &mut view.facts {
            facts.memory_kib = 1536 << 10;
            facts.online_vcpus = 3;
            facts.start_time = Some(started);
        }
        let moment = || Moment { cpu: Some(12.5), now: started + Duration::from_secs(7200) };
        Filter::parse(filter).unwrap().matches(&view, moment)
    }

    #[test]
    fn every_state_can_be_asked_for() {
        for state in shape::STATE_NAMES {
            assert!(STATE_WORDS.contains(&state), "{state}");
        }
        for word in ["state:Saving", "state:all", "state~sav"] {
            assert_eq!(Filter::parse(word).is_ok(), word != "state:all", "{word}");
        }
    }

    #[test]
    fn every_column_can_be_compared() {
        for filter in [
            "",
            "  web ",
            "WEB 12",
            "name:web-12",
            "name~EB",
            "!db",
            "!name:web",
            "id:7",
            "id<=7 id>=7",
            "state:running",
            "state~run",
            "!state:paused",
            "type:hvm",
            "mem:1536",
            "mem>1G mem<1.6g",
            "memory>=1.5GiB",
            "mem<1T",
            "vcpus=3",
            "cpu>12 cpu<13 cpu=12.5%",
            "uptime>1h uptime<3h uptime:120min",
            "device:vif",
            "!device:vbd",
            "uuid~0000",
        ] {
            assert!(passes(filter), "{filter}");
        }
        for filter in [
            "db",
            "web db",
            "!web",
            "name:web",
            "id>7",
            "state:paused",
            "type:PV",
            "mem>2G",
            "mem<1G",
            "vcpus:4",
            "cpu>50",
            "uptime>1d",
            "device:vbd",
            "ip~10.",
            "uuid:0",
        ] {
            assert!(!passes(filter), "{filter}");
        }
    }

    #[test]
    fn a_comparison_may_have_blanks_around_it() {
        for (filter, expected) in [
            ("mem > 64", vec!["mem>64"]),
            ("mem> 64 name :web", vec!["mem>64", "name:web"]),
            ("mem > = 64", vec!["mem>=64"]),
            ("web mem >64 db", vec!["web", "mem>64", "db"]),
            ("! name ~ web", vec!["!name~web"]),
            ("web ! db", vec!["web", "!db"]),
            ("ip~fe80: web", vec!["ip~fe80:", "web"]),
            ("ip:2001:db8:: web", vec!["ip:2001:db8::", "web"]),
            ("~ web", vec!["~web"]),
        ] {
            assert_eq!(terms(filter), expected, "{filter}");
        }
        assert!(passes("mem > 64 name ~ web") && !passes("mem < 64"));
        Filter::parse("a > 1 a > 1").unwrap_err();
        Filter::parse(&"mem > 1 ".repeat(16)).unwrap();
    }

    #[test]
    fn an_error_says_what_to_write() {
        for (filter, part) in [
            ("stat:running", "there is no column stat, did you mean state?"),
            ("http://x", "there is no column http, write name~http://x for a part of names"),
            (
                "http://x",
                "columns are name, id, state, type, mem, vcpus, cpu, uptime, address, dev",
            ),
            ("> 64", ">64: a column is expected before >64, like mem>1G; columns are name, id"),
            (": web", ":web: a column is expected before :web"),
            ("mem > web", "'web' is not a number, write 512M or 2G"),
            ("mem >", "a value is expected after mem"),
            ("mem>", "a value is expected after mem, like 512M or 2G"),
            ("ip:", "a value is expected after ip, like 10.0.0.1"),
            (
                "type:hvn",
                "type:hvn: 'hvn' is not a type, did you mean HVM? The types are PV, PVH, HVM",
            ),
            (
                "state:runing",
                "'runing' is not a state, did you mean running? The states are running, paused",
            ),
            (
                "!state:up",
                "'up' is not a state, the states are running, paused, halted, suspended, crashed",
            ),
            ("type:container", "'container' is not a type, the types are PV, PVH, HVM"),
            ("mem>lots", "'lots' is not a number, write 512M or 2G"),
            ("mem>1.2.3G", "'1.2.3G' is not a number"),
            ("mem>-1", "'-1' is not a number"),
            ("mem>.", "'.' is not a number"),
            ("vcpus:2G", "'2G' is not a number, write 2"),
            ("uptime>2months", "write 90min or 2d"),
            ("name>web", "name is not a number, write name:web, or name~web for a part"),
            ("a a a a a a a a a a a a a a a a a", "it has 17 terms, write 16 at most"),
        ] {
            let error = Filter::parse(filter).unwrap_err().to_string();
            assert!(error.starts_with("Invalid value for q: "), "{error}");
            assert!(error.contains(part), "{error}");
        }
        // No number is too large.
        Filter::parse("mem>18446744073709551615T").unwrap();
    }
}
