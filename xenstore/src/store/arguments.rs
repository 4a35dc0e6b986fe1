//! What the payloads of requests hold.

use crate::error::Refusal;

/// The only text, with a NUL at its end.
pub(crate) fn one(payload: &[u8]) -> Result<&str, Refusal> {
    match texts(payload)?.as_slice() {
        [text] => Ok(text),
        _ => Err(Refusal::Invalid),
    }
}

/// Two texts, each with a NUL at its end.
pub(crate) fn two(payload: &[u8]) -> Result<(&str, &str), Refusal> {
    match texts(payload)?.as_slice() {
        [first, second] => Ok((first, second)),
        _ => Err(Refusal::Invalid),
    }
}

/// Texts, each with a NUL at its end.
pub(crate) fn texts(payload: &[u8]) -> Result<Vec<&str>, Refusal> {
    let text = std::str::from_utf8(payload).map_err(|_| Refusal::Invalid)?;
    let text = text.strip_suffix('\0').ok_or(Refusal::Invalid)?;
    Ok(text.split('\0').collect())
}

/// A text with a NUL at its end, and the bytes that follow.
pub(crate) fn text_and_bytes(payload: &[u8]) -> Result<(&str, &[u8]), Refusal> {
    let end = payload.iter().position(|byte| *byte == 0).ok_or(Refusal::Invalid)?;
    let (text, rest) = payload.split_at(end);
    let text = std::str::from_utf8(text).map_err(|_| Refusal::Invalid)?;
    Ok((text, rest.get(1..).unwrap_or_default()))
}

/// A number such as a domain's.
pub(crate) fn number<T: std::str::FromStr>(text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|_| Refusal::Invalid)
}
