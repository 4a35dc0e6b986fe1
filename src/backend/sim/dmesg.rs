//! Xen's message buffer: the last 16 KiB of its messages.
//!
//! The file of the buffer is appended to, and cut to the contents of the buffer when it has grown
//! too long, so that a message costs no more than its length.

use super::host_info;
use super::lock::lock;
use super::settings::SimSettings;
use super::state_dir::StateDir;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Mutex;

/// The size of the buffer in bytes.
const CAPACITY: usize = 16 * 1024;

/// The file is cut when it is longer than this many bytes.
const FILE_LIMIT: usize = 4 * CAPACITY;

/// The message buffer.
#[derive(Debug)]
pub(super) struct Dmesg {
    // Two locks, so that reads never wait for the disk. The file's is always taken first.
    file: Mutex<Appended>,
    text: Mutex<Vec<u8>>,
}

/// The file and its length; opened by the first message.
#[derive(Debug)]
struct Appended {
    file: Option<File>,
    len: usize,
}

impl Appended {
    fn file(&mut self, state_dir: &StateDir) -> io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => state_dir.open_dmesg()?,
        };
        Ok(self.file.insert(file))
    }
}

impl Dmesg {
    /// The buffer as it was left.
    pub(super) fn open(state_dir: &StateDir) -> io::Result<Self> {
        let mut text = state_dir.dmesg()?;
        let len = text.len();
        drop_oldest(&mut text);
        Ok(Self { file: Mutex::new(Appended { file: None, len }), text: Mutex::new(text) })
    }

    /// The contents of the buffer.
    pub(super) fn text(&self) -> Vec<u8> {
        lock(&self.text).clone()
    }

    /// Adds lines. Blocks: it writes to the disk.
    pub(super) fn add(&self, state_dir: &StateDir, lines: &str) -> io::Result<()> {
        let mut message = String::new();
        for line in lines.lines() {
            message.push_str("(XEN) ");
            message.push_str(line);
            message.push('\n');
        }
        let mut file = lock(&self.file);
        let _held = state_dir.hold()?;
        {
            let mut text = lock(&self.text);
            text.extend_from_slice(message.as_bytes());
            drop_oldest(&mut text);
        }
        file.len += message.len();
        if file.len > FILE_LIMIT {
            let text = self.text();
            state_dir.replace_dmesg(&text)?;
            file.file = None;
            file.len = text.len();
            return Ok(());
        }
        file.file(state_dir)?.write_all(message.as_bytes())
    }

    /// Empties the buffer. Blocks: it writes to the disk.
    pub(super) fn clear(&self, state_dir: &StateDir) -> io::Result<()> {
        let mut file = lock(&self.file);
        let _held = state_dir.hold()?;
        file.file(state_dir)?.set_len(0)?;
        file.len = 0;
        lock(&self.text).clear();
        Ok(())
    }
}

/// Drops the oldest lines that do not fit into the buffer.
fn drop_oldest(text: &mut Vec<u8>) {
    if let Some(over) = text.len().checked_sub(CAPACITY).filter(|over| *over > 0) {
        let cut = text[over - 1..]
            .iter()
            .position(|b| *b == b'\n')
            .map_or(text.len(), |newline| over + newline);
        text.drain(..cut);
    }
}

/// Xen's messages when it starts.
pub(super) fn banner(settings: &SimSettings) -> String {
    let [compiler, by, domain, date] = host_info::COMPILED;
    let (major, minor, extra) = host_info::VERSION;
    let scheduler = match settings.scheduler.name() {
        name @ "credit" => format!("SMP Credit Scheduler ({name})"),
        name @ "credit2" => format!("SMP Credit Scheduler rev2 ({name})"),
        name @ "sedf" => format!("Simple EDF Scheduler ({name})"),
        name => format!("SMP RTDS Scheduler ({name})"),
    };
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
        mib = settings.memory_mib,
        kib = settings.memory_kib(),
        cpus = settings.cpus,
        dom0_vcpus = settings.dom0_vcpus,
        dom0_mib = settings.dom0_memory_mib,
        changeset = host_info::CHANGESET,
        commandline = host_info::commandline(settings),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_messages_survive_a_restart_and_the_file_stays_small() {
        let dir = tempfile::tempdir().unwrap();
        let state_dir = StateDir::open(dir.path()).unwrap();
        let dmesg = Dmesg::open(&state_dir).unwrap();
        for n in 0..5000 {
            dmesg.add(&state_dir, &format!("message number {n}\nand its second line")).unwrap();
        }
        let text = dmesg.text();
        assert!(text.len() <= CAPACITY && text.len() > CAPACITY - 100);
        assert!(
            text.starts_with(b"(XEN) ")
                && text.ends_with(b"(XEN) message number 4999\n(XEN) and its second line\n")
        );
        assert_eq!(Dmesg::open(&state_dir).unwrap().text(), text);
        assert!(state_dir.dmesg().unwrap().len() <= FILE_LIMIT);

        dmesg.clear(&state_dir).unwrap();
        assert_eq!(dmesg.text(), b"");
        dmesg.add(&state_dir, "anew").unwrap();
        assert_eq!(Dmesg::open(&state_dir).unwrap().text(), b"(XEN) anew\n");
    }
}
