//! Prints single values as xend printed them.
//!
//! A reply can be printed from these pieces without building a tree; the caller then adds the
//! parentheses and spaces.

use super::bytes::all_bare;
use std::fmt;
use std::io::Write as _;

/// Appends a text, in quotes if it needs them.
pub fn text(out: &mut Vec<u8>, s: &[u8]) {
    if is_bare(s) {
        out.extend_from_slice(s);
    } else {
        quoted(out, s);
    }
}

/// Whether a text is printed without quotes.
#[inline]
pub(super) fn is_bare(s: &[u8]) -> bool {
    match s {
        [] => false,
        b"@" => true,
        _ => all_bare(s),
    }
}

/// Appends a text in quotes, as Python 2 prints a byte string.
///
/// The quotes are single unless the text contains single quotes and no double quotes.
pub fn quoted(out: &mut Vec<u8>, s: &[u8]) {
    let quote = if s.contains(&b'\'') && !s.contains(&b'"') { b'"' } else { b'\'' };
    out.push(quote);
    let mut rest = s;
    while let Some(plain) = rest.iter().position(|&byte| byte == quote || needs_escape(byte)) {
        out.extend_from_slice(&rest[..plain]);
        escape(out, rest[plain]);
        rest = &rest[plain + 1..];
    }
    out.extend_from_slice(rest);
    out.push(quote);
}

fn needs_escape(byte: u8) -> bool {
    byte == b'\\' || !matches!(byte, b' '..=b'~')
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'\t' => b't',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\\' | b'\'' | b'"' => byte,
        _ => {
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]];
            out.extend_from_slice(b"\\x");
            out.extend_from_slice(&digits);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Appends a signed integer.
pub fn int(out: &mut Vec<u8>, value: i64) {
    append(out, format_args!("{value}"));
}

/// Appends an unsigned integer.
pub fn uint(out: &mut Vec<u8>, value: u64) {
    append(out, format_args!("{value}"));
}

/// Appends `True` or `False`.
pub fn boolean(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"True" } else { b"False" });
}

/// Appends a floating-point number as Python 2's `str` prints it: with at most 12 significant
/// digits, and always recognizable as a float.
pub fn float(out: &mut Vec<u8>, value: f64) {
    const DIGITS: i32 = 12;
    if !value.is_finite() {
        let sign = if value == f64::NEG_INFINITY { "-" } else { "" };
        return append(out, format_args!("{sign}{}", if value.is_nan() { "nan" } else { "inf" }));
    }
    // Rounding can carry into the next power of ten, so the exponent is taken after it.
    let rounded = format!("{value:.11e}");
    let (mantissa, exponent) = rounded.split_once('e').unwrap_or((&rounded, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..DIGITS).contains(&exponent) {
        let decimals = usize::try_from(DIGITS - 1 - exponent).unwrap_or(0);
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

/// Writes what `print` appends to a formatter.
pub(super) fn print_to(
    f: &mut fmt::Formatter<'_>,
    print: impl FnOnce(&mut Vec<u8>),
) -> fmt::Result {
    let mut out = Vec::new();
    print(&mut out);
    f.write_str(std::str::from_utf8(&out).map_err(|_| fmt::Error)?)
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
            (1_795_169_652.0, "1795169652.0"),
            (1_795_169_200.54, "1795169200.54"),
            (1_234_567_890.123_456_7, "1234567890.12"),
            (137.189_121_425, "137.189121425"),
            (66_492.019_475_9, "66492.0194759"),
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

    #[test]
    fn integers_and_booleans_are_bare() {
        assert_eq!(printed(|out| int(out, i64::MIN)), "-9223372036854775808");
        assert_eq!(printed(|out| uint(out, u64::MAX)), "18446744073709551615");
        assert_eq!(printed(|out| boolean(out, true)), "True");
        assert_eq!(printed(|out| boolean(out, false)), "False");
    }

    #[test]
    fn the_quote_character_depends_on_the_text() {
        for (value, expected) in [
            ("web1", "'web1'"),
            ("it's", "\"it's\""),
            ("say \"hi\"", "'say \"hi\"'"),
            ("it's \"x\"", r#"'it\'s "x"'"#),
            ("\t\n\r\\\x0b", r"'\t\n\r\\\x0b'"),
        ] {
            assert_eq!(printed(|out| quoted(out, value.as_bytes())), expected);
        }
        assert_eq!(printed(|out| text(out, b"web1")), "web1");
        assert_eq!(printed(|out| text(out, b"@")), "@");
        assert_eq!(printed(|out| text(out, b"@@")), "'@@'");
    }
}
