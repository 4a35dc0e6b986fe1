//! The formatting of strings: `"%s.img" % name`.

use super::budget::Budget;
use super::numbers::{float_of, integer_of};
use super::value::{Data, Value};
use std::collections::HashMap;

/// The largest width and precision of a field.
const MAX_WIDTH: usize = 1_000;

/// Formats as Python 2 does. The error is the reason.
pub(super) fn format(text: &[u8], data: &Data, budget: &mut Budget) -> Result<Vec<u8>, String> {
    let mut arguments = Arguments::new(data);
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let (plain, field) = rest.split_at(at);
        out.extend_from_slice(plain);
        let (field, after) = Field::read(field.get(1..).unwrap_or_default())?;
        rest = after;
        let piece = match field.conversion {
            b'%' => b"%".to_vec(),
            _ => field.format(arguments.take(field.key)?)?,
        };
        // Charged piece by piece: one value can be repeated many times.
        budget.charge(0, piece.len())?;
        out.extend_from_slice(&piece);
    }
    out.extend_from_slice(rest);
    arguments.end()?;
    budget.charge(1, out.len())?;
    Ok(out)
}

/// The right side of the operator.
enum Arguments<'a> {
    InOrder(std::slice::Iter<'a, Value>),
    Single(Option<&'a Data>),
    Named(HashMap<&'a [u8], &'a Data>),
}

impl<'a> Arguments<'a> {
    fn new(data: &'a Data) -> Self {
        match data {
            Data::Tuple(items) => Self::InOrder(items.iter()),
            Data::Dict(entries) => {
                let named = entries.iter().filter_map(|(key, value)| match &key.data {
                    Data::Text(key) => Some((key.as_slice(), &value.data)),
                    _ => None,
                });
                Self::Named(named.collect())
            }
            other => Self::Single(Some(other)),
        }
    }

    fn take(&mut self, key: Option<&[u8]>) -> Result<&'a Data, String> {
        let data = match (self, key) {
            (Self::Named(named), Some(key)) => {
                return named.get(key).copied().ok_or_else(|| {
                    "% does not find a key of the string in the dictionary".to_owned()
                });
            }
            (_, Some(_)) => return Err("%(key) needs a dictionary".to_owned()),
            (Self::InOrder(items), None) => items.next().map(|item| &item.data),
            (Self::Single(data), None) => data.take(),
            (Self::Named(_), None) => return Err("% of a dictionary needs %(key)s".to_owned()),
        };
        data.ok_or_else(|| "% has too few values for the string".to_owned())
    }

    fn end(self) -> Result<(), String> {
        let is_left = match self {
            Self::InOrder(mut items) => items.next().is_some(),
            Self::Single(data) => data.is_some(),
            Self::Named(_) => false,
        };
        if is_left { Err("% has more values than the string takes".to_owned()) } else { Ok(()) }
    }
}

/// A field of the string: `%-5s`, `%(key)02x`.
#[derive(Default)]
struct Field<'a> {
    key: Option<&'a [u8]>,
    flags: &'a [u8],
    width: usize,
    precision: Option<usize>,
    conversion: u8,
}

impl<'a> Field<'a> {
    /// Reads a field after its `%`. Returns it and what follows.
    fn read(text: &'a [u8]) -> Result<(Self, &'a [u8]), String> {
        let mut field = Self::default();
        let mut rest = text;
        if let Some(inner) = rest.strip_prefix(b"(") {
            let end = inner.iter().position(|byte| *byte == b')');
            let end = end.ok_or_else(|| "%(key has no closing parenthesis".to_owned())?;
            field.key = inner.get(..end);
            rest = inner.get(end + 1..).unwrap_or_default();
        }
        let length = rest.iter().take_while(|byte| b"-+ #0".contains(byte)).count();
        let (flags, after) = rest.split_at(length);
        field.flags = flags;
        let (width, mut rest) = size(after)?;
        field.width = width;
        if let Some(after) = rest.strip_prefix(b".") {
            let (precision, after) = size(after)?;
            field.precision = Some(precision);
            rest = after;
        }
        let rest = rest.strip_prefix(b"l").or_else(|| rest.strip_prefix(b"h")).unwrap_or(rest);
        let Some((conversion, after)) = rest.split_first() else {
            return Err("the string ends inside of a % field, write %% for a %".to_owned());
        };
        field.conversion = *conversion;
        Ok((field, after))
    }

