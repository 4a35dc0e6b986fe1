//! Xen's message buffer: the last 16 KiB of what it had to say.
//!
//! On disk it is a file that is only appended to, and now and then cut to what the buffer holds, so
//! that a message costs no more than its length.

use super::settings::SimSettings;
use super::store::Store;
use super::{facts, lock};
use std::fs::File;
use std::io::{self, Write};
use std::sync::Mutex;

/// What the buffer holds, in bytes.
pub(super) const CAPACITY: usize = 16 * 1024;

/// The file is cut when it has grown to this many bytes.
const FILE_LIMIT: usize = 4 * CAPACITY;

/// The message buffer.
#[derive(Debug)]
pub(super) struct Dmesg {
    // Two locks, so that reading never waits for the disk. Whoever takes both takes the file first.
    file: Mutex<Appended>,
    text: Mutex<Vec<u8>>,
}

#[derive(Debug)]
struct Appended {
    file: File,
    len: usize,
}

impl Dmesg {
    /// The buffer as it was left.
    pub(super) fn open(store: &Store) -> io::Result<Self> {
        let (file, mut text) = store.dmesg()?;
        let len = text.len();
        keep_the_end(&mut text);
        Ok(Self { file: Mutex::new(Appended { file, len }), text: Mutex::new(text) })
    }

    /// What is in it.
    pub(super) fn text(&self) -> Vec<u8> {
        lock(&self.text).clone()
    }

    /// Adds lines. Writes to the disk.
    pub(super) fn add(&self, store: &Store, lines: &str) -> io::Result<()> {
        let mut message = String::new();
        for line in lines.lines() {
            message.push_str("(XEN) ");
            message.push_str(line);
            message.push('\n');
        }
        let mut file = lock(&self.file);
        let _held = store.hold()?;
        {
            let mut text = lock(&self.text);
            text.extend_from_slice(message.as_bytes());
            keep_the_end(&mut text);
        }
        file.len += message.len();
        if file.len > FILE_LIMIT {
            let text = self.text();
            file.file = store.replace_dmesg(&text)?;
            file.len = text.len();
            return Ok(());
        }
        file.file.write_all(message.as_bytes())
    }

    /// Empties it. Writes to the disk.
    pub(super) fn clear(&self, store: &Store) -> io::Result<()> {
        let mut file = lock(&self.file);
        let _held = store.hold()?;
        file.file.set_len(0)?;
        file.len = 0;
        lock(&self.text).clear();
        Ok(())
    }
}

/// Drops the oldest lines.
fn keep_the_end(text: &mut Vec<u8>) {
    if let Some(over) = text.len().checked_sub(CAPACITY).filter(|over| *over > 0) {
        let cut = text[over - 1..]
            .iter()
            .position(|b| *b == b'\n')
            .map_or(text.len(), |newline| over + newline);
        text.drain(..cut);
    }
}

/// What Xen says when it starts.
pub(super) fn banner(settings: &SimSettings) -> String {
    let [compiler, by, domain, date] = facts::compiled();
    let (major, minor, extra) = facts::VERSION;
    let scheduler = match settings.scheduler.name() {
        name @ "credit" => format!("SMP Credit Scheduler ({name})"),
        name @ "credit2" => format!("SMP Credit Scheduler rev2 ({name})"),
        name @ "sedf" => format!("Simple EDF Scheduler ({name})"),
        name => format!("SMP RTDS Scheduler ({name})"),
    };
    let (cpus, mib, kib) = (settings.cpus, settings.memory_mib, settings.memory_kib());
    let (dom0_vcpus, dom0_mib) = (settings.dom0_vcpus, settings.dom0_memory_mib);
    format!(
        "Xen version {major}.{minor}{extra} ({by}@{domain}) ({compiler}) {date}\n\
         Latest ChangeSet: {changeset}\n\
         Command line: {commandline}\n\
         System RAM: {mib}MB ({kib}kB)\n\
         Using scheduler: {scheduler}\n\
         Brought up {cpus} CPUs\n\
         Dom0 has maximum {dom0_vcpus} VCPUs\n\
         Dom0 alloc.: {dom0_mib}MB\n\
         Xen trace buffers: disabled\n",
        changeset = facts::CHANGESET,
        commandline = facts::commandline(settings),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_the_end_across_restarts_and_its_file_stays_small() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let dmesg = Dmesg::open(&store).unwrap();
        for n in 0..5000 {
            dmesg.add(&store, &format!("message number {n}\nand its second line")).unwrap();
        }
        let text = dmesg.text();
        assert!(text.len() <= CAPACITY && text.len() > CAPACITY - 100);
        assert!(
            text.starts_with(b"(XEN) ")
                && text.ends_with(b"(XEN) message number 4999\n(XEN) and its second line\n")
        );
        assert_eq!(Dmesg::open(&store).unwrap().text(), text);
        assert!(store.dmesg().unwrap().1.len() <= FILE_LIMIT);

        dmesg.clear(&store).unwrap();
        assert_eq!(dmesg.text(), b"");
        dmesg.add(&store, "anew").unwrap();
        assert_eq!(Dmesg::open(&store).unwrap().text(), b"(XEN) anew\n");
    }
}
