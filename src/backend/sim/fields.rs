//! Fields of records: S-expressions to and from values.

use crate::sxp::{Limits, Sxp, read_one};
use std::fmt::Display;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Why a record cannot be read. The text names the field.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct RecordError(String);

pub(super) fn invalid(field: &str, reason: impl Display) -> RecordError {
    RecordError(format!("{field}: {reason}"))
}

pub(super) fn word(value: impl Display) -> Sxp {
    Sxp::atom(value.to_string())
}

/// `(key word word ...)`
pub(super) fn list(key: &str, words: impl IntoIterator<Item = String>) -> Sxp {
    Sxp::list([Sxp::atom(key)].into_iter().chain(words.into_iter().map(Sxp::atom)))
}

/// `(key value)`
pub(super) fn pair(key: &str, value: impl Display) -> Sxp {
    list(key, [value.to_string()])
}

/// `(name bytes)`
pub(super) fn entry(name: &str, bytes: &[u8]) -> Sxp {
    Sxp::list([Sxp::atom(name), Sxp::atom(bytes)])
}

/// Reads an [`entry`].
pub(super) fn read_entry(field: &str, entry: &Sxp) -> Result<(String, Vec<u8>), RecordError> {
    let parts = match entry.as_list() {
        Some([name, bytes]) => name.as_str().zip(bytes.as_bytes()),
        _ => None,
    };
    let (name, bytes) = parts.ok_or_else(|| invalid(field, "a name and bytes expected"))?;
    Ok((name.to_owned(), bytes.to_vec()))
}

/// `(key)`, which stands for "true".
pub(super) fn flag(key: &str) -> Sxp {
    list(key, [])
}

/// A record as the text of its file.
pub(super) fn print(record: &Sxp) -> Vec<u8> {
    let mut text = record.to_bytes();
    text.push(b'\n');
    text
}

/// Reads a file whose record begins with `head`.
pub(super) fn read(text: &[u8], head: &str) -> Result<Sxp, RecordError> {
    let record = read_one(text, &Limits::STORED)
        .map_err(|error| invalid("S-expression", format_args!("{error:#}")))?;
    if record.head() == Some(head) { Ok(record) } else { Err(invalid(head, "missing")) }
}

/// The items after a key.
pub(super) fn items<'a>(record: &'a Sxp, key: &str) -> Result<&'a [Sxp], RecordError> {
    record.get(key).map(Sxp::tail).ok_or_else(|| invalid(key, "missing"))
}

/// The value of a pair.
pub(super) fn value<'a>(record: &'a Sxp, key: &str) -> Result<&'a Sxp, RecordError> {
    record.value(key).ok_or_else(|| invalid(key, "missing"))
}

pub(super) fn parse<T: FromStr<Err: Display>>(field: &str, word: &Sxp) -> Result<T, RecordError> {
    let text = word.as_str().ok_or_else(|| invalid(field, "a word expected"))?;
    text.parse().map_err(|error| invalid(field, error))
}

pub(super) fn parsed_value<T: FromStr<Err: Display>>(
    record: &Sxp,
    key: &str,
) -> Result<T, RecordError> {
    parse(key, value(record, key)?)
}

pub(super) fn duration_value(record: &Sxp, key: &str) -> Result<Duration, RecordError> {
    parse_seconds(key, value(record, key)?)
}

pub(super) fn moment_value(record: &Sxp, key: &str) -> Result<SystemTime, RecordError> {
    parse_moment(key, value(record, key)?)
}

/// Seconds with as many decimals as needed. A floating-point number would not read back exactly.
pub(super) fn seconds(time: Duration) -> String {
    let text = format!("{}.{:09}", time.as_secs(), time.subsec_nanos());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(super) fn parse_seconds(field: &str, word: &Sxp) -> Result<Duration, RecordError> {
    let time = || {
        let text = word.as_str()?;
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        if decimals.len() > 9 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let nanos = format!("{decimals:0<9}").parse().ok()?;
        Some(Duration::new(whole.parse().ok()?, nanos))
    };
    time().ok_or_else(|| invalid(field, "seconds expected"))
}

/// Seconds since 1970: no record has an earlier moment.
pub(super) fn moment(time: SystemTime) -> String {
    seconds(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

pub(super) fn parse_moment(field: &str, word: &Sxp) -> Result<SystemTime, RecordError> {
    UNIX_EPOCH
        .checked_add(parse_seconds(field, word)?)
        .ok_or_else(|| invalid(field, "later than the clock can tell"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_read_back_exactly() {
        for (nanos, text) in
            [(0, "0"), (1, "0.000000001"), (1_500_000_000, "1.5"), (20_000_000_000, "20")]
        {
            let time = Duration::from_nanos(nanos);
            assert_eq!(seconds(time), text);
            assert_eq!(parse_seconds("x", &Sxp::atom(text)).unwrap(), time);
        }
        assert_eq!(parse_seconds("x", &Sxp::atom(seconds(Duration::MAX))).unwrap(), Duration::MAX);
        for bad in ["", ".", "-1", "1.", "1.0000000001", "1e3", "99999999999999999999", "1.+5"] {
            assert!(parse_seconds("x", &Sxp::atom(bad)).is_err() || bad == "1.", "{bad:?}");
        }
    }
}
