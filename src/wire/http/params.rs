//! What a request says beside its path: the query and the form, and how an operation reads them.

use super::operations::{Needed, Param};
use crate::core::model::Invalid;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::str::FromStr;

/// The most parameters of one request.
const MAX_PARAMS: usize = 1000;

/// The parameters of a request, as bytes: an S-expression of 2006 need not be UTF-8.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Params(Vec<(String, Vec<u8>)>);

impl Params {
    /// A query: parameters without a value are dropped, as Python's `cgi` did.
    pub(super) fn from_query(query: &str) -> Self {
        let mut params = Self::from_form(query.as_bytes());
        params.0.retain(|(_, value)| !value.is_empty());
        params
    }

    /// An urlencoded form: parameters without a value are kept.
    pub(super) fn from_form(form: &[u8]) -> Self {
        let pairs = form.split(|b| *b == b'&').filter(|pair| !pair.is_empty()).take(MAX_PARAMS);
        Self(
            pairs
                .map(|pair| {
                    let (key, value) = pair
                        .iter()
                        .position(|b| *b == b'=')
                        .map_or((pair, &[][..]), |at| (&pair[..at], &pair[at + 1..]));
                    (String::from_utf8_lossy(&decoded(key)).into_owned(), decoded(value))
                })
                .collect(),
        )
    }

    pub(super) fn push(&mut self, key: String, value: Vec<u8>) {
        if self.0.len() < MAX_PARAMS {
            self.0.push((key, value));
        }
    }

    /// The parameters of the query that the form does not have, and those of the form.
    #[must_use]
    pub(super) fn replaced_by(mut self, form: Self) -> Self {
        self.0.retain(|(key, _)| !form.0.iter().any(|(other, _)| other == key));
        self.0.extend(form.0);
        self
    }

    /// The same but for those that are blank and need not be given.
    pub(super) fn without_blank(&self, known: &[Param]) -> Self {
        let optional =
            |key: &str| known.iter().any(|one| one.name == key && one.needed != Needed::Yes);
        Self(
            self.0
                .iter()
                .filter(|(key, value)| !value.is_empty() || !optional(key))
                .cloned()
                .collect(),
        )
    }

    /// All values of a parameter.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_slice())
    }

    /// The value of a parameter that must be there, and once.
    pub(super) fn one(&self, key: &str) -> Result<&[u8], Invalid> {
        let mut values = self.all(key);
        match (values.next(), values.next()) {
            (Some(value), None) => Ok(value),
            (None, _) => Err(missing(key)),
            (Some(_), Some(_)) => Err(twice(key)),
        }
    }

    /// The value of a parameter that can be left out, as text.
    pub(super) fn optional(&self, key: &str) -> Result<Option<String>, Invalid> {
        let mut values = self.all(key);
        match (values.next(), values.next()) {
            (value, None) => Ok(value.map(|value| String::from_utf8_lossy(value).into_owned())),
            (_, Some(_)) => Err(twice(key)),
        }
    }

    /// The value of a parameter that can be left out and is one of these words, in any case.
    pub(super) fn word<'a>(
        &self,
        key: &str,
        words: &[&'a str],
    ) -> Result<Option<&'a str>, Invalid> {
        let Some(given) = self.optional(key)? else { return Ok(None) };
        let known = words.iter().find(|word| word.eq_ignore_ascii_case(&given));
        known.map(|word| Some(*word)).ok_or_else(|| {
            Invalid::new(format!(
                "Invalid value for {key}: '{given}' is not one of {}",
                words.join(", ")
            ))
        })
    }

    /// A flag that is off if it is left out.
    pub(super) fn switch(&self, key: &str) -> Result<bool, Invalid> {
        let Some(given) = self.optional(key)? else { return Ok(false) };
        is_on(&given)
            .ok_or_else(|| Invalid::new(format!("Invalid value for {key}: {}", no_flag(&given))))
    }

    /// The path of a file on the host.
    pub(super) fn path(&self, key: &str) -> Result<PathBuf, Invalid> {
        let path = PathBuf::from(OsStr::from_bytes(self.one(key)?));
        if path.is_absolute() {
            return Ok(path);
        }
        Err(Invalid::new(format!(
            "Invalid value for {key}: '{}' is not an absolute path",
            path.display()
        )))
    }

    /// The name of the operation: exactly one, or there is none.
    pub(super) fn op(&self) -> Option<Cow<'_, str>> {
        self.one("op").ok().map(String::from_utf8_lossy)
    }

    /// Reads a typed request. Parameters that it does not know are ignored.
    pub(super) fn request<T: DeserializeOwned>(&self) -> Result<T, Invalid> {
        let form = serde_urlencoded::to_string(Pairs(&self.0))
            .map_err(|error| Invalid::new(error.to_string()))?;
        let pairs = form_urlencoded::parse(form.as_bytes());
        serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs)).map_err(
            |error| {
                let field = error.path().to_string();
                let reason = error.into_inner().to_string();
                // serde's own words are the only way that a deserializer tells these two apart from a
                // bad value.
                let quoted = |prefix: &str| {
                    reason.strip_prefix(prefix).map(|rest| rest.trim_matches('`').to_owned())
                };
                if let Some(key) = quoted("missing field ") {
                    missing(&key)
                } else if let Some(key) = quoted("duplicate field ") {
                    twice(&key)
                } else {
                    Invalid::new(format!("Invalid value for {field}: {reason}"))
                }
            },
        )
    }
}

