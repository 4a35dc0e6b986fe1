//! Checks a value by the JSON schema of its type before it is read.
//!
//! The schema is the one of the OpenAPI document. A refusal is in words of JSON: the place of the
//! value, what is expected there, its range or words, and of an unknown key the nearest known one.
//! Values are not quoted: there can be a password among them.

use super::places::OTHER_NAMES;
use super::problem::Problem;
use super::problem_kind::ProblemKind;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};
use std::fmt;
use xend_spelling::nearest;

/// The schema of a type that is read, with all definitions that it refers to.
pub(super) struct TypeSchema(Value);

impl TypeSchema {
    pub(super) fn of<T: JsonSchema>() -> Self {
        let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
        Self(generator.into_root_schema_for::<T>().to_value())
    }

    /// Refuses a value of another type. `name` is the parameter that has it.
    pub(super) fn check(&self, name: &str, value: &Value) -> Result<(), Problem> {
        self.check_at(&self.0, value, &Place { outer: None, step: Step::Key(name) })
    }

    /// The depth of bodies bounds the recursion.
    fn check_at(&self, schema: &Value, value: &Value, place: &Place<'_>) -> Result<(), Problem> {
        let schema = self.resolved(schema, value);
        if !is_accepted(schema, value) {
            return Err(wrong(schema, value, place));
        }
        match value {
            Value::Object(members) => self.check_members(schema, members, place),
            Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
                self.check_at(&schema["items"], item, &place.below(Step::Index(index)))
            }),
            _ => Ok(()),
        }
    }

    fn check_members(
        &self,
        schema: &Value,
        members: &Map<String, Value>,
        place: &Place<'_>,
    ) -> Result<(), Problem> {
        let known = schema["properties"].as_object();
        for (key, value) in members {
            let below = place.below(Step::Key(key));
            match (known.and_then(|known| known.get(key)), &schema["additionalProperties"]) {
                (Some(property), _) => self.check_at(property, value, &below)?,
                (None, Value::Bool(false)) => return Err(unknown(key, known, &below)),
                (None, other) => self.check_at(other, value, &below)?,
            }
        }
        let required = schema["required"].as_array().into_iter().flatten();
        let mut required = required.filter_map(Value::as_str);
        match required.find(|key| !members.contains_key(*key)) {
            Some(key) => Err(missing(&place.below(Step::Key(key)).to_string())),
            None => Ok(()),
        }
    }

    /// The schema that a reference, or the alternative of null and another type, stands for.
    fn resolved<'a>(&'a self, mut schema: &'a Value, value: &Value) -> &'a Value {
        if let Some(alternatives) = schema["anyOf"].as_array() {
            let is_null = |one: &&Value| one["type"] == "null";
            let wanted = alternatives.iter().find(|one| is_null(one) == value.is_null());
            schema = wanted.or(alternatives.first()).unwrap_or(schema);
        }
        let target = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        target.and_then(|target| self.0.pointer(target)).unwrap_or(schema)
    }
}

/// Where a value is: `config.devices.vif[0].mac`.
struct Place<'a> {
    outer: Option<&'a Place<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl Place<'_> {
    fn below<'a>(&'a self, step: Step<'a>) -> Place<'a> {
        Place { outer: Some(self), step }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(outer) = self.outer {
            write!(f, "{outer}")?;
        }
        match (self.step, self.outer) {
            (Step::Key(key), None) => f.write_str(key),
            (Step::Key(key), Some(_)) => write!(f, ".{key}"),
            (Step::Index(index), _) => write!(f, "[{index}]"),
        }
    }
}

/// Whether a value has a type, a range and a word of its schema. Without types, all are accepted.
fn is_accepted(schema: &Value, value: &Value) -> bool {
    let accepts = |name: &str| match (name, value) {
        ("null", Value::Null)
        | ("boolean", Value::Bool(_))
        | ("string", Value::String(_))
        | ("array", Value::Array(_))
        | ("object", Value::Object(_))
        | ("number", Value::Number(_)) => true,
        ("integer", Value::Number(number)) => {
            let (least, most) = range(schema);
            number.as_u64().is_some_and(|number| (least..=most).contains(&number))
        }
        _ => false,
    };
    let mut types = types(schema).peekable();
    let has_type = types.peek().is_none() || types.any(accepts);
    has_type && schema["enum"].as_array().is_none_or(|words| words.contains(value))
}

fn types(schema: &Value) -> impl Iterator<Item = &str> {
    let several = schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
    schema["type"].as_str().into_iter().chain(several)
}

/// The range of a whole number. That of an unsigned type is in its format.
fn range(schema: &Value) -> (u64, u64) {
    let most = match schema["format"].as_str() {
        Some("uint8") => u8::MAX.into(),
        Some("uint16") => u16::MAX.into(),
        Some("uint32") => u32::MAX.into(),
        _ => u64::MAX,
    };
    let minimum = schema["minimum"].as_u64().unwrap_or_default();
    (minimum, schema["maximum"].as_u64().unwrap_or(most))
}

/// The refusal of a value that its schema does not accept.
fn wrong(schema: &Value, value: &Value, place: &Place<'_>) -> Problem {
    let words: Vec<&str> =
        schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let expected = match types(schema).find(|name| *name != "null") {
        _ if !words.is_empty() => format!("one of {}", words.join(", ")),
        Some("integer") => {
            let (least, most) = range(schema);
            format!("a whole number from {least} to {most}")
        }
        Some("number") => "a number".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => "a list".to_owned(),
        Some("object") => "an object".to_owned(),
        _ => "a string".to_owned(),
    };
    let problem = not_expected(&place.to_string(), &expected, value);
    if words.is_empty() { problem } else { problem.allowing(words) }
}

