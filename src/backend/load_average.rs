//! Domain-0's load.

use crate::core::error::Error;
use std::fs;
use std::io;

/// The load averages over 1, 5 and 15 minutes.
pub(super) fn load_average() -> Result<[f64; 3], Error> {
    let read = fs::read_to_string("/proc/loadavg").and_then(|text| {
        parse(&text).ok_or_else(|| io::Error::other(format!("{text:?} is no load average")))
    });
    read.map_err(|error| Error::backend("The load average cannot be read", error))
}

/// Reads `0.20 0.18 0.12 1/80 11206`.
fn parse(text: &str) -> Option<[f64; 3]> {
    let mut numbers = text.split_whitespace().map(|word| word.parse().ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_averages_are_read() {
        assert_eq!(parse("0.20 1.18 12.00 1/80 11206\n"), Some([0.2, 1.18, 12.0]));
        for wrong in ["", "0.20 1.18", "a b c"] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
        assert!(load_average().unwrap().iter().all(|average| *average >= 0.0));
    }
}
