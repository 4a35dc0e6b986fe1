//! What a call was made with.

use super::value::Value;
use crate::core::model::{CpuSet, Invalid, MAX_VCPUS};
use crate::sxp::Sxp;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// How many keys are pressed in one call.
const MOST_KEYS: usize = 64;

/// The parameters of a call, by their names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Args<'a> {
    /// The names that they have in the table.
    pub(super) names: &'a [&'static str],
    /// What was sent.
    pub(super) values: &'a [Value],
}

/// Why a call cannot be made of its parameters. It names the parameter and never says what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unfit(pub(super) String);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Args<'_> {
    fn name(&self, at: usize) -> &'static str {
        self.names.get(at).copied().unwrap_or("?")
    }

    fn unfit(&self, at: usize, wanted: &str) -> Unfit {
        let kind = self.values.get(at).map_or("nothing", Value::kind);
        Unfit(format!("{}: {wanted} is expected, not {kind}", self.name(at)))
    }

    /// One that was given, and is not nil.
    fn given(&self, at: usize) -> Option<&Value> {
        self.values.get(at).filter(|value| **value != Value::Nil)
    }

    /// A text; a number is one as well.
    pub(super) fn text(&self, at: usize) -> Result<String, Unfit> {
        self.optional_text(at)?.ok_or_else(|| self.unfit(at, "a string"))
    }

    pub(super) fn optional_text(&self, at: usize) -> Result<Option<String>, Unfit> {
        match self.given(at) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(Value::Int(n)) => Ok(Some(n.to_string())),
            Some(_) => Err(self.unfit(at, "a string")),
        }
    }

    /// A whole number, in digits as well.
    pub(super) fn number<T: TryFrom<i64>>(&self, at: usize) -> Result<T, Unfit> {
        self.optional_number(at)?.ok_or_else(|| self.unfit(at, "a whole number"))
    }

    pub(super) fn optional_number<T: TryFrom<i64>>(&self, at: usize) -> Result<Option<T>, Unfit> {
        let number = match self.given(at) {
            None => return Ok(None),
            Some(Value::Int(n)) => Some(*n),
            Some(Value::Bool(on)) => Some(i64::from(*on)),
            Some(Value::Text(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        let number = number.ok_or_else(|| match self.given(at) {
            Some(Value::Text(text)) if is_whole(text) => {
                Unfit(format!("{}: {} is out of range", self.name(at), text.trim()))
            }
            _ => self.unfit(at, "a whole number"),
        })?;
        T::try_from(number)
            .map(Some)
            .map_err(|_| Unfit(format!("{}: {number} is out of range", self.name(at))))
    }

    /// A number of VCPUs that a domain can have.
    pub(super) fn vcpus(&self, at: usize) -> Result<u32, Unfit> {
        let count = match self.given(at) {
            // Too many digits for a number are too large a number.
            Some(Value::Text(text)) if is_whole(text) => text.trim().parse().unwrap_or(i64::MAX),
            _ => self.number(at)?,
        };
        let fine = u32::try_from(count).ok().filter(|count| (1..=MAX_VCPUS).contains(count));
        fine.ok_or_else(|| Unfit(format!("{}: out of range, 1 to {MAX_VCPUS}", self.name(at))))
    }

    /// Texts by their keys; numbers and booleans are texts as well. A key whose value is nil is
    /// left as it is.
    pub(super) fn map(&self, at: usize) -> Result<BTreeMap<String, String>, Unfit> {
        let Some(Value::Struct(members)) = self.given(at) else {
            return Err(self.unfit(at, "a map"));
        };
        let given = members.iter().filter(|(_, value)| *value != Value::Nil);
        let text = |(key, value): &(String, Value)| {
            let text = match value {
                Value::Text(text) | Value::Time(text) => text.clone(),
                Value::Int(n) => n.to_string(),
                Value::Bool(on) => if *on { "True" } else { "False" }.to_owned(),
                Value::Double(n) => n.to_string(),
                Value::Nil | Value::Array(_) | Value::Struct(_) => {
                    return Err(self.unfit(at, "a map of texts"));
                }
            };
            Ok((key.clone(), text))
        };
        given.map(text).collect()
    }

    /// Whether a map says of a key that it is not to change.
    pub(super) fn leaves(&self, at: usize, key: &str) -> bool {
        let Some(Value::Struct(members)) = self.values.get(at) else { return false };
        members.iter().any(|(one, value)| one == key && *value == Value::Nil)
    }

    /// Whether nothing is to change: the value is nil.
    pub(super) fn is_nil(&self, at: usize) -> bool {
        self.values.get(at) == Some(&Value::Nil)
    }

    /// Texts.
    pub(super) fn list(&self, at: usize) -> Result<Vec<String>, Unfit> {
        let Some(Value::Array(values)) = self.given(at) else {
            return Err(self.unfit(at, "an array"));
        };
        let text = |value: &Value| match value {
            Value::Text(text) => Ok(text.clone()),
            Value::Int(n) => Ok(n.to_string()),
            _ => Err(self.unfit(at, "an array of strings")),
        };
        values.iter().map(text).collect()
    }

    /// True or false, as Python takes it: 0, nothing and the empty string are false.
    pub(super) fn flag(&self, at: usize, otherwise: bool) -> Result<bool, Unfit> {
        match self.values.get(at) {
            None => Ok(otherwise),
            Some(Value::Nil) => Ok(false),
            Some(Value::Bool(on)) => Ok(*on),
            Some(Value::Int(n)) => Ok(*n != 0),
            Some(Value::Text(text)) => Ok(!matches!(text.as_str(), "" | "0" | "False" | "false")),
            Some(_) => Err(self.unfit(at, "a boolean")),
        }
    }

    /// A file of this host, which is the daemon's: its place does not depend on where a client was
    /// started.
    pub(super) fn path(&self, at: usize) -> Result<PathBuf, Unfit> {
        let path = PathBuf::from(self.text(at)?);
        if path.is_absolute() && !path.as_os_str().as_encoded_bytes().contains(&0) {
            return Ok(path);
        }
        Err(Unfit(format!("{}: an absolute path on the host is expected", self.name(at))))
    }

    /// Keys of the hypervisor's own console.
    pub(super) fn keys(&self, at: usize) -> Result<String, Unfit> {
        let keys = self.text(at)?;
        if (1..=MOST_KEYS).contains(&keys.len()) && keys.bytes().all(|key| key.is_ascii_graphic()) {
            return Ok(keys);
        }
        Err(Unfit(format!(
            "{}: 1 to {MOST_KEYS} letters, digits or signs are expected",
            self.name(at)
        )))
    }

    /// Those of the CPUs that the host has: xm names 0 to 63 for all of them.
    pub(super) fn cpus(&self, at: usize, there: u32) -> Result<CpuSet, Unfit> {
        let unfit = |reason: String| Unfit(format!("{}: {reason}", self.name(at)));
        let asked: CpuSet =
            self.text(at)?.parse().map_err(|invalid: Invalid| unfit(invalid.to_string()))?;
        let cpus: CpuSet = asked.iter().filter(|cpu| *cpu < there).collect();
        if cpus.is_empty() {
            return Err(unfit(format!("this host has CPUs 0 to {}", there.saturating_sub(1))));
        }
        Ok(cpus)
    }

    /// An S-expression, which is sent as nested arrays.
    pub(super) fn sxp(&self, at: usize) -> Result<Sxp, Unfit> {
        let value = self.values.get(at).filter(|value| matches!(value, Value::Array(_)));
        value.map(sxp).ok_or_else(|| self.unfit(at, "an S-expression in nested arrays"))
    }
}

/// Whether it is a whole number, however many digits it has.
fn is_whole(text: &str) -> bool {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
}

/// A value as an S-expression. A struct is the list of its members, as xend printed one: xm sends
/// `cpuid` as structs. The depth was limited where the call was read.
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
        Value::Nil => Sxp::atom(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_send_the_same_in_many_ways() {
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
        assert_eq!(args.sxp(4).unwrap().to_string(), "(vm (memory 64))");
        let told = |unfit: Unfit| unfit.to_string();
        assert_eq!(
            told(args.number::<u32>(5).unwrap_err()),
            "f: a whole number is expected, not a string"
        );
        assert_eq!(
            told(args.sxp(0).unwrap_err()),
            "a: an S-expression in nested arrays is expected, not a string"
        );
        assert_eq!(told(args.text(4).unwrap_err()), "e: a string is expected, not an array");
    }
}
