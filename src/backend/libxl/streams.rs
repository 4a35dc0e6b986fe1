//! What is written and read in one go: domains in files and on their way, and what guests print.

use super::convert;
use super::progress::while_moving;
use super::{Inner, of_domain};
use crate::core::error::Error;
use crate::core::model::{DomainConfig, DomainFacts, Invalid};
use crate::core::ports::CONSOLE_TAIL;
use crate::core::transfer::Transfer;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

/// What libxl says if Xen cannot note which pages a guest writes to.
const NO_LIVE: &str = "Failed to enable logdirty";

impl Inner {
    /// Suspends a domain and writes it.
    pub(super) fn save(
        &self,
        domid: u32,
        to: OwnedFd,
        live: bool,
        transfer: &Transfer,
    ) -> Result<(), Error> {
        if let Some(info) = self.info_of(domid)? {
            transfer.expect(info.current_memkb.saturating_mul(1024));
        }
        let pipe = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
        let (reader, writer) =
            pipe.map_err(|error| Error::backend("No pipe", io::Error::from(error)))?;
        std::thread::scope(|scope| {
            let relay = scope.spawn(move || count(File::from(reader), File::from(to), transfer));
            let saved = self.libxl.save(domid, writer.as_raw_fd(), live);
            drop(writer);
            let relayed =
                relay.join().unwrap_or_else(|_| Err(io::Error::other("The relay failed")));
            // That nobody takes it any more is why libxl could not write it.
            relayed.map_err(|error| Error::backend("The domain could not be written", error))?;
            saved.map_err(|failure| {
                if failure.words.contains(NO_LIVE) {
                    let reason =
                        "This Xen has no shadow paging: a paravirtual guest cannot be migrated live, use live=0";
                    return Error::Unsupported(reason.to_owned());
                }
                of_domain(domid, "Saving", failure)
            })
        })
    }

    /// Writes a domain's memory to a file, under whose name there is never half of it.
    pub(super) fn dump(&self, domid: u32, file: &Path, transfer: &Transfer) -> Result<(), Error> {
        let dir = file.parent().filter(|dir| dir.is_dir());
        let Some(dir) = dir.filter(|_| !file.exists() || file.is_file()) else {
            let reason =
                format!("Cannot dump core to {}: no such directory, or not a file", file.display());
            return Err(Invalid::new(reason).into());
        };
        // Half a core file is worth nothing: it has its name when it is complete.
        let draft = tempfile::Builder::new().prefix(".new-").tempfile_in(dir);
        let draft =
            draft.map_err(|error| Error::backend("Cannot dump core", error))?.into_temp_path();
        let Some(path) = draft.to_str() else {
            return Err(Invalid::new("Cannot dump core: the path is not UTF-8").into());
        };
        if let Some(info) = self.info_of(domid)? {
            transfer.expect(info.current_memkb.saturating_mul(1024));
        }
        let size = || std::fs::metadata(&draft).map(|file| file.len()).ok();
        let dumped = while_moving(transfer, size, || self.libxl.dump(domid, path));
        dumped.map_err(|failure| of_domain(domid, "Dumping core", failure))?;
        draft.persist(file).map_err(|error| Error::backend("Cannot dump core", error.error))
    }

    /// Builds a domain from what was written.
    pub(super) fn restore(
        &self,
        config: &DomainConfig,
        from: &OwnedFd,
        transfer: &Transfer,
    ) -> Result<DomainFacts, Error> {
        check_stream(from)?;
        let value = convert::domain(config, self.cpus, self.password.as_ref())?;
        if let (Ok(at), Ok(whole)) = (rustix::fs::tell(from), rustix::fs::fstat(from)) {
            transfer.expect(u64::try_from(whole.st_size).unwrap_or(0).saturating_sub(at));
        }
        // Straight from where it comes: nothing that follows the stream may be read.
        let restore = || self.libxl.create(&value.to_string(), Some(from.as_raw_fd()));
        let uuid = config.uuid.unwrap_or_default();
        let created = self.while_building(uuid, Some(from), transfer, restore);
        let domid = created.map_err(|failure| {
            Invalid::new(format!("The saved domain cannot be restored: {failure}"))
        })?;
        self.settle_in(domid, config)
    }
}

