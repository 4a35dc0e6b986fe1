//! Bodies in JSON: `{"op": "maxmem_set", "memory_mib": 512}`.
//!
//! The members beside `op` are the operation's parameters, each of the type that its table has and
//! with its unit in its name. A configuration is an object, read by its type here and checked as
//! the S-expression that it stands for. No old client sends JSON, so that unknown members are
//! errors.

use super::answers::Vnet;
use super::check::{TypeSchema, invalid, missing, not_expected};
use super::config::DomainConfig;
use super::device::DeviceConfig;
use super::domain::STATUS_KEYS;
use super::limits;
use super::names::Names;
use super::problem::Problem;
use super::problem_kind::ProblemKind;
use crate::core::model::Invalid;
use crate::sxp::Sxp;
use crate::wire::http::operation::{ConfigKind, Operation, Param, ParamKind};
use crate::wire::http::params::Params;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::LazyLock;
use xend_spelling::nearest;

/// A body. There can be a password among its members.
pub(crate) struct JsonBody(Vec<(String, Value)>);

/// The parameters of an operation.
#[derive(Default)]
pub(crate) struct Arguments {
    /// Those that a form could have, as a form has them.
    pub(crate) params: Params,
    /// A configuration in JSON.
    pub(crate) config: Option<Sxp>,
    /// Whose names errors have.
    pub(crate) names: Names,
}

impl From<Params> for Arguments {
    fn from(params: Params) -> Self {
        Self { params, config: None, names: Names::Form }
    }
}

impl JsonBody {
    /// The most memory in bytes that reading this text takes; an error if it has too much of
    /// anything.
    pub(crate) fn most_memory(text: &[u8]) -> Result<usize, Invalid> {
        limits::most_memory(text)
    }

    /// Reads a body: an object whose members have different names.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// The name of the operation.
    pub(crate) fn op(&self) -> Result<&str, Problem> {
        match self.0.iter().find(|(name, _)| name == "op") {
            None => Err(missing("op")),
            Some((_, Value::String(op))) => Ok(op),
            Some((_, other)) => Err(not_expected("op", "a string", other)),
        }
    }

    /// Whether there is a member of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// The text of a body with all members but this one.
    pub(crate) fn text_without(&self, name: &str) -> Vec<u8> {
        let members = self.0.iter().filter(|(known, _)| known != name);
        let members: BTreeMap<&str, &Value> =
            members.map(|(name, value)| (name.as_str(), value)).collect();
        serde_json::to_vec(&members).unwrap_or_default()
    }

    /// Reads the parameters of an operation.
    pub(crate) fn arguments(self, operation: &Operation) -> Result<Arguments, Problem> {
        let mut fields = Vec::new();
        let mut config = None;
        for (name, value) in self.0 {
            if name == "op" {
                continue;
            }
            let Some(param) = operation.params.iter().find(|param| param.json_name() == name)
            else {
                return Err(unknown_parameter(operation, &name));
            };
            match param.kind {
                // Null is as good as nothing.
                _ if value.is_null() => {}
                ParamKind::Config(kind) => config = Some(read_config(param, kind, value)?),
                kind => {
                    fields.push((param.name.to_owned(), text(param, kind, &value)?.into_bytes()));
                }
            }
        }
        let has = |name: &str| fields.iter().any(|(known, _)| known == name);
        for param in operation.params.iter().filter(|param| param.default.is_none()) {
            let is_given = match param.kind {
                ParamKind::Config(_) => config.is_some(),
                _ => has(param.name),
            };
            if !is_given {
                return Err(missing(&param.json_name()));
            }
        }
        let params = Params::from_fields(fields.into_iter());
        Ok(Arguments { params, config, names: Names::Json })
    }
}

