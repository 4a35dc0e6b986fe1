//! Bounds of JSON bodies, checked before anything is read from them.

use crate::core::model::Invalid;

/// The deepest nesting.
const MAX_DEPTH: usize = 32;
/// The most values. The affinities of all VCPUs alone have up to 131,072 numbers.
const MAX_VALUES: usize = 200_000;
/// The most objects.
const MAX_OBJECTS: usize = 16_384;

/// The most memory of a value, of an object beside its values, and of a byte of text, in bytes: as
/// read, as a configuration, and as a tree. A map takes the room of eleven members at once.
const PER_VALUE: usize = 256;
const PER_OBJECT: usize = 2048;
const PER_BYTE: usize = 3;

/// Counts what a text has, without reading it, and gives the most memory in bytes that reading it
/// takes. A text that is no JSON may have any figure: reading it fails.
pub(super) fn most_memory(text: &[u8]) -> Result<usize, Invalid> {
    let mut depth = 0_usize;
    let mut values = 1_usize;
    let mut objects = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for byte in text {
        if in_string {
            in_string = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                values += 1;
                objects += usize::from(*byte == b'{');
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(Invalid::new(format!("it is nested more than {MAX_DEPTH} levels deep")));
        }
    }
    if values > MAX_VALUES || objects > MAX_OBJECTS {
        return Err(Invalid::new(format!(
            "it has more than {MAX_VALUES} values or {MAX_OBJECTS} objects"
        )));
    }
    Ok(values * PER_VALUE + objects * PER_OBJECT + text.len() * PER_BYTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_deep_or_too_much_is_refused_unread() {
        let nested = |levels: usize| [b"[".repeat(levels), b"]".repeat(levels)].concat();
        assert!(most_memory(&nested(MAX_DEPTH)).is_ok());
        assert!(most_memory(&nested(MAX_DEPTH + 1)).is_err());
        let list = |item: &str, count: usize| format!("[{}]", vec![item; count].join(","));
        assert!(most_memory(list("1", MAX_VALUES - 2).as_bytes()).is_ok());
        assert!(most_memory(list("1", MAX_VALUES).as_bytes()).is_err());
        assert!(most_memory(list("{}", MAX_OBJECTS + 1).as_bytes()).is_err());
    }

    #[test]
    fn text_in_strings_does_not_count() {
        let text = format!(r#"{{"a\"{}": "\\"}}"#, "[{,".repeat(100));
        let expected = 2 * PER_VALUE + PER_OBJECT + text.len() * PER_BYTE;
        assert_eq!(most_memory(text.as_bytes()).unwrap(), expected);
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
    }
}
