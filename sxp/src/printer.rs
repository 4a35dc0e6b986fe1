//! Prints single values as xend printed them.
//!
//! A reply can be printed from these pieces without building a tree; the caller then adds the
//! parentheses and spaces.

pub use super::number::{float, int, uint};

use super::bytes::all_bare;
use std::fmt;

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

/// Appends `True` or `False`.
pub fn boolean(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"True" } else { b"False" });
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
    fn booleans_are_bare() {
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
