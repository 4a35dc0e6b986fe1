//! Save, restore and core dumps.

use super::answers::domain_call_failed;
use super::domain_config;
use super::host::XenHost;
use super::progress::count_bytes_during;
use crate::core::error::Error;
use crate::core::model::{CompleteConfig, DomainFacts, Invalid};
use crate::core::transfer::Transfer;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv, sockopt};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// libxl's message if Xen cannot track the pages that a guest writes to.
const NO_LOGDIRTY: &str = "Failed to enable logdirty";

/// The beginning of libxl's stream: its name, version 2, and no options.
const STREAM_HEADER: &[u8; 16] = b"LibxlFmt\0\0\0\x02\0\0\0\0";

/// The length that a stream must have at least. libxl 4.17 crashes if a stream ends before its
/// first records.
const MIN_STREAM: usize = 64;

/// How long the beginning of a stream may take over a socket that has no limit of its own.
const PEEK_LIMIT: Duration = Duration::from_secs(60);

/// Between two looks at the beginning of a stream that has not arrived as a whole.
const PEEK_PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

impl XenHost {
    /// Suspends a domain and writes it to a stream.
    pub(super) fn save(
        &self,
        domid: u32,
        to: OwnedFd,
        live: bool,
        transfer: &Transfer,
    ) -> Result<(), Error> {
        if let Some(info) = self.dominfo(domid)? {
            transfer.expect(info.current_memkb.saturating_mul(1024));
        }
        let pipe = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
        let (reader, writer) =
            pipe.map_err(|error| Error::backend("No pipe", io::Error::from(error)))?;
        thread::scope(|scope| {
            let relay = scope.spawn(move || copy(File::from(reader), File::from(to), transfer));
            let saved = self.libxl.save(domid, writer.as_raw_fd(), live);
            drop(writer);
            let relayed =
                relay.join().unwrap_or_else(|_| Err(io::Error::other("The relay failed")));
            // If the relay failed, libxl failed only because the pipe was closed.
            relayed.map_err(|error| Error::backend("The domain could not be written", error))?;
            saved.map_err(|failure| {
                if failure.message().contains(NO_LOGDIRTY) {
                    let reason = "This Xen has no shadow paging: a paravirtual guest cannot be \
                                  migrated live, use live=0";
                    return Error::Unsupported(reason.to_owned());
                }
                domain_call_failed(domid, "Saving", failure)
            })
        })
    }

    /// Writes a domain's memory to a file. The file gets its name when it is complete.
    pub(super) fn dump(&self, domid: u32, file: &Path, transfer: &Transfer) -> Result<(), Error> {
        let dir = file.parent().filter(|dir| dir.is_dir());
        let Some(dir) = dir.filter(|_| !file.exists() || file.is_file()) else {
            let reason =
                format!("Cannot dump core to {}: no such directory, or not a file", file.display());
            return Err(Invalid::new(reason).about("file").into());
        };
        let draft = tempfile::Builder::new().prefix(".new-").tempfile_in(dir);
        let unwritable = |error| Error::file_not_written("Cannot dump core", file, error);
        let draft = draft.map_err(unwritable)?.into_temp_path();
        let Some(path) = draft.to_str() else {
            return Err(Invalid::new("Cannot dump core: the path is not UTF-8").into());
        };
        if let Some(info) = self.dominfo(domid)? {
            transfer.expect(info.current_memkb.saturating_mul(1024));
        }
        let size = || fs::metadata(&draft).map(|file| file.len()).ok();
        let dumped = count_bytes_during(transfer, size, || self.libxl.dump(domid, path));
        dumped.map_err(|failure| domain_call_failed(domid, "Dumping core", failure))?;
        draft.persist(file).map_err(|error| unwritable(error.error))
    }

    /// Builds a domain from a stream that [`save`](Self::save) wrote.
    pub(super) fn restore(
        &self,
        config: &CompleteConfig,
        from: &OwnedFd,
        transfer: &Transfer,
    ) -> Result<DomainFacts, Error> {
        check_stream(from)?;
        let value = domain_config::to_json(config, self.cpus, self.vnc_password.as_ref())?;
        if let (Ok(at), Ok(whole)) = (rustix::fs::tell(from), rustix::fs::fstat(from)) {
            transfer.expect(u64::try_from(whole.st_size).unwrap_or(0).saturating_sub(at));
        }
        // libxl reads the stream itself: bytes that follow it must not be consumed.
        let restore = || self.libxl.create(&value.to_string(), Some(from.as_raw_fd()));
        let created = self.while_building(config.uuid(), Some(from), transfer, restore);
        let domid = created.map_err(|failure| {
            Invalid::new(format!("The saved domain cannot be restored: {failure}"))
        })?;
        self.finish_build(domid, config)
    }
}