impl<'de> Deserialize<'de> for JsonBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = JsonBody;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"an object like {"op": "pause"}"#)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonBody, A::Error> {
                let mut members = Vec::new();
                let mut names = HashSet::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if !names.insert(name.clone()) {
                        return Err(A::Error::custom("a name is given twice"));
                    }
                    members.push((name, value));
                }
                Ok(JsonBody(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// The text that a form would have.
fn text(param: &Param, kind: ParamKind, value: &Value) -> Result<String, Problem> {
    let refused = |expected: &str| Err(not_expected(&param.json_name(), expected, value));
    match (kind, value) {
        // The operation knows the range. Some texts are numbers.
        (ParamKind::Number(_) | ParamKind::Quantity(_), Value::Number(number))
            if !number.is_f64() =>
        {
            Ok(number.to_string())
        }
        (ParamKind::Text(_), Value::Number(number)) if number.is_u64() => Ok(number.to_string()),
        (ParamKind::Number(_) | ParamKind::Quantity(_), _) => {
            refused(&format!("a whole number ({})", kind.unit()))
        }
        (ParamKind::Flag, Value::Bool(on)) => Ok(u8::from(*on).to_string()),
        (ParamKind::Flag, _) => {
            refused("true or false").map_err(|problem| problem.allowing(["true", "false"]))
        }
        (ParamKind::Word(words), Value::String(word)) if words.contains(&word.as_str()) => {
            Ok(word.clone())
        }
        (ParamKind::Word(words), _) => refused(&format!("one of {}", words.join(", ")))
            .map_err(|problem| problem.allowing(words.iter().copied())),
        (ParamKind::Json(_), value) => Ok(value.to_string()),
        (_, Value::String(text)) => Ok(text.clone()),
        _ => refused("a string"),
    }
}

static DOMAIN: LazyLock<TypeSchema> = LazyLock::new(TypeSchema::of::<DomainConfig>);
static DEVICE: LazyLock<TypeSchema> = LazyLock::new(TypeSchema::of::<DeviceConfig>);
static VNET: LazyLock<TypeSchema> = LazyLock::new(TypeSchema::of::<Vnet>);

fn read_config(param: &Param, kind: ConfigKind, mut value: Value) -> Result<Sxp, Problem> {
    match kind {
        ConfigKind::Domain => {
            if let Value::Object(members) = &mut value {
                members.retain(|name, _| !STATUS_KEYS.contains(&name.as_str()));
            }
            Ok(typed::<DomainConfig>(param, &DOMAIN, value)?.to_sxp())
        }
        ConfigKind::Device => {
            let device = typed::<DeviceConfig>(param, &DEVICE, value)?.to_sxp();
            device.map_err(|reason| invalid(param.name, &reason.to_string()))
        }
        ConfigKind::Vnet => Ok(typed::<Vnet>(param, &VNET, value)?.to_sxp()),
    }
}

/// Reads a value by its type. A problem names the place in it.
fn typed<T: DeserializeOwned>(
    param: &Param,
    schema: &TypeSchema,
    value: Value,
) -> Result<T, Problem> {
    schema.check(param.name, &value)?;
    // What a schema cannot say, the types say in the same words.
    serde_path_to_error::deserialize(value).map_err(|error| {
        let place = match error.path().to_string() {
            path if path == "." => param.name.to_owned(),
            path => format!("{}.{path}", param.name),
        };
        invalid(&place, &error.into_inner().to_string())
    })
}

/// The name is quoted, unless the operation has a password, which it may be by mistake, and it
/// resembles no parameter.
fn unknown_parameter(operation: &Operation, name: &str) -> Problem {
    let names: Vec<_> = operation.params.iter().map(Param::json_name).collect();
    let known = || names.iter().map(AsRef::as_ref);
    // `target` for `target_mib`: forms have names without units.
    let is_shorter =
        |other: &&str| other.strip_prefix(name).is_some_and(|end| end.starts_with('_'));
    let has_password = operation.params.iter().any(|param| param.kind == ParamKind::Password);
    let advice = match known().find(is_shorter).or_else(|| nearest(name, known())) {
        Some(other) => format!("did you mean {other}?"),
        None if has_password => {
            let text = format!("Unknown parameter: see allowed for those of {}", operation.name);
            return Problem::new(ProblemKind::UNKNOWN_PARAMETER, text).allowing(known());
        }
        None if operation.params.is_empty() => format!("{} has none", operation.name),
        None => format!("see allowed for those of {}", operation.name),
    };
    let text = format!("Unknown parameter {name}: {advice}");
    Problem::new(ProblemKind::UNKNOWN_PARAMETER, text).about(name).allowing(known())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::http::operations::by_page::{DOMAIN_LIST_OPERATIONS, DOMAIN_OPERATIONS};
    use serde_json::json;

    fn arguments(body: &Value) -> Result<Arguments, Value> {
        let body = JsonBody::parse(body.to_string().as_bytes()).unwrap();
        let op = body.op().unwrap().to_owned();
        let all = DOMAIN_OPERATIONS.iter().chain(&DOMAIN_LIST_OPERATIONS);
        let operation = all.into_iter().find(|operation| operation.name == op).unwrap();
        body.arguments(operation).map_err(|problem| serde_json::to_value(problem).unwrap())
    }

    #[test]
    fn parameters_have_the_types_of_their_table() {
        let body = json!({"op": "cpu_sedf_set", "period_ns": 20, "slice_ns": 5, "latency_ns": 0,
            "extratime": true, "weight": 7});
        let Arguments { params, config, names } = arguments(&body).unwrap();
        assert_eq!(names, Names::Json);
        assert!(config.is_none());
        assert_eq!(params.single("period").unwrap(), &b"20"[..]);
        assert_eq!(params.single("extratime").unwrap(), &b"1"[..]);
        let body = json!({"op": "pincpu", "vcpu": 0, "cpumap": "0-3,^1"});
        assert_eq!(arguments(&body).unwrap().params.single("vcpu").unwrap(), &b"0"[..]);
        let body = json!({"op": "start", "paused": null});
        assert!(arguments(&body).unwrap().params.names().is_empty());
    }

    #[test]
    fn an_unknown_parameter_is_named() {
        for (body, parameter, advice) in [
            (json!({"op": "mem_target_set", "target": 64}), "target", "did you mean target_mib?"),
            (
                json!({"op": "agent_version", "timeot_seconds": 64}),
                "timeot_seconds",
                "did you mean timeout_seconds?",
            ),
            (
                json!({"op": "mem_target_set", "x": 1}),
                "x",
                "see allowed for those of mem_target_set",
            ),
            (json!({"op": "pause", "x": 1}), "x", "pause has none"),
        ] {
            let problem = arguments(&body).map(|_| ()).unwrap_err();
            assert_eq!(problem["parameter"], parameter, "{body}: {problem}");
            assert_eq!(problem["detail"], format!("Unknown parameter {parameter}: {advice}"));
        }
    }

    #[test]
    fn problems_name_the_parameter_and_what_is_allowed() {
        let allowed = json!(["poweroff", "reboot", "halt", "suspend", "crash"]);
        for (body, code, parameter, expected) in [
            (json!({"op": "shutdown"}), "missing_parameter", "reason", Value::Null),
            (json!({"op": "shutdown", "reason": 1}), "invalid_value", "reason", allowed.clone()),
            (json!({"op": "shutdown", "reason": "of"}), "invalid_value", "reason", allowed),
            (
                json!({"op": "start", "paused": 1}),
                "invalid_value",
                "paused",
                json!(["true", "false"]),
            ),
            (
                json!({"op": "start", "pausd": true}),
                "unknown_parameter",
                "pausd",
                json!(["paused"]),
            ),
            (json!({"op": "maxmem_set"}), "missing_parameter", "memory_mib", Value::Null),
            (
                json!({"op": "maxmem_set", "memory_mib": "2G"}),
                "invalid_value",
                "memory_mib",
                Value::Null,
            ),
            (
                json!({"op": "maxmem_set", "memory_mib": 1.5}),
                "invalid_value",
                "memory_mib",
                Value::Null,
            ),
            (json!({"op": "save", "file": ["a"]}), "invalid_value", "file", Value::Null),
        ] {
            let problem = arguments(&body).map(|_| ()).unwrap_err();
            assert_eq!(problem["code"], code, "{body}: {problem}");
            assert_eq!(problem["parameter"], parameter, "{body}: {problem}");
            assert_eq!(problem["allowed"], expected, "{body}: {problem}");
            assert_eq!(problem["status"], 422);
        }
    }

    #[test]
    fn problems_name_the_place_in_a_configuration() {
        let create = |config: Value| arguments(&json!({"op": "create", "config": config}));
        let small = json!({"name": "a", "memory_mib": 64});
        let with = |key: &str, value: Value| {
            let mut config = small.clone();
            config[key] = value;
            config
        };
        for (config, code, parameter) in [
            (json!([]), "invalid_value", "config"),
            (json!({"name": "a"}), "missing_parameter", "config.memory_mib"),
            (with("memory_mib", json!("64")), "invalid_value", "config.memory_mib"),
            (with("memory", json!(64)), "unknown_parameter", "config.memory"),
            (
                with("devices", json!({"vbd": [{"dev": "xvda"}, {"dev": 1}]})),
                "invalid_value",
                "config.devices.vbd[1].dev",
            ),
            (
                with("devices", json!({"vif": [{"bridg": "x"}]})),
                "unknown_parameter",
                "config.devices.vif[0].bridg",
            ),
        ] {
            let problem = create(config.clone()).map(|_| ()).unwrap_err();
            assert_eq!(problem["code"], code, "{config}: {problem}");
            assert_eq!(problem["parameter"], parameter, "{config}: {problem}");
        }
        let mut echoed = small;
        echoed["domid"] = json!(7);
        echoed["state"] = json!("running");
        let config = create(echoed).unwrap().config.unwrap().to_string();
        assert!(config.starts_with("(vm (name a) (memory 64)"), "{config}");
    }

    #[test]
    fn a_device_is_below_the_name_of_its_class() {
        let attach = |config: Value| arguments(&json!({"op": "device_create", "config": config}));
        let disk = json!({"vbd": {"dev": "xvdb", "uname": "phy:/a", "mode": "w"}});
        let config = attach(disk).unwrap().config.unwrap().to_string();
        assert_eq!(config, "(vbd (dev xvdb:disk) (uname phy:/a) (mode w))");
        for config in [json!({}), json!({"vbd": {"dev": "a"}, "vif": {}})] {
            let problem = attach(config).map(|_| ()).unwrap_err();
            assert_eq!(problem["parameter"], "config", "{problem}");
        }
    }

    #[test]
    fn no_problem_quotes_a_password() {
        for body in [
            json!({"op": "set_password", "password": 12_345_678}),
            json!({"op": "set_password", "password": "x", "12345678": true}),
            json!({"op": "set_password", "password": ["12345678"]}),
        ] {
            let problem = arguments(&body).map(|_| ()).unwrap_err().to_string();
            assert!(!problem.contains("12345678"), "{problem}");
        }
    }

    #[test]
    fn a_body_is_an_object_without_repetitions() {
        for text in ["[]", "1", "", "{", r#"{"op": "a", "op": "b"}"#, "{} {}"] {
            assert!(JsonBody::parse(text.as_bytes()).is_err(), "{text}");
        }
        for (text, expected) in [
            (&b"{}"[..], "Missing parameter: op"),
            (br#"{"op": 1}"#, "Invalid value for op: a string is expected, not a number"),
            (br#"{"op": null}"#, "Invalid value for op: a string is expected, not null"),
        ] {
            assert_eq!(JsonBody::parse(text).unwrap().op().unwrap_err().detail(), expected);
        }
    }
}
