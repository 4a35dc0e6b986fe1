//! Reasons for a guest to stop.

use super::invalid::Invalid;
use super::named::by_name;
use std::fmt;
use std::str::FromStr;

/// Why a guest stopped, or is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownReason {
    /// The guest switched itself off.
    Poweroff,
    /// The guest wants to be started again.
    Reboot,
    /// The guest ran `halt`; handled as a poweroff.
    Halt,
    /// The guest suspended itself.
    Suspend,
    /// The guest crashed.
    Crash,
}

impl ShutdownReason {
    /// All reasons.
    pub const ALL: [Self; 5] =
        [Self::Poweroff, Self::Reboot, Self::Halt, Self::Suspend, Self::Crash];

    /// The name that xend uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Poweroff => "poweroff",
            Self::Reboot => "reboot",
            Self::Halt => "halt",
            Self::Suspend => "suspend",
            Self::Crash => "crash",
        }
    }
}

impl fmt::Display for ShutdownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ShutdownReason {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        by_name(text, Self::ALL, Self::name)
    }
}
