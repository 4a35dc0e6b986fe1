//! Numbers as xend printed them.

use std::fmt;
use std::io::Write as _;

/// Appends a signed integer.
pub fn int(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    uint(out, value.unsigned_abs());
}

/// Appends an unsigned integer.
pub fn uint(out: &mut Vec<u8>, value: u64) {
    digits(out, value, 1);
}

/// Appends a number with at least `least` digits, up to 20.
fn digits(out: &mut Vec<u8>, mut value: u64, least: usize) {
    let mut text = [b'0'; 20];
    let mut first = text.len();
    while value > 0 {
        first -= 1;
        text[first] += u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
    out.extend_from_slice(&text[first.min(text.len() - least)..]);
}

/// The most significant digits that Python 2's `str` printed of a float.
const DIGITS: usize = 12;

/// The exponent of the largest number that is printed without one.
const LAST: i32 = 11;

/// The powers of ten up to that of [`DIGITS`].
const TENS: [u64; DIGITS + 1] = {
    let mut tens = [1; DIGITS + 1];
    let mut at = 1;
    while at < tens.len() {
        tens[at] = tens[at - 1] * 10;
        at += 1;
    }
    tens
};

/// Appends a floating-point number as Python 2's `str` prints it: with at most 12 significant
/// digits, and always recognizable as a float.
pub fn float(out: &mut Vec<u8>, value: f64) {
    match fixed(value) {
        Some(fixed) => fixed.append(out),
        None => any_float(out, value),
    }
}

/// A number in decimal digits: `value` of them, of which `decimals` stand after the point.
struct Fixed {
    value: u64,
    decimals: usize,
}

/// A number rounded to [`DIGITS`], if it is one of those that answers are full of: times and CPU
/// times in seconds, from 1 on. They are calculated in integers, which takes a tenth of the time.
fn fixed(value: f64) -> Option<Fixed> {
    if !(1.0..1e12).contains(&value) {
        return None;
    }
    // Below 2^40, so that at least 13 bits of the mantissa's 53 are those of the fraction.
    let bits = value.to_bits();
    let mantissa = bits & ((1 << 52) - 1) | 1 << 52;
    let fraction_bits = 1075 - (bits >> 52);
    let whole = mantissa >> fraction_bits;
    let mut decimals = DIGITS - TENS.iter().position(|ten| whole < *ten)?;
    let scaled = u128::from(mantissa) * u128::from(TENS[decimals]);
    let rest = scaled & ((1 << fraction_bits) - 1);
    let half = 1 << (fraction_bits - 1);
    let mut digits = u64::try_from(scaled >> fraction_bits).ok()?;
    // Half goes to the even digit, as in C.
    digits += u64::from(rest > half || (rest == half && digits % 2 == 1));
    if digits == TENS[DIGITS] {
        digits /= 10;
        decimals = decimals.checked_sub(1)?;
    }
    Some(Fixed { value: digits, decimals })
}

impl Fixed {
    fn append(self, out: &mut Vec<u8>) {
        let Self { mut value, mut decimals } = self;
        while decimals > 1 && value % 10 == 0 {
            value /= 10;
            decimals -= 1;
        }
        if decimals == 0 {
            uint(out, value);
            return out.extend_from_slice(b".0");
        }
        uint(out, value / TENS[decimals]);
        out.push(b'.');
        digits(out, value % TENS[decimals], decimals);
    }
}

fn any_float(out: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        let sign = if value == f64::NEG_INFINITY { "-" } else { "" };
        return append(out, format_args!("{sign}{}", if value.is_nan() { "nan" } else { "inf" }));
    }
    // Rounding can carry into the next power of ten, so the exponent is taken after it.
    let rounded = format!("{value:.11e}");
    let (mantissa, exponent) = rounded.split_once('e').unwrap_or((&rounded, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..=LAST).contains(&exponent) {
        let decimals = usize::try_from(LAST - exponent).unwrap_or(0);
        let fixed = format!("{value:.decimals$}");
        let (whole, fraction) = fixed.split_once('.').unwrap_or((&fixed, ""));
        let fraction = fraction.trim_end_matches('0');
        append(out, format_args!("{whole}.{}", if fraction.is_empty() { "0" } else { fraction }));
    } else {
        let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
        let sign = if exponent < 0 { '-' } else { '+' };
        append(out, format_args!("{mantissa}e{sign}{:02}", exponent.abs()));
    }
}

fn append(out: &mut Vec<u8>, arguments: fmt::Arguments<'_>) {
    // Writing to a vector cannot fail.
    let _ = out.write_fmt(arguments);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(print: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        print(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_have_twelve_digits() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.5, "1.5"),
            (0.1, "0.1"),
            (-2.5, "-2.5"),
            (10.0, "10.0"),
            (1_795_169_652.0, "1795169652.0"),
            (1_795_169_200.54, "1795169200.54"),
            (1_234_567_890.123_456_7, "1234567890.12"),
            (137.189_121_425, "137.189121425"),
            (66_492.019_475_9, "66492.0194759"),
            (9.999_999_999_999, "10.0"),
            (99_999_999_999.96, "100000000000.0"),
            (0.000_1, "0.0001"),
            (0.000_012_3, "1.23e-05"),
            (99_999_999_999.0, "99999999999.0"),
            (999_999_999_999.0, "999999999999.0"),
            (999_999_999_999.9, "1e+12"),
            (0.000_099_999_999_999_99, "0.0001"),
            (1e12, "1e+12"),
            (1.5e300, "1.5e+300"),
            (5e-324, "4.94065645841e-324"),
            (f64::NAN, "nan"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(printed(|out| float(out, value)), expected);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of all kinds are meant")]
    /// Whole numbers, halves that are rounded to even, neighbours of powers of ten, and random
    /// ones.
    #[test]
    fn floats_in_integers_are_as_those_of_the_formatter() {
        let mut random = 1_u64;
        for step in 0..200_000_u32 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let exponent = i32::try_from(random % 12).unwrap();
            let value = match step % 4 {
                0 => (random >> 20) as f64 / 1e3 % 1e12,
                1 => (random >> 40) as f64 / 1024.0,
                2 => f64::from_bits(10_f64.powi(exponent).to_bits() - (random >> 60)),
                _ => 10_f64.powi(exponent) * (1.0 + (random >> 11) as f64 / 2_f64.powi(53)),
            };
            let expected = printed(|out| any_float(out, value));
            assert_eq!(printed(|out| float(out, value)), expected, "{value:e}");
        }
    }

    #[test]
    fn integers_are_bare() {
        assert_eq!(printed(|out| int(out, i64::MIN)), "-9223372036854775808");
        assert_eq!(printed(|out| int(out, -7)), "-7");
        assert_eq!(printed(|out| uint(out, 0)), "0");
        assert_eq!(printed(|out| uint(out, 100)), "100");
        assert_eq!(printed(|out| uint(out, u64::MAX)), "18446744073709551615");
    }
}
