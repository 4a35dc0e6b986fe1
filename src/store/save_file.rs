//! A whole domain in a file.
//!
//! ```text
//! LinuxGuestRecord                     xend's signature, 3.0 to 4.4
//! length of the configuration          32 bits, the most significant first, as in xend
//! (domain ...)                         the configuration, passwords included
//! xend-rs 1 crc32=0123abcd\n           our own mark: a checksum of everything above
//! ...                                  the memory, in the hypervisor's own format
//! ```
//!
//! A file of a real xend is recognised by its signature, and refused because of the bytes after the
//! configuration: its memory is in a format that Xen gave up in 4.6.
//!
//! Scripts change the name, UUID, MAC and IP addresses of a file in place, as Qubes did to start a
//! disposable VM. So a readable configuration is accepted even if its checksum differs, with a
//! warning in the log. The hypervisor's part has its own checks.

use super::blocking::blocking;
use crate::core::error::Error;
use crate::core::model::{DomainConfig, Invalid};
use crate::core::ports::UnfinishedFile;
use crate::durable;
use crate::shape;
use crate::sxp::{Limits, read_first};
use async_trait::async_trait;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use tracing::warn;

pub(super) const SIGNATURE: &[u8; 16] = b"LinuxGuestRecord";

/// The longest configuration, in bytes.
const MAX_CONFIG: u32 = 16 << 20;

/// The length of the mark after the configuration.
const MARK_LEN: usize = 25;

fn mark(checksum: u32) -> String {
    format!("xend-rs 1 crc32={checksum:08x}\n")
}

/// Prints the part of the file before the memory.
pub(super) fn header(config: &DomainConfig) -> Vec<u8> {
    let text = shape::stored_config(config).to_bytes();
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let mut header = Vec::with_capacity(text.len() + 64);
    header.extend_from_slice(SIGNATURE);
    header.extend_from_slice(&length.to_be_bytes());
    header.extend_from_slice(&text);
    let checksum = crc32fast::hash(&header);
    header.extend_from_slice(mark(checksum).as_bytes());
    header
}

/// The part of the file before the memory, as it was read.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) config: DomainConfig,
    /// Whether the checksum fits the configuration. Otherwise the configuration was changed after
    /// it was written.
    pub(super) intact: bool,
}

/// Reads the part of the file before the memory, and not a byte more.
pub(super) fn read_header(mut input: impl Read) -> Result<Header, Error> {
    let mut header = vec![0; SIGNATURE.len() + 4];
    fill(&mut input, &mut header)?;
    if !header.starts_with(SIGNATURE) {
        return Err(refused("the signature is missing"));
    }
    let mut length = [0; 4];
    length.copy_from_slice(&header[SIGNATURE.len()..]);
    let length = u32::from_be_bytes(length);
    if length > MAX_CONFIG {
        return Err(refused("the configuration is too long"));
    }
    let begin = header.len();
    header.resize(begin + length as usize, 0);
    fill(&mut input, &mut header[begin..])?;
    let mut line = [0; MARK_LEN];
    fill(&mut input, &mut line)?;
    if !line.starts_with(b"xend-rs ") {
        return Err(refused(
            "it was made by another xend (3.0 to 4.4), and today's Xen cannot read its memory",
        ));
    }
    if !is_mark(&line) {
        return Err(refused("it is damaged: no mark of version 1 follows the configuration"));
    }
    let intact = line == mark(crc32fast::hash(&header)).as_bytes();
    let part = if intact {
        "the configuration"
    } else {
        "it is damaged, or was changed by hand: the configuration"
    };
    let text = &header[begin..];
    let limits = Limits { bytes: MAX_CONFIG as usize, ..Limits::STORED };
    let tree =
        read_first(text, &limits).map_err(|reason| refused(&format!("{part}: {reason:#}")))?;
    let config =
        shape::read_stored(&tree).map_err(|reason| refused(&format!("{part}: {reason}")))?;
    Ok(Header { config, intact })
}

/// Whether the line is a mark, with any checksum.
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

/// Opens a file and reads the part before the memory. The descriptor is at the memory.
pub(super) fn open(path: &Path) -> Result<(DomainConfig, OwnedFd), Error> {
    let shown = path.display();
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            Invalid::new(format!("file: {shown} does not exist")).absent().into()
        }
        io::ErrorKind::PermissionDenied => {
            Invalid::new(format!("file: xend may not read {shown}")).into()
        }
        _ => Error::file_not_read(format!("file: {shown} cannot be read"), error),
    };
    // Opening a FIFO would block until another process writes to it.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Invalid::new(format!("file: {shown} is not a file")).into());
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let Header { config, intact } = read_header(&mut file).map_err(|error| match error {
        Error::Invalid(reason) => Invalid::new(format!("{shown}: {reason}")).about("file").into(),
        other => other,
    })?;
    if !intact {
        warn!(
            file = %shown,
            domain = %config.name,
            "The configuration of a saved domain does not fit its checksum: using it as it is"
        );
    }
    Ok((config, file.into()))
}

/// A file that is being written.
pub(super) struct UnfinishedSave {
    file: NamedTempFile,
    path: PathBuf,
}

impl UnfinishedSave {
    /// Begins a file with the part before the memory.
    pub(super) fn begin(path: &Path, header: &[u8], replace: bool) -> Result<Self, Error> {
        let shown = path.display();
        if !path.is_absolute() {
            return Err(Invalid::new(format!("file: {shown} is not an absolute path")).into());
        }
        let target = durable::target(path).map_err(|error| unwritable(path, error))?;
        if target.exists() && !target.is_file() {
            return Err(Invalid::new(format!("file: {shown} exists and is not a file")).into());
        }
        if target.exists() && !replace {
            let advice = "name another file, or replace it (force=1, xm save -f)";
            return Err(Invalid::new(format!("file: {shown} exists: {advice}")).into());
        }
        let begun =
            durable::begin(&target).and_then(|mut file| file.write_all(header).map(|()| file));
        let file = begun.map_err(|error| unwritable(path, error))?;
        Ok(Self { file, path: target })
    }
}

#[async_trait]
impl UnfinishedFile for UnfinishedSave {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn stream(&self) -> Result<OwnedFd, Error> {
        let copy = self.file.as_file().as_fd().try_clone_to_owned();
        copy.map_err(|error| Error::backend("The file cannot be shared", error))
    }

    async fn commit(self: Box<Self>) -> Result<(), Error> {
        blocking(move || {
            let Self { file, path } = *self;
            durable::commit(file, &path).map_err(|error| unwritable(&path, error))
        })
        .await
    }
}

/// The failure to write a file, with a message that names the path.
fn unwritable(path: &Path, error: io::Error) -> Error {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => {
            Invalid::new(format!("file: the directory of {shown} does not exist")).absent().into()
        }
        io::ErrorKind::PermissionDenied => {
            Invalid::new(format!("file: xend may not write {shown}")).into()
        }
        _ => Error::file_not_written(format!("file: {shown} cannot be written"), path, error),
    }
}
