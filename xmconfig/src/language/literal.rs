//! Literals: strings and numbers.

use super::value::Data;
use crate::error::Fault;
use crate::whole_number;

/// The letters in front of a string.
#[derive(Clone, Copy, Default)]
pub(super) struct Prefix {
    /// `r`: backslashes are kept.
    raw: bool,
    /// `u`: escapes are characters, which become UTF-8.
    unicode: bool,
}

impl Prefix {
    /// The prefix that a word is; `None` for a name.
    pub(super) fn of(word: &[u8]) -> Option<Self> {
        let mut prefix = Self::default();
        match word.to_ascii_lowercase().as_slice() {
            b"" | b"b" => {}
            b"r" | b"br" => prefix.raw = true,
            b"u" => prefix.unicode = true,
            b"ur" => prefix = Self { raw: true, unicode: true },
            _ => return None,
        }
        Some(prefix)
    }
}

/// Reads the string whose quote is at `start`. Returns its bytes and where it ends.
pub(super) fn string(text: &[u8], start: usize, prefix: Prefix) -> Result<(Vec<u8>, usize), Fault> {
    let quote = text.get(start).copied().unwrap_or(b'"');
    let triple = text.get(start..).is_some_and(|rest| rest.starts_with(&[quote; 3]));
    let end: &[u8] = if triple { &[quote; 3] } else { &[quote] };
    let mut reader = StringReader { text, at: start + end.len(), out: Vec::new(), prefix };
    loop {
        let rest = text.get(reader.at..).unwrap_or_default();
        if rest.starts_with(end) {
            return Ok((reader.out, reader.at + end.len()));
        }
        match rest.first() {
            None => return Err(fault(start, "the string is not closed")),
            Some(b'\n' | b'\r') if !triple => {
                return Err(fault(start, "the string is not closed at the end of the line"));
            }
            Some(b'\\') => reader.escape()?,
            Some(_) => reader.copy(),
        }
    }
}

struct StringReader<'a> {
    text: &'a [u8],
    at: usize,
    out: Vec<u8>,
    prefix: Prefix,
}

impl StringReader<'_> {
    /// Copies one byte. Any end of a line becomes `\n`.
    fn copy(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        match newline(rest) {
            0 => {
                self.out.extend(rest.first());
                self.at += 1;
            }
            length => {
                self.out.push(b'\n');
                self.at += length;
            }
        }
    }

    /// Reads an escape, which begins with a backslash.
    fn escape(&mut self) -> Result<(), Fault> {
        let start = self.at;
        if self.prefix.raw {
            self.copy();
            self.copy();
            return Ok(());
        }
        self.at += 1;
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(letter) = rest.first().copied() else { return Ok(()) };
        let continued = newline(rest);
        if continued > 0 {
            self.at += continued;
            return Ok(());
        }
        self.at += 1;
        let byte = match letter {
            b'a' => 0x07,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            b'\\' | b'\'' | b'"' => letter,
            b'0'..=b'7' => {
                self.at -= 1;
                let code = self.digits(8, 1, 3, start)?;
                return self.push(code, start);
            }
            b'x' => {
                let code = self.digits(16, 2, 2, start)?;
                return self.push(code, start);
            }
            b'u' | b'U' if self.prefix.unicode => {
                let length = if letter == b'u' { 4 } else { 8 };
                let code = self.digits(16, length, length, start)?;
                return self.push(code, start);
            }
            b'N' if self.prefix.unicode => {
                return Err(fault(start, r"\N is not supported, use \u and the character's code"));
            }
            other => {
                self.out.push(b'\\');
                other
            }
        };
        self.out.push(byte);
        Ok(())
    }

    /// Reads a number of `least` to `most` digits.
    fn digits(
        &mut self,
        radix: u32,
        least: usize,
        most: usize,
        start: usize,
    ) -> Result<u32, Fault> {
        let rest = self.text.get(self.at..).unwrap_or_default().iter();
        let digits = rest.map_while(|byte| char::from(*byte).to_digit(radix)).take(most);
        let mut length = 0;
        let mut code = 0_u32;
        for digit in digits {
            length += 1;
            code = code.wrapping_mul(radix).wrapping_add(digit);
        }
        if length < least {
            return Err(fault(start, format!("the escape needs {least} hexadecimal digits")));
        }
        self.at += length;
        Ok(code)
    }

    /// Adds what a numeric escape stands for: a character of a Unicode string, else a byte, of
    /// which Python keeps the lowest eight bits.
    fn push(&mut self, code: u32, start: usize) -> Result<(), Fault> {
        if self.prefix.unicode {
            let character = char::from_u32(code)
                .ok_or_else(|| fault(start, "the escape is not a character of Unicode"))?;
            self.out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            self.out.push(code.to_le_bytes()[0]);
        }
        Ok(())
    }
}

/// The length of the end of a line at the start of a text: 0 if there is none.
pub(super) fn newline(text: &[u8]) -> usize {
    match text {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    }
}

/// Reads the number at `start`, which is a digit, or a point and a digit. Returns it and where it
/// ends.
pub(super) fn number(text: &[u8], start: usize) -> Result<(Data, usize), Fault> {
    let rest = text.get(start..).unwrap_or_default();
    let mut length = word_length(rest);
    let is_hexadecimal = matches!(rest, [b'0', b'x' | b'X', ..]);
    if let Some([b'e' | b'E', b'+' | b'-', b'0'..=b'9', ..]) = rest.get(length.saturating_sub(1)..)
    {
        if !is_hexadecimal {
            length += 1;
            length += word_length(rest.get(length..).unwrap_or_default());
        }
    }
    let word = rest.get(..length).and_then(|word| std::str::from_utf8(word).ok());
    let data = word.and_then(number_of);
    let data = data.ok_or_else(|| {
        let meant = word.and_then(whole_number::mebibytes);
        let advice = meant.map(|number| format!("; for {number} MiB of memory write {number}"));
        let advice = advice.unwrap_or_default();
        fault(
            start,
            format!("this is not a number, or it is too large; put text in quotes{advice}"),
        )
    })?;
    Ok((data, start + length))
}