    fn has(&self, flag: u8) -> bool {
        self.flags.contains(&flag)
    }

    fn format(&self, data: &Data) -> Result<Vec<u8>, String> {
        let cut = |mut text: Vec<u8>| {
            text.truncate(self.precision.unwrap_or(usize::MAX));
            Ok(self.padded(b"", &text, false))
        };
        match self.conversion {
            b's' => cut(data.to_text()),
            b'r' => cut(data.repr()),
            b'd' | b'i' | b'u' | b'x' | b'X' | b'o' => {
                let number = match data {
                    Data::Text(_) => None,
                    other => integer_of(other),
                };
                let number = number.ok_or_else(|| self.refusal(data))?;
                Ok(self.integer(number))
            }
            b'f' | b'F' => {
                let number = float_of(data).ok_or_else(|| self.refusal(data))?;
                let digits = format!("{:.*}", self.precision.unwrap_or(6), number.abs());
                Ok(self.padded(self.sign(number.is_sign_negative()), digits.as_bytes(), true))
            }
            b'c' => match data {
                Data::Text(text) if text.len() == 1 => Ok(self.padded(b"", text, false)),
                Data::Int(code) => {
                    let byte = u8::try_from(*code).map_err(|_| self.refusal(data))?;
                    Ok(self.padded(b"", &[byte], false))
                }
                other => Err(self.refusal(other)),
            },
            _ => Err("only %s %r %d %i %u %x %X %o %f %c and %% are supported".to_owned()),
        }
    }

    fn integer(&self, number: i64) -> Vec<u8> {
        let size = number.unsigned_abs();
        let (digits, mark) = match self.conversion {
            b'x' => (format!("{size:x}"), "0x"),
            b'X' => (format!("{size:X}"), "0X"),
            b'o' => (format!("{size:o}"), "0"),
            _ => (size.to_string(), ""),
        };
        let zeros = self.precision.unwrap_or(0).saturating_sub(digits.len());
        let digits = ["0".repeat(zeros).as_bytes(), digits.as_bytes()].concat();
        let mark = if self.has(b'#') { mark.as_bytes() } else { b"" };
        self.padded(&[self.sign(number < 0), mark].concat(), &digits, true)
    }

    fn sign(&self, is_negative: bool) -> &'static [u8] {
        match (is_negative, self.has(b'+'), self.has(b' ')) {
            (true, _, _) => b"-",
            (false, true, _) => b"+",
            (false, false, true) => b" ",
            (false, false, false) => b"",
        }
    }

    /// Fills a field up to its width, with zeros after the sign of a number if wanted.
    fn padded(&self, sign: &[u8], text: &[u8], is_number: bool) -> Vec<u8> {
        let missing = self.width.saturating_sub(sign.len() + text.len());
        if self.has(b'-') {
            [sign, text, " ".repeat(missing).as_bytes()].concat()
        } else if is_number && self.has(b'0') {
            [sign, "0".repeat(missing).as_bytes(), text].concat()
        } else {
            [" ".repeat(missing).as_bytes(), sign, text].concat()
        }
    }

    fn refusal(&self, data: &Data) -> String {
        format!("%{} does not take {}", char::from(self.conversion), data.kind())
    }
}

