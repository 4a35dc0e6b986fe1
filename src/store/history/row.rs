//! A row: what was used in one step.
//!
//! ```text
//! 0    the number of the step, little-endian as everything here
//! 4    the mean and the maximum of each resource, floating-point numbers of 4 bytes; no number
//!      for what is not known
//! 52   a checksum of all before, CRC-32
//! 56   zeros
//! ```

use crate::core::model::{Level, Resource, Usage};

/// The size of a row in bytes. Rows do not cross sectors of a disk.
pub(super) const ROW: usize = 64;

const NUMBER: usize = 4;
const CHECKSUM_AT: usize = NUMBER + Resource::ALL.len() * 8;

/// A row as it is written.
pub(super) fn print(number: u32, usage: &Usage) -> [u8; ROW] {
    let mut row = [0; ROW];
    let mut at = 0;
    let mut put = |bytes: [u8; 4]| {
        row[at..at + 4].copy_from_slice(&bytes);
        at += 4;
    };
    put(number.to_le_bytes());
    for resource in Resource::ALL {
        let unknown = Level { mean: f32::NAN, max: f32::NAN };
        let Level { mean, max } = usage.of(resource).unwrap_or(unknown);
        put(mean.to_le_bytes());
        put(max.to_le_bytes());
    }
    let checksum = crc32fast::hash(&row[..CHECKSUM_AT]);
    row[CHECKSUM_AT..CHECKSUM_AT + 4].copy_from_slice(&checksum.to_le_bytes());
    row
}

/// The number of the step in a row, whether the row is sound or not.
pub(super) fn number(row: &[u8]) -> Option<u32> {
    word(row, 0).map(u32::from_le_bytes)
}

/// What was used in the step of a row; `None` for a row that was torn or never written.
pub(super) fn usage(row: &[u8]) -> Option<Usage> {
    let checksum = word(row, CHECKSUM_AT).map(u32::from_le_bytes)?;
    if crc32fast::hash(row.get(..CHECKSUM_AT)?) != checksum {
        return None;
    }
    let mut usage = Usage::default();
    for resource in Resource::ALL {
        let at = NUMBER + resource.index() * 8;
        let [mean, max] = [at, at + 4].map(|at| word(row, at).map(f32::from_le_bytes));
        let level = Level { mean: mean?, max: max? };
        if level.mean.is_finite() && level.max.is_finite() {
            usage = usage.with(resource, level);
        }
    }
    Some(usage)
}

fn word(row: &[u8], at: usize) -> Option<[u8; 4]> {
    row.get(at..at + 4)?.try_into().ok()
}