/// Passes a stream on and says how far it is.
fn count(mut from: File, mut to: File, transfer: &Transfer) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return to.flush();
        }
        transfer.check()?;
        to.write_all(&buffer[..count])?;
        transfer.advance(count as u64);
    }
}

/// Where xenconsoled keeps what guests print, if it is started with `--log=guest`.
const CONSOLES: &str = "/var/log/xen/console";

/// The end of what a guest has printed.
pub(super) fn console_tail(name: &str) -> Result<Vec<u8>, Error> {
    // A name can hold slashes, and leads nowhere else for that.
    let file = Path::new(CONSOLES).join(format!("guest-{}.log", name.replace('/', "_")));
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(&file)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(CONSOLE_TAIL as u64)))?;
        let mut tail = Vec::new();
        file.take(CONSOLE_TAIL as u64).read_to_end(&mut tail)?;
        Ok(tail)
    };
    read().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::Unsupported(format!(
            "{} is not there: start xenconsoled with --log=guest, then it keeps what guests print",
            file.display()
        )),
        _ => Error::backend("The console's log cannot be read", error),
    })
}

/// What a stream of libxl's begins with: its name, version 2, and no options.
const STREAM: &[u8; 16] = b"LibxlFmt\0\0\0\x02\0\0\0\0";

/// How much of a stream must be there at least. libxl 4.17 dies of one that ends before its first
/// records.
const LEAST: usize = 64;

/// Looks whether a stream is one of libxl's, and takes nothing of it.
fn check_stream(from: &OwnedFd) -> Result<(), Error> {
    let mut begin = [0; LEAST];
    let mut have = 0;
    let unreadable = |error: rustix::io::Errno| {
        Error::backend("The saved domain could not be read", io::Error::from(error))
    };
    if let Ok(at) = rustix::fs::tell(from) {
        while have < LEAST {
            match rustix::io::pread(from, &mut begin[have..], at + have as u64)
                .map_err(unreadable)?
            {
                0 => break,
                count => have += count,
            }
        }
    } else {
        // A socket has no places, but can be looked into.
        let flags = rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::WAITALL;
        (have, _) = rustix::net::recv(from, &mut begin, flags).map_err(unreadable)?;
    }
    if have < LEAST || !begin.starts_with(STREAM) {
        let reason = "The saved domain is damaged, or its memory is not of a Xen like this one";
        return Err(Invalid::new(reason).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_looked_at_and_not_taken() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"before").unwrap();
        for (text, good) in [(b"".as_slice(), false), (STREAM, false), (&[b'x'; 100], false)] {
            file.set_len(6).unwrap();
            file.write_all(text).unwrap();
            file.seek(io::SeekFrom::Start(6)).unwrap();
            let fd: OwnedFd = file.try_clone().unwrap().into();
            assert_eq!(check_stream(&fd).is_ok(), good);
        }
        file.seek(io::SeekFrom::Start(6)).unwrap();
        file.write_all(STREAM).unwrap();
        file.write_all(&[1; 48]).unwrap();
        file.seek(io::SeekFrom::Start(6)).unwrap();
        check_stream(&file.try_clone().unwrap().into()).unwrap();
        assert_eq!(file.stream_position().unwrap(), 6);

        let (mut one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        one.write_all(STREAM).unwrap();
        one.write_all(&[1; 48]).unwrap();
        let other: OwnedFd = other.into();
        check_stream(&other).unwrap();
        let mut first = [0; 8];
        File::from(other).read_exact(&mut first).unwrap();
        assert_eq!(&first, b"LibxlFmt");
    }
}