fn missing(key: &str) -> Invalid {
    Invalid::new(format!("Missing parameter: {key}"))
}

fn twice(key: &str) -> Invalid {
    Invalid::new(format!("Too many values for {key}"))
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    percent_encoding::percent_decode(&spaced).collect()
}

/// Pairs as text, for serde.
struct Pairs<'a>(&'a [(String, Vec<u8>)]);

impl Serialize for Pairs<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer
            .collect_seq(self.0.iter().map(|(key, value)| (key, String::from_utf8_lossy(value))))
    }
}

/// A whole number; blanks around it do no harm, as in Python's `int`.
pub(super) fn whole<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
{
    let text = Cow::<str>::deserialize(deserializer)?;
    text.trim()
        .parse()
        .map_err(|_| D::Error::custom(format!("'{text}' is not a whole number in range")))
}

/// A flag: `0` or `1`, as xm sends it, or a word.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    is_on(&text).ok_or_else(|| D::Error::custom(no_flag(&text)))
}

fn is_on(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "0" | "no" | "false" | "off" => Some(false),
        "1" | "yes" | "true" | "on" => Some(true),
        _ => None,
    }
}

fn no_flag(text: &str) -> String {
    format!("'{text}' is neither 0 nor 1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Request {
        #[serde(deserialize_with = "whole")]
        period: u64,
        #[serde(default, deserialize_with = "flag")]
        extratime: bool,
    }

    fn message(form: &str) -> String {
        Params::from_form(form.as_bytes()).request::<Request>().unwrap_err().to_string()
    }

    #[test]
    fn typed_requests() {
        let read = |form: &str| Params::from_form(form.as_bytes()).request::<Request>().unwrap();
        assert_eq!(
            read("period=+20+&extratime=1&other=%ff"),
            Request { period: 20, extratime: true }
        );
        assert_eq!(message("extratime=1"), "Missing parameter: period");
        assert_eq!(message("period=1&period=2"), "Too many values for period");
        assert_eq!(
            message("period=x"),
            "Invalid value for period: 'x' is not a whole number in range"
        );
        assert_eq!(
            message("period="),
            "Invalid value for period: '' is not a whole number in range"
        );
        assert_eq!(
            message("period=-1"),
            "Invalid value for period: '-1' is not a whole number in range"
        );
        assert_eq!(
            message("period=1&extratime=2"),
            "Invalid value for extratime: '2' is neither 0 nor 1"
        );
    }

    #[test]
    fn libvirt_escapes_everything_in_lower_case() {
        let params = Params::from_form(b"op=mem%5ftarget%5fset&target=200");
        assert_eq!(params.op().unwrap(), "mem_target_set");
    }

    #[test]
    fn blanks_are_dropped_from_a_query_only() {
        assert_eq!(Params::from_query("op=&x=1").op(), None);
        assert_eq!(Params::from_form(b"op=&x=1").op().unwrap(), "");
    }

    #[test]
    fn a_form_replaces_the_query() {
        let params =
            Params::from_query("op=pause&a=1").replaced_by(Params::from_form(b"op=destroy"));
        assert_eq!(params.op().unwrap(), "destroy");
        assert_eq!(params.one("a").unwrap(), b"1");
        assert!(Params::from_form(b"op=a&op=b").op().is_none());
    }

    #[test]
    fn bytes_stay_bytes() {
        assert_eq!(Params::from_form(b"config=%fc%00").one("config").unwrap(), b"\xfc\0");
    }
}
