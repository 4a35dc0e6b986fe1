//! The commands of the old xend, whose daemon started and stopped itself. systemd does that now.

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
            Self::Start | Self::TraceStart => format!(
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
            Self::Start | Self::TraceStart => {
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
