//! The pairs of an urlencoded query or form, without decoding what nobody asks for.

/// A pair of an urlencoded text, still encoded.
pub(super) struct EncodedPair<'a> {
    /// `name=value`, or a name alone.
    pub(super) text: &'a [u8],
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
}

impl EncodedPair<'_> {
    pub(super) fn decoded_name(&self) -> String {
        String::from_utf8_lossy(&decoded(self.name)).into_owned()
    }
}

/// The pairs of an urlencoded text. Empty ones are left out.
pub(super) fn encoded_pairs(text: &[u8]) -> impl Iterator<Item = EncodedPair<'_>> {
    let pairs = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs.map(|text| {
        let equals = text.iter().position(|byte| *byte == b'=');
        let (name, value) = equals.map_or((text, &[][..]), |at| (&text[..at], &text[at + 1..]));
        EncodedPair { text, name, value }
    })
}

/// The text of these pairs.
pub(super) fn joined<'a>(pairs: impl Iterator<Item = EncodedPair<'a>>) -> Vec<u8> {
    pairs.map(|pair| pair.text).collect::<Vec<_>>().join(&b'&')
}

/// A name or a value as it was before it was encoded.
pub(super) fn decoded(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> =
        text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_encoding::percent_decode(&spaced).collect()
}
