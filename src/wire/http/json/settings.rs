//! Keys that xend does not interpret.

use super::fields::Fields;
use crate::core::model::{Property, Text, Value};
use crate::sxp::Sxp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Keys that xend does not interpret, with their values. It has passwords while a request is read,
/// and is therefore never printed for people.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Settings(BTreeMap<String, Setting>);

/// The value of a key: `true` of `(acpi 1)`, a word, a list; null of `(features)`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a number, a string, true, false, null, a list, or {\"each\": [...]} is expected"
)]
enum Setting {
    Nothing,
    Flag(bool),
    Number(serde_json::Number),
    Text(String),
    Several(Vec<Setting>),
    /// A key that is given more than once.
    Each {
        each: Vec<Setting>,
    },
}

impl Settings {
    /// Those that may be shown: all but passwords.
    pub(super) fn shown(properties: &[Property]) -> Self {
        let mut all: BTreeMap<String, Vec<Setting>> = BTreeMap::new();
        for property in Property::shown(properties) {
            all.entry(lossy(&property.key)).or_default().push(Setting::of(&property.values));
        }
        let joined = |mut settings: Vec<Setting>| match settings.pop() {
            Some(only) if settings.is_empty() => only,
            last => Setting::Each { each: settings.into_iter().chain(last).collect() },
        };
        Self(all.into_iter().map(|(key, settings)| (key, joined(settings))).collect())
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds them to a list.
    pub(super) fn write(&self, fields: &mut Fields) {
        for (key, setting) in &self.0 {
            match setting {
                Setting::Each { each } => {
                    for one in each {
                        fields.list(key, one.values());
                    }
                }
                one => fields.list(key, one.values()),
            }
        }
    }
}

impl Setting {
    fn of(values: &[Value]) -> Self {
        match values {
            [] => Self::Nothing,
            [Value::Text(text)] => Self::Text(lossy(text)),
            several => Self::Several(several.iter().map(Self::of_value).collect()),
        }
    }

    fn of_value(value: &Value) -> Self {
        match value {
            Value::Text(text) => Self::Text(lossy(text)),
            Value::List(items) => Self::Several(items.iter().map(Self::of_value).collect()),
        }
    }

    /// The values after the key. The limit on the depth of bodies bounds the recursion.
    fn values(&self) -> Vec<Sxp> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Several(items) | Self::Each { each: items } => {
                items.iter().map(Self::to_sxp).collect()
            }
            word => vec![word.to_sxp()],
        }
    }

    fn to_sxp(&self) -> Sxp {
        match self {
            Self::Flag(on) => Sxp::atom(if *on { "1" } else { "0" }),
            Self::Number(number) => Sxp::atom(number.to_string()),
            Self::Text(text) => Sxp::atom(text),
            Self::Nothing | Self::Several(_) | Self::Each { .. } => Sxp::list(self.values()),
        }
    }
}

impl JsonSchema for Settings {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Settings".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "additionalProperties": true})
    }
}

/// Text of JSON, which is UTF-8. xend's need not be.
pub(super) fn lossy(text: &Text) -> String {
    String::from_utf8_lossy(text).into_owned()
}