/// Copies a stream and counts its bytes.
fn copy(mut from: File, mut to: File, transfer: &Transfer) -> io::Result<()> {
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

/// Refuses a stream that is not libxl's. Nothing of the stream is consumed.
fn check_stream(from: &OwnedFd) -> Result<(), Error> {
    let mut begin = [0; MIN_STREAM];
    let mut length = 0;
    let unreadable =
        |error: Errno| Error::backend("The saved domain could not be read", io::Error::from(error));
    if let Ok(at) = rustix::fs::tell(from) {
        while length < MIN_STREAM {
            match rustix::io::pread(from, &mut begin[length..], at + length as u64)
                .map_err(unreadable)?
            {
                0 => break,
                count => length += count,
            }
        }
    } else {
        // A socket has no positions, but can be peeked into.
        length = peek(from, &mut begin).map_err(unreadable)?;
    }
    if length < MIN_STREAM || !begin.starts_with(STREAM_HEADER) {
        let reason = "The saved domain is damaged, or its memory is not of a Xen like this one";
        return Err(Invalid::new(reason).into());
    }
    Ok(())
}

/// Waits for the first bytes of a socket, and leaves them there. There are fewer if the sender has
/// ended.
fn peek(from: &OwnedFd, begin: &mut [u8]) -> Result<usize, Errno> {
    let limit = sockopt::socket_timeout(from, sockopt::Timeout::Recv)?.unwrap_or(PEEK_LIMIT);
    let since = Instant::now();
    let mut has_ended = false;
    loop {
        // The socket of an encrypted connection is a unix one: it does not wait for all bytes of a
        // peek, as TCP does. What hosts send arrives there in pieces.
        let (length, _) = recv(from, &mut *begin, RecvFlags::PEEK | RecvFlags::WAITALL)?;
        if length == begin.len() || has_ended {
            return Ok(length);
        }
        if since.elapsed() > limit {
            return Err(Errno::TIMEDOUT);
        }
        let mut ends = [PollFd::new(from, PollFlags::RDHUP)];
        match poll(&mut ends, Some(&PEEK_PAUSE)) {
            // There may be more since the last look.
            Ok(count) => has_ended = count > 0,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, SeekFrom};
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_stream_is_checked_and_not_consumed() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"before").unwrap();
        for (text, valid) in
            [(b"".as_slice(), false), (STREAM_HEADER, false), (&[b'x'; 100], false)]
        {
            file.set_len(6).unwrap();
            file.write_all(text).unwrap();
            file.seek(SeekFrom::Start(6)).unwrap();
            let fd: OwnedFd = file.try_clone().unwrap().into();
            assert_eq!(check_stream(&fd).is_ok(), valid);
        }
        file.seek(SeekFrom::Start(6)).unwrap();
        file.write_all(STREAM_HEADER).unwrap();
        file.write_all(&[1; 48]).unwrap();
        file.seek(SeekFrom::Start(6)).unwrap();
        check_stream(&file.try_clone().unwrap().into()).unwrap();
        assert_eq!(file.stream_position().unwrap(), 6);

        let (mut sender, receiver) = UnixStream::pair().unwrap();
        sender.write_all(STREAM_HEADER).unwrap();
        sender.write_all(&[1; 48]).unwrap();
        let receiver: OwnedFd = receiver.into();
        check_stream(&receiver).unwrap();
        let mut first = [0; 8];
        File::from(receiver).read_exact(&mut first).unwrap();
        assert_eq!(&first, b"LibxlFmt");
    }

    #[test]
    fn a_stream_may_arrive_in_pieces() {
        let (mut sender, receiver) = UnixStream::pair().unwrap();
        let receiver: OwnedFd = receiver.into();
        sender.write_all(STREAM_HEADER).unwrap();
        thread::scope(|scope| {
            let check = scope.spawn(|| check_stream(&receiver));
            // Time for a look at the header alone.
            thread::sleep(Duration::from_millis(50));
            sender.write_all(&[1; 48]).unwrap();
            check.join().unwrap().unwrap();
        });
        let mut stream = [0; MIN_STREAM];
        File::from(receiver).read_exact(&mut stream).unwrap();
        assert!(stream.starts_with(STREAM_HEADER) && stream[16..] == [1; 48]);
    }

    #[test]
    fn a_stream_that_ends_early_is_refused() {
        let (mut sender, receiver) = UnixStream::pair().unwrap();
        sender.write_all(STREAM_HEADER).unwrap();
        sender.shutdown(Shutdown::Write).unwrap();
        assert!(check_stream(&receiver.into()).is_err());
    }

    #[test]
    fn a_sender_that_stops_is_not_waited_for_without_limit() {
        let (mut sender, receiver) = UnixStream::pair().unwrap();
        receiver.set_read_timeout(Some(Duration::from_millis(30))).unwrap();
        sender.write_all(STREAM_HEADER).unwrap();
        let error = check_stream(&receiver.into()).unwrap_err();
        assert!(error.to_string().contains("could not be read"), "{error}");
    }
}
