//! The words that records are made of.

use crate::sxp::{Limits, Sxp, read_one};
use std::fmt::Display;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Why a record makes no sense. The text names the field.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Damaged(String);

pub(super) fn damaged(what: &str, why: impl Display) -> Damaged {
    Damaged(format!("{what}: {why}"))
}

/// More than any configuration needs that got in through a wire, and still a bound: a damaged file
/// may say anything.
const LIMITS: Limits = Limits { bytes: 64 << 20, depth: 2_000, count: 4_000_000 };

pub(super) fn word(value: impl Display) -> Sxp {
    Sxp::atom(value.to_string())
}

pub(super) fn list(key: &str, words: impl IntoIterator<Item = String>) -> Sxp {
    Sxp::list([Sxp::atom(key)].into_iter().chain(words.into_iter().map(Sxp::atom)))
}

pub(super) fn pair(key: &str, value: impl Display) -> Sxp {
    list(key, [value.to_string()])
}

pub(super) fn flag(key: &str) -> Sxp {
    list(key, [])
}

pub(super) fn line(tree: &Sxp) -> Vec<u8> {
    let mut text = tree.to_bytes();
    text.push(b'\n');
    text
}

pub(super) fn open(text: &[u8], head: &str) -> Result<Sxp, Damaged> {
    let tree =
        read_one(text, &LIMITS).map_err(|e| damaged("S-expression", format_args!("{e:#}")))?;
    if tree.head() == Some(head) { Ok(tree) } else { Err(damaged(head, "missing")) }
}

pub(super) fn rest<'a>(tree: &'a Sxp, key: &str) -> Result<&'a [Sxp], Damaged> {
    tree.get(key).map(Sxp::tail).ok_or_else(|| damaged(key, "missing"))
}

pub(super) fn one<'a>(tree: &'a Sxp, key: &str) -> Result<&'a Sxp, Damaged> {
    tree.value(key).ok_or_else(|| damaged(key, "missing"))
}

pub(super) fn parse<T: FromStr<Err: Display>>(what: &str, word: &Sxp) -> Result<T, Damaged> {
    let text = word.as_str().ok_or_else(|| damaged(what, "a word expected"))?;
    text.parse().map_err(|e| damaged(what, e))
}

pub(super) fn field<T: FromStr<Err: Display>>(tree: &Sxp, key: &str) -> Result<T, Damaged> {
    parse(key, one(tree, key)?)
}

pub(super) fn duration_field(tree: &Sxp, key: &str) -> Result<Duration, Damaged> {
    read_seconds(key, one(tree, key)?)
}

pub(super) fn moment_field(tree: &Sxp, key: &str) -> Result<SystemTime, Damaged> {
    read_moment(key, one(tree, key)?)
}

/// Seconds with as many decimals as it takes. Not a floating-point number: what is read is what was
/// written.
pub(super) fn seconds(time: Duration) -> String {
    let text = format!("{}.{:09}", time.as_secs(), time.subsec_nanos());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(super) fn read_seconds(what: &str, word: &Sxp) -> Result<Duration, Damaged> {
    let time = || {
        let (whole, part) = word.as_str().map(|text| text.split_once('.').unwrap_or((text, "")))?;
        let nanos = (part.len() <= 9 && part.bytes().all(|b| b.is_ascii_digit()))
            .then(|| format!("{part:0<9}"))?;
        Some(Duration::new(whole.parse().ok()?, nanos.parse().ok()?))
    };
    time().ok_or_else(|| damaged(what, "seconds expected"))
}

/// A moment in seconds since 1970. Moments before that don't come up.
pub(super) fn moment(time: SystemTime) -> String {
    seconds(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

pub(super) fn read_moment(what: &str, word: &Sxp) -> Result<SystemTime, Damaged> {
    UNIX_EPOCH
        .checked_add(read_seconds(what, word)?)
        .ok_or_else(|| damaged(what, "beyond all time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact() {
        for (nanos, text) in
            [(0, "0"), (1, "0.000000001"), (1_500_000_000, "1.5"), (20_000_000_000, "20")]
        {
            let time = Duration::from_nanos(nanos);
            assert_eq!(seconds(time), text);
            assert_eq!(read_seconds("x", &Sxp::atom(text)).unwrap(), time);
        }
        assert_eq!(read_seconds("x", &Sxp::atom(seconds(Duration::MAX))).unwrap(), Duration::MAX);
        for bad in ["", ".", "-1", "1.", "1.0000000001", "1e3", "99999999999999999999", "1.+5"] {
            assert!(read_seconds("x", &Sxp::atom(bad)).is_err() || bad == "1.", "{bad:?}");
        }
    }
}
