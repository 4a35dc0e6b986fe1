//! Actions that a configuration asks for: when the guest stops, when xend starts, when the host
//! stops.

use super::invalid::Invalid;
use super::named::by_name;
use std::fmt;
use std::str::FromStr;

/// The action for a domain whose guest has stopped: `on_poweroff`, `on_reboot` and `on_crash`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActionOnShutdown {
    Destroy,
    /// Destroy the domain and build it again.
    Restart,
    /// Keep the stopped domain for inspection.
    Preserve,
    /// Keep the stopped domain under another name, and build a new domain with its name.
    RenameRestart,
    /// Write the domain's memory to a file, then destroy the domain.
    CoredumpDestroy,
    /// Write the domain's memory to a file, then build the domain again.
    CoredumpRestart,
}

impl ActionOnShutdown {
    /// All actions.
    pub const ALL: [Self; 6] = [
        Self::Destroy,
        Self::Restart,
        Self::Preserve,
        Self::RenameRestart,
        Self::CoredumpDestroy,
        Self::CoredumpRestart,
    ];

    /// The name that xend uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Destroy => "destroy",
            Self::Restart => "restart",
            Self::Preserve => "preserve",
            Self::RenameRestart => "rename-restart",
            Self::CoredumpDestroy => "coredump-destroy",
            Self::CoredumpRestart => "coredump-restart",
        }
    }
}

impl fmt::Display for ActionOnShutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ActionOnShutdown {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|mode| mode.name() == text).ok_or_else(|| {
            Invalid::new(format!(
                "Invalid event handling mode {text:?}, use {}",
                Self::ALL.map(Self::name).join(", ")
            ))
        })
    }
}

/// The action for a managed domain when xend starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnXendStart {
    /// Leave the domain as it is.
    #[default]
    Ignore,
    Start,
}

impl OnXendStart {
    const ALL: [Self; 2] = [Self::Ignore, Self::Start];

    /// The name that xend uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Start => "start",
        }
    }
}

impl FromStr for OnXendStart {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        by_name(text, Self::ALL, Self::name)
    }
}

/// The action for a managed domain when the host stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnXendStop {
    /// Leave the domain as it is.
    #[default]
    Ignore,
    /// Ask the guest to shut down.
    Shutdown,
    /// Suspend the domain to disk.
    Suspend,
}

impl OnXendStop {
    const ALL: [Self; 3] = [Self::Ignore, Self::Shutdown, Self::Suspend];

    /// The name that xend uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Shutdown => "shutdown",
            Self::Suspend => "suspend",
        }
    }
}

impl FromStr for OnXendStop {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        by_name(text, Self::ALL, Self::name)
    }
}