/// The refusal of a value of the wrong type, or of none of the values that are expected.
pub(super) fn not_expected(place: &str, expected: &str, value: &Value) -> Problem {
    let is_other_type = match value {
        Value::Number(_) => !expected.contains("number"),
        Value::String(_) => !expected.starts_with("one of"),
        _ => true,
    };
    let found = if is_other_type { format!(", not {}", type_of(value)) } else { String::new() };
    invalid(place, &format!("{expected} is expected{found}"))
}

/// The type of a value, in a word.
const fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

pub(super) fn invalid(place: &str, reason: &str) -> Problem {
    let text = format!("Invalid value for {place}: {reason}");
    Problem::new(ProblemKind::INVALID, text).about(place)
}

pub(super) fn missing(place: &str) -> Problem {
    Problem::new(ProblemKind::MISSING_PARAMETER, format!("Missing parameter: {place}")).about(place)
}

/// The refusal of a key that is none of the known ones.
fn unknown(key: &str, known: Option<&Map<String, Value>>, place: &Place<'_>) -> Problem {
    let known: Vec<&str> = known.into_iter().flat_map(Map::keys).map(String::as_str).collect();
    // Who knows xend's own names may write them here.
    let other = OTHER_NAMES.iter().find(|(old, name)| *old == key && known.contains(name));
    let other = other.map(|(_, name)| *name).or_else(|| nearest(key, known.iter().copied()));
    let advice = other.map(|other| format!(": did you mean {other}?")).unwrap_or_default();
    let text = format!("Unknown parameter {place}{advice}");
    Problem::new(ProblemKind::UNKNOWN_PARAMETER, text).about(place.to_string()).allowing(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::http::json::config::DomainConfig;
    use serde_json::json;

    fn refused(value: &Value) -> Value {
        let problem = TypeSchema::of::<DomainConfig>().check("config", value).unwrap_err();
        serde_json::to_value(problem).unwrap()
    }

    fn with(key: &str, value: Value) -> Value {
        let mut config = json!({"name": "a", "memory_mib": 64});
        config[key] = value;
        config
    }

    #[test]
    fn a_refusal_names_the_place_and_what_is_expected_there() {
        let disks = |disk: Value| with("devices", json!({"vbd": [{"dev": "xvda"}, disk]}));
        let value = "Invalid value for config";
        for (config, parameter, detail) in [
            (json!([]), "config", format!("{value}: an object is expected, not a list")),
            (
                with("memory_mib", json!("64")),
                "config.memory_mib",
                format!(
                    "{value}.memory_mib: a whole number from 1 to 4294967296 is expected, not a string"
                ),
            ),
            (
                with("cpu_weight", json!(0)),
                "config.cpu_weight",
                format!("{value}.cpu_weight: a whole number from 1 to 65535 is expected"),
            ),
            (
                with("vcpus", json!(1.5)),
                "config.vcpus",
                format!("{value}.vcpus: a whole number from 1 to 128 is expected"),
            ),
            (
                with("on_crash", json!("explode")),
                "config.on_crash",
                format!(
                    "{value}.on_crash: one of destroy, restart, preserve, rename-restart, \
                     coredump-destroy, coredump-restart is expected"
                ),
            ),
            (
                with("devices", json!([])),
                "config.devices",
                format!("{value}.devices: an object is expected, not a list"),
            ),
            (
                disks(json!({"dev": 1})),
                "config.devices.vbd[1].dev",
                format!("{value}.devices.vbd[1].dev: a string is expected, not a number"),
            ),
            (
                disks(json!({"dev": "xvdb", "bootable": "yes"})),
                "config.devices.vbd[1].bootable",
                format!("{value}.devices.vbd[1].bootable: true or false is expected, not a string"),
            ),
            (
                with("image", json!("linux")),
                "config.image",
                format!("{value}.image: an object is expected, not a string"),
            ),
            (
                with("xenstore_data", json!({"vm-data/a": 1})),
                "config.xenstore_data.vm-data/a",
                format!("{value}.xenstore_data.vm-data/a: a string is expected, not a number"),
            ),
            (
                json!({"name": "a"}),
                "config.memory_mib",
                "Missing parameter: config.memory_mib".to_owned(),
            ),
            (
                disks(json!({})),
                "config.devices.vbd[1].dev",
                "Missing parameter: config.devices.vbd[1].dev".to_owned(),
            ),
        ] {
            let problem = refused(&config);
            assert_eq!(problem["parameter"], parameter, "{config}: {problem}");
            assert_eq!(problem["detail"], detail, "{config}");
        }
    }

    #[test]
    fn an_unknown_key_gets_the_nearest_known_one() {
        for (key, advice) in [
            ("vcpsu", ": did you mean vcpus?"),
            ("memory", ": did you mean memory_mib?"),
            ("maxmem", ": did you mean max_memory_mib?"),
            ("UUID", ": did you mean uuid?"),
            ("elephant", ""),
        ] {
            let problem = refused(&with(key, json!(1)));
            assert_eq!(problem["detail"], format!("Unknown parameter config.{key}{advice}"));
            assert!(problem["allowed"].as_array().unwrap().contains(&json!("vcpus")), "{problem}");
        }
    }

    #[test]
    fn what_the_schema_accepts_passes() {
        let all = json!({"name": "a", "memory_mib": 64, "image": null, "cpus": [[0], []],
            "devices": {"vif": [{"mac": null}], "vfb": [{"settings": {"vnc": 1, "x": [[]]}}]}});
        TypeSchema::of::<DomainConfig>().check("config", &all).unwrap();
    }
}
