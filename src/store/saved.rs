//! A domain as a file.
//!
//! ```text
//! LinuxGuestRecord                     xend's signature, 3.0 to 4.4
//! length of what follows               32 bits, the most significant first, as xend had it
//! (domain ...)                         what it was, passwords included
//! xend-rs 1 crc32=0123abcd\n           what makes it ours: a checksum of all of the above
//! ...                                  the hypervisor's own form of the memory
//! ```
//!
//! A file of a real xend is recognised by its signature, and refused by what comes after the
//! configuration: its memory is in a form that Xen gave up in 4.6.
//!
//! Scripts change the name, UUID, MAC and IP addresses of a file in place, as Qubes did to start a
//! disposable VM. So a configuration that does not fit its checksum is taken if it can be read,
//! with a warning in the log. The hypervisor guards its own part.

use super::{file, unusable};
use crate::core::error::Error;
use crate::core::model::{DomainConfig, Invalid};
use crate::core::ports::Draft;
use crate::shape;
use crate::sxp::{Limits, read_first};
use async_trait::async_trait;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use tracing::warn;

const SIGNATURE: &[u8; 16] = b"LinuxGuestRecord";

/// The longest configuration.
const MAX_CONFIG: u32 = 16 << 20;

/// The length of the line behind the configuration.
const MARK_LEN: usize = 25;

fn mark(sum: u32) -> String {
    format!("xend-rs 1 crc32={sum:08x}\n")
}

/// What comes before the memory.
pub(super) fn header(config: &DomainConfig) -> Vec<u8> {
    let text = shape::stored_config(config).to_bytes();
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let mut header = Vec::with_capacity(text.len() + 64);
    header.extend_from_slice(SIGNATURE);
    header.extend_from_slice(&length.to_be_bytes());
    header.extend_from_slice(&text);
    let sum = crc32fast::hash(&header);
    header.extend_from_slice(mark(sum).as_bytes());
    header
}

/// Reads what comes before the memory, and not a byte more.
pub(super) fn read_header(mut input: impl Read) -> Result<Header, Error> {
    let mut header = vec![0; SIGNATURE.len() + 4];
    fill(&mut input, &mut header)?;
    if !header.starts_with(SIGNATURE) {
        return Err(refused("it does not begin as one does"));
    }
    let mut length = [0; 4];
    length.copy_from_slice(&header[SIGNATURE.len()..]);
    let length = u32::from_be_bytes(length);
    if length > MAX_CONFIG {
        return Err(refused("its configuration is longer than any"));
    }
    let begin = header.len();
    header.resize(begin + length as usize, 0);
    fill(&mut input, &mut header[begin..])?;
    let mut line = [0; MARK_LEN];
    fill(&mut input, &mut line)?;
    if !line.starts_with(b"xend-rs ") {
        return Err(refused(
            "it was made by another xend (3.0 to 4.4), and today's Xen cannot read the memory in it",
        ));
    }
    if !is_mark(&line) {
        return Err(refused(
            "it is damaged: what follows its configuration is no mark of version 1",
        ));
    }
    let intact = line == mark(crc32fast::hash(&header)).as_bytes();
    let what = if intact {
        "its configuration"
    } else {
        "it is damaged, or was changed by hand: its configuration"
    };
    let text = &header[begin..];
    let limits = Limits { bytes: MAX_CONFIG as usize, ..super::LIMITS };
    let tree =
        read_first(text, &limits).map_err(|reason| refused(&format!("{what}: {reason:#}")))?;
    let config =
        shape::read_stored(&tree).map_err(|reason| refused(&format!("{what}: {reason}")))?;
    Ok(Header { config, intact })
}

/// What comes before the memory, as it was read.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) config: DomainConfig,
    /// Whether the configuration is the one that was written, and not one that was changed since.
    pub(super) intact: bool,
}

/// Whether this is the line behind a configuration, whatever its checksum.
fn is_mark(line: &[u8]) -> bool {
    let sum = std::str::from_utf8(line).ok().and_then(|line| line.strip_prefix("xend-rs 1 crc32="));
    sum.and_then(|sum| sum.strip_suffix('\n'))
        .is_some_and(|sum| sum.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn fill(input: &mut impl Read, buffer: &mut [u8]) -> Result<(), Error> {
    input.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => refused("it ends too early"),
        _ => Error::backend("The saved domain could not be read", error),
    })
}

fn refused(reason: &str) -> Error {
    Invalid::new(format!("Not a saved domain: {reason}")).into()
}

/// Opens a file, reads what comes before the memory, and leaves the rest.
pub(super) fn open(path: &Path) -> Result<(DomainConfig, OwnedFd), Error> {
    let shown = path.display();
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Invalid::new(format!("file: {shown} does not exist")).into(),
        io::ErrorKind::PermissionDenied => {
            Invalid::new(format!("file: xend may not read {shown}")).into()
        }
        _ => Error::backend(format!("file: {shown} cannot be read"), error),
    };
    // Opening a FIFO would wait for somebody to write to it.
    if !fs::metadata(path).map_err(cannot)?.is_file() {
        return Err(Invalid::new(format!("file: {shown} is not a file")).into());
    }
    let mut file = File::open(path).map_err(cannot)?;
    let Header { config, intact } = read_header(&mut file).map_err(|error| match error {
        Error::Invalid(reason) => Invalid::new(format!("{shown}: {reason}")).into(),
        other => other,
    })?;
    if !intact {
        warn!(file = %shown, domain = %config.name, "The configuration of a saved domain does not fit its checksum, it was changed since: taking it as it is");
    }
    Ok((config, file.into()))
}

/// A file that is being written beside its place.
pub(super) struct SavedDraft {
    file: NamedTempFile,
    place: PathBuf,
}

impl SavedDraft {
    /// Begins a file with what comes before the memory.
    pub(super) fn begin(path: &Path, header: &[u8]) -> Result<Self, Error> {
        if !path.is_absolute() {
            return Err(
                Invalid::new(format!("file: {} is not an absolute path", path.display())).into()
            );
        }
        // Whoever names a symbolic link means the file.
        let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if place.exists() && !place.is_file() {
            return Err(Invalid::new(format!(
                "file: {} is there and is not a file",
                path.display()
            ))
            .into());
        }
        let begun = file::begin(&place).and_then(|mut file| file.write_all(header).map(|()| file));
        let file = begun.map_err(|error| unusable(path, error))?;
        Ok(Self { file, place })
    }
}

#[async_trait]
impl Draft for SavedDraft {
    fn stream(&self) -> Result<OwnedFd, Error> {
        let copy = self.file.as_file().as_fd().try_clone_to_owned();
        copy.map_err(|error| Error::backend("The file cannot be shared", error))
    }

    async fn commit(self: Box<Self>) -> Result<(), Error> {
        super::blocking(move || {
            let Self { file, place } = *self;
            file::finish(file, &place).map_err(|error| unusable(&place, error))
        })
        .await
    }
}
