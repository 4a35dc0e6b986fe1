//! Schedulers and their parameters.

use super::Invalid;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A scheduler of Xen's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheduler {
    /// Proportional share with caps; the default from Xen 3.0.3 to 4.11.
    #[default]
    Credit,
    /// Its successor, the default since Xen 4.12.
    Credit2,
    /// Simple Earliest Deadline First, removed in Xen 4.6.
    Sedf,
    /// Real-time deferrable server, SEDF's heir since Xen 4.5.
    Rtds,
}

impl Scheduler {
    /// The name as `xen_scheduler` of the node shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Credit => "credit",
            Self::Credit2 => "credit2",
            Self::Sedf => "sedf",
            Self::Rtds => "rtds",
        }
    }
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scheduler {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        [Self::Credit, Self::Credit2, Self::Sedf, Self::Rtds]
            .into_iter()
            .find(|s| s.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| {
                Invalid::new(format!(
                    "{text:?} is not a scheduler, use credit, credit2, sedf or rtds"
                ))
            })
    }
}

/// What `cpu_sedf_set` sets. Times have nanosecond resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SedfParams {
    /// The length of a period.
    pub period: Duration,
    /// The time on a CPU that a domain gets in each period.
    pub slice: Duration,
    /// The largest delay that a domain tolerates after it wakes.
    pub latency: Duration,
    /// Whether the domain may also use time that nobody else wants.
    pub extratime: bool,
    /// A share in place of a slice: used if above 0 and the slice is 0.
    pub weight: u32,
}

/// A real-time reservation of the RTDS scheduler. Xen keeps both in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rtds {
    /// The length of a period.
    pub period: Duration,
    /// The time on a CPU in each period.
    pub budget: Duration,
}

/// A domain's parameters, of the kind that the host's scheduler has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchedParams {
    /// credit: `weight` 1 to 65535, `cap` in percent of one CPU, 0 for none.
    Credit {
        /// The share, against the other domains' weights.
        weight: u16,
        /// The most CPU time in percent of one CPU; 0 is no limit.
        cap: u16,
    },
    /// credit2: the same two since Xen 4.8.
    Credit2 {
        /// The share, against the other domains' weights.
        weight: u16,
        /// The most CPU time in percent of one CPU; 0 is no limit.
        cap: u16,
    },
    /// sedf.
    Sedf(SedfParams),
    /// rtds.
    Rtds(Rtds),
}

impl SchedParams {
    /// Whose parameters these are.
    pub fn scheduler(&self) -> Scheduler {
        match self {
            Self::Credit { .. } => Scheduler::Credit,
            Self::Credit2 { .. } => Scheduler::Credit2,
            Self::Sedf(_) => Scheduler::Sedf,
            Self::Rtds(_) => Scheduler::Rtds,
        }
    }
}
