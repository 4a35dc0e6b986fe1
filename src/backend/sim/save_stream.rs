//! Save and restore: a guest's memory and state as a stream.
//!
//! ```text
//! signature                  16 bytes
//! memory in MiB              u64
//! memory                     a page for each MiB
//! memory that changed, MiB   u64
//! changed memory             a page for each MiB
//! length of the state        u32
//! state of the guest         an S-expression
//! CRC-32 of all before it    u32
//! end mark                   8 bytes
//! ```
//!
//! Numbers are big-endian. A simulated guest has written to one page of each MiB, so that a save
//! takes some time, and longer for a larger guest. The page is filled with its number, which a
//! restore checks.

use super::create::{self, Reservation};
use super::guest::Guest;
use super::handle::Sim;
use super::host::Host;
use super::record::{AgentWork, Record, needed_kib};
use super::record_file::{print_guest, read_guest};
use crate::core::error::Error;
use crate::core::model::{
    CompleteConfig, DomId, DomainConfig, DomainFacts, Invalid, ShutdownReason,
};
use crate::core::transfer::Transfer;
use crc32fast::Hasher;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const SIGNATURE: &[u8; 16] = b"XenSimMemory0001";
const END: &[u8; 8] = b"XenSimOK";

/// The size of a page in bytes.
const PAGE: usize = 4096;

/// The greatest length of a guest's state.
const MAX_STATE: u32 = 1 << 20;

/// The time that a MiB takes of a guest that is slow to save.
const SLOW_MIB: Duration = Duration::from_millis(10);

/// A reader or writer that computes the checksum of its bytes, and counts them.
struct CheckedStream<'a, T> {
    inner: T,
    sum: Hasher,
    transfer: &'a Transfer,
}

impl<'a, T> CheckedStream<'a, T> {
    fn new(inner: T, transfer: &'a Transfer) -> Self {
        Self { inner, sum: Hasher::new(), transfer }
    }

    fn count(&mut self, bytes: &[u8]) {
        self.sum.update(bytes);
        self.transfer.advance(bytes.len() as u64);
    }
}

impl<T: Write> CheckedStream<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.transfer.check()?;
        self.count(bytes);
        self.inner.write_all(bytes)
    }
}

impl<T: Read> CheckedStream<'_, T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.inner.read_exact(bytes)?;
        self.count(bytes);
        Ok(())
    }

    fn read_array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read(&mut bytes)?;
        Ok(bytes)
    }
}

/// Fills a page with its number.
fn fill_page(page: &mut [u8; PAGE], number: u64) {
    for word in page.chunks_exact_mut(8) {
        word.copy_from_slice(&number.to_le_bytes());
    }
}

impl Sim {
    /// Suspends a guest and writes it to a stream.
    pub(super) async fn save_to(
        &self,
        domid: DomId,
        to: OwnedFd,
        live: bool,
        transfer: Arc<Transfer>,
    ) -> Result<(), Error> {
        self.blocking(move |host| {
            let record = host.required_record(domid)?;
            let mib = record.memory_kib.div_ceil(1024);
            transfer.expect((mib + changed_mib(mib, live)) * PAGE as u64);
            let name = record.name.as_str();
            let mut save = Save {
                out: CheckedStream::new(BufWriter::new(File::from(to)), &transfer),
                page: [0; PAGE],
                is_slow: name.contains("saveslow"),
                fails_at: name.contains("savefails").then_some(mib / 2),
            };
            save.run(host, domid, mib, live)
        })
        .await
    }

    /// Resumes a suspended guest.
    pub(super) async fn resume(&self, domid: DomId) -> Result<(), Error> {
        self.blocking(move |host| {
            host.change(domid, |record, now| {
                if record.guest.stopped(now) == Some(ShutdownReason::Suspend) {
                    record.advance(now, &host.settings);
                    record.guest.forced_stop = None;
                }
                Ok(())
            })
        })
        .await
    }

    /// Builds a domain from a stream that [`save_to`](Self::save_to) wrote.
    pub(super) async fn restore_from(
        &self,
        config: &CompleteConfig,
        from: OwnedFd,
        transfer: Arc<Transfer>,
    ) -> Result<DomainFacts, Error> {
        create::check_restored(self.host(), config)?;
        let memory = Reservation::new(self.host(), needed_kib(config))?;
        let uuid = config.uuid();
        let config = DomainConfig::clone(config);
        let built = self
            .blocking(move |host| {
                let input = BufReader::new(File::from(from));
                let mut input = CheckedStream::new(input, &transfer);
                let (mut guest, mib) = read(&mut input, &config)?;
                // The guest can have another size than its configuration says.
                drop(memory);
                let memory = Reservation::new(host, mib * 1024)?;
                let now = host.now();
                guest.updated = now;
                guest.paused = true;
                guest.shutdown_request = None;
                guest.forced_stop = None;
                guest.cpu_used = Duration::ZERO;
                let domid = host.allocate_domid()?;
                let mut record = Record::new(domid, uuid, config, now, &host.settings);
                record.guest = guest;
                // The agent reports again, since nothing of XenStore was saved.
                record.agent = AgentWork::default();
                record.wake_agent(now);
                record.memory_kib = mib * 1024;
                memory.build(record)
            })
            .await?;
        Ok(built.keep())
    }
}

