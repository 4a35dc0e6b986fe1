//! Schedulers and their parameters.

use super::invalid::Invalid;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A scheduler of Xen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Scheduler {
    /// Proportional share with caps; the default from Xen 3.0.3 to 4.11.
    #[default]
    Credit,
    /// The successor of credit, the default since Xen 4.12.
    Credit2,
    /// Simple Earliest Deadline First, removed in Xen 4.6.
    Sedf,
    /// Real-time deferrable server, the successor of SEDF since Xen 4.5.
    Rtds,
}

impl Scheduler {
    /// The name in the node's `xen_scheduler`.
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

/// The parameters of `cpu_sedf_set`. Times have nanosecond resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SedfParams {
    pub period: Duration,
    /// The CPU time in each period.
    pub slice: Duration,
    /// The largest tolerated delay after a wake-up.
    pub latency: Duration,
    /// Whether the domain may also use otherwise idle CPU time.
    pub extratime: bool,
    /// A share in place of a slice: used if it is above 0 and the slice is 0.
    pub weight: u32,
}

impl SedfParams {
    /// The longest time.
    pub const MAX_TIME: Duration = Duration::from_secs(24 * 60 * 60);

    /// Refuses times that are too long. The error names the time at fault.
    pub fn check(&self) -> Result<(), Invalid> {
        let times = [("period", self.period), ("slice", self.slice), ("latency", self.latency)];
        match times.into_iter().find(|(_, time)| *time > Self::MAX_TIME) {
            Some((name, time)) => {
                let time = time.as_nanos();
                let most = Self::MAX_TIME.as_nanos();
                let reason = format!("sedf {name}: {time} ns is out of range, 0 to {most} ns");
                Err(Invalid::new(reason))
            }
            None => Ok(()),
        }
    }
}

/// A real-time reservation of the RTDS scheduler. Xen keeps both in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rtds {
    pub period: Duration,
    /// The CPU time in each period.
    pub budget: Duration,
}

/// A domain's parameters for the host's scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchedParams {
    /// credit: `weight` 1 to 65535, `cap` in percent of one CPU, 0 for none.
    Credit {
        /// The share, relative to the weights of the other domains.
        weight: u16,
        /// The largest CPU time in percent of one CPU; 0 for no limit.
        cap: u16,
    },
    /// credit2: the same two since Xen 4.8.
    Credit2 {
        /// The share, relative to the weights of the other domains.
        weight: u16,
        /// The largest CPU time in percent of one CPU; 0 for no limit.
        cap: u16,
    },
    /// sedf: period, slice and the rest.
    Sedf(SedfParams),
    /// rtds: period and budget.
    Rtds(Rtds),
}

impl SchedParams {
    /// The scheduler that has these parameters.
    pub fn scheduler(&self) -> Scheduler {
        match self {
            Self::Credit { .. } => Scheduler::Credit,
            Self::Credit2 { .. } => Scheduler::Credit2,
            Self::Sedf(_) => Scheduler::Sedf,
            Self::Rtds(_) => Scheduler::Rtds,
        }
    }
}
