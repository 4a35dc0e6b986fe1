//! About how much memory a value takes, without a walk of its own for each type.

use std::hash::{Hash, Hasher};

/// What a change takes of the structures that an earlier state and a later one share, about, in
/// bytes.
pub const CHANGE: usize = 1 << 10;

/// A count of all that has been replaced, with one more change of something that had this size in
/// bytes.
pub(super) fn with_replaced(count: u64, old: usize) -> u64 {
    count.saturating_add((old + CHANGE) as u64)
}

/// Counts the bytes that a hash would be made from.
struct Counter(usize);

impl Hasher for Counter {
    fn finish(&self) -> u64 {
        self.0 as u64
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = self.0.saturating_add(bytes.len());
    }
}

/// The size of what a value consists of, in bytes: of all that its hash depends on.
pub(super) fn content_size(value: &impl Hash) -> usize {
    let mut counter = Counter(0);
    value.hash(&mut counter);
    counter.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{Device, DomName, DomainConfig, Vif};

    #[test]
    fn all_parts_of_a_value_count() {
        let mut config = DomainConfig::new(DomName::adopted("a"), 64);
        let empty = content_size(&config);
        config.description = "x".repeat(1000).as_str().into();
        let described = content_size(&config);
        assert!((1000..2000).contains(&described), "{empty} {described}");
        config.devices = vec![Device::Vif(Vif::default()); 100];
        assert!(content_size(&config) > described + 100 * 16);
    }
}
