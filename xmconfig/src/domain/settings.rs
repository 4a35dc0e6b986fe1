//! The variables of a file as settings of a domain.

use super::python_dict::PythonDict;
use super::xl;
use crate::error::Fault;
use crate::language::{Data, Value, Variables, integer_of};
use crate::whole_number;
use xend_spelling::nearest;

/// The most items of a list.
const MAX_ITEMS: usize = 1_000;

/// The settings of a domain: xm's variables, with xl's translated to them.
pub(super) struct Settings<'a> {
    variables: &'a Variables,
    /// Settings that take the place of variables.
    translated: Vec<(&'static str, Value)>,
}

/// A string of a list, with its position.
pub(super) struct Item<'a> {
    /// The variable that is the list.
    pub(super) variable: &'static str,
    pub(super) text: &'a [u8],
    pub(super) offset: u32,
}

impl<'a> Settings<'a> {
    /// Adds to `warnings` what cannot be translated.
    pub(super) fn new(variables: &'a Variables, warnings: &mut Vec<Fault>) -> Result<Self, Fault> {
        Ok(Self { variables, translated: xl::translated(variables, warnings)? })
    }

    /// The value of a setting that is not `None`.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        let translated = self.translated.iter().find(|(known, _)| *known == name);
        let value = match translated {
            Some((_, value)) => value,
            None => self.variables.get(name)?.value(),
        };
        (value.data != Data::None).then_some(value)
    }

    /// The value of a setting that Python takes for true.
    pub(super) fn get_true(&self, name: &str) -> Option<&Value> {
        self.get(name).filter(|value| value.data.is_true())
    }

    /// The value of a setting as text; `default` if it is not set.
    pub(super) fn text(&self, name: &str, default: &str) -> Vec<u8> {
        self.get(name).map_or_else(|| default.as_bytes().to_vec(), |value| value.data.to_text())
    }

    /// The value of a setting as a number; `None` if it is not set.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Fault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        if let Some(number) = integer_of(&value.data) {
            return Ok(Some(number));
        }
        let expected = whole_number::expected(name, &value.data.to_text());
        Err(Fault::new(value.offset, format!("{name}: {expected}")))
    }

    /// The values of a list; none if it is not set.
    pub(super) fn list(&self, name: &'static str) -> Result<&[Value], Fault> {
        match self.get(name).map(|value| (&value.data, value.offset)) {
            None => Ok(&[]),
            Some((Data::List(items) | Data::Tuple(items), _)) if items.len() <= MAX_ITEMS => {
                Ok(items)
            }
            Some((Data::List(_) | Data::Tuple(_), offset)) => {
                let reason = format!("{name}: there are more than {MAX_ITEMS} items");
                Err(Fault::new(offset, reason))
            }
            Some((_, offset)) => {
                Err(Fault::new(offset, format!("{name}: a list like ['...'] is expected")))
            }
        }
    }

    /// The strings of a list; none if it is not set.
    pub(super) fn items(&self, name: &'static str) -> Result<Vec<Item<'_>>, Fault> {
        let items = self.list(name)?.iter().map(|value| match &value.data {
            Data::Text(text) => Ok(Item { variable: name, text, offset: value.offset }),
            other => {
                let reason = format!("{name}: a list of strings is expected, not {}", other.kind());
                Err(Fault::new(value.offset, reason))
            }
        });
        items.collect()
    }
}

impl<'a> Item<'a> {
    /// The pairs of `key=value,key=value`, of which xm took the keys in `known`.
    pub(super) fn pairs(&self, known: &[&str]) -> Result<PythonDict<&'a [u8]>, Fault> {
        let mut pairs = PythonDict::new();
        if self.text.trim_ascii().is_empty() {
            return Ok(pairs);
        }
        for part in self.text.split(|byte| *byte == b',') {
            let Some(at) = part.iter().position(|byte| *byte == b'=') else {
                return Err(self.fault("key=value is expected between the commas"));
            };
            let (key, value) = part.split_at(at);
            let key = key.trim_ascii();
            if !known.iter().any(|known| known.as_bytes() == key) {
                return Err(self.fault(unknown_key(self.variable, key, known)));
            }
            pairs.insert(key, value.get(1..).unwrap_or_default().trim_ascii());
        }
        Ok(pairs)
    }

    /// The fault of this item; the reason must not quote values.
    pub(super) fn fault(&self, reason: impl AsRef<str>) -> Fault {
        Fault::new(self.offset, format!("{}: {}", self.variable, reason.as_ref()))
    }
}

/// What is wrong with a key. It is named unless it can be the rest of a password with a comma.
fn unknown_key(variable: &str, key: &[u8], known: &[&str]) -> String {
    let name = std::str::from_utf8(key).ok().filter(|key| {
        let is_name = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        !key.is_empty() && is_name && variable != "vfb"
    });
    let Some(name) = name else { return format!("a key is not one of {}", known.join(" ")) };
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("there is no key {name}, {near} is one"),
        None => format!("there is no key {name}: give one of {}", known.join(" ")),
    }
}
