//! The commands of the old xend, whose daemon started and stopped itself. systemd does that now.

use clap::Subcommand;
use std::env;
use std::ffi::OsStr;
use std::path::Path;

/// Where systemd looks for units.
const UNIT_DIRS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// The units that run xend: on a Xen host, and on a simulated one.
const UNITS: [&str; 2] = ["xend", "xend-sim"];

/// A command of the old xend. None of them does anything but say what to type, apart from `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum ServiceCommand {
    /// Tell whether a daemon runs: exits with 0 if one listens, with 3 if none does, and with 4 if
    /// that is unknown
    Status,
    /// Say how to start the daemon, which systemd runs; nothing is done, and it exits with 1
    Start,
    /// Say how to stop the daemon, as start does
    Stop,
    /// Say how to restart the daemon, as start does
    Restart,
    /// Say how to have the configuration read again, as start does
    Reload,
}

impl ServiceCommand {
    /// Whether this process was told to start the daemon and to trace what it does, as the old xend
    /// could. clap does not know that: it suggests all commands that it knows.
    pub fn is_trace_start() -> bool {
        env::args_os().nth(1).is_some_and(|first| first == OsStr::new("trace_start"))
    }

    /// The command to type today, for the unit that this machine has.
    pub fn advice(self) -> String {
        self.advice_for(installed_unit(&UNIT_DIRS))
    }

    fn advice_for(self, unit: Option<&str>) -> String {
        let Some(unit) = unit else { return self.advice_without_unit().to_owned() };
        let other = |verb: &str| {
            format!("Nothing was done: systemd runs xend, type systemctl {verb} {unit}")
        };
        match self {
            Self::Status => format!("for more, type systemctl status {unit}"),
            Self::Start => format!(
                "Nothing was started: systemd runs xend, type systemctl start {unit} (xend without \
                 a command serves in the foreground)"
            ),
            Self::Stop => other("stop"),
            Self::Restart => other("restart"),
            Self::Reload => other("reload"),
        }
    }

    fn advice_without_unit(self) -> &'static str {
        match self {
            Self::Status => "no unit of systemd runs it on this machine",
            Self::Start => {
                "Nothing was started: this machine has no unit of systemd for xend; xend without a \
                 command serves in the foreground"
            }
            Self::Stop | Self::Restart | Self::Reload => {
                "Nothing was done: this machine has no unit of systemd for xend; send the daemon a \
                 signal, SIGTERM to stop it and SIGHUP to reload its configuration"
            }
        }
    }
}

/// The unit that runs xend on this machine; `None` if there is none.
fn installed_unit(dirs: &[impl AsRef<Path>]) -> Option<&'static str> {
    let is_in = |dir: &Path, unit: &str| dir.join(format!("{unit}.service")).exists();
    UNITS.into_iter().find(|unit| dirs.iter().any(|dir| is_in(dir.as_ref(), unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_that_is_installed_is_named() {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let dirs = dirs.each_ref().map(tempfile::TempDir::path);
        assert_eq!(installed_unit(&dirs), None);
        let said = ServiceCommand::Start.advice_for(None);
        assert!(said.contains("no unit") && !said.contains("systemctl"), "{said}");
        std::fs::write(dirs[1].join("xend-sim.service"), "").unwrap();
        assert_eq!(installed_unit(&dirs), Some("xend-sim"));
        std::fs::write(dirs[0].join("xend.service"), "").unwrap();
        assert_eq!(installed_unit(&dirs), Some("xend"));
        for (command, expected) in [
            (ServiceCommand::Start, "type systemctl start xend-sim (xend without"),
            (ServiceCommand::Restart, "type systemctl restart xend-sim"),
            (ServiceCommand::Status, "type systemctl status xend-sim"),
        ] {
            let said = command.advice_for(Some("xend-sim"));
            assert!(said.contains(expected), "{said}");
        }
    }
}
