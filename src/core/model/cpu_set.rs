//! Sets of physical CPUs.

use super::invalid::Invalid;
use std::fmt;
use std::str::FromStr;

/// One more than the highest number of a physical CPU (Xen's own limit is `NR_CPUS`, 4095 at most).
pub const MAX_CPUS: u32 = 4096;

/// The CPUs of a word.
const WORD: usize = u64::BITS as usize;

/// The words of a set with all CPUs.
const WORDS: usize = MAX_CPUS as usize / WORD;

/// The most characters of a text in an error.
const MAX_SHOWN: usize = 80;

/// A set of physical CPUs. As a VCPU's affinity, the empty set means any CPU.
///
/// It has a bit for each CPU, so that a range costs the same however often a client repeats it.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct CpuSet(
    /// Bit `n` of word `w` is CPU `64 * w + n`. The last word is not 0.
    Box<[u64]>,
);

impl CpuSet {
    /// The longest text that is read, in bytes. The longest form of a set is all CPUs as a Python
    /// list of strings, which has 31,658.
    pub const MAX_TEXT: usize = 32 << 10;

    /// The CPUs 0 to `count` - 1.
    pub fn first(count: u32) -> Self {
        let mut bits = Bits::default();
        if let Some(last) = count.min(MAX_CPUS).checked_sub(1) {
            bits.set_range(0, last, true);
        }
        bits.into_set()
    }

    /// Whether the set has no CPU; as an affinity, this means any CPU.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of CPUs.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether the set has this CPU.
    pub fn contains(&self, cpu: u32) -> bool {
        let (word, bit) = place(cpu);
        self.0.get(word).is_some_and(|word| word >> bit & 1 == 1)
    }

    /// The CPUs in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0..).step_by(WORD).zip(&self.0).flat_map(|(first, word)| {
            (0..u64::BITS).filter(move |bit| word >> bit & 1 == 1).map(move |bit| first + bit)
        })
    }

    /// The lowest CPU, if there is one.
    pub fn lowest(&self) -> Option<u32> {
        self.iter().next()
    }

    /// The CPUs of both sets together.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.combined(other, |one, other| one | other)
    }

    /// The CPUs that are in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.combined(other, |one, other| one & other)
    }

    /// The CPUs that the other set does not have.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.combined(other, |one, other| one & !other)
    }

    fn combined(&self, other: &Self, combine: fn(u64, u64) -> u64) -> Self {
        let mut bits = Bits::default();
        for (n, word) in bits.0.iter_mut().enumerate() {
            let word_of = |set: &Self| set.0.get(n).copied().unwrap_or_default();
            *word = combine(word_of(self), word_of(other));
        }
        bits.into_set()
    }
}

/// The word of a CPU, and its bit there.
fn place(cpu: u32) -> (usize, u32) {
    (cpu as usize / WORD, cpu % u64::BITS)
}

/// The bits of a set that is being made.
struct Bits([u64; WORDS]);

impl Default for Bits {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl Bits {
    /// Adds or removes the CPUs `low` to `high`. Those from [`MAX_CPUS`] on are left out.
    fn set_range(&mut self, low: u32, high: u32, on: bool) {
        let (first, first_bit) = place(low);
        let (last, last_bit) = place(high);
        for (n, word) in self.0.iter_mut().enumerate().take(last + 1).skip(first) {
            let mut mask = u64::MAX;
            if n == first {
                mask &= u64::MAX << first_bit;
            }
            if n == last {
                mask &= u64::MAX >> (u64::BITS - 1 - last_bit);
            }
            if on {
                *word |= mask;
            } else {
                *word &= !mask;
            }
        }
    }

