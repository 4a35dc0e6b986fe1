//! What is measured of a daemon.

use std::fmt;
use std::time::Duration;

/// The memory and the descriptors of a process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Use {
    pub(crate) rss_mib: u64,
    pub(crate) fds: u64,
}

impl Use {
    /// What a process uses now.
    pub(crate) fn of(pid: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib: u64 = rss.trim().trim_end_matches(" kB").parse().unwrap();
        let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        Self { rss_mib: kib / 1024, fds: fds.try_into().unwrap() }
    }

    /// The larger of each.
    pub(crate) fn max(self, other: Self) -> Self {
        Self { rss_mib: self.rss_mib.max(other.rss_mib), fds: self.fds.max(other.fds) }
    }
}

/// The times of reads.
#[derive(Debug, Clone, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    fn percentile(&self, percent: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * percent / 100).copied().unwrap_or_default()
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |percent| self.percentile(percent).as_secs_f64() * 1e3;
        write!(f, "p50 {:.1} ms, p99 {:.1} ms", ms(50), ms(99))
    }
}

/// The figures of an attack.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) before: Use,
    pub(crate) peak: Use,
    pub(crate) after: Use,
    pub(crate) reads_before: Times,
    pub(crate) reads_during: Times,
    /// Reads that failed.
    pub(crate) lost: usize,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, peak, after, reads_before, reads_during, lost } = self;
        write!(
            f,
            "RSS {} MiB, at most {}, afterwards {}; descriptors {}, at most {}, afterwards {}; \
             reads {reads_before}, meanwhile {reads_during} ({} reads, {lost} lost)",
            before.rss_mib,
            peak.rss_mib,
            after.rss_mib,
            before.fds,
            peak.fds,
            after.fds,
            reads_during.count(),
        )
    }
}
