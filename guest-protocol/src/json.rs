//! The dialect of JSON that comes through XenStore, read with bounds, and JSON in ASCII.

use crate::limits::MAX_DEPTH;
use serde_json::Value;

/// Why a text is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadJson {
    TooLong,
    TooDeep,
    Malformed,
}

/// Reads JSON of at most `max` bytes.
///
/// Two things differ from JSON. Control characters may stand inside of texts, because
/// `xenstore-write` has turned `\n` into the character. And an integer of more than 64 bits, such
/// as a public key, becomes a text, because a float would lose its digits.
pub(crate) fn read(bytes: &[u8], max: usize) -> Result<Value, BadJson> {
    if bytes.len() > max {
        return Err(BadJson::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| BadJson::Malformed)?;
    let strict = to_strict(text.trim_end_matches('\0'))?;
    serde_json::from_str(&strict).map_err(|_| BadJson::Malformed)
}

/// Compact JSON in which every other character than ASCII is escaped.
pub(crate) fn to_ascii(value: &Value) -> String {
    let mut ascii = String::new();
    for character in value.to_string().chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                ascii.push_str(&escape(*unit));
            }
        }
    }
    ascii
}

fn escape(unit: u16) -> String {
    format!("\\u{unit:04x}")
}

/// The same in strict JSON, if it is JSON at all.
fn to_strict(text: &str) -> Result<String, BadJson> {
    let mut strict = String::with_capacity(text.len() + 64);
    let mut depth = 0_usize;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let token = match first {
            '"' => {
                let token = text_token(rest);
                push_text(&mut strict, token)?;
                token
            }
            '-' | '0'..='9' => {
                let token = number_token(rest);
                push_number(&mut strict, token);
                token
            }
            other => {
                match other {
                    '{' | '[' => depth += 1,
                    '}' | ']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                if depth > MAX_DEPTH {
                    return Err(BadJson::TooDeep);
                }
                strict.push(other);
                rest.get(..other.len_utf8()).unwrap_or(rest)
            }
        };
        rest = rest.get(token.len()..).unwrap_or_default();
    }
    Ok(strict)
}

/// The text that begins here with both of its quotes, or all that is left.
fn text_token(rest: &str) -> &str {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return rest.get(..=at).unwrap_or(rest),
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest
}

/// The number that begins here.
fn number_token(rest: &str) -> &str {
    let is_part = |character| matches!(character, '0'..='9' | '+' | '-' | '.' | 'e' | 'E');
    let end = rest.find(|character| !is_part(character));
    end.and_then(|end| rest.get(..end)).unwrap_or(rest)
}

fn push_text(strict: &mut String, token: &str) -> Result<(), BadJson> {
    let mut escaped = false;
    for character in token.chars() {
        match u8::try_from(character) {
            // Escaped, it is no JSON, and must not become an escaped backslash.
            Ok(..b' ') if escaped => return Err(BadJson::Malformed),
            Ok(control @ ..b' ') => strict.push_str(&escape(control.into())),
            _ => strict.push(character),
        }
        escaped = !escaped && character == '\\';
    }
    Ok(())
}

fn push_number(strict: &mut String, token: &str) {
    let digits = token.strip_prefix('-').unwrap_or(token);
    let is_integer = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_long = token.parse::<i64>().is_err() && token.parse::<u64>().is_err();
    if is_integer && is_long && !digits.is_empty() {
        strict.extend(["\"", token, "\""]);
    } else {
        strict.push_str(token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_text(text: &str) -> Result<Value, BadJson> {
        read(text.as_bytes(), 4096)
    }

    #[test]
    fn control_characters_may_stand_in_texts() {
        assert_eq!(read_text("{\"a\nb\": \"\t\u{1}\"}"), Ok(json!({"a\nb": "\t\u{1}"})));
        assert_eq!(read_text("\"\\\\\n\""), Ok(json!("\\\n")));
        assert_eq!(read_text("\"\\\n\""), Err(BadJson::Malformed));
        assert_eq!(read_text(r#""a\"b\\""#), Ok(json!(r#"a"b\"#)));
    }

    #[test]
    fn integers_beyond_64_bits_become_texts() {
        let prime = "162259276829213363391578010288127";
        assert_eq!(read_text(prime), Ok(json!(prime)));
        assert_eq!(read_text(&format!("[-{prime}]")), Ok(json!([format!("-{prime}")])));
        assert_eq!(read_text("18446744073709551615"), Ok(json!(u64::MAX)));
        assert_eq!(read_text("-9223372036854775808"), Ok(json!(i64::MIN)));
        assert_eq!(read_text("18446744073709551616"), Ok(json!("18446744073709551616")));
        assert_eq!(read_text("1.5e3"), Ok(json!(1500.0)));
        assert_eq!(read_text("[0.12345678901234567890123]"), Ok(json!([0.123_456_789_012_345_68])));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let texts =
            ["", "{", "\"", "\"\\", "[1,]", "{a:1}", "nan", "00", "-", "1 2", "\u{feff}1", "'a'"];
        for text in texts {
            assert_eq!(read_text(text), Err(BadJson::Malformed), "{text:?}");
        }
        assert_eq!(read(b"\"\xff\"", 4096), Err(BadJson::Malformed));
    }

    #[test]
    fn size_and_depth_are_bounded() {
        assert_eq!(read(b"1234", 3), Err(BadJson::TooLong));
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(read_text(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(read_text(&nested(MAX_DEPTH + 1)), Err(BadJson::TooDeep));
        assert_eq!(read_text(&"{\"a\":".repeat(MAX_DEPTH + 1)), Err(BadJson::TooDeep));
        // Brackets inside of a text are none.
        assert!(read_text(&format!("\"{}\"", "[".repeat(100))).is_ok());
    }

    #[test]
    fn nul_bytes_at_the_end_do_not_count() {
        assert_eq!(read(b"{}\n\0", 4096), Ok(json!({})));
    }

    #[test]
    fn ascii_has_escapes_for_everything_else() {
        assert_eq!(to_ascii(&json!("aé\u{1f600}\n")), r#""a\u00e9\ud83d\ude00\n""#);
    }
}