    fn into_set(self) -> CpuSet {
        let used = self.0.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
        CpuSet(self.0.into_iter().take(used).collect())
    }
}

impl FromIterator<u32> for CpuSet {
    fn from_iter<I: IntoIterator<Item = u32>>(cpus: I) -> Self {
        let mut bits = Bits::default();
        for cpu in cpus {
            bits.set_range(cpu, cpu, true);
        }
        bits.into_set()
    }
}

/// Reads `0-3,^1`, `2`, `[1, 2]` (xm 3.0.0 sends a Python list) and the empty text; `^` excludes a
/// CPU or a range.
impl FromStr for CpuSet {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() > Self::MAX_TEXT {
            return Err(Invalid::new(format!(
                "{} bytes are too many for a list of CPUs, at most {}",
                text.len(),
                Self::MAX_TEXT
            )));
        }
        let inner = text.trim();
        let inner =
            inner.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(inner).trim();
        if inner.is_empty() {
            return Ok(Self::default());
        }
        let mut bits = Bits::default();
        for item in inner.split(',') {
            let item = item.trim().trim_matches(['\'', '"']);
            let excluded = item.strip_prefix('^');
            let range = excluded.unwrap_or(item);
            let (low, high) = range.split_once('-').unwrap_or((range, range));
            let number = |t: &str| t.trim().parse::<u32>().ok().filter(|n| *n < MAX_CPUS);
            let (Some(low), Some(high)) = (number(low), number(high)) else {
                let shown = shown(text);
                return Err(Invalid::new(format!("{shown} is not a list of CPUs like 0-3,^1")));
            };
            if low > high {
                let shown = shown(text);
                return Err(Invalid::new(format!("{shown} holds the empty range {low}-{high}")));
            }
            bits.set_range(low, high, excluded.is_none());
        }
        Ok(bits.into_set())
    }
}

/// The beginning of a text, in quotes.
fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or_default()),
    }
}

/// Prints `0,2,3`.
impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, cpu) in self.iter().enumerate() {
            write!(f, "{}{cpu}", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Debug for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn reads_every_form_that_old_clients_send() {
        for (text, cpus) in [
            ("", ""),
            ("2", "2"),
            ("0-2,^1", "0,2"),
            ("2,3", "2,3"),
            ("[1, 2]", "1,2"),
            (" [0] ", "0"),
            ("['0', '3']", "0,3"),
            ("0-3, ^1-2", "0,3"),
            ("62-65,^63-64", "62,65"),
            ("4095", "4095"),
            ("0-4095,^1-4095", "0"),
            ("5,^5", ""),
        ] {
            assert_eq!(text.parse::<CpuSet>().unwrap().to_string(), cpus, "{text:?}");
        }
        for bad in ["foo", "1-", "3-1", "-1", "4096", "0-4294967295", "1,,2"] {
            assert!(bad.parse::<CpuSet>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_longest_form_of_a_set_is_read_and_no_longer_text() {
        let all = CpuSet::first(MAX_CPUS);
        assert_eq!((all.len(), all.lowest(), all.contains(MAX_CPUS)), (4096, Some(0), false));
        let quoted: Vec<String> = all.iter().map(|cpu| format!("'{cpu}'")).collect();
        let longest = format!("[{}]", quoted.join(", "));
        assert_eq!(longest.len(), 31_658);
        assert_eq!(longest.parse(), Ok(all.clone()));
        assert_eq!(all.to_string().parse(), Ok(all));
        let mut ranges = "0-4095,".repeat(CpuSet::MAX_TEXT / 7);
        ranges.push('9');
        assert_eq!(ranges.parse::<CpuSet>().unwrap().len(), 4096);
        let refused = "0-4095,".repeat(75_000).parse::<CpuSet>().unwrap_err().to_string();
        assert_eq!(refused, "525000 bytes are too many for a list of CPUs, at most 32768");
    }

    #[test]
    fn errors_show_the_beginning_of_a_text() {
        let refusal = |text: &str| text.parse::<CpuSet>().unwrap_err().to_string();
        assert_eq!(refusal("3-1"), "\"3-1\" holds the empty range 3-1");
        assert_eq!(refusal("x"), "\"x\" is not a list of CPUs like 0-3,^1");
        let long = refusal(&"ü".repeat(10_000));
        assert_eq!(long, format!("{:?}... is not a list of CPUs like 0-3,^1", "ü".repeat(80)));
    }

    proptest! {
        #[test]
        fn it_is_a_set(
            one in proptest::collection::btree_set(0..200_u32, 0..20),
            other in proptest::collection::btree_set(0..200_u32, 0..20),
        ) {
            let cpus = |set: &BTreeSet<u32>| set.iter().copied().collect::<CpuSet>();
            let first = cpus(&one);
            let second = cpus(&other);
            prop_assert!(first.iter().eq(one.iter().copied()));
            prop_assert_eq!(first.len(), one.len());
            prop_assert_eq!(first.is_empty(), one.is_empty());
            prop_assert!((0..300).all(|cpu| first.contains(cpu) == one.contains(&cpu)));
            prop_assert_eq!(first.union(&second), cpus(&(&one | &other)));
            prop_assert_eq!(first.intersection(&second), cpus(&(&one & &other)));
            prop_assert_eq!(first.difference(&second), cpus(&(&one - &other)));
        }
    }
}
