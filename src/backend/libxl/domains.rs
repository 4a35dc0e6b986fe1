//! What several calls of the port have in common.

use super::convert;
use super::facts::DomInfo;
use super::ffi::{Class, Plug};
use super::{Inner, failed, of_domain};
use crate::core::error::Error;
use crate::core::model::{Device, DomainConfig, DomainFacts, Invalid};
use crate::core::ports::CONSOLE_TAIL;
use crate::core::transfer::Transfer;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::SystemTime;

pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::backend("libxl's answer makes no sense", error))
}

impl Inner {
    pub(super) fn info_of(&self, domid: u32) -> Result<Option<DomInfo>, Error> {
        match self.libxl.domain(domid) {
            Ok(text) => parse(&text).map(Some),
            Err(failure) => match of_domain(domid, "Reading a domain", failure) {
                Error::NoSuchDomain(_) => Ok(None),
                error => Err(error),
            },
        }
    }

    pub(super) fn facts(&self, info: &DomInfo) -> DomainFacts {
        let known = self.about(info.domid, info.uuid);
        info.facts(&known.name, known.started)
    }

    /// What is done with a domain that was just built: it is watched, and its configuration is kept with it.
    pub(super) fn settle_in(&self, domid: u32, config: &DomainConfig) -> Result<DomainFacts, Error> {
        let settled = self.keep(domid, config, Some(SystemTime::now())).and_then(|()| {
            // A sweep can have asked before there was a note.
            self.forget(domid);
            self.libxl.watch(domid).map_err(|failure| failed("Watching the domain", failure))?;
            self.info_of(domid)?.ok_or_else(|| Error::Gone(config.name.to_string()))
        });
        match settled {
            Ok(info) => Ok(self.facts(&info)),
            Err(error) => {
                let _ = self.libxl.destroy(domid);
                Err(error)
            }
        }
    }

    /// Writes a domain's memory to a file, under whose name there is never half of it.
    pub(super) fn dump(&self, domid: u32, file: &Path) -> Result<(), Error> {
        let dir = file.parent().filter(|dir| dir.is_dir());
        let Some(dir) = dir.filter(|_| !file.exists() || file.is_file()) else {
            let reason = format!("Cannot dump core to {}: no such directory, or not a file", file.display());
            return Err(Invalid::new(reason).into());
        };
        // Half a core file is worth nothing: it has its name when it is complete.
        let draft = tempfile::Builder::new().prefix(".new-").tempfile_in(dir);
        let draft = draft.map_err(|error| Error::backend("Cannot dump core", error))?.into_temp_path();
        let Some(path) = draft.to_str() else {
            return Err(Invalid::new("Cannot dump core: the path is not UTF-8").into());
        };
        self.libxl.dump(domid, path).map_err(|failure| of_domain(domid, "Dumping core", failure))?;
        draft.persist(file).map_err(|error| Error::backend("Cannot dump core", error.error))
    }

    /// Plugs a device in, or out.
    pub(super) fn plug(&self, domid: u32, device: &Device, plug: Plug, what: &str) -> Result<(), Error> {
        let class = match device {
            Device::Block(_) => Class::Disk,
            Device::Vif(_) => Class::Nic,
            Device::Vfb(_) => Class::Vfb,
            Device::Vkbd(_) => Class::Vkb,
            Device::Pci(functions) => {
                return convert::pci(functions).iter().try_for_each(|function| {
                    let done = self.libxl.plug(domid, Class::Pci, plug, &function.to_string());
                    done.map_err(|failure| of_domain(domid, what, failure))
                });
            }
            Device::Console(_) => {
                return Err(Error::Unsupported("A console cannot be plugged in or out".to_owned()));
            }
            Device::Generic(_) => return convert::device(device).map(drop),
        };
        let Some((_, value)) = convert::device(device)? else { return Ok(()) };
        let done = self.libxl.plug(domid, class, plug, &value.to_string());
        done.map_err(|failure| match plug {
            Plug::Add => Error::Device {
                device: device.id().unwrap_or_default(),
                class: device.class().to_owned(),
                reason: failure.to_string(),
            },
            Plug::Remove | Plug::Destroy => of_domain(domid, what, failure),
        })
    }
}

pub(super) fn vcpus_of(inner: &Inner, domid: u32) -> Result<u32, Error> {
    let text = inner.libxl.vcpus(domid).map_err(|failure| of_domain(domid, "Reading VCPUs", failure))?;
    let all: Vec<Value> = parse(&text)?;
    Ok(u32::try_from(all.len()).unwrap_or(1).max(1))
}

/// Passes a stream on and says how far it is.
pub(super) fn count(mut from: File, mut to: File, transfer: &Transfer) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return to.flush();
        }
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

/// How much of a stream must be there at least. libxl 4.17 dies of one that ends before its first records.
const LEAST: usize = 64;

/// Looks whether a stream is one of libxl's, and takes nothing of it.
pub(super) fn check_stream(from: &OwnedFd) -> Result<(), Error> {
    let mut begin = [0; LEAST];
    let mut have = 0;
    let unreadable = |error: rustix::io::Errno| {
        Error::backend("The saved domain could not be read", io::Error::from(error))
    };
    if let Ok(at) = rustix::fs::tell(from) {
        while have < LEAST {
            match rustix::io::pread(from, &mut begin[have..], at + have as u64).map_err(unreadable)? {
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