fn suspend(host: &Host, domid: DomId) -> Result<(), Error> {
    host.change(domid, |record, now| {
        if record.guest.stopped(now).is_some() {
            return Err(Invalid::new("The guest has stopped meanwhile").into());
        }
        record.advance(now, &host.settings);
        record.stop(ShutdownReason::Suspend);
        Ok(())
    })
}

/// The memory that a guest changes during a live save, in MiB.
fn changed_mib(mib: u64, live: bool) -> u64 {
    if live { mib / 8 } else { 0 }
}

/// A save that is going on.
struct Save<'a, T> {
    out: CheckedStream<'a, T>,
    page: [u8; PAGE],
    is_slow: bool,
    /// The first page that cannot be read.
    fails_at: Option<u64>,
}

impl<T: Write> Save<'_, T> {
    fn run(&mut self, host: &Host, domid: DomId, mib: u64, live: bool) -> Result<(), Error> {
        if !live {
            suspend(host, domid)?;
        }
        self.write(SIGNATURE)?;
        self.write(&mib.to_be_bytes())?;
        self.write_pages(mib)?;
        let changed = changed_mib(mib, live);
        self.write(&changed.to_be_bytes())?;
        if live {
            suspend(host, domid)?;
        }
        self.write_pages(changed)?;
        let state = print_guest(&host.required_record(domid)?.guest);
        let length = u32::try_from(state.len()).unwrap_or(u32::MAX);
        self.write(&length.to_be_bytes())?;
        self.write(&state)?;
        let sum = self.out.sum.clone().finalize();
        self.write(&sum.to_be_bytes())?;
        self.write(END)?;
        self.out.inner.flush().map_err(not_written)
    }

    fn write_pages(&mut self, count: u64) -> Result<(), Error> {
        for number in 0..count {
            if self.fails_at.is_some_and(|first| number >= first) {
                let message = "The domain's memory could not be read".to_owned();
                return Err(Error::Backend { message, source: None });
            }
            if self.is_slow {
                thread::sleep(SLOW_MIB);
            }
            fill_page(&mut self.page, number);
            self.out.write(&self.page).map_err(not_written)?;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out.write(bytes).map_err(not_written)
    }
}

fn not_written(error: io::Error) -> Error {
    Error::backend("The domain could not be written", error)
}

/// Reads a stream: the guest, and its memory in MiB.
fn read(
    input: &mut CheckedStream<'_, impl Read>,
    config: &DomainConfig,
) -> Result<(Guest, u64), Error> {
    if &input.read_array::<16>().map_err(not_read)? != SIGNATURE {
        return Err(damaged("its memory is not of a simulated host"));
    }
    let mib = u64::from_be_bytes(input.read_array().map_err(not_read)?);
    if mib > config.maxmem {
        return Err(damaged("it is larger than its configuration allows"));
    }
    input.transfer.expect(mib * PAGE as u64);
    read_pages(input, mib)?;
    let changed = u64::from_be_bytes(input.read_array().map_err(not_read)?);
    read_pages(input, changed.min(mib))?;
    let length = u32::from_be_bytes(input.read_array().map_err(not_read)?);
    if length > MAX_STATE {
        return Err(damaged("its guest's state makes no sense"));
    }
    let mut state = vec![0; length as usize];
    input.read(&mut state).map_err(not_read)?;
    let sum = input.sum.clone().finalize();
    let is_intact = u32::from_be_bytes(input.read_array().map_err(not_read)?) == sum
        && &input.read_array::<8>().map_err(not_read)? == END;
    if !is_intact {
        return Err(damaged("its checksum is wrong"));
    }
    let guest = read_guest(&state).map_err(|error| damaged(&error.to_string()))?;
    Ok((guest, mib))
}

fn read_pages(input: &mut CheckedStream<'_, impl Read>, count: u64) -> Result<(), Error> {
    let mut page = [0; PAGE];
    let mut expected = [0; PAGE];
    for number in 0..count {
        input.read(&mut page).map_err(not_read)?;
        fill_page(&mut expected, number);
        if page != expected {
            return Err(damaged("its memory is not what was written"));
        }
    }
    Ok(())
}

fn not_read(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("it ends too early"),
        _ => Error::backend("The saved domain could not be read", error),
    }
}

fn damaged(reason: &str) -> Error {
    Invalid::new(format!("The saved domain is damaged: {reason}")).into()
}
