//! The commands of the old xend, whose daemon started and stopped itself. systemd does that now.

use clap::Subcommand;

/// A command of the old xend. None of them does anything but say what to type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum ServiceCommand {
    /// Start the daemon
    #[command(hide = true)]
    Start,
    /// Start the daemon and trace it
    #[command(hide = true, name = "trace_start")]
    TraceStart,
    /// Stop the daemon
    #[command(hide = true)]
    Stop,
    /// Stop the daemon and start it
    #[command(hide = true)]
    Restart,
    /// Read the configuration again
    #[command(hide = true)]
    Reload,
    /// Tell whether the daemon runs
    #[command(hide = true)]
    Status,
}

impl ServiceCommand {
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
