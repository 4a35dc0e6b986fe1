//! A property list, taken apart key by key, so that what is left over is what nobody knows.

use super::ShapeError;
use crate::core::model::{Invalid, Property, Text, Value};
use crate::sxp::Sxp;
use std::str::FromStr;

/// The properties `(key value)` of a list that nobody has taken yet.
pub(super) struct Fields<'a> {
    /// What the list is called in messages: empty for a domain's own keys.
    scope: &'a str,
    items: Vec<&'a Sxp>,
}

impl<'a> Fields<'a> {
    /// The properties in `items`; anything that is not a list with a word in front is an error.
    pub(super) fn new(scope: &'a str, items: &'a [Sxp]) -> Result<Self, ShapeError> {
        for item in items {
            if !matches!(item.as_list(), Some([Sxp::Atom(_), ..])) {
                // The item is not shown: a password can be anywhere in it.
                let scope = if scope.is_empty() { "configuration" } else { scope };
                return Err(ShapeError::new(
                    scope,
                    "an item of it is not of the form (key value)",
                    item,
                ));
            }
        }
        Ok(Self { scope, items: items.iter().collect() })
    }

    /// Takes out all properties with this key.
    pub(super) fn take_all(&mut self, key: &str) -> Vec<&'a Sxp> {
        let (taken, left) =
            std::mem::take(&mut self.items).into_iter().partition(|item| item.head() == Some(key));
        self.items = left;
        taken
    }

    /// Takes out properties that say what a domain is at the moment, not what it is to be.
    pub(super) fn drop_keys(&mut self, keys: &[&str]) {
        self.items.retain(|item| !item.head().is_some_and(|head| keys.contains(&head)));
    }

    /// Takes out the property with this key. Given twice with the same value is the same as once
    /// (xm 3.0.0 sends `vcpus` twice); with different values it is an error.
    pub(super) fn take(&mut self, key: &str) -> Result<Option<&'a Sxp>, ShapeError> {
        let all = self.take_all(key);
        match all.as_slice() {
            [] => Ok(None),
            [first, others @ ..] => match others.iter().find(|other| *other != first) {
                Some(other) => Err(ShapeError::new(
                    self.name(key),
                    "given twice, with different values",
                    other,
                )),
                None => Ok(Some(first)),
            },
        }
    }

    /// The single word that is a property's value; an absent property and one without a value
    /// (`(features)`) are the same.
    pub(super) fn word(&mut self, key: &str) -> Result<Option<&'a Sxp>, ShapeError> {
        let Some(property) = self.take(key)? else { return Ok(None) };
        match property.tail() {
            [] => Ok(None),
            [word @ Sxp::Atom(_)] => Ok(Some(word)),
            _ => Err(ShapeError::new(self.name(key), "one word or string is expected", property)),
        }
    }

    /// Free text, as bytes; a missing property is empty.
    pub(super) fn text(&mut self, key: &str) -> Result<Text, ShapeError> {
        Ok(self.word(key)?.and_then(Sxp::as_bytes).unwrap_or_default().into())
    }

    /// Free text; a missing or empty property is none.
    pub(super) fn optional_text(&mut self, key: &str) -> Result<Option<Text>, ShapeError> {
        Ok(Some(self.text(key)?).filter(|text| !text.is_empty()))
    }

    /// A value of a type that checks itself.
    pub(super) fn parse<T: FromStr<Err = Invalid>>(
        &mut self,
        key: &str,
    ) -> Result<Option<T>, ShapeError> {
        self.checked(key, str::parse)
    }

    /// A value that `check` reads.
    pub(super) fn checked<T>(
        &mut self,
        key: &str,
        check: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Result<Option<T>, ShapeError> {
        let Some(word) = self.word(key)? else { return Ok(None) };
        let text =
            word.as_str().ok_or_else(|| ShapeError::new(self.name(key), "not UTF-8 text", word))?;
        check(text).map(Some).map_err(|reason| ShapeError::new(self.name(key), reason, word))
    }

    /// A whole number of `unit`, at most `max`.
    pub(super) fn number(
        &mut self,
        key: &str,
        unit: &str,
        max: u64,
    ) -> Result<Option<u64>, ShapeError> {
        self.checked(key, |text| match whole(text) {
            Some(n) if n <= max => Ok(n),
            Some(n) => Err(Invalid::new(format!("{n} is above {max}"))),
            None => Err(Invalid::new(format!("{text:?} is not a whole number{unit}"))),
        })
    }

    /// Everything that nobody has taken.
    pub(super) fn rest(self) -> Vec<Property> {
        self.items.into_iter().filter_map(property).collect()
    }

    pub(super) fn name(&self, key: &str) -> String {
        if self.scope.is_empty() { key.to_owned() } else { format!("{} {key}", self.scope) }
    }
}

/// A whole number. xend 3.0 printed some as floats (`(cpu_weight 1.0)`), and what it printed is
/// echoed back.
fn whole(text: &str) -> Option<u64> {
    let digits = text.trim();
    let digits = digits
        .split_once('.')
        .filter(|(_, f)| f.bytes().all(|b| b == b'0'))
        .map_or(digits, |(n, _)| n);
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

fn property(item: &Sxp) -> Option<Property> {
    let (key, values) = item.as_list()?.split_first()?;
    Some(Property { key: key.as_bytes()?.into(), values: values.iter().map(value).collect() })
}

/// Recursion is bounded: the reader bounds a tree's depth.
fn value(item: &Sxp) -> Value {
    match item.as_list() {
        Some(items) => Value::List(items.iter().map(value).collect()),
        None => Value::Text(item.as_bytes().unwrap_or_default().into()),
    }
}
