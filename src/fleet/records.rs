//! What a fleet keeps in etcd, as JSON.
//!
//! Fields that this version does not know are ignored. A value that makes no sense is one that
//! another version wrote, or an administrator: whoever reads it leaves it out.

use super::kv::Entry;
use crate::core::fleet::{DomainSummary, HostName, Member, Presence};
use crate::core::lifecycle::State;
use crate::core::model::{DomId, DomName, ShutdownReason, Uuid};
use crate::core::placement;
use crate::core::snapshot::DomainView;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The format of records of hosts that this version writes and reads.
pub const HOST_FORMAT: u32 = 1;

/// The schemas of fleets that this version speaks, and the one that it begins a fleet with.
pub const SCHEMAS: Schemas = Schemas { min: 1, max: 1 };

/// The longest text of a record in bytes.
const MAX_TEXT: usize = 512;
/// The most storages of a host.
const MAX_STORAGES: usize = 256;
/// The longest record in bytes that is read: one with as many storages as there can be.
const MAX_RECORD: usize = 80 << 10;
/// The most characters of what makes a value unreadable, which may be part of the value.
const MAX_REASON: usize = 200;

/// Why a value is left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is longer than any record.
    #[error("it has {0} bytes")]
    TooLong(usize),
    /// It is no JSON, or has other fields.
    #[error("it cannot be read: {0}")]
    Malformed(String),
    /// A later version wrote it.
    #[error("its format {0} is of another version")]
    Format(u32),
    /// A field has a value that it cannot have.
    #[error("its field {0} makes no sense")]
    Field(&'static str),
}

/// The schemas that a version speaks: the fleet's must be one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schemas {
    pub min: u32,
    pub max: u32,
}

impl Schemas {
    /// Whether a fleet's schema is one of them.
    pub fn contains(self, schema: u32) -> bool {
        (self.min..=self.max).contains(&schema)
    }
}

/// The value of `schema`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaRecord {
    /// What all members must speak.
    pub schema: u32,
}

/// The value of `host/H`: a host that has joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecord {
    /// [`HOST_FORMAT`]
    pub format: u32,
    /// The host's own UUID.
    pub uuid: Uuid,
    /// Grows when the machine boots; 0 until its daemon has run as a member.
    #[serde(default)]
    pub epoch: u64,
    /// The kernel's boot id of that epoch.
    #[serde(default)]
    pub boot_id: Option<Uuid>,
    /// When it joined, in seconds since 1970.
    pub joined: u64,
    /// What it says of itself.
    #[serde(flatten)]
    pub facts: HostFacts,
}

/// What a host says of itself. A host that has not run as a member yet says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostFacts {
    /// `HOST:PORT` of the listener for domains from other hosts.
    pub relocation: Option<String>,
    /// The [`Fingerprint`](crate::core::fingerprint::Fingerprint) of the certificate that it shows
    /// to other hosts.
    pub fingerprint: Option<String>,
    /// The version of its xend.
    pub version: String,
    /// The word for its hypervisor, `xen` or `sim`.
    pub hypervisor: String,
    pub cpus: u32,
    pub memory_mib: u64,
    /// The names of the storages that it shares, sorted.
    pub storages: Vec<String>,
    /// `None` of a host that has not run as a member yet.
    pub schemas: Option<Schemas>,
}

/// The value of `alive/H`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliveRecord {
    pub epoch: u64,
    pub boot_id: Uuid,
}

/// The value of `forgotten/H`: a host that was taken out of the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgottenRecord {
    /// Its own UUID: another host may have the name by now.
    pub uuid: Uuid,
    /// The host on which that was typed.
    pub by: String,
    /// When, in seconds since 1970.
    pub at: u64,
}

/// The value of `view/H/U`: a domain, without figures. About 150 bytes, 8 KiB at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewRecord {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domid: Option<u32>,
    /// The word for the state; of a guest that has stopped, its reason.
    pub state: String,
    pub memory_mib: u64,
    pub vcpus: u32,
    /// When it was built, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<u64>,
    /// The tags of its configuration, see [`placement`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apart: Vec<String>,
}

impl SchemaRecord {
    /// The value for etcd.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a value.
    pub fn decode(value: &[u8]) -> Result<Self, Unreadable> {
        decode(value)
    }
}

impl HostRecord {
    /// The record of a host that joins at this time.
    pub fn joining(uuid: Uuid, now: SystemTime) -> Self {
        Self {
            format: HOST_FORMAT,
            uuid,
            epoch: 0,
            boot_id: None,
            joined: unix_seconds(now),
            facts: HostFacts::default(),
        }
    }

