//! The schemas of what is answered and read, made from the types.

use super::answers::{Agent, Attached, Credit, DeviceState, Node, Sedf, Vcpus, Vnet};
use super::config::DomainConfig;
use super::device::DeviceConfig;
use super::domain::{Domain, DomainSummary};
use super::fleet::{FleetDomain, FleetHostDomains, FleetHosts};
use super::host::{Accounts, CpuPool, HostPciFunction, Image, Journal, Networks, Saved, Storage};
use super::problem::Problem;
use super::task::Task;
use super::usage::UsageHistory;
use crate::wire::http::operation::{AnswerType, ConfigKind};
use crate::wire::http::page::PageAnswer;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// Where the document has schemas.
pub(crate) const PATH: &str = "#/components/schemas/";

/// The schemas that a document refers to.
pub(crate) struct Schemas {
    /// Of what is read: keys with a default may be left out.
    requests: SchemaGenerator,
    /// Of what is answered: keys with a default are there.
    answers: SchemaGenerator,
}

impl Schemas {
    pub(crate) fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12()
                .with(|settings| settings.definitions_path = "/components/schemas".into())
        };
        Self {
            requests: settings().for_deserialize().into_generator(),
            answers: settings().for_serialize().into_generator(),
        }
    }

    /// The schema of a configuration.
    pub(crate) fn config(&mut self, kind: ConfigKind) -> Value {
        match kind {
            ConfigKind::Domain => reference::<DomainConfig>(&mut self.requests),
            ConfigKind::Device => reference::<DeviceConfig>(&mut self.requests),
            ConfigKind::Vnet => reference::<Vnet>(&mut self.requests),
        }
    }

    /// The schema of an operation's answer.
    pub(crate) fn answer(&mut self, answer: AnswerType) -> Value {
        match answer {
            AnswerType::Domains => list_of(&self.domain()),
            AnswerType::Vcpus => reference::<Vcpus>(&mut self.answers),
            AnswerType::Devices => list_of(&reference::<DeviceState>(&mut self.answers)),
            AnswerType::Attached => reference::<Attached>(&mut self.answers),
            AnswerType::Sedf => reference::<Sedf>(&mut self.answers),
            AnswerType::Credit => reference::<Credit>(&mut self.answers),
            AnswerType::Agent => reference::<Agent>(&mut self.answers),
        }
    }

    /// The schema of a domain.
    pub(crate) fn domain(&mut self) -> Value {
        reference::<Domain>(&mut self.answers)
    }

    /// The schema of a task.
    pub(crate) fn task(&mut self) -> Value {
        reference::<Task<'_>>(&mut self.answers)
    }

    /// The schema of a failure.
    pub(crate) fn problem(&mut self) -> Value {
        reference::<Problem>(&mut self.answers)
    }

    /// The media type and the schema of what GET answers with; `None` for a form.
    pub(crate) fn page(&mut self, answer: PageAnswer) -> Option<(&'static str, Value)> {
        let schema = match answer {
            PageAnswer::Form | PageAnswer::FormOfPage(_) => return None,
            PageAnswer::Text => return Some(("text/plain", json!({"type": "string"}))),
            PageAnswer::ConfigFile => {
                return Some(("application/sxp", json!({"type": "string"})));
            }
            PageAnswer::Events => return Some(("application/x-ndjson", event_line())),
            PageAnswer::Names | PageAnswer::Ids => list_of(&json!({"type": "string"})),
            PageAnswer::Domains => list_of(&reference::<DomainSummary<'_>>(&mut self.answers)),
            // With `host`, those of the fleet.
            PageAnswer::FleetDomains => {
                let own = list_of(&reference::<DomainSummary<'_>>(&mut self.answers));
                json!({"anyOf": [own, list_of(&reference::<FleetDomain>(&mut self.answers))]})
            }
            PageAnswer::Fleet => reference::<FleetHosts>(&mut self.answers),
            PageAnswer::FleetHost => reference::<FleetHostDomains>(&mut self.answers),
            // With `op=vcpuinfo`, the VCPUs.
            PageAnswer::Domain => json!({"anyOf": [self.domain(), self.answer(AnswerType::Vcpus)]}),
            PageAnswer::Node => reference::<Node>(&mut self.answers),
            PageAnswer::Vnet => reference::<Vnet>(&mut self.answers),
            PageAnswer::Storage => reference::<Storage>(&mut self.answers),
            PageAnswer::Image => reference::<Image>(&mut self.answers),
            PageAnswer::Networks => reference::<Networks>(&mut self.answers),
            PageAnswer::Pools => list_of(&reference::<CpuPool>(&mut self.answers)),
            PageAnswer::PciFunctions => list_of(&reference::<HostPciFunction>(&mut self.answers)),
            PageAnswer::Accounts => reference::<Accounts>(&mut self.answers),
            PageAnswer::Saved => reference::<Saved>(&mut self.answers),
            PageAnswer::Journal => reference::<Journal>(&mut self.answers),
            PageAnswer::Usage => reference::<UsageHistory>(&mut self.answers),
            PageAnswer::Tasks => list_of(&self.task()),
            PageAnswer::Task => self.task(),
            PageAnswer::Help | PageAnswer::OpenApi => {
                json!({"type": "object", "additionalProperties": true})
            }
        };
        Some(("application/json", schema))
    }

    /// All schemas by their names. A type that is both read and answered has the keys that a
    /// request needs.
    pub(crate) fn into_definitions(mut self) -> Map<String, Value> {
        let mut definitions = self.answers.take_definitions(true);
        definitions.extend(self.requests.take_definitions(true));
        definitions
    }
}

fn reference<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

fn list_of(items: &Value) -> Value {
    json!({"type": "array", "items": items})
}

/// A line of the stream of events, see `shape::event`.
fn event_line() -> Value {
    let text = |about: &str| json!({"type": "string", "description": about});
    let number = |about: &str| json!({"type": "number", "description": about});
    let event = json!({
        "type": "object",
        "description": "An event. Later versions may add kinds and keys.",
        "required": ["id", "kind", "at"],
        "properties": {
            "id": text("For after and Last-Event-ID"),
            "kind": text(
                "appeared, gone, state, renamed, configured, guest (a new report), disputed (it \
                 belongs to another host), progress, done, failed; listening at the beginning of a stream; lost if events were missed"
            ),
            "at": {"type": "string", "format": "date-time", "description": "RFC 3339"},
            "domain": text("Name of the domain"),
            "uuid": text("UUID of the domain"),
            "about": text("What an operation on no domain was about"),
            "domid": number("Number of the domain on the host"),
            "state": text("Of a domain that appeared"),
            "from": text("Earlier state or name"),
            "to": text("New state"),
            "what": text("Of progress: what is done"),
            "percent": number("Of progress"),
            "done_bytes": number("Of progress"),
            "total_bytes": number("Of progress: expected in all"),
            "op": text("Operation that was done or failed"),
            "caller": text("Who asked for it"),
            "error": text("Why it failed"),
            "owner": text("Of a dispute: the other host")
        }
    });
    let domain = json!({
        "type": "object",
        "required": ["name", "uuid", "cpu_percent", "memory_mib"],
        "properties": {
            "name": text("Name"),
            "uuid": text("UUID"),
            "cpu_percent": number("Percent of one CPU"),
            "memory_mib": number("Memory in use")
        }
    });
    json!({
        "type": "object",
        "description": "A line of a stream that does not end",
        "properties": {
            "event": event,
            "figures": {
                "type": "object",
                "description": "With figures=1: CPU and memory use that has changed",
                "required": ["domain"],
                "properties": {"domain": list_of(&domain)}
            }
        },
        "minProperties": 1,
        "maxProperties": 1
    })
}
