//! Arguments of a call, as clients in many languages send them.

use super::value::Value;
use crate::core::model::{CpuSet, Invalid, MAX_VCPUS, WholeNumber, is_whole_number};
use crate::sxp::{Limits, Sxp};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Keys pressed in one call at most.
const MAX_KEYS: usize = 64;

/// The most entries of a map. Some are set one by one, and each is stored.
const MAX_ENTRIES: usize = 1024;
/// The longest text that is read as a number, in bytes. Blanks around a number could have any
/// length, and some calls are kept for an hour.
const MAX_NUMBER: usize = 64;

/// The most characters of a map's key in an error.
const MAX_SHOWN: usize = 40;

/// The arguments of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Args<'a> {
    /// Names of the parameters, for errors.
    pub(super) names: &'a [&'static str],
    pub(super) values: &'a [Value],
}

/// An argument that does not fit its parameter. The text names the parameter and never quotes a
/// string: it may be a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadArgument(pub(super) String);

impl fmt::Display for BadArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Args<'_> {
    fn name(&self, at: usize) -> &'static str {
        self.names.get(at).copied().unwrap_or("?")
    }

    fn wrong_type(&self, at: usize, wanted: &str) -> BadArgument {
        let kind = self.values.get(at).map_or("nothing", Value::kind);
        BadArgument(format!("{}: {wanted} is expected, not {kind}", self.name(at)))
    }

    /// An argument that was given and is not nil.
    fn given(&self, at: usize) -> Option<&Value> {
        self.values.get(at).filter(|value| **value != Value::Nil)
    }

    /// A string. A number becomes its digits.
    pub(super) fn text(&self, at: usize) -> Result<String, BadArgument> {
        self.optional_text(at)?.ok_or_else(|| self.wrong_type(at, "a string"))
    }

    pub(super) fn optional_text(&self, at: usize) -> Result<Option<String>, BadArgument> {
        match self.given(at) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(Value::Int(n)) => Ok(Some(n.to_string())),
            Some(_) => Err(self.wrong_type(at, "a string")),
        }
    }

    /// A whole number, also as a string.
    pub(super) fn number<T: TryFrom<i64> + WholeNumber>(
        &self,
        at: usize,
    ) -> Result<T, BadArgument> {
        self.optional_number(at)?.ok_or_else(|| self.wrong_type(at, "a whole number"))
    }

    pub(super) fn optional_number<T: TryFrom<i64> + WholeNumber>(
        &self,
        at: usize,
    ) -> Result<Option<T>, BadArgument> {
        let number = match self.given(at) {
            None => return Ok(None),
            Some(Value::Int(n)) => Some(*n),
            Some(Value::Bool(on)) => Some(i64::from(*on)),
            Some(Value::Text(text)) if text.len() <= MAX_NUMBER => text.trim().parse().ok(),
            Some(_) => None,
        };
        let number = number.ok_or_else(|| match self.given(at) {
            Some(Value::Text(text)) if is_whole_number(text) => {
                self.out_of_range::<T>(at, text.trim())
            }
            _ => self.wrong_type(at, "a whole number"),
        })?;
        T::try_from(number).map(Some).map_err(|_| self.out_of_range::<T>(at, &number.to_string()))
    }

    /// XML-RPC's integers have at most 64 bits, with a sign.
    fn out_of_range<T: WholeNumber>(&self, at: usize, number: &str) -> BadArgument {
        let (least, most) = T::RANGE;
        let most = most.min(i64::MAX.into());
        let number: String = number.chars().take(MAX_NUMBER).collect();
        BadArgument(format!("{}: {number} is out of range, {least} to {most}", self.name(at)))
    }

    /// A valid number of VCPUs.
    pub(super) fn vcpus(&self, at: usize) -> Result<u32, BadArgument> {
        let count = match self.given(at) {
            // More digits than an integer holds are out of range.
            Some(Value::Text(text)) if is_whole_number(text) => {
                text.trim().parse().unwrap_or(i64::MAX)
            }
            _ => self.number(at)?,
        };
        let valid = u32::try_from(count).ok().filter(|count| (1..=MAX_VCPUS).contains(count));
        valid.ok_or_else(|| {
            BadArgument(format!("{}: out of range, 1 to {MAX_VCPUS}", self.name(at)))
        })
    }

    /// A map of strings. Numbers and booleans become strings; keys whose value is nil are left out.
    pub(super) fn map(&self, at: usize) -> Result<BTreeMap<String, String>, BadArgument> {
        let Some(Value::Struct(members)) = self.given(at) else {
            return Err(self.wrong_type(at, "a map"));
        };
        if members.len() > MAX_ENTRIES {
            let name = self.name(at);
            let count = members.len();
            return Err(BadArgument(format!(
                "{name}: {count} entries are too many, at most {MAX_ENTRIES}"
            )));
        }
        let given = members.iter().filter(|(_, value)| *value != Value::Nil);
        let text = |(key, value): &(String, Value)| {
            let text = match value {
                Value::Text(text) | Value::Time(text) => text.clone(),
                Value::Int(n) => n.to_string(),
                Value::Bool(on) => if *on { "True" } else { "False" }.to_owned(),
                Value::Double(n) => n.to_string(),
                Value::Nil | Value::Array(_) | Value::Struct(_) | Value::Printed(_) => {
                    let name = self.name(at);
                    let key: String = key.chars().take(MAX_SHOWN).collect();
                    let kind = value.kind();
                    return Err(BadArgument(format!(
                        "{name}: a map of texts is expected, but {key} is {kind}"
                    )));
                }
            };
            Ok((key.clone(), text))
        };
        given.map(text).collect()
    }

    /// Whether a map has a nil value for a key: clients mean that the key is not to change.
    pub(super) fn has_nil_member(&self, at: usize, key: &str) -> bool {
        let Some(Value::Struct(members)) = self.values.get(at) else { return false };
        members.iter().any(|(one, value)| one == key && *value == Value::Nil)
    }

    /// Whether an argument is nil: clients mean that nothing is to change.
    pub(super) fn is_nil(&self, at: usize) -> bool {
        self.values.get(at) == Some(&Value::Nil)
    }

    /// An array of strings. Numbers become strings.
    pub(super) fn list(&self, at: usize) -> Result<Vec<String>, BadArgument> {
        let Some(Value::Array(values)) = self.given(at) else {
            return Err(self.wrong_type(at, "an array"));
        };
        let text = |value: &Value| match value {
            Value::Text(text) => Ok(text.clone()),
            Value::Int(n) => Ok(n.to_string()),
            _ => Err(self.wrong_type(at, "an array of strings")),
        };
        values.iter().map(text).collect()
    }

    /// A boolean in Python's sense: 0, None and the empty string are false.
    pub(super) fn flag(&self, at: usize, otherwise: bool) -> Result<bool, BadArgument> {
        match self.values.get(at) {
            None => Ok(otherwise),
            Some(Value::Nil) => Ok(false),
            Some(Value::Bool(on)) => Ok(*on),
            Some(Value::Int(n)) => Ok(*n != 0),
            Some(Value::Text(text)) => Ok(!matches!(text.as_str(), "" | "0" | "False" | "false")),
            Some(_) => Err(self.wrong_type(at, "a boolean")),
        }
    }

    /// A flag that was given and is not nil.
    pub(super) fn optional_flag(&self, at: usize) -> Result<Option<bool>, BadArgument> {
        self.given(at).map(|_| self.flag(at, false)).transpose()
    }

    /// An absolute path on the daemon's host: a client's working directory has no meaning there.
    pub(super) fn path(&self, at: usize) -> Result<PathBuf, BadArgument> {
        let path = PathBuf::from(self.text(at)?);
        if path.is_absolute() && !path.as_os_str().as_encoded_bytes().contains(&0) {
            return Ok(path);
        }
        Err(BadArgument(format!("{}: an absolute path on the host is expected", self.name(at))))
    }

    /// Debug keys of the hypervisor's console.
    pub(super) fn keys(&self, at: usize) -> Result<String, BadArgument> {
        let keys = self.text(at)?;
        if (1..=MAX_KEYS).contains(&keys.len()) && keys.bytes().all(|key| key.is_ascii_graphic()) {
            return Ok(keys);
        }
        Err(BadArgument(format!(
            "{}: 1 to {MAX_KEYS} letters, digits or signs are expected",
            self.name(at)
        )))
    }

    /// A set of the host's CPUs. Others are ignored: xm sends 0 to 63 for all CPUs.
    pub(super) fn cpus(&self, at: usize, host_cpus: u32) -> Result<CpuSet, BadArgument> {
        let bad_argument = |reason: String| BadArgument(format!("{}: {reason}", self.name(at)));
        let sent: CpuSet =
            self.text(at)?.parse().map_err(|invalid: Invalid| bad_argument(invalid.to_string()))?;
        let cpus = sent.intersection(&CpuSet::first(host_cpus));
        if cpus.is_empty() {
            return Err(bad_argument(format!(
                "this host has CPUs 0 to {}",
                host_cpus.saturating_sub(1)
            )));
        }
        Ok(cpus)
    }

    /// An S-expression, sent as nested arrays.
    pub(super) fn sxp(&self, at: usize) -> Result<Sxp, BadArgument> {
        let value = self.values.get(at).filter(|value| matches!(value, Value::Array(_)));
        let value = value.ok_or_else(|| self.wrong_type(at, "an S-expression in nested arrays"))?;
        // The limits of an S-expression that comes as text.
        let limits = Limits::DEFAULT;
        let mut room = Room { values: limits.count, bytes: limits.bytes };
        room.take(value).map(|()| sxp(value)).ok_or_else(|| {
            BadArgument(format!(
                "{}: an S-expression has at most {} values and {} bytes",
                self.name(at),
                limits.count,
                limits.bytes
            ))
        })
    }
}