/// Reads a width or precision; 0 if there is none.
fn size(text: &[u8]) -> Result<(usize, &[u8]), String> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    if digits.is_empty() {
        return Ok((0, rest));
    }
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    match number.filter(|number| *number <= MAX_WIDTH) {
        Some(number) => Ok((number, rest)),
        None => Err(format!("a width or precision after % is above {MAX_WIDTH}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str, data: &Data) -> Result<String, String> {
        let out = format(text.as_bytes(), data, &mut Budget::new())?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn value(data: Data) -> Value {
        Value { offset: 0, data }
    }

    fn text(text: &str) -> Data {
        Data::Text(text.into())
    }

    #[test]
    fn fields_are_formatted_as_by_python_2() {
        for (format, data, wanted) in [
            ("%s.img", text("web"), "web.img"),
            ("%s", Data::Int(5), "5"),
            ("%s", Data::Float(0.5), "0.5"),
            ("%r", text("it's"), "\"it's\""),
            ("%5s|", text("ab"), "   ab|"),
            ("%-5s|", text("ab"), "ab   |"),
            ("%05s", text("ab"), "   ab"),
            ("%.2s", text("abc"), "ab"),
            ("%d", Data::Float(3.9), "3"),
            ("%d", Data::Bool(true), "1"),
            ("%03d", Data::Int(7), "007"),
            ("%03d", Data::Int(-7), "-07"),
            ("%+d", Data::Int(7), "+7"),
            ("% d", Data::Int(7), " 7"),
            ("%.3d", Data::Int(7), "007"),
            ("%02x", Data::Int(10), "0a"),
            ("%#06X", Data::Int(255), "0X00FF"),
            ("%ld", Data::Int(1), "1"),
            ("%o", Data::Int(8), "10"),
            ("%x", Data::Int(-255), "-ff"),
            ("%f", Data::Int(1), "1.000000"),
            ("%06.2f", Data::Float(-1.5), "-01.50"),
            ("%c", Data::Int(65), "A"),
            ("%c", text("x"), "x"),
            ("100%% %s", text("a"), "100% a"),
        ] {
            assert_eq!(run(format, &data).as_deref(), Ok(wanted), "{format}");
        }
        let pair = Data::Tuple(vec![value(text("a")), value(Data::Int(2))]);
        assert_eq!(run("%s-%02d", &pair).as_deref(), Ok("a-02"));
        let named = Data::Dict(vec![(value(text("n")), value(Data::Int(2)))]);
        assert_eq!(run("%(n)s%(n)03d", &named).as_deref(), Ok("2002"));
        assert_eq!(run("%s", &Data::Tuple(vec![value(pair)])).as_deref(), Ok("('a', 2)"));
    }

    #[test]
    fn wrong_fields_are_errors_without_the_value() {
        let named = Data::Dict(Vec::new());
        for (format, data, wanted) in [
            ("%d", text("secret"), "%d does not take a string"),
            ("%c", text("secret"), "%c does not take a string"),
            ("%c", Data::Int(256), "%c does not take a number"),
            ("%s %s", text("secret"), "% has too few values for the string"),
            ("none", text("secret"), "% has more values than the string takes"),
            ("%", text("secret"), "the string ends inside of a % field, write %% for a %"),
            ("%(a", named.clone(), "%(key has no closing parenthesis"),
            ("%(a)s", named.clone(), "% does not find a key of the string in the dictionary"),
            ("%(a)s", text("secret"), "%(key) needs a dictionary"),
            ("%s", named, "% of a dictionary needs %(key)s"),
            ("%q", text("a"), "only %s %r %d %i %u %x %X %o %f %c and %% are supported"),
            ("%9999s", text("a"), "a width or precision after % is above 1000"),
            ("%99999999999999999999999s", text("a"), "a width or precision after % is above 1000"),
        ] {
            assert_eq!(run(format, &data), Err(wanted.to_owned()), "{format}");
        }
    }

    #[test]
    fn the_length_is_limited() {
        let long = Data::Dict(vec![(value(text("a")), value(text(&"x".repeat(100_000))))]);
        let error = run(&"%(a)s".repeat(1000), &long).unwrap_err();
        assert_eq!(error, "the file's strings are longer than 8388608 bytes");
        assert!(
            run(&"%1000d".repeat(10_000), &Data::Tuple(vec![value(Data::Int(1)); 10_000])).is_err()
        );
    }
}