    /// The value for etcd.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a value.
    pub fn decode(value: &[u8]) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        // The other fields may mean something else in another format.
        let Format { format } = decode(value)?;
        if format != HOST_FORMAT {
            return Err(Unreadable::Format(format));
        }
        let record: Self = decode(value)?;
        record.facts.check()?;
        Ok(record)
    }

    /// The host as a fleet shows it, unless it is away.
    pub fn member(&self, presence: Presence) -> Member {
        let facts = self.facts.clone();
        Member {
            uuid: self.uuid,
            relocation: facts.relocation,
            fingerprint: facts.fingerprint.and_then(|text| text.parse().ok()),
            version: facts.version,
            hypervisor: facts.hypervisor,
            cpus: facts.cpus,
            memory_mib: facts.memory_mib,
            storages: facts.storages,
            epoch: self.epoch,
            is_away: false,
            presence,
        }
    }
}

impl HostFacts {
    fn check(&self) -> Result<(), Unreadable> {
        let optional = |text: &Option<String>| text.as_ref().is_none_or(|text| is_text(text));
        let field = if !optional(&self.relocation) {
            "relocation"
        } else if !optional(&self.fingerprint) {
            "fingerprint"
        } else if !is_text(&self.version) {
            "version"
        } else if !is_text(&self.hypervisor) {
            "hypervisor"
        } else if self.storages.len() > MAX_STORAGES || !self.storages.iter().all(|s| is_text(s)) {
            "storages"
        } else {
            return Ok(());
        };
        Err(Unreadable::Field(field))
    }
}

impl AliveRecord {
    /// The value for etcd.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a value.
    pub fn decode(value: &[u8]) -> Result<Self, Unreadable> {
        decode(value)
    }
}

impl ForgottenRecord {
    /// The note about a host that is forgotten at this time.
    pub fn new(uuid: Uuid, by: &HostName, now: SystemTime) -> Self {
        Self { uuid, by: by.to_string(), at: unix_seconds(now) }
    }

    /// The value for etcd.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// The note about the host with this UUID, if `entry` is one.
    pub(super) fn about(uuid: Uuid, entry: Option<&Entry>) -> Option<Self> {
        let note = Self::decode(&entry?.value).ok()?;
        (note.uuid == uuid).then_some(note)
    }

    /// Reads a value.
    pub fn decode(value: &[u8]) -> Result<Self, Unreadable> {
        let record: Self = decode(value)?;
        let is_host = record.by.parse::<HostName>().is_ok();
        if is_host { Ok(record) } else { Err(Unreadable::Field("by")) }
    }
}

impl ViewRecord {
    /// What the fleet sees of a domain.
    pub fn of(domain: &DomainView) -> Self {
        let started = domain.facts.as_ref().and_then(|facts| facts.start_time);
        Self {
            name: shown_name(domain.name().as_str()),
            domid: domain.domid().map(|domid| domid.0),
            state: state_word(domain.state()).to_owned(),
            memory_mib: domain.config.memory,
            vcpus: domain.config.vcpus,
            started: started.map(unix_seconds),
            apart: placement::tags(&domain.config),
        }
    }

    /// The value for etcd.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a value.
    pub fn decode(value: &[u8]) -> Result<DomainSummary, Unreadable> {
        let record: Self = decode(value)?;
        // Another toolstack may have given it a name of any characters.
        if record.name.len() > MAX_TEXT {
            return Err(Unreadable::Field("name"));
        }
        let started = record.started.map(|seconds| {
            let since = Duration::from_secs(seconds);
            UNIX_EPOCH.checked_add(since).ok_or(Unreadable::Field("started"))
        });
        Ok(DomainSummary {
            name: DomName::adopted(&record.name),
            domid: record.domid.map(DomId),
            state: state_of(&record.state).ok_or(Unreadable::Field("state"))?,
            memory_mib: record.memory_mib,
            vcpus: record.vcpus,
            started: started.transpose()?,
            apart: placement::known_tags(record.apart),
        })
    }
}

/// The JSON of a record.
pub(super) fn encode(record: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(record).unwrap_or_default()
}

/// Reads the JSON of a record.
pub(super) fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, Unreadable> {
    decode_long(value, MAX_RECORD)
}

/// Reads the JSON of a record of `most` bytes at most.
pub(super) fn decode_long<T: DeserializeOwned>(value: &[u8], most: usize) -> Result<T, Unreadable> {
    if value.len() > most {
        return Err(Unreadable::TooLong(value.len()));
    }
    let malformed = |error: serde_json::Error| {
        Unreadable::Malformed(error.to_string().chars().take(MAX_REASON).collect())
    };
    serde_json::from_slice(value).map_err(malformed)
}

