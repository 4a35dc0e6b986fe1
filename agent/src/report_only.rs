//! Whether the agent only reports, and refuses commands that change the guest.

use crate::root::{Root, words};
use rustix::fs::{Access, access};
use rustix::io::Errno;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt::{self, Formatter};
use std::io;

/// Whether commands that change the guest are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReportOnly {
    /// If /etc cannot be written.
    #[default]
    Auto,
    Yes,
    No,
}

impl ReportOnly {
    /// Why commands that change the guest are refused now; `None` if they are not.
    pub fn reason(self, root: &Root) -> Option<String> {
        match self {
            Self::No => None,
            Self::Yes => Some("This agent only reports: its configuration says so".to_owned()),
            Self::Auto => match access(root.path("/etc"), Access::WRITE_OK) {
                Ok(()) | Err(Errno::NOENT) => None,
                Err(error) => {
                    let reason = words(&io::Error::from(error));
                    Some(format!("This agent only reports: /etc cannot be written: {reason}"))
                }
            },
        }
    }
}

/// From `yes`, `no` or `auto`, or `true` or `false`.
impl<'de> Deserialize<'de> for ReportOnly {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words)
    }
}

struct Words;

impl Visitor<'_> for Words {
    type Value = ReportOnly;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("`report_only` to be \"yes\", \"no\" or \"auto\"")
    }

    fn visit_bool<E: Error>(self, is_on: bool) -> Result<ReportOnly, E> {
        Ok(if is_on { ReportOnly::Yes } else { ReportOnly::No })
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<ReportOnly, E> {
        match word {
            "yes" => Ok(ReportOnly::Yes),
            "no" => Ok(ReportOnly::No),
            "auto" => Ok(ReportOnly::Auto),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::Command;

    #[test]
    fn a_file_system_for_reading_only_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(ReportOnly::Auto.reason(&Root::new(directory.path())), None);
        assert_eq!(ReportOnly::No.reason(&Root::new("/proc/self/none")), None);
        assert!(ReportOnly::Yes.reason(&Root::new("/")).is_some());
        let etc = directory.path().join("etc");
        fs::create_dir(&etc).unwrap();
        assert_eq!(ReportOnly::Auto.reason(&Root::new(directory.path())), None);
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "ro", "none"]).arg(&etc).output();
        if !mount.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: nothing can be mounted here");
            return;
        }
        let reason = ReportOnly::Auto.reason(&Root::new(directory.path()));
        assert!(Command::new("umount").arg(&etc).status().unwrap().success());
        let expected = "This agent only reports: /etc cannot be written: Read-only file system";
        assert_eq!(reason.as_deref(), Some(expected));
    }
}
