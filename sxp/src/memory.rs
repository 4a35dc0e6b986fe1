//! How much memory reading a text takes.

use super::bytes::{ENDS, STARTS, is};
use super::reader::Limits;
use super::tree::Sxp;

/// The most memory of an atom or a list, in bytes: itself in its list, twice as much room on the
/// stack of values, and what the allocator adds to the allocation of a list or of a long text.
const PER_VALUE: usize = 3 * size_of::<Sxp>() + 16;

impl Limits {
    /// The most memory that reading a text of so many bytes with so many atoms and lists takes, in
    /// bytes.
    pub fn most_memory(&self, bytes: usize, values: usize) -> usize {
        let values = values.min(self.count);
        // Texts are in the tree, and one of them is unescaped beside it.
        values.saturating_mul(PER_VALUE).saturating_add(bytes.saturating_mul(2))
    }
}

/// The most atoms and lists that a text can have. An atom or a list begins where another one has
/// ended; this counts such places in comments and strings, too.
pub fn most_values(text: &[u8]) -> usize {
    let mut after_end = true;
    let mut values = 0;
    for &byte in text {
        let is_quote = matches!(byte, b'\'' | b'"');
        let is_end = is(byte, ENDS);
        let begins = is(byte, STARTS) || byte == b'(' || is_quote;
        values += usize::from(begins && (after_end || is_end));
        after_end = is_end || is_quote;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ReadErrorKind, read_all};
    use proptest::prelude::*;

    #[test]
    fn a_byte_of_text_takes_at_most_114_bytes_of_memory() {
        // The shortest atoms have one byte and need no blank between them.
        assert_eq!(read_all(b"{{<", &Limits::DEFAULT).unwrap().len(), 3);
        assert_eq!(Limits::STORED.most_memory(1000, 1000), 1000 * (PER_VALUE + 2));
        assert_eq!(PER_VALUE + 2, 114);
        let most = Limits::DEFAULT.most_memory(1 << 20, 1 << 20);
        assert!((20 << 20..25 << 20).contains(&most), "{most}");
    }

    #[test]
    fn the_values_of_a_configuration_are_counted_as_they_are() {
        let config = b"(vm (name web1) (memory 64) (device (vif (mac 00:16:3e:00:00:01))))";
        let count = |count| Limits { count, ..Limits::DEFAULT };
        assert!(read_all(config, &count(most_values(config))).is_ok());
        assert!(read_all(config, &count(most_values(config) - 1)).is_err());
        assert_eq!(most_values(b""), 0);
    }

    proptest! {
        #[test]
        fn no_text_has_more_values(
            text in prop::collection::vec(
                prop::sample::select(b"(){}<;#'\"\\ \nab\x04\xff".to_vec()),
                0..60,
            ),
        ) {
            let limits = Limits { count: most_values(&text), ..Limits::DEFAULT };
            let is_of_count = |kind| matches!(kind, ReadErrorKind::Limit { name: "count", .. });
            let error = read_all(&text, &limits).err();
            prop_assert!(!error.is_some_and(|error| is_of_count(error.kind())));
        }
    }
}
