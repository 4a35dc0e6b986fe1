//! The states that were visited, each once and whole: no two states count as one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// States in the order of their discovery.
pub(crate) struct Seen<S> {
    states: Vec<S>,
    first: HashMap<u64, u32, BuildHasherDefault<AsIs>>,
    /// For each state, the one before it with the same hash.
    previous: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl<S: Eq + Hash> Seen<S> {
    pub(crate) fn new() -> Self {
        Self { states: Vec::new(), first: HashMap::default(), previous: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.states.len()
    }

    pub(crate) fn get(&self, index: u32) -> &S {
        &self.states[index as usize]
    }

    /// The state's index, and whether it is new.
    pub(crate) fn insert(&mut self, state: S) -> (u32, bool) {
        let mut hasher = Mix(0);
        state.hash(&mut hasher);
        let new = u32::try_from(self.states.len()).unwrap_or(NONE);
        let previous = match self.first.entry(hasher.finish()) {
            Entry::Vacant(entry) => {
                entry.insert(new);
                NONE
            }
            Entry::Occupied(mut entry) => {
                let mut at = *entry.get();
                while at != NONE {
                    if self.states[at as usize] == state {
                        return (at, false);
                    }
                    at = self.previous[at as usize];
                }
                entry.insert(new)
            }
        };
        self.states.push(state);
        self.previous.push(previous);
        (new, true)
    }
}

/// A fast hash of small values: a multiplication for each.
struct Mix(u64);

impl Mix {
    fn add(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.add(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.add(u64::from(value));
    }

    fn write_isize(&mut self, value: isize) {
        self.add(u64::try_from(value).unwrap_or(u64::MAX));
    }

    fn finish(&self) -> u64 {
        (self.0 ^ (self.0 >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }
}

/// The keys are hashes already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
