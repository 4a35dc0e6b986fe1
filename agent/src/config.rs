//! The configuration file. `dist/xend-guest-agent.conf` documents every key and shows the defaults.

use crate::commands::version::COMPATIBLE;
use crate::registry;
use crate::report_only::ReportOnly;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Where the file is, below the root.
pub const PATH: &str = "/etc/xend-guest-agent.conf";

/// The largest file, in bytes. It can be a device, which has no end.
const MAX_BYTES: u64 = 1 << 20;

/// The longest version, in bytes.
const MAX_VERSION: usize = 32;

/// The longest time that a plug-in may be given, in seconds: the service files give the agent 90 s
/// to end.
const MAX_SECONDS: u64 = 60;

/// The most pairs.
const MAX_PAIRS: usize = 16;

/// The keys that belong to no table.
const KEYS_WITHOUT_TABLE: [&str; 2] = ["version", "report_only"];

/// What the file says. Keys that lack have their defaults.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What the command `version` answers.
    #[serde(deserialize_with = "version")]
    pub version: String,
    pub report_only: ReportOnly,
    /// Where requests come from.
    #[serde(deserialize_with = "pairs")]
    pub pair: Vec<PairConfig>,
    /// Which commands are on; those that are not named are.
    pub commands: BTreeMap<CommandName, bool>,
    pub plugins: PluginsConfig,
    pub reports: ReportsConfig,
}

/// An exchange and the parser of its requests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "AnyPair")]
pub struct PairConfig {
    pub exchange: ExchangeKind,
    pub parser: ParserKind,
    /// Of `xenstore`, the device or socket if it is not the usual one; of `directory`, the
    /// directory; of `stdio`, the directory of `vm-data`, if there is one.
    pub path: Option<PathBuf>,
}

/// A pair before it is known whether its keys fit together.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnyPair {
    exchange: ExchangeKind,
    #[serde(default)]
    parser: ParserKind,
    path: Option<PathBuf>,
}

/// Where requests come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExchangeKind {
    XenStore,
    Directory,
    Stdio,
}

/// What requests look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParserKind {
    #[default]
    Json,
}

/// Programs as commands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginsConfig {
    /// The directory of the programs, below the root; empty for none.
    #[serde(deserialize_with = "directory")]
    pub directory: String,
    /// How long a program may run.
    #[serde(deserialize_with = "seconds")]
    pub limit_seconds: u64,
}

/// What the guest reports about itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReportsConfig {
    /// Whether it reports.
    pub enabled: bool,
}

/// The name of a command of the agent's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommandName(String);

impl Default for Config {
    fn default() -> Self {
        Self {
            version: COMPATIBLE.to_owned(),
            report_only: ReportOnly::Auto,
            pair: vec![PairConfig::machine_xenstore()],
            commands: BTreeMap::new(),
            plugins: PluginsConfig::default(),
            reports: ReportsConfig::default(),
        }
    }
}

impl Default for PluginsConfig {
    fn default() -> Self {
        Self { directory: "/usr/lib/xend-guest-agent/commands".to_owned(), limit_seconds: 30 }
    }
}

impl Default for ReportsConfig {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl PairConfig {
    /// The machine's own XenStore, and JSON.
    pub fn machine_xenstore() -> Self {
        Self { exchange: ExchangeKind::XenStore, parser: ParserKind::Json, path: None }
    }
}

impl TryFrom<AnyPair> for PairConfig {
    type Error = &'static str;

    fn try_from(pair: AnyPair) -> Result<Self, Self::Error> {
        let AnyPair { exchange, parser, path } = pair;
        if path.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            return Err("`path` is empty");
        }
        if exchange == ExchangeKind::Directory && path.is_none() {
            return Err("the exchange `directory` needs a `path`");
        }
        Ok(Self { exchange, parser, path })
    }
}

