//! The mark of a host that is in a fleet.

use crate::durable;
use crate::state_file::{self, Stored};
use std::io;
use std::path::{Path, PathBuf};
use tracing::error;

/// The file in the state directory that says of which fleet the host is a member. The daemon makes
/// it when the host takes part, and `xend fleet leave` removes it.
#[derive(Debug, Clone)]
pub struct FleetMark {
    file: PathBuf,
    fleet: String,
}

impl FleetMark {
    /// The mark of this fleet in a state directory.
    pub fn new(state_dir: &Path, fleet: &str) -> Self {
        Self { file: state_dir.join("fleet-member"), fleet: fleet.to_owned() }
    }

    /// The file of the mark.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether the host has taken part in the fleet. A file that cannot be read says so. Blocks.
    pub fn is_set(&self) -> bool {
        let read = |text: &[u8]| {
            let fleet = std::str::from_utf8(text.trim_ascii()).map_err(|_| "it is not text")?;
            if fleet.is_empty() { Err("it is empty") } else { Ok(fleet.to_owned()) }
        };
        match state_file::load(&self.file, read) {
            Ok(Stored::Missing) => false,
            Ok(Stored::Sound(fleet)) => fleet == self.fleet,
            Ok(Stored::Damaged) => true,
            Err(error) => {
                error!(file = %self.file.display(), %error, "The mark of the fleet cannot be read");
                true
            }
        }
    }

    /// Makes the mark, in place of another fleet's. Blocks.
    pub fn set(&self) -> io::Result<()> {
        durable::replace(&self.file, format!("{}\n", self.fleet).as_bytes())
    }

    /// Removes the mark. One that is missing, or another fleet's, is no error. Blocks.
    pub fn remove(&self) -> io::Result<()> {
        if self.is_set() { durable::remove(&self.file) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_mark_of_a_fleet_is_there_until_it_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let [lab, other] = ["lab", "other"].map(|fleet| FleetMark::new(dir.path(), fleet));
        assert!(!lab.is_set());
        lab.remove().unwrap();
        lab.set().unwrap();
        assert!(lab.is_set() && !other.is_set());
        other.remove().unwrap();
        assert!(lab.is_set(), "the mark of another fleet stays");
        lab.remove().unwrap();
        assert!(!lab.is_set());
    }

    #[test]
    fn a_damaged_mark_is_one() {
        for damage in [&b""[..], b"\xff"] {
            let dir = tempfile::tempdir().unwrap();
            let mark = FleetMark::new(dir.path(), "lab");
            fs::write(mark.file(), damage).unwrap();
            assert!(mark.is_set());
        }
    }
}