fn word_length(text: &[u8]) -> usize {
    let in_word = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_');
    text.iter().take_while(in_word).count()
}

/// The number that a word is. As in Python 2, a leading 0 makes it octal, and an `L` may end it.
fn number_of(word: &str) -> Option<Data> {
    let word = word.to_ascii_lowercase();
    let integer = |digits: &str, radix| {
        let digits = digits.strip_suffix('l').unwrap_or(digits);
        // The sign that this function accepts would be in the middle of the number.
        let digits = Some(digits).filter(|digits| !digits.starts_with(['+', '-']))?;
        i64::from_str_radix(digits, radix).ok().map(Data::Int)
    };
    match word.as_bytes() {
        [b'0', b'x', ..] => integer(&word[2..], 16),
        [b'0', b'o', ..] => integer(&word[2..], 8),
        [b'0', b'b', ..] => integer(&word[2..], 2),
        bytes if bytes.iter().any(|byte| matches!(byte, b'.' | b'e')) => {
            word.parse().ok().filter(|number: &f64| number.is_finite()).map(Data::Float)
        }
        [b'0', b'0'..=b'9', ..] => integer(&word, 8),
        _ => integer(&word, 10),
    }
}

fn fault(at: usize, reason: impl Into<String>) -> Fault {
    // The limit on a file's length keeps offsets below 2^32.
    Fault::new(u32::try_from(at).unwrap_or(u32::MAX), reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(prefix: &str, text: &str) -> Result<Vec<u8>, String> {
        let prefix = Prefix::of(prefix.as_bytes()).unwrap();
        match string(text.as_bytes(), 0, prefix) {
            Ok((bytes, end)) => {
                assert_eq!(end, text.len());
                Ok(bytes)
            }
            Err(fault) => Err(format!("{fault:?}")),
        }
    }

    #[test]
    fn strings_are_read_as_by_python() {
        for (prefix, text, wanted) in [
            ("", r"'a\'b'", &b"a'b"[..]),
            ("", r#""\a\b\f\n\r\t\v\\\"""#, b"\x07\x08\x0c\n\r\t\x0b\\\""),
            ("", r"'\101\0\778\400'", b"A\0\x3f8\0"),
            ("", r"'sch\xc3\xb6n \xff'", b"sch\xc3\xb6n \xff"),
            ("", r"'\q\u00e9\N'", br"\q\u00e9\N"),
            ("", "'a\\\nb\\\r\nc'", b"abc"),
            ("", "'''a'b''c\r\nd\re'''", b"a'b''c\nd\ne"),
            ("", "\"\"\"\"\"\"", b""),
            ("r", r"'\n\'\\'", br"\n\'\\"),
            ("R", "'a\\\r\nb'", b"a\\\nb"),
            ("u", r"'\u00e9\xe9\U0001F600\351'", "\u{e9}\u{e9}\u{1f600}\u{e9}".as_bytes()),
            ("uR", r"'\xe9'", br"\xe9"),
            ("b", "'\u{e9}'", b"\xc3\xa9"),
        ] {
            assert_eq!(read(prefix, text).as_deref(), Ok(wanted), "{prefix}{text}");
        }
    }

    #[test]
    fn broken_strings_are_refused() {
        for (prefix, text, wanted) in [
            ("", "'a", "not closed"),
            ("", "'a\n'", "not closed at the end of the line"),
            ("", "'''a'", "not closed"),
            ("", "'a\\", "not closed"),
            ("r", "'a\\'", "not closed"),
            ("", r"'\x4'", "2 hexadecimal digits"),
            ("u", r"'\u12'", "4 hexadecimal digits"),
            ("u", r"'\ud800'", "not a character"),
            ("u", r"'\N{DASH}'", "not supported"),
        ] {
            assert!(read(prefix, text).unwrap_err().contains(wanted), "{prefix}{text}");
        }
    }

    #[test]
    fn numbers_are_read_as_by_python() {
        for (text, wanted, end) in [
            ("0", Some(Data::Int(0)), 1),
            ("128 ", Some(Data::Int(128)), 3),
            ("0x1F]", Some(Data::Int(31)), 4),
            ("0xe+1", Some(Data::Int(14)), 3),
            ("0777", Some(Data::Int(0o777)), 4),
            ("0o17", Some(Data::Int(15)), 4),
            ("0b101", Some(Data::Int(5)), 5),
            ("12L", Some(Data::Int(12)), 3),
            ("0L", Some(Data::Int(0)), 2),
            ("1.5", Some(Data::Float(1.5)), 3),
            (".5", Some(Data::Float(0.5)), 2),
            ("1.", Some(Data::Float(1.0)), 2),
            ("1e3", Some(Data::Float(1000.0)), 3),
            ("1e-3+", Some(Data::Float(0.001)), 4),
            ("9223372036854775807", Some(Data::Int(i64::MAX)), 19),
            ("9223372036854775808", None, 0),
            ("1e999", None, 0),
            ("08", None, 0),
            ("0x", None, 0),
            ("0b2", None, 0),
            ("512M", None, 0),
            ("10.0.0.1", None, 0),
            ("1_000", None, 0),
            ("3j", None, 0),
        ] {
            let read = number(text.as_bytes(), 0).ok();
            // `Debug` of the data hides the number.
            assert!(read == wanted.map(|data| (data, end)), "{text}");
        }
    }
}
