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
    let (uuid, stored) = load(&files(dir), new)?;
    stored.map(|()| uuid)
}

/// The two files in a state directory.
pub(super) fn files(dir: &Path) -> [PathBuf; 2] {
    ["host-uuid", "host-uuid.copy"].map(|name| dir.join(name))
}

/// Reads the UUID from the first file, or from its copy; the first time, stores `new` in both.
/// Tells beside it whether a file has it: the next start makes another one if none has.
pub(super) fn load([path, copy]: &[PathBuf; 2], new: Uuid) -> io::Result<(Uuid, io::Result<()>)> {
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
    let has_it = |known: &Stored<Uuid>| matches!(known, Stored::Sound(known) if *known == uuid);
    let lacking = [(path, &first), (copy, &second)].into_iter().filter(|(_, known)| !has_it(known));
    let lacking: Vec<&PathBuf> = lacking.map(|(file, _)| file).collect();
    let is_stored = has_it(&first) || has_it(&second);
    let written = store(lacking, uuid);
    Ok((uuid, if is_stored { Ok(()) } else { written }))
}

/// Writes the UUID into each of these files. Fails if it is in none then, unless there are none.
pub(super) fn store<'a>(
    files: impl IntoIterator<Item = &'a PathBuf>,
    uuid: Uuid,
) -> io::Result<()> {
    let mut is_stored = false;
    let mut failure = None;
    for file in files {
        match durable::replace(file, format!("{uuid}\n").as_bytes()) {
            Ok(()) => is_stored = true,
            Err(error) => {
                warn!(file = %file.display(), %error, "The host's UUID could not be written");
                failure = Some(error);
            }
        }
    }
    match failure {
        Some(error) if !is_stored => Err(error),
        _ => Ok(()),
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
        let files = files(dir.path());
        let [path, copy] = files.clone();
        let mut next = 0;
        let mut loaded = || {
            next += 1;
            let (uuid, stored) = load(&files, Uuid::from_u128(next)).unwrap();
            stored.unwrap();
            uuid.as_u128()
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

    #[test]
    fn a_uuid_that_cannot_be_written_counts_until_it_can() {
        let dir = tempfile::tempdir().unwrap();
        // There is no such directory.
        let files = files(&dir.path().join("state"));
        let (uuid, stored) = load(&files, Uuid::from_u128(1)).unwrap();
        assert_eq!(
            (uuid, stored.unwrap_err().kind()),
            (Uuid::from_u128(1), io::ErrorKind::NotFound)
        );
        fs::create_dir(dir.path().join("state")).unwrap();
        store(&files, uuid).unwrap();
        let (again, stored) = load(&files, Uuid::from_u128(2)).unwrap();
        assert_eq!((again, stored.is_ok()), (uuid, true));
    }
}
