//! The host's own UUID, by which clients know the host. It stands in two files: if one is lost or
//! damaged, the host keeps its identity by the other.

use crate::core::model::Uuid;
use crate::durable;
use crate::state_file::{self, Stored};
use std::io;
use std::path::{Path, PathBuf};
use tracing::{error, warn};

/// The UUID of the host with this state directory. The first time, the directory is made, and `new`
/// is stored. Blocks.
pub fn host_uuid(dir: &Path, new: Uuid) -> io::Result<Uuid> {
    durable::create_dir(dir)?;
    let [path, copy] = files(dir);
    load(&path, &copy, new)
}

/// The two files in a state directory.
pub(super) fn files(dir: &Path) -> [PathBuf; 2] {
    ["host-uuid", "host-uuid.copy"].map(|name| dir.join(name))
}

/// Reads the UUID from `path`, or from its `copy`; the first time, stores `new` in both.
pub(super) fn load(path: &Path, copy: &Path, new: Uuid) -> io::Result<Uuid> {
    let first = state_file::load(path, read)?;
    let second = state_file::load(copy, read)?;
    let uuid = match (&first, &second) {
        (Stored::Sound(uuid), _) => *uuid,
        (_, Stored::Sound(uuid)) => {
            warn!(
                file = %path.display(), copy = %copy.display(), %uuid,
                "The host keeps its UUID by the copy: remove both files for a new one"
            );
            *uuid
        }
        (Stored::Missing, Stored::Missing) => new,
        (Stored::Missing | Stored::Damaged, Stored::Missing | Stored::Damaged) => {
            error!(
                file = %path.display(), uuid = %new,
                "The host's UUID is lost, and it has a new one: clients take it for another host"
            );
            new
        }
    };
    let mut is_stored = false;
    let mut failure = None;
    for (file, known) in [(path, first), (copy, second)] {
        let written = match known {
            Stored::Sound(known) if known == uuid => Ok(()),
            _ => durable::replace(file, format!("{uuid}\n").as_bytes()),
        };
        match written {
            Ok(()) => is_stored = true,
            Err(error) => {
                warn!(file = %file.display(), %error, "The host's UUID could not be written");
                failure = Some(error);
            }
        }
    }
    match failure {
        Some(error) if !is_stored => Err(error),
        _ => Ok(uuid),
    }
}

fn read(text: &[u8]) -> Result<Uuid, String> {
    let uuid = Uuid::try_parse_ascii(text.trim_ascii()).map_err(|error| error.to_string())?;
    if uuid.is_nil() { Err("it is the UUID of Domain-0".to_owned()) } else { Ok(uuid) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_identity_is_kept_as_long_as_one_file_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("host-uuid");
        let copy = dir.path().join("host-uuid.copy");
        let mut next = 0;
        let mut loaded = || {
            next += 1;
            load(&path, &copy, Uuid::from_u128(next)).unwrap().as_u128()
        };
        assert_eq!((loaded(), loaded()), (1, 1));
        for file in [&path, &copy] {
            fs::write(file, "").unwrap();
            assert_eq!(loaded(), 1);
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
            assert_eq!(loaded(), 1);
            fs::remove_file(file).unwrap();
            assert_eq!(loaded(), 1);
        }
        // An operator gives the host another identity.
        fs::write(&path, format!("{}\n", Uuid::from_u128(77))).unwrap();
        assert_eq!(loaded(), 77);
        fs::write(&path, Uuid::nil().to_string()).unwrap();
        assert_eq!(loaded(), 77);
        fs::write(&path, "x").unwrap();
        fs::write(&copy, "x").unwrap();
        let new = loaded();
        assert_eq!((new, loaded()), (11, 11));
    }
}