impl Config {
    /// Reads the text of a file. The error names its line.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let message = with_hint(error.message().trim_end());
            match error.span().and_then(|span| text.get(..span.start)) {
                Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
                None => message,
            }
        })
    }

    /// Reads a file. The error names the file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let read = || -> io::Result<String> {
            let mut text = String::new();
            File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
            if text.len() as u64 > MAX_BYTES {
                return Err(io::Error::other("it is larger than 1 MiB"));
            }
            Ok(text)
        };
        let text = read().map_err(|error| format!("Cannot read {}: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Whether a command of the agent's own is on.
    pub fn is_on(&self, command: &str) -> bool {
        let named = self.commands.iter().find(|(name, _)| name.0 == command);
        named.is_none_or(|(_, is_on)| *is_on)
    }
}

/// In TOML, what follows a table's name belongs to the table, and a table of which there may be
/// several has two brackets.
fn with_hint(message: &str) -> String {
    // There is no other list.
    if message.starts_with("invalid type: map, expected a sequence") {
        return "`pair` has two brackets: [[pair]]".to_owned();
    }
    let is_misplaced = |key: &&&str| message.starts_with(&format!("unknown field `{key}`"));
    match KEYS_WITHOUT_TABLE.iter().find(is_misplaced) {
        Some(key) => format!("`{key}` is the key of no table: it stands above all of them"),
        None => message.to_owned(),
    }
}

impl<'de> Deserialize<'de> for CommandName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = registry::names();
        if known.contains(&name) {
            return Ok(Self(name));
        }
        Err(D::Error::custom(format!("no command `{name}`: there are {}", known.join(", "))))
    }
}

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let version = String::deserialize(deserializer)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-+~".contains(&byte);
    if version.is_empty() || version.len() > MAX_VERSION || !version.bytes().all(fits) {
        return Err(D::Error::custom("`version` is made of letters, digits and `.-+~`"));
    }
    Ok(version)
}

fn pairs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PairConfig>, D::Error> {
    let pairs = Vec::<PairConfig>::deserialize(deserializer)?;
    if pairs.is_empty() {
        return Err(D::Error::custom("`pair` is empty: the agent would take no requests"));
    }
    let streams = pairs.iter().filter(|pair| pair.exchange == ExchangeKind::Stdio).count();
    if streams > 1 {
        return Err(D::Error::custom("one `pair` alone can have the exchange `stdio`"));
    }
    if pairs.len() > MAX_PAIRS {
        return Err(D::Error::custom(format!("there are more than {MAX_PAIRS} tables `pair`")));
    }
    Ok(pairs)
}