/// What is left of the limits of an S-expression.
struct Room {
    values: usize,
    bytes: usize,
}

impl Room {
    /// Takes the room of a value; `None` if too little is left.
    fn take(&mut self, value: &Value) -> Option<()> {
        self.values = self.values.checked_sub(1)?;
        match value {
            Value::Text(text) | Value::Time(text) => self.take_text(text),
            Value::Array(values) => values.iter().try_for_each(|value| self.take(value)),
            Value::Struct(members) => members.iter().try_for_each(|(name, value)| {
                // The list of the two.
                self.values = self.values.checked_sub(2)?;
                self.take_text(name)?;
                self.take(value)
            }),
            Value::Nil
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Double(_)
            // No client sends one.
            | Value::Printed(_) => Some(()),
        }
    }

    fn take_text(&mut self, text: &str) -> Option<()> {
        self.bytes = self.bytes.checked_sub(text.len())?;
        Some(())
    }
}

/// A value as an S-expression. A struct becomes the list of its members, as in xend: xm sends
/// `cpuid` as structs. The reader of the call limits the depth.
fn sxp(value: &Value) -> Sxp {
    match value {
        Value::Array(values) => Sxp::list(values.iter().map(sxp)),
        Value::Struct(members) => Sxp::list(
            members.iter().map(|(name, value)| Sxp::list([Sxp::atom(name.as_str()), sxp(value)])),
        ),
        Value::Text(text) | Value::Time(text) => Sxp::atom(text.as_str()),
        Value::Int(n) => Sxp::atom(n.to_string()),
        Value::Bool(on) => Sxp::atom(if *on { "1" } else { "0" }),
        Value::Double(n) => Sxp::atom(format!("{n:?}")),
        Value::Nil | Value::Printed(_) => Sxp::atom(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_flags_are_read_in_every_spelling() {
        let values = [
            Value::text("1"),
            Value::Int(1),
            Value::Bool(true),
            Value::Nil,
            Value::Array(vec![
                Value::text("vm"),
                Value::Array(vec![Value::text("memory"), Value::Int(64)]),
            ]),
            Value::text("geheim"),
        ];
        let args = Args { names: &["a", "b", "c", "d", "e", "f"], values: &values };
        for at in 0..3 {
            assert_eq!(args.number::<u32>(at), Ok(1));
            assert_eq!(args.flag(at, false), Ok(true));
        }
        assert_eq!((args.text(1).as_deref(), args.optional_text(3)), (Ok("1"), Ok(None)));
        assert_eq!((args.flag(3, true), args.flag(9, true)), (Ok(false), Ok(true)));
        let padded = [Value::text(format!("{}1", " ".repeat(MAX_NUMBER)))];
        assert!(Args { names: &["a"], values: &padded }.number::<u32>(0).is_err());
        for (value, number, range) in [
            (Value::Int(-1), "-1", "0 to 4294967295"),
            (Value::text("99999999999999999999"), "99999999999999999999", "0 to 4294967295"),
        ] {
            let refused = Args { names: &["a"], values: &[value] }.number::<u32>(0).unwrap_err();
            assert_eq!(refused.to_string(), format!("a: {number} is out of range, {range}"));
        }
        assert_eq!(args.sxp(4).unwrap().to_string(), "(vm (memory 64))");
        let message = |error: BadArgument| error.to_string();
        assert_eq!(
            message(args.number::<u32>(5).unwrap_err()),
            "f: a whole number is expected, not a string"
        );
        assert_eq!(
            message(args.sxp(0).unwrap_err()),
            "a: an S-expression in nested arrays is expected, not a string"
        );
        assert_eq!(message(args.text(4).unwrap_err()), "e: a string is expected, not an array");
        for large in [
            Value::Array(vec![Value::Nil; 200_001]),
            Value::Array(vec![Value::Array(vec![]); 200_001]),
            Value::Array(vec![Value::Text("x".repeat(1 << 19)); 3]),
            Value::Array(vec![Value::Struct(vec![("x".repeat(1 << 20), Value::text("x"))])]),
        ] {
            let args = Args { names: &["config"], values: &[large] };
            assert_eq!(
                message(args.sxp(0).unwrap_err()),
                "config: an S-expression has at most 200000 values and 1048576 bytes"
            );
        }
        let members = [("id", Value::text("geheim")), ("timeout", Value::Array(Vec::new()))];
        let members = members.map(|(key, value)| (key.to_owned(), value));
        let map = Value::Struct(members.into_iter().collect());
        let args = Args { names: &["args"], values: &[map] };
        assert_eq!(
            message(args.map(0).unwrap_err()),
            "args: a map of texts is expected, but timeout is an array"
        );
        let entries = (0..1025).map(|n| (n.to_string(), Value::text("x"))).collect();
        let args = Args { names: &["value"], values: &[Value::Struct(entries)] };
        let expected = "value: 1025 entries are too many, at most 1024";
        assert_eq!(message(args.map(0).unwrap_err()), expected);
    }
}
