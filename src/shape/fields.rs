//! A list of properties that is read key by key; the rest is kept as uninterpreted properties.

use super::error::ShapeError;
use crate::core::model::{Invalid, Property, Text, Unit, Value, is_whole_number};
use crate::sxp::Sxp;
use std::mem;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The properties `(key value)` of a list that are not read yet.
pub(super) struct Fields<'a> {
    /// Name of the list in messages; empty for a domain's own keys.
    scope: &'a str,
    items: Vec<&'a Sxp>,
}

impl<'a> Fields<'a> {
    /// The properties in `items`, each of which must be a list that begins with a word.
    pub(super) fn new(scope: &'a str, items: &'a [Sxp]) -> Result<Self, ShapeError> {
        for item in items {
            if !matches!(item.as_list(), Some([Sxp::Atom(_), ..])) {
                // The message does not show the item, which can contain a password.
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
        let items = mem::take(&mut self.items);
        let (taken, rest) = items.into_iter().partition(|item| item.head() == Some(key));
        self.items = rest;
        taken
    }

    /// Drops properties that describe a domain's present state, not its configuration.
    pub(super) fn drop_keys(&mut self, keys: &[&str]) {
        self.items.retain(|item| !item.head().is_some_and(|head| keys.contains(&head)));
    }

    /// Takes out the property with this key. Repeating it with the same value is allowed (xm 3.0.0
    /// sends `vcpus` twice), with another value it is an error.
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

    /// The single word of a property; `None` when the property is missing or has no value, as in
    /// `(features)`.
    pub(super) fn word(&mut self, key: &str) -> Result<Option<&'a Sxp>, ShapeError> {
        let Some(property) = self.take(key)? else { return Ok(None) };
        match property.tail() {
            [] => Ok(None),
            [word @ Sxp::Atom(_)] => Ok(Some(word)),
            _ => Err(ShapeError::new(self.name(key), "one word or string is expected", property)),
        }
    }

    /// Free text as bytes; empty when the property is missing.
    pub(super) fn text(&mut self, key: &str) -> Result<Text, ShapeError> {
        Ok(self.word(key)?.and_then(Sxp::as_bytes).unwrap_or_default().into())
    }

    /// Free text as bytes; `None` when the property is missing or empty.
    pub(super) fn optional_text(&mut self, key: &str) -> Result<Option<Text>, ShapeError> {
        Ok(Some(self.text(key)?).filter(|text| !text.is_empty()))
    }

    /// A value whose type checks it.
    pub(super) fn parse<T: FromStr<Err = Invalid>>(
        &mut self,
        key: &str,
    ) -> Result<Option<T>, ShapeError> {
        self.checked(key, str::parse)
    }

    /// A value that `check` reads and checks.
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

    /// A whole number in `range`. A 0 below it is left to the caller: some clients mean a default.
    pub(super) fn number(
        &mut self,
        key: &str,
        unit: Unit,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, ShapeError> {
        let (least, most) = range.into_inner();
        let out_of_range =
            |shown: &str| Invalid::new(format!("{shown} is out of range, {least} to {most}"));
        self.checked(key, |text| match whole_number(text) {
            Some(n) if n <= most => Ok(n),
            Some(n) => Err(out_of_range(&n.to_string())),
            None if is_whole_number(text) => Err(out_of_range(text.trim())),
            None => Err(Invalid::new(format!("{text:?} {}", unit.refusal(text)))),
        })
    }

    /// The remaining properties.
    pub(super) fn rest(self) -> Vec<Property> {
        self.items.into_iter().filter_map(property).collect()
    }

    /// The name of a key in messages: `vbd dev`.
    pub(super) fn name(&self, key: &str) -> String {
        if self.scope.is_empty() { key.to_owned() } else { format!("{} {key}", self.scope) }
    }
}

/// Reads a whole number. Clients echo xend's answers, and xend 3.0 printed some numbers as floats:
/// `(cpu_weight 1.0)`.
fn whole_number(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|byte| byte == b'0') => whole,
        _ => text,
    };
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// A list `(key value ...)` as an uninterpreted property.
pub(super) fn property(item: &Sxp) -> Option<Property> {
    let (key, values) = item.as_list()?.split_first()?;
    Some(Property { key: key.as_bytes()?.into(), values: values.iter().map(value).collect() })
}

/// Recursion is bounded by the reader's depth limit.
fn value(item: &Sxp) -> Value {
    match item.as_list() {
        Some(items) => Value::List(items.iter().map(value).collect()),
        None => Value::Text(item.as_bytes().unwrap_or_default().into()),
    }
}
