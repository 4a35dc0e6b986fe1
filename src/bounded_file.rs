//! Files that a person names, which can be anything: a device has no end.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Reads a file, or a pipe to its end, of at most this many bytes, which are whole MiB.
pub fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    read_to_end(File::open(path)?, most)
}

/// The same of what is open already.
pub fn read_to_end(source: impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    source.take(most as u64 + 1).read_to_end(&mut text)?;
    if text.len() > most {
        return Err(io::Error::other(format!("it is larger than {} MiB", most >> 20)));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_refused() {
        let read = |path| read(Path::new(path), 1 << 20);
        assert_eq!(read("/dev/zero").unwrap_err().to_string(), "it is larger than 1 MiB");
        assert_eq!(read("/dev/null").unwrap(), b"");
        assert!(read("/").is_err());
        assert_eq!(read_to_end(io::repeat(1).take(1 << 20), 1 << 20).unwrap().len(), 1 << 20);
    }
}
