//! Sets of physical CPUs.

use super::invalid::Invalid;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// One more than the highest number of a physical CPU (Xen's own limit is `NR_CPUS`, 4095 at most).
pub const MAX_CPUS: u32 = 4096;

/// A set of physical CPUs. As a VCPU's affinity, the empty set means any CPU.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuSet(BTreeSet<u32>);

impl CpuSet {
    /// The CPUs 0 to `count` - 1.
    pub fn first(count: u32) -> Self {
        Self((0..count.min(MAX_CPUS)).collect())
    }

    /// Whether the set has no CPU; as an affinity, this means any CPU.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the set has this CPU.
    pub fn contains(&self, cpu: u32) -> bool {
        self.0.contains(&cpu)
    }

    /// The CPUs in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// The lowest CPU, if there is one.
    pub fn lowest(&self) -> Option<u32> {
        self.0.first().copied()
    }
}

impl FromIterator<u32> for CpuSet {
    fn from_iter<I: IntoIterator<Item = u32>>(cpus: I) -> Self {
        Self(cpus.into_iter().filter(|cpu| *cpu < MAX_CPUS).collect())
    }
}

/// Reads `0-3,^1`, `2`, `[1, 2]` (xm 3.0.0 sends a Python list) and the empty text; `^` excludes a
/// CPU or a range.
impl FromStr for CpuSet {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let inner = text.trim();
        let inner =
            inner.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(inner).trim();
        let mut cpus = BTreeSet::new();
        if inner.is_empty() {
            return Ok(Self(cpus));
        }
        for item in inner.split(',') {
            let item = item.trim().trim_matches(['\'', '"']);
            let excluded = item.strip_prefix('^');
            let range = excluded.unwrap_or(item);
            let (low, high) = range.split_once('-').unwrap_or((range, range));
            let number = |t: &str| t.trim().parse::<u32>().ok().filter(|n| *n < MAX_CPUS);
            let (Some(low), Some(high)) = (number(low), number(high)) else {
                return Err(Invalid::new(format!("{text:?} is not a list of CPUs like 0-3,^1")));
            };
            if low > high {
                return Err(Invalid::new(format!("{text:?} holds the empty range {range}")));
            }
            for cpu in low..=high {
                if excluded.is_some() {
                    cpus.remove(&cpu);
                } else {
                    cpus.insert(cpu);
                }
            }
        }
        Ok(Self(cpus))
    }
}

/// Prints `0,2,3`.
impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, cpu) in self.0.iter().enumerate() {
            write!(f, "{}{cpu}", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            assert_eq!(text.parse::<CpuSet>().unwrap().to_string(), cpus, "{text:?}");
        }
        for bad in ["foo", "1-", "3-1", "-1", "4096", "0-4294967295", "1,,2"] {
            assert!(bad.parse::<CpuSet>().is_err(), "{bad:?}");
        }
    }
}
