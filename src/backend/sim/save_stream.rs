//! A guest's memory as a stream.
//!
//! ```text
//! signature, length of the guest's state, the guest's state, length of the memory in MiB,
//! a page a MiB, CRC-32 of all that, and an end mark
//! ```
//!
//! A simulated guest has written to one page of each MiB, so that saving has something to do and a
//! large guest takes longer than a small one. The page holds its own number: whoever restores it
//! sees whether it is whole.

use super::form;
use super::guest::Life;
use super::host::Host;
use super::record::Record;
use super::{Sim, create};
use crate::core::error::Error;
use crate::core::model::{DomId, DomainConfig, DomainFacts, Invalid, ShutdownReason, Uuid};
use crate::core::transfer::Transfer;
use crc32fast::Hasher;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

const SIGNATURE: &[u8; 16] = b"XenSimMemory0001";
const END: &[u8; 8] = b"XenSimOK";

/// The bytes of a page.
const PAGE: usize = 4096;

/// The most that a guest's state can be.
const MAX_STATE: u32 = 1 << 20;

/// How long a MiB takes of a guest that is slow to save.
const SLOW: Duration = Duration::from_millis(10);

/// A writer that knows the checksum of what went through it, and says how much that was.
struct Counted<'a, T> {
    inner: T,
    sum: Hasher,
    transfer: &'a Transfer,
}

impl<T: Write> Counted<'_, T> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.transfer.check()?;
        self.sum.update(bytes);
        self.transfer.advance(bytes.len() as u64);
        self.inner.write_all(bytes)
    }
}

impl<T: Read> Counted<'_, T> {
    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.inner.read_exact(bytes)?;
        self.sum.update(bytes);
        self.transfer.advance(bytes.len() as u64);
        Ok(())
    }
}

/// The page of a MiB: its number, over and over.
fn page(number: u64, into: &mut [u8]) {
    for word in into.chunks_exact_mut(8) {
        word.copy_from_slice(&number.to_le_bytes());
    }
}

impl Sim {
    /// Suspends a guest and writes it.
    pub(super) async fn save_to(
        &self,
        domid: DomId,
        to: OwnedFd,
        live: bool,
        transfer: Arc<Transfer>,
    ) -> Result<(), Error> {
        let host = Arc::clone(&self.host);
        self.blocking(move || {
            let record = host.known(domid)?;
            let mib = record.memory_kib.div_ceil(1024);
            let rounds = if live { mib + mib / 8 } else { mib };
            transfer.expect(rounds * PAGE as u64);
            if !live {
                suspend(&host, domid)?;
            }
            let mut out = Counted {
                inner: BufWriter::new(File::from(to)),
                sum: Hasher::new(),
                transfer: &transfer,
            };
            write(&host, domid, &mut out, mib, live)
        })
        .await
    }

    /// Lets a suspended guest go on.
    pub(super) async fn go_on(&self, domid: DomId) -> Result<(), Error> {
        let host = Arc::clone(&self.host);
        self.change(domid, move |record, now| {
            if record.life.stopped(now) == Some(ShutdownReason::Suspend) {
                record.bring_up(now, &host.settings);
                record.life.ended = None;
            }
            Ok(())
        })
        .await
    }

    /// Builds a domain from what was written.
    pub(super) async fn restore_from(
        &self,
        config: &DomainConfig,
        from: OwnedFd,
        transfer: Arc<Transfer>,
    ) -> Result<DomainFacts, Error> {
        create::check_restored(&self.host, config)?;
        let memory = self.host.reserve(super::record::needed_kib(config))?;
        let mut config = config.clone();
        config.number_devices();
        let host = Arc::clone(&self.host);
        let built = self
            .blocking(move || {
                let mut input = Counted {
                    inner: BufReader::new(File::from(from)),
                    sum: Hasher::new(),
                    transfer: &transfer,
                };
                let (mut life, mib) = read(&mut input, &config)?;
                // It can be about to get another size than its configuration says.
                drop(memory);
                let memory = host.reserve(mib * 1024)?;
                let now = host.now();
                (life.mark, life.paused, life.asked, life.ended) = (now, true, None, None);
                life.cpu = Duration::ZERO;
                let uuid = config.uuid.unwrap_or_else(Uuid::nil);
                let mut record = Record::new(host.take_domid()?, uuid, config, now, &host.settings);
                (record.life, record.memory_kib) = (life, mib * 1024);
                host.add(record, memory)
            })
            .await?;
        Ok(built.claim())
    }
}

