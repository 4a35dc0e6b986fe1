//! What each byte means to the reader and the printer.

/// Separates values.
pub(super) const SPACE: u8 = 1 << 0;
/// May be the first byte of an atom.
pub(super) const STARTS: u8 = 1 << 1;
/// Is not part of the atom before it.
pub(super) const ENDS: u8 = 1 << 2;
/// Needs no quotes when printed.
pub(super) const BARE: u8 = 1 << 3;

/// Whether the byte belongs to one of the classes in `mask`.
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
    fn what_is_printed_bare_reads_as_one_atom() {
        for byte in 0..=u8::MAX {
            if is(byte, BARE) {
                assert!(is(byte, STARTS) && !is(byte, ENDS), "{byte}");
            }
        }
    }
}
