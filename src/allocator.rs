//! Gives memory back to the kernel after a peak.
//!
//! glibc keeps what is freed for later allocations, on purpose. Two things make that too much for a
//! daemon that runs for months:
//!
//! - Large allocations are mappings of their own, which go back when they are freed. But each one
//!   that is freed raises the size from which that holds, up to 32 MiB, and twice as much may then
//!   stay unused at the end of each heap. [`configure`] fixes both sizes.
//! - What is freed in the middle of a heap goes back on request alone, which [`keep_small`] makes
//!   after each peak.
//!
//! Other C libraries need neither.

use std::fs;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often [`keep_small`] looks for unused memory.
const INTERVAL: Duration = Duration::from_secs(10);

/// The least unused memory that is given back, in bytes.
const WORTHWHILE: usize = 16 << 20;

/// Sets the C library up. Call it before threads start.
pub fn configure() {
    glibc::fix_sizes();
}

/// Gives unused memory back whenever there is much of it, until the server stops.
pub async fn keep_small(stopping: CancellationToken) {
    // What cannot be given back, since something in use is on the same page.
    let mut stuck = 0;
    while stopping.run_until_cancelled(sleep(INTERVAL)).await.is_some() {
        // It visits all free blocks.
        let given_back = spawn_blocking(move || give_back(stuck)).await;
        let Ok(Some(left)) = given_back else { return };
        stuck = left;
    }
}

/// Gives unused memory back if there is much more than `stuck` bytes. The result is the number of
/// unused bytes that are left; `None` if it cannot be told.
fn give_back(stuck: usize) -> Option<usize> {
    let before = unused()?;
    if before < stuck.saturating_add(WORTHWHILE) {
        return Some(stuck.min(before));
    }
    glibc::trim();
    let after = unused()?;
    tracing::debug!("Gave {} KiB of memory back", before.saturating_sub(after) / 1024);
    Some(after)
}

/// The memory of this process that no allocation uses, in bytes.
fn unused() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    Some(anonymous(&status)?.saturating_sub(glibc::in_use()?))
}

/// The memory of a process without that of files, in bytes, as the kernel tells it.
fn anonymous(status: &str) -> Option<usize> {
    let value = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    value.trim().strip_suffix(" kB")?.parse::<usize>().ok()?.checked_mul(1024)
}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "no safe crate has these functions of glibc")]
mod glibc {
    /// From this size on, in bytes, an allocation is a mapping of its own.
    const OWN_MAPPING: i32 = 1 << 20;

    /// The unused memory that may stay at the end of a heap, in bytes.
    const MOST_AT_END: i32 = 1 << 20;

    /// Keeps the sizes from growing with what is freed.
    pub(super) fn fix_sizes() {
        // SAFETY: the function takes numbers and changes settings of the allocator under its lock.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_MAPPING);
            libc::mallopt(libc::M_TRIM_THRESHOLD, MOST_AT_END);
        }
    }

    /// Gives all pages without allocations back.
    pub(super) fn trim() {
        // SAFETY: the function takes a number, and holds the allocator's locks for what it does.
        unsafe { libc::malloc_trim(0) };
    }

    /// The memory of all allocations, in bytes.
    pub(super) fn in_use() -> Option<usize> {
        // SAFETY: the function takes nothing, holds the allocator's locks, and returns numbers.
        let info = unsafe { libc::mallinfo2() };
        info.uordblks.checked_add(info.hblkhd)
    }
}

#[cfg(not(target_env = "gnu"))]
mod glibc {
    pub(super) fn fix_sizes() {}

    pub(super) fn trim() {}

    pub(super) fn in_use() -> Option<usize> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_the_memory_of_a_process() {
        let status = "VmRSS:\t    9000 kB\nRssAnon:\t    1234 kB\nRssFile:\t    7000 kB\n";
        assert_eq!(anonymous(status), Some(1234 * 1024));
        for status in ["", "RssAnon: 12", "RssAnon: x kB", "RssAnon: 99999999999999999999 kB"] {
            assert_eq!(anonymous(status), None, "{status}");
        }
    }

    #[cfg(target_env = "gnu")]
    #[test]
    fn memory_in_use_is_known() {
        let block = vec![1_u8; 64 << 20];
        assert!(glibc::in_use().unwrap() >= block.len());
        drop(block);
        assert!(unused().is_some() && give_back(usize::MAX).is_some());
        assert!(give_back(0).is_some());
    }
}