fn suspend(host: &Host, domid: DomId) -> Result<(), Error> {
    host.change(domid, |record, now| {
        if record.life.stopped(now).is_some() {
            return Err(Invalid::new("The guest has stopped meanwhile").into());
        }
        record.bring_up(now, &host.settings);
        record.stop(ShutdownReason::Suspend);
        Ok(())
    })
}

fn write(
    host: &Host,
    domid: DomId,
    out: &mut Counted<'_, impl Write>,
    mib: u64,
    live: bool,
) -> Result<(), Error> {
    let failed = |error| Error::backend("The domain could not be written", error);
    out.put(SIGNATURE).map_err(failed)?;
    let record = host.known(domid)?;
    let (slow, fails) = {
        let name = record.name.as_str();
        (name.contains("saveslow"), name.contains("savefails"))
    };
    let mut buffer = [0; PAGE];
    let mut pages = |out: &mut Counted<'_, _>, from: u64, to: u64| -> Result<(), Error> {
        for number in from..to {
            if fails && number >= mib / 2 {
                let message = "The domain's memory could not be read".to_owned();
                return Err(Error::Backend { message, source: None });
            }
            if slow {
                std::thread::sleep(SLOW);
            }
            page(number, &mut buffer);
            out.put(&buffer).map_err(failed)?;
        }
        Ok(())
    };
    out.put(&mib.to_be_bytes()).map_err(failed)?;
    pages(out, 0, mib)?;
    // A live guest has written to some of its memory meanwhile, which is sent once more.
    let again = if live { mib / 8 } else { 0 };
    out.put(&again.to_be_bytes()).map_err(failed)?;
    if live {
        suspend(host, domid)?;
        pages(out, 0, again)?;
    }
    let state = form::life(&host.known(domid)?.life);
    let length = u32::try_from(state.len()).unwrap_or(u32::MAX);
    out.put(&length.to_be_bytes()).and_then(|()| out.put(&state)).map_err(failed)?;
    let sum = out.sum.clone().finalize();
    out.put(&sum.to_be_bytes())
        .and_then(|()| out.put(END))
        .and_then(|()| out.inner.flush())
        .map_err(failed)
}

/// The guest's life, and its memory in MiB.
fn read(input: &mut Counted<'_, impl Read>, config: &DomainConfig) -> Result<(Life, u64), Error> {
    let broken = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("it ends too early"),
        _ => Error::backend("The saved domain could not be read", error),
    };
    if &input.take::<16>().map_err(broken)? != SIGNATURE {
        return Err(damaged("its memory is not of a simulated host"));
    }
    let mib = u64::from_be_bytes(input.take().map_err(broken)?);
    if mib > config.maxmem {
        return Err(damaged("it is larger than its configuration allows"));
    }
    input.transfer.expect(mib * PAGE as u64);
    let (mut buffer, mut expected) = ([0; PAGE], [0; PAGE]);
    let mut pages = |input: &mut Counted<'_, _>, count: u64| -> Result<(), Error> {
        for number in 0..count {
            input.fill(&mut buffer).map_err(broken)?;
            page(number, &mut expected);
            if buffer != expected {
                return Err(damaged("its memory is not what was written"));
            }
        }
        Ok(())
    };
    pages(input, mib)?;
    let again = u64::from_be_bytes(input.take().map_err(broken)?);
    pages(input, again.min(mib))?;
    let length = u32::from_be_bytes(input.take().map_err(broken)?);
    if length > MAX_STATE {
        return Err(damaged("its guest's state makes no sense"));
    }
    let mut state = vec![0; length as usize];
    input.fill(&mut state).map_err(broken)?;
    let sum = input.sum.clone().finalize();
    let good = u32::from_be_bytes(input.take().map_err(broken)?) == sum
        && &input.take::<8>().map_err(broken)? == END;
    if !good {
        return Err(damaged("its checksum is wrong"));
    }
    let life = form::read_life(&state).map_err(|reason| damaged(&reason.to_string()))?;
    Ok((life, mib))
}

fn damaged(reason: &str) -> Error {
    Invalid::new(format!("The saved domain is damaged: {reason}")).into()
}