fn directory<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let directory = String::deserialize(deserializer)?;
    let is_absolute = directory.starts_with('/') && !directory.split('/').any(|name| name == "..");
    if !directory.is_empty() && !is_absolute {
        return Err(D::Error::custom("`directory` is an absolute path without `..`, or empty"));
    }
    Ok(directory)
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let seconds = u64::deserialize(deserializer)?;
    if !(1..=MAX_SECONDS).contains(&seconds) {
        return Err(D::Error::custom(format!("`limit_seconds` is between 1 and {MAX_SECONDS}")));
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    const SAMPLE: &str = include_str!("../dist/xend-guest-agent.conf");
    const MANUAL: &str = include_str!("../dist/xend-guest-agent.8");

    /// The keys of a table: those that an unknown one is answered with.
    fn keys(table: &str) -> Vec<String> {
        let error = Config::parse(&format!("{table}\nno_such_key = 1")).unwrap_err();
        let expected = error.split("expected ").nth(1).unwrap();
        expected.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect()
    }

    #[test]
    fn the_sample_shows_the_defaults() {
        assert_eq!(Config::parse(SAMPLE).unwrap().pair, Config::default().pair);
        let shown = Config::parse(SAMPLE).unwrap();
        for command in registry::names() {
            assert!(shown.is_on(&command), "{command}");
            assert!(SAMPLE.contains(&format!("\n{command} = true\n")), "{command}");
        }
        assert_eq!(Config { commands: BTreeMap::new(), ..shown }, Config::default());
        assert_eq!(Config::parse("").unwrap(), Config::default());
    }

    #[test]
    fn a_file_without_an_end_is_refused() {
        let error = Config::read(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error, "Cannot read /dev/zero: it is larger than 1 MiB");
    }

    #[test]
    fn the_sample_and_the_manual_name_every_key() {
        for table in ["", "[[pair]]\nexchange = \"stdio\"", "[plugins]", "[reports]"] {
            for key in keys(table) {
                let in_sample = ["\n", "\n[", "\n[[", "\n# "].iter().any(|start| {
                    [" =", "]", "]]"]
                        .iter()
                        .any(|end| SAMPLE.contains(&format!("{start}{key}{end}")))
                });
                assert!(in_sample, "{key} is not in the sample");
                let roff = key.replace('-', "\\-");
                assert!(MANUAL.contains(&format!("\\fB{roff}\\fR")), "{key} is not in the manual");
            }
        }
    }

    #[test]
    fn the_optional_keys_of_the_sample_are_keys() {
        let uncommented: String = SAMPLE.lines().fold(String::new(), |mut text, line| {
            let key = line
                .strip_prefix("# ")
                .filter(|rest| rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')));
            let _ = writeln!(text, "{}", key.unwrap_or(line));
            text
        });
        assert_ne!(uncommented, SAMPLE);
        let config = Config::parse(&uncommented).unwrap();
        assert!(config.pair.iter().all(|pair| pair.path.is_some()));
    }

    #[test]
    fn errors_name_the_line() {
        let error = |text: &str| Config::parse(text).unwrap_err();
        let starts = |text: &str, start: &str| {
            let error = error(text);
            assert!(error.starts_with(start), "{error}");
        };
        starts("\n\nverion = \"1\"", "line 3: unknown field `verion`, expected one of");
        starts("[plugins]\ndir = \"/x\"", "line 2: unknown field `dir`");
        starts("[commands]\n\nfeatures = true\npasword = false", "line 4: no command `pasword`");
        starts("[commands]\npassword = 1", "line 2: invalid type: integer `1`");
        let words = "expected `report_only` to be \"yes\", \"no\" or \"auto\"";
        let wrong = format!("line 2: invalid value: string \"maybe\", {words}");
        starts("\nreport_only = \"maybe\"", &wrong);
        starts("\nreport_only = 1", &format!("line 2: invalid type: integer `1`, {words}"));
        let above = "is the key of no table: it stands above all of them";
        let below = "[[pair]]\nexchange = \"xenstore\"\nreport_only = true";
        starts(below, &format!("line 3: `report_only` {above}"));
        starts("[reports]\nversion = \"1\"", &format!("line 2: `version` {above}"));
        starts("\n[[pair]]\nexchange = \"directory\"", "line 2: the exchange `directory` needs");
        starts("\n[[pair]]\nexchange = \"pipe\"", "line 3: unknown variant `pipe`");
        for exchange in ["xenstore", "directory", "stdio"] {
            let pair = format!("\n[[pair]]\nexchange = \"{exchange}\"\npath = \"\"");
            starts(&pair, "line 2: `path` is empty");
        }
        starts("\n[pair]\nexchange = \"stdio\"", "line 2: `pair` has two brackets: [[pair]]");
        starts("\npair = []", "line 2: `pair` is empty: the agent would take no requests");
        starts("[plugins]\nlimit_seconds = 0", "line 2: `limit_seconds` is between 1 and 60");
        starts("[plugins]\nlimit_seconds = 61", "line 2: `limit_seconds` is between 1 and 60");
        starts("[plugins]\ndirectory = \"x\"", "line 2: `directory` is an absolute path");
        starts("\nversion = \"1 2\"", "line 2: `version` is made of");
        starts("\nversion", "line 2: ");
        let two = "[[pair]]\nexchange = \"stdio\"\n".repeat(2);
        assert!(error(&two).contains("one `pair` alone can have the exchange `stdio`"));
        let many = "[[pair]]\nexchange = \"xenstore\"\n".repeat(17);
        assert!(error(&many).contains("more than 16 tables `pair`"));
    }

    #[test]
    fn report_only_can_be_true_or_false() {
        let report_only = |text: &str| Config::parse(text).unwrap().report_only;
        for yes in ["report_only = true", "report_only = \"yes\""] {
            assert_eq!(report_only(yes), ReportOnly::Yes);
        }
        for no in ["report_only = false", "report_only = \"no\""] {
            assert_eq!(report_only(no), ReportOnly::No);
        }
        assert_eq!(report_only("report_only = \"auto\""), ReportOnly::Auto);
    }

    #[test]
    fn commands_can_be_off_and_pairs_several() {
        let text = "[commands]\npassword = false\n[[pair]]\nexchange = \"xenstore\"\n\
                    [[pair]]\nexchange = \"directory\"\npath = \"/run/guest\"\nparser = \"json\"";
        let config = Config::parse(text).unwrap();
        assert!(!config.is_on("password") && config.is_on("keyinit"));
        assert_eq!(config.pair[0], PairConfig::machine_xenstore());
        assert_eq!(config.pair[1].path.as_deref(), Some(Path::new("/run/guest")));
    }
}
