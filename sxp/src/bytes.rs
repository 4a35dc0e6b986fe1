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
    class(byte) & mask != 0
}

/// The classes of a byte.
#[inline]
pub(super) const fn class(byte: u8) -> u8 {
    CLASSES[byte as usize]
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

/// A byte in each place of a word.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Whether eight bytes are printed without quotes. They are looked at together: each place has its
/// answer in the highest bit, which no sum of ASCII bytes carries into the next place.
#[inline]
const fn are_bare(bytes: [u8; 8]) -> bool {
    const fn within(bytes: u64, first: u8, last: u8) -> u64 {
        (bytes + each(0x80 - first)) & !(bytes + each(0x7f - last))
    }
    let bytes = u64::from_ne_bytes(bytes);
    let ascii = bytes & each(0x7f);
    let letters = within(ascii | each(0x20), b'a', b'z');
    // Digits and `-./:` are neighbours.
    let digits_and_marks = within(ascii, b'-', b':');
    let bare = letters | digits_and_marks | within(ascii, b'_', b'_') | within(ascii, b'~', b'~');
    bare & !bytes & each(0x80) == each(0x80)
}

/// Whether all bytes are printed without quotes.
#[inline]
pub(super) fn all_bare(text: &[u8]) -> bool {
    // The last bytes are looked at together with the bytes before them, some of them twice.
    if let Some(&last) = text.last_chunk::<8>() {
        let mut blocks = text.chunks_exact(8).filter_map(<[u8]>::first_chunk);
        return blocks.all(|&block| are_bare(block)) && are_bare(last);
    }
    if let (Some(&[a, b, c, d]), Some(&[e, f, g, h])) = (text.first_chunk(), text.last_chunk()) {
        return are_bare([a, b, c, d, e, f, g, h]);
    }
    text.iter().all(|&byte| is(byte, BARE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_bytes_at_a_time_are_as_one_by_one() {
        for byte in 0..=u8::MAX {
            for len in 1..=26 {
                for place in 0..len {
                    let mut text = vec![b'x'; len];
                    text[place] = byte;
                    assert_eq!(all_bare(&text), is(byte, BARE), "{byte} at {place} of {len}");
                }
            }
        }
    }

    #[test]
    fn text_printed_without_quotes_reads_as_one_atom() {
        for byte in 0..=u8::MAX {
            if is(byte, BARE) {
                assert!(is(byte, STARTS) && !is(byte, ENDS), "{byte}");
            }
        }
    }
}