/// Whether a text is of the length that it can have, and says nothing to the terminal of whoever
/// prints it.
pub(super) fn is_text(text: &str) -> bool {
    text.len() <= MAX_TEXT && !text.contains(char::is_control)
}

/// As much of a text as a record can have, without what a terminal would obey.
pub(super) fn short_text(text: &str) -> String {
    shortened(text, MAX_TEXT)
}

/// So many bytes of a text at most, without what a terminal would obey.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.take_while(|end| *end <= most).last().unwrap_or(0);
    text[..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A name as it is written. Another toolstack may have given a domain a name of any length: of such
/// a one, the beginning is shown. The mark at its end is in no name that an account can hold.
fn shown_name(name: &str) -> String {
    if name.len() <= DomName::MAX_LEN {
        return name.to_owned();
    }
    let ends = name.char_indices().map(|(at, _)| at);
    let end = ends.take_while(|end| *end <= DomName::MAX_LEN).last().unwrap_or(0);
    format!("{}…", &name[..end])
}

pub(super) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The words for the states of a domain that is on its host, or defined there.
const STATES: [(State, &str); 6] = [
    (State::Halted, "halted"),
    (State::Suspended, "suspended"),
    (State::Building, "building"),
    (State::Paused, "paused"),
    (State::Running, "running"),
    (State::Dying, "dying"),
];

/// The reason of a guest that has stopped is its word: `poweroff`, `crash`.
fn state_word(state: State) -> &'static str {
    match state {
        State::Stopped(reason) => reason.name(),
        state => STATES.iter().find(|(known, _)| *known == state).map_or("gone", |(_, word)| word),
    }
}

