//! What `xenstore-write` and `xenstore-read` of Xen 4.17 do to a value, and what the plug-in of
//! `OpenStack`, which calls them, makes of it.

use serde_json::Value;

/// The value that `xenstore-write PATH VALUE` writes: escapes as in C are undone, and any other
/// backslash vanishes.
pub(crate) fn write(value: &str) -> Vec<u8> {
    let mut written = Vec::new();
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            written.push(*first);
            continue;
        }
        let [escape, after @ ..] = rest else { break };
        let number = |digits: &[u8], radix| {
            let is_digit = |byte: &&u8| char::from(**byte).is_digit(radix);
            let length = digits.iter().take_while(is_digit).count();
            let text = String::from_utf8_lossy(&digits[..length]);
            (u32::from_str_radix(&text, radix).ok(), length)
        };
        let (byte, used) = match escape {
            b't' => (b'\t', 1),
            b'n' => (b'\n', 1),
            b'r' => (b'\r', 1),
            b'x' => {
                let (number, length) = number(&after[..after.len().min(2)], 16);
                // Without digits the letter stays.
                (number.map_or(b'x', |number| number.to_le_bytes()[0]), 1 + length)
            }
            b'0'..=b'7' => {
                let (number, length) = number(&rest[..rest.len().min(3)], 8);
                (number.unwrap().to_le_bytes()[0], length)
            }
            other => (*other, 1),
        };
        written.push(byte);
        rest = &rest[used..];
    }
    written
}

/// The line that `xenstore-read PATH` prints, without its newline.
pub(crate) fn read(value: &[u8]) -> String {
    let mut line = String::new();
    for byte in value {
        match byte {
            b'\\' => line.push_str("\\\\"),
            b' '..=b'~' => line.push(char::from(*byte)),
            b'\t' => line.push_str("\\t"),
            b'\n' => line.push_str("\\n"),
            b'\r' => line.push_str("\\r"),
            ..=7 => line.extend([format!("\\{byte:03o}")]),
            _ => line.extend([format!("\\x{byte:02x}")]),
        }
    }
    line
}

/// What a client of the plug-in gets for an agent's response: the line if it is JSON, otherwise a
/// JSON text of it. `None` is the plug-in's word for no response.
pub(crate) fn plug_in_answer(response: &[u8]) -> Option<Value> {
    let line = read(response);
    if line == "None" || line == "\"None\"" {
        return None;
    }
    Some(serde_json::from_str(&line).unwrap_or(Value::String(line)))
}

#[test]
fn escapes_are_undone_by_writing() {
    assert_eq!(write(r"a\n\t\r\\b"), b"a\n\t\r\\b");
    assert_eq!(write(r#"\"\u00e9\x41\x4\x\101\7z\"#), b"\"u00e9A\x04xA\x07z");
}

#[test]
fn escapes_are_made_by_reading() {
    assert_eq!(read(b"a\"\\\n\t\r\x01\x1f\x7f\xc3\xa9~"), r#"a"\\\n\t\r\001\x1f\x7f\xc3\xa9~"#);
}

#[test]
fn what_is_read_can_be_written_again() {
    let every: Vec<u8> = (0..=255).collect();
    assert_eq!(write(&read(&every)), every);
}
