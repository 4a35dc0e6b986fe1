//! Searching in strings, in a time that does not grow with the product of their lengths.

/// A string of bytes as characters of the same numbers, which the standard library can search.
fn characters(text: &[u8]) -> String {
    text.iter().copied().map(char::from).collect()
}

fn bytes(text: &str) -> Vec<u8> {
    text.chars().filter_map(|character| u8::try_from(character).ok()).collect()
}

/// Whether a string has another one in it.
pub(super) fn contains(text: &[u8], part: &[u8]) -> bool {
    characters(text).contains(&characters(part))
}

/// How often a string has another one in it, without overlaps.
pub(super) fn count(text: &[u8], part: &[u8]) -> usize {
    characters(text).matches(&characters(part)).count()
}

/// Puts `new` in the place of each `old`.
pub(super) fn replace(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    bytes(&characters(text).replace(&characters(old), &characters(new)))
}

/// The parts between separators.
pub(super) fn split(text: &[u8], separator: &[u8]) -> Vec<Vec<u8>> {
    characters(text).split(&characters(separator)).map(bytes).collect()
}
