//! The commands of the old xend, whose daemon started and stopped itself. systemd does that now.

use std::env;
use std::ffi::OsStr;

/// A command of the old xend. None of them does anything but say what to type. They are no commands
/// of clap's, which has hidden ones in completions and tips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceCommand {
    Start,
    /// Start, and trace what the daemon does.
    TraceStart,
    Stop,
    Restart,
    Reload,
    Status,
}

impl ServiceCommand {
    /// All commands with their names.
    pub const ALL: [(&str, Self); 6] = [
        ("start", Self::Start),
        ("trace_start", Self::TraceStart),
        ("stop", Self::Stop),
        ("restart", Self::Restart),
        ("reload", Self::Reload),
        ("status", Self::Status),
    ];

    /// The command on the command line of this process, if its first word is one.
    pub fn of_this_process() -> Option<Self> {
        let first = env::args_os().nth(1)?;
        Self::ALL.into_iter().find(|(name, _)| first == OsStr::new(name)).map(|(_, it)| it)
    }

    /// The command to type today.
    pub fn advice(self) -> String {
        let verb = match self {
            Self::Start | Self::TraceStart => {
                return "Nothing was started: systemd runs xend, type systemctl start xend (xend \
                        without a command serves in the foreground)"
                    .to_owned();
            }
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Status => "status",
        };
        format!("Nothing was done: systemd runs xend, type systemctl {verb} xend")
    }
}
