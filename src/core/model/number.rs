//! Whole numbers in texts of clients, and what is said about a text that is none.

use std::str::FromStr;

/// The unit of a number that a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// None, or one that nobody writes beside the number.
    Plain,
    /// MiB, of memory.
    Mebibytes,
    Bytes,
    Percent,
    Nanoseconds,
}

impl Unit {
    /// The predicate of a message about a text that is no whole number, which the caller quotes
    /// before it: `is not a whole number of MiB, write 2048`.
    pub fn refusal(self, text: &str) -> String {
        let noun = match self {
            Self::Plain => "",
            Self::Mebibytes => " of MiB",
            Self::Bytes => " of bytes",
            Self::Percent => " of percent",
            Self::Nanoseconds => " of ns",
        };
        let advice =
            self.meant(text).map_or_else(String::new, |number| format!(", write {number}"));
        format!("is not a whole number{noun}{advice}")
    }

    /// The number that a text with another unit means: `2G` is 2048 MiB. `None` if it is no whole
    /// number of this unit, or needs no advice.
    pub fn meant(self, text: &str) -> Option<u64> {
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, suffix) = text.split_at_checked(digits)?;
        let number: u64 = number.parse().ok()?;
        let suffix = suffix.trim_start().to_ascii_lowercase();
        match self {
            Self::Plain | Self::Percent => None,
            Self::Mebibytes => {
                let kibibytes = number.checked_mul(kibibytes_of(&suffix)?)?;
                (kibibytes % 1024 == 0).then_some(kibibytes / 1024)
            }
            Self::Bytes => number.checked_mul(kibibytes_of(&suffix)?)?.checked_mul(1024),
            Self::Nanoseconds => number.checked_mul(match suffix.as_str() {
                "ns" => 1,
                "us" | "µs" => 1_000,
                "ms" => 1_000_000,
                "s" => 1_000_000_000,
                _ => return None,
            }),
        }
    }
}

/// The KiB of a unit of memory, in lower case. xm and everybody else mean powers of two.
fn kibibytes_of(unit: &str) -> Option<u64> {
    Some(match unit {
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 1 << 10,
        "g" | "gb" | "gib" => 1 << 20,
        "t" | "tb" | "tib" => 1 << 30,
        _ => return None,
    })
}

/// A type of whole numbers that clients send, with the range of its values.
pub trait WholeNumber: Sized + FromStr {
    /// The least and the greatest value.
    const RANGE: (i128, i128);
}

macro_rules! whole_numbers {
    ($($number:ident)*) => {
        $(impl WholeNumber for $number {
            const RANGE: (i128, i128) = ($number::MIN as i128, $number::MAX as i128);
        })*
    };
}
whole_numbers!(u8 u16 u32 u64 i64);

/// Whether a text is a whole number of any size, which may be too large for every type.
pub fn is_whole_number(text: &str) -> bool {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_another_unit_is_converted() {
        for (unit, text, meant) in [
            (Unit::Mebibytes, "2G", Some(2048)),
            (Unit::Mebibytes, " 2 GiB ", Some(2048)),
            (Unit::Mebibytes, "512mb", Some(512)),
            (Unit::Mebibytes, "1t", Some(1 << 20)),
            (Unit::Mebibytes, "524288k", Some(512)),
            (Unit::Mebibytes, "1000k", None),
            (Unit::Mebibytes, "18446744073709551615T", None),
            (Unit::Mebibytes, "1.5G", None),
            (Unit::Mebibytes, "G", None),
            (Unit::Mebibytes, "12x", None),
            (Unit::Bytes, "10G", Some(10 << 30)),
            (Unit::Nanoseconds, "20ms", Some(20_000_000)),
            (Unit::Nanoseconds, "5 µs", Some(5_000)),
            (Unit::Plain, "2G", None),
        ] {
            assert_eq!(unit.meant(text), meant, "{text}");
        }
        assert_eq!(Unit::Mebibytes.refusal("2G"), "is not a whole number of MiB, write 2048");
        assert_eq!(Unit::Mebibytes.refusal("much"), "is not a whole number of MiB");
        assert_eq!(Unit::Plain.refusal("2G"), "is not a whole number");
    }

    #[test]
    fn whole_numbers_of_any_size_are_told_from_words() {
        for text in ["0", "-1", "+7", " 99999999999999999999999 "] {
            assert!(is_whole_number(text), "{text}");
        }
        for text in ["", "-", "1.0", "1G", "ten"] {
            assert!(!is_whole_number(text), "{text}");
        }
        assert_eq!(u16::RANGE, (0, 65_535));
    }
}
