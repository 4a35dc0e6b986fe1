//! Files that a person names, which can be anything: a device has no end. Those that are found in
//! a directory must be regular: opening a FIFO waits for whoever writes to it.

use std::fs::{self, File, FileType};
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

/// Reads a file that a person names, or a pipe to its end, of at most this many MiB.
pub(crate) fn read(path: &Path, most_mib: u64) -> io::Result<Vec<u8>> {
    whole(File::open(path)?, most_mib)
}

/// Reads a regular file of at most this many MiB.
pub(crate) fn read_regular(path: &Path, most_mib: u64) -> io::Result<Vec<u8>> {
    whole(open_regular(path)?, most_mib)
}

/// Opens a regular file. Opening another one can wait without end, or have an effect.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    match unusual_kind(fs::metadata(path)?.file_type()) {
        Some(kind) => Err(io::Error::other(format!("it is {kind}, and no regular file"))),
        None => File::open(path),
    }
}

/// What a file is that is not regular, with its article.
pub(crate) fn unusual_kind(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        return None;
    }
    Some(if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    })
}

fn whole(file: File, most_mib: u64) -> io::Result<Vec<u8>> {
    let most = most_mib << 20;
    let mut text = Vec::new();
    file.take(most + 1).read_to_end(&mut text)?;
    if text.len() as u64 > most {
        return Err(io::Error::other(format!("it is longer than {most_mib} MiB")));
    }
    Ok(text)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::process::Command;
    use std::thread;

    /// A FIFO of a directory, which anybody who opens it finds empty: the test does not wait.
    pub(crate) fn fifo_with_writer(directory: &Path) -> PathBuf {
        let fifo = directory.join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let writer = fifo.clone();
        thread::spawn(move || File::options().write(true).open(writer));
        fifo
    }

    #[test]
    fn what_has_no_end_is_refused() {
        let error = read(Path::new("/dev/zero"), 1).unwrap_err();
        assert_eq!(error.to_string(), "it is longer than 1 MiB");
        assert_eq!(read(Path::new("/dev/null"), 1).unwrap(), b"");
    }

    #[test]
    fn only_a_regular_file_is_opened_where_it_must_be_one() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = fifo_with_writer(dir.path());
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        assert_eq!(read_regular(&file, 1).unwrap(), b"x");
        for (path, kind) in [
            (fifo.as_path(), "a FIFO"),
            (dir.path(), "a directory"),
            (Path::new("/dev/null"), "a device"),
        ] {
            let error = read_regular(path, 1).unwrap_err().to_string();
            assert_eq!(error, format!("it is {kind}, and no regular file"));
        }
    }
}
