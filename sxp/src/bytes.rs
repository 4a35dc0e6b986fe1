//! Byte classes of the reader and the printer.

/// Separates values.
pub(super) const SPACE: u8 = 1 << 0;
/// May be the first byte of an atom.
pub(super) const STARTS: u8 = 1 << 1;
/// Ends the atom before it.
pub(super) const ENDS: u8 = 1 << 2;
/// Is printed without quotes.
pub(super) const BARE: u8 = 1 << 3;

/// Whether the byte is in one of the classes of `mask`.
#[inline]
pub(super) const fn is(byte: u8, mask: u8) -> bool {
    CLASSES[byte as usize] & mask != 0
}

const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        let mut class = 0;
        if matches!(byte, b' ' | b'\t'..=b'\r') {
            class |= SPACE | ENDS;
        }
        if byte.is_ascii_graphic() && !matches!(byte, b'(' | b')' | b'\'' | b'"' | b'#') {
            class |= STARTS;
        }
        if matches!(byte, b'(' | b')' | b'{' | b'}' | b'<' | b'>' | b'[' | b']' | b';' | b'#') {
            class |= ENDS;
        }
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'/' | b'~') {
            class |= BARE;
        }
        table[byte as usize] = class;
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_printed_without_quotes_reads_as_one_atom() {
        for byte in 0..=u8::MAX {
            if is(byte, BARE) {
                assert!(is(byte, STARTS) && !is(byte, ENDS), "{byte}");
            }
        }
    }
}
