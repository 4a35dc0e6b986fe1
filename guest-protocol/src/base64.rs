//! Base64 as Python's hosts write it: perhaps in lines of 76 characters.

use base64ct::{Base64, Encoding};

/// The bytes that a text holds, if it is base64. ASCII white space does not count.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let joined: String =
        text.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    Base64::decode_vec(&joined).ok()
}

/// Base64 in one line.
pub(crate) fn encode(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}