fn state_of(word: &str) -> Option<State> {
    let known = STATES.iter().find(|(_, known)| *known == word).map(|(state, _)| *state);
    known.or_else(|| word.parse::<ShutdownReason>().ok().map(State::Stopped))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomainConfig, Property};

    fn host() -> HostRecord {
        HostRecord {
            epoch: 3,
            boot_id: Some(Uuid::from_u128(2)),
            facts: HostFacts {
                relocation: Some("xen1:8002".to_owned()),
                version: "0.1.0".to_owned(),
                hypervisor: "xen".to_owned(),
                cpus: 8,
                memory_mib: 1 << 15,
                storages: vec!["nfs".to_owned()],
                schemas: Some(SCHEMAS),
                ..HostFacts::default()
            },
            ..HostRecord::joining(Uuid::from_u128(1), UNIX_EPOCH + Duration::from_secs(7))
        }
    }

    #[test]
    fn records_are_read_as_they_are_written() {
        assert_eq!(HostRecord::decode(&host().encode()), Ok(host()));
        let joining = HostRecord::joining(Uuid::nil(), UNIX_EPOCH);
        assert_eq!(HostRecord::decode(&joining.encode()), Ok(joining));
        let alive = AliveRecord { epoch: 3, boot_id: Uuid::from_u128(2) };
        assert_eq!(AliveRecord::decode(&alive.encode()), Ok(alive));
        let schema = SchemaRecord { schema: 1 };
        assert_eq!(SchemaRecord::decode(&schema.encode()), Ok(schema));
        assert!(SCHEMAS.contains(1) && !SCHEMAS.contains(2));
    }

    #[test]
    fn a_domain_is_read_as_it_is_shown() {
        let config = DomainConfig::new(DomName::adopted("web"), 64);
        let view = DomainView::defined(Uuid::from_u128(1), config);
        let value = ViewRecord::of(&view).encode();
        let text = r#"{"name":"web","state":"halted","memory_mib":64,"vcpus":1}"#;
        assert_eq!(String::from_utf8(value.clone()).unwrap(), text);
        let summary = ViewRecord::decode(&value).unwrap();
        assert_eq!((summary.name.as_str(), summary.state), ("web", State::Halted));
        let full =
            r#"{"name":"web","domid":7,"state":"crash","memory_mib":64,"vcpus":2,"started":9}"#;
        let summary = ViewRecord::decode(full.as_bytes()).unwrap();
        assert_eq!(summary.domid, Some(DomId(7)));
        assert_eq!(summary.state, State::Stopped(ShutdownReason::Crash));
        assert_eq!(summary.started, Some(UNIX_EPOCH + Duration::from_secs(9)));
    }

    #[test]
    fn each_state_has_its_word() {
        let stopped = ShutdownReason::ALL.map(State::Stopped);
        for state in STATES.map(|(state, _)| state).into_iter().chain(stopped) {
            assert_eq!(state_of(state_word(state)), Some(state));
        }
        assert_eq!(state_of("gone"), None);
    }

    #[test]
    fn the_longest_names_fit() {
        for name in ["é".repeat(3_000), "\u{1}".repeat(4_000), "a".repeat(255)] {
            let config = DomainConfig::new(DomName::adopted(&name), 64);
            let record = ViewRecord::of(&DomainView::defined(Uuid::nil(), config));
            let value = record.encode();
            assert!(value.len() < 2 << 10, "{} bytes", value.len());
            let shown = ViewRecord::decode(&value).unwrap().name;
            assert_eq!(shown.as_str() == name, name.len() <= DomName::MAX_LEN);
            assert!(shown.as_str().trim_end_matches('…').len() <= DomName::MAX_LEN);
            assert!(name.starts_with(shown.as_str().trim_end_matches('…')));
        }
    }

    #[test]
    fn a_domain_has_its_tags() {
        let mut config = DomainConfig::new(DomName::adopted("db1"), 64);
        let untagged = ViewRecord::of(&DomainView::defined(Uuid::nil(), config.clone())).encode();
        assert!(!String::from_utf8(untagged).unwrap().contains("apart"));
        config.rest.push(Property::new("fleet_apart", "db"));
        let value = ViewRecord::of(&DomainView::defined(Uuid::nil(), config)).encode();
        assert_eq!(ViewRecord::decode(&value).unwrap().apart, ["db"]);
        // A domain is shown whatever its host says of it.
        let text = String::from_utf8(value).unwrap();
        let strange = text.replace(r#"["db"]"#, r#"["","a\u001b","web"]"#);
        assert_eq!(ViewRecord::decode(strange.as_bytes()).unwrap().apart, ["web"]);
        let many = text.replace(r#""db""#, &[r#""db""#; 100].join(","));
        assert_eq!(ViewRecord::decode(many.as_bytes()).unwrap().apart.len(), 16);
    }

    #[test]
    fn what_later_versions_add_is_ignored() {
        let mut value: serde_json::Value = serde_json::from_slice(&host().encode()).unwrap();
        value["later"] = serde_json::json!({"a": [1]});
        assert_eq!(HostRecord::decode(value.to_string().as_bytes()), Ok(host()));
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        let mut later: serde_json::Value = serde_json::from_slice(&host().encode()).unwrap();
        later["format"] = 2.into();
        later["epoch"] = "three".into();
        assert_eq!(HostRecord::decode(later.to_string().as_bytes()), Err(Unreadable::Format(2)));
        let mut long = host();
        long.facts.version = "9".repeat(513);
        assert_eq!(HostRecord::decode(&long.encode()), Err(Unreadable::Field("version")));
        let mut many = host();
        many.facts.storages = vec![String::new(); 257];
        assert_eq!(HostRecord::decode(&many.encode()), Err(Unreadable::Field("storages")));
        many.facts.storages = vec!["a".repeat(255); 256];
        assert_eq!(HostRecord::decode(&many.encode()), Ok(many));
        let mut odd = host();
        odd.facts.relocation = Some("\u{1b}[2Jxen1:8002".to_owned());
        assert_eq!(HostRecord::decode(&odd.encode()), Err(Unreadable::Field("relocation")));
        let long = format!(r#"{{"format":"{}"}}"#, "a".repeat(70_000));
        let reason = HostRecord::decode(long.as_bytes()).unwrap_err().to_string();
        assert!(reason.len() < 300, "{} bytes", reason.len());
        assert_eq!(
            HostRecord::decode(&vec![b' '; MAX_RECORD + 1]),
            Err(Unreadable::TooLong(MAX_RECORD + 1))
        );
        for value in ["", "[]", "{", r#"{"name":1}"#, "\u{0}"] {
            assert!(matches!(ViewRecord::decode(value.as_bytes()), Err(Unreadable::Malformed(_))));
        }
        let strange = |state: &str, started: u64| {
            format!(
                r#"{{"name":"a","state":"{state}","memory_mib":1,"vcpus":1,"started":{started}}}"#
            )
        };
        let read = |text: String| ViewRecord::decode(text.as_bytes()).map(drop);
        assert_eq!(read(strange("gone", 1)), Err(Unreadable::Field("state")));
        assert_eq!(read(strange("halted", u64::MAX)), Err(Unreadable::Field("started")));
    }
}
