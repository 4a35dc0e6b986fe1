//! Core files.

use crate::core::error::Error;
use crate::core::model::Invalid;
use crate::durable;
use std::io::{self, Write};
use std::path::Path;

/// The offset of the memory in the file.
const MEMORY_AT: u64 = 4096;

/// Writes an ELF core file with one segment, the memory. Its pages are all zero and take no room on
/// the disk. The file gets its name when it is complete.
pub(super) fn write(path: &Path, memory: u64) -> Result<(), Error> {
    let refuse = |reason: String| Err(Invalid::new(reason).about("file").into());
    if path.is_dir() {
        return refuse(format!("Cannot dump core in a directory: {}", path.display()));
    }
    if path.exists() && !path.is_file() {
        return refuse(format!("Cannot dump core: {} is there and is not a file", path.display()));
    }
    let mut file = match durable::begin(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return refuse(format!(
                "Cannot dump core: the directory of {} does not exist",
                path.display()
            ));
        }
        Err(error) => return Err(failed(path, error)),
    };
    let length = MEMORY_AT.saturating_add(memory);
    file.write_all(&header(memory))
        .and_then(|()| file.as_file().set_len(length))
        .and_then(|()| file.persist(path).map(drop).map_err(|error| error.error))
        .map_err(|error| failed(path, error))
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::file_not_written(format!("Cannot dump core to {}", path.display()), path, error)
}

/// The ELF header of a core file for x86-64, and the header of its segment.
fn header(memory: u64) -> Vec<u8> {
    const HEADER_LEN: u16 = 64;
    const SEGMENT_LEN: u16 = 56;
    let mut out = Vec::from(*b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    let mut half = |values: &[u16]| values.iter().for_each(|v| out.extend(v.to_le_bytes()));
    // ET_CORE, EM_X86_64, EV_CURRENT.
    half(&[4, 62, 1, 0]);
    for value in [0, u64::from(HEADER_LEN), 0] {
        out.extend(value.to_le_bytes());
    }
    for value in [0, 0, HEADER_LEN, SEGMENT_LEN, 1, 0, 0, 0] {
        out.extend(value.to_le_bytes());
    }
    // PT_LOAD, readable and writable.
    for value in [1_u32, 6] {
        out.extend(value.to_le_bytes());
    }
    for value in [MEMORY_AT, 0, 0, memory, memory, 4096] {
        out.extend(value.to_le_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_core_file_is_as_long_as_the_memory_and_replaces_an_older_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("core");
        write(&path, 64 << 20).unwrap();
        let text = fs::read(&path).unwrap();
        assert_eq!(
            (text.len(), &text[..4], header(1).len()),
            ((64 << 20) + 4096, b"\x7fELF".as_slice(), 120)
        );

        let message = |path: &Path| write(path, 1).unwrap_err().to_string();
        write(&path, 1).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 4097);
        assert!(message(dir.path()).starts_with("Cannot dump core in a directory"));
        assert!(message(&dir.path().join("a/b")).ends_with("a/b does not exist"));
        assert!(message(&path.join("b")).starts_with("Cannot dump core to "));
    }
}
