//! The file of the fleet's key, which its owner alone may read.

use super::seal::FleetKey;
use crate::durable;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tokio::task::spawn_blocking;

/// The largest file that is read, in bytes.
const MAX_LEN: u64 = 4096;

/// Where the fleet's key is on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile(PathBuf);

impl KeyFile {
    /// The key in this file.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The key; `None` without a file. The error says what to do.
    pub async fn read(&self) -> Result<Option<FleetKey>, String> {
        let path = self.0.clone();
        let read = spawn_blocking(move || read(&path)).await;
        read.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// Writes the key, replacing an earlier one.
    pub async fn write(&self, key: &FleetKey) -> Result<(), String> {
        let path = self.0.clone();
        let line = key.line();
        let write = move || {
            durable::create_dir(durable::parent(&path))?;
            durable::replace(&path, line.as_bytes())
        };
        let written = spawn_blocking(write).await.map_err(io::Error::other);
        let cannot = |error| format!("{} cannot be written: {error}", self.0.display());
        written.and_then(|written| written).map_err(cannot)
    }
}

fn read(path: &Path) -> Result<Option<FleetKey>, String> {
    let shown = path.display();
    let cannot = |error: io::Error| format!("{shown} cannot be read: {error}");
    let data = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        data => data.map_err(cannot)?,
    };
    if data.permissions().mode() & 0o077 != 0 {
        return Err(format!("{shown} is open to others: chmod 600 {shown}"));
    }
    if !data.is_file() || data.len() > MAX_LEN {
        return Err(format!("{shown} makes no sense: copy it from another host"));
    }
    let line = fs::read_to_string(path).map_err(cannot)?;
    let nonsense = || format!("{shown} makes no sense: copy it from another host");
    FleetKey::of_line(&line).map(Some).ok_or_else(nonsense)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::OsEntropy;
    use std::fs::Permissions;

    #[tokio::test]
    async fn a_key_is_its_owners() {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyFile::at(dir.path().join("fleet/key"));
        assert_eq!(file.read().await, Ok(None));
        let key = FleetKey::new(&OsEntropy);
        file.write(&key).await.unwrap();
        assert_eq!(file.read().await, Ok(Some(key)));
        let mode = fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::set_permissions(file.path(), Permissions::from_mode(0o640)).unwrap();
        assert!(file.read().await.unwrap_err().contains("chmod 600"));
        fs::set_permissions(file.path(), Permissions::from_mode(0o600)).unwrap();
        fs::write(file.path(), "geheim").unwrap();
        let error = file.read().await.unwrap_err();
        assert!(error.contains("makes no sense") && !error.contains("geheim"), "{error}");
    }
}
