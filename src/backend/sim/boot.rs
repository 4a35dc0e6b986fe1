//! Which run of the simulated machine this is.
//!
//! It is the kernel's, until the simulated machine is reset: then a file has the ids of both.

use crate::core::model::Uuid;
use crate::durable;
use std::fs;
use std::io;
use std::path::Path;

const FILE: &str = "boot";

/// The id of this run of the simulated machine in a directory. Blocks.
pub fn boot_id(dir: &Path) -> io::Result<Uuid> {
    let kernel = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let kernel = Uuid::try_parse(kernel.trim()).map_err(io::Error::other)?;
    Ok(after_reset(dir, kernel)?.unwrap_or(kernel))
}

/// Begins another run, of which no domain is yet. Blocks.
pub(super) fn begin_another(dir: &Path) -> io::Result<()> {
    let kernel = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let kernel = Uuid::try_parse(kernel.trim()).map_err(io::Error::other)?;
    let before = after_reset(dir, kernel)?.unwrap_or(kernel);
    let next = Uuid::new_v5(&before, b"reset");
    durable::replace_unsynced(&dir.join(FILE), format!("{kernel} {next}\n").as_bytes())
}

/// The id since the last reset; `None` if there was none since the kernel started.
fn after_reset(dir: &Path, kernel: Uuid) -> io::Result<Option<Uuid>> {
    let text = match fs::read_to_string(dir.join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    let ids = text.trim().split_once(' ');
    let ids = ids.and_then(|(of, id)| Some((Uuid::try_parse(of).ok()?, Uuid::try_parse(id).ok()?)));
    Ok(ids.filter(|(of, _)| *of == kernel).map(|(_, id)| id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reset_begins_another_run_until_the_kernel_starts() {
        let dir = tempfile::tempdir().unwrap();
        let first = boot_id(dir.path()).unwrap();
        begin_another(dir.path()).unwrap();
        let second = boot_id(dir.path()).unwrap();
        assert_eq!(boot_id(dir.path()).unwrap(), second);
        begin_another(dir.path()).unwrap();
        let third = boot_id(dir.path()).unwrap();
        assert!(first != second && second != third && first != third);
        assert_eq!(after_reset(dir.path(), Uuid::nil()).unwrap(), None);
        fs::write(dir.path().join(FILE), "damaged").unwrap();
        assert_eq!(boot_id(dir.path()).unwrap(), first);
    }
}
