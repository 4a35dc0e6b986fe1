//! The record of a change: the old files, kept in a file of their own until the new ones have
//! proven themselves. An agent that is killed in the middle leaves it behind, and the next one
//! puts the old files back when it starts.

use super::files::{self, NewFile, about, bytes, read_text};
use super::plan::Interface;
use crate::paths::NETWORK_CHANGE;
use crate::root::{MAX_READ, Root};
use rustix::fs::FileType;
use serde::{Deserialize, Serialize};
use std::io;
use xend_guest_protocol::network::Mac;

/// Where the kernel tells one boot from the other.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The old files of a change that goes on.
#[derive(Debug)]
pub(super) struct Undo<'a> {
    root: &'a Root,
    record: Record,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    files: Vec<OldFile>,
    /// What the running system was called; `None` if its name was not to change.
    hostname: Option<String>,
    /// The boot in which the change began; `None` if the kernel did not tell.
    #[serde(default)]
    boot: Option<String>,
    /// What the running network was changed by; `None` if it was not.
    #[serde(default)]
    network: Option<Network>,
}

#[derive(Debug, Serialize, Deserialize)]
struct OldFile {
    path: String,
    /// As [`read_text`] reads it. `None`: there was no such file.
    text: Option<String>,
    mode: u32,
}

/// What the running network is changed by.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Network {
    /// The name of the writer.
    pub(super) writer: String,
    interfaces: Vec<Named>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Named {
    name: String,
    mac: String,
}

impl Network {
    pub(super) fn new(writer: &str, interfaces: &[Interface]) -> Self {
        let named = |interface: &Interface| Named {
            name: interface.name.clone(),
            mac: interface.mac.to_string(),
        };
        Self { writer: writer.to_owned(), interfaces: interfaces.iter().map(named).collect() }
    }

    /// The interfaces, of which nothing but names and MACs is known.
    pub(super) fn interfaces(&self) -> Vec<Interface> {
        let interface =
            |named: &Named| Some(Interface::named(named.name.clone(), Mac::parse(&named.mac)?));
        self.interfaces.iter().filter_map(interface).collect()
    }
}

impl<'a> Undo<'a> {
    /// Records the files that `changes` are about, the running system's name if that is to change,
    /// and what the running network is changed by. A record that is too long to be read again is an
    /// error.
    pub(super) fn save(
        root: &'a Root,
        changes: &[NewFile],
        hostname: Option<String>,
        network: Option<Network>,
    ) -> io::Result<Self> {
        let keep = |file: &NewFile| {
            let text = read_text(root, &file.path)?;
            let mode = root.mode(&file.path)?.unwrap_or_default();
            Ok(OldFile { path: file.path.clone(), text, mode })
        };
        let files = changes.iter().map(keep).collect::<io::Result<_>>()?;
        let record = Record { files, hostname, boot: boot(root), network };
        // It may hold what private files do.
        let text = serde_json::to_string(&record)?;
        if bytes(&text)?.len() as u64 > MAX_READ {
            return Err(io::Error::other("The old files are too long together"));
        }
        files::write(root, NETWORK_CHANGE, &text, 0o600)?;
        Ok(Self { root, record })
    }

    /// What an agent has left that was killed before it had checked its changes.
    pub(super) fn load(root: &'a Root) -> io::Result<Option<Self>> {
        let Some(text) = read_text(root, NETWORK_CHANGE)? else { return Ok(None) };
        let Ok(record) = serde_json::from_str(&text) else {
            // Files are replaced as a whole: somebody else has written this one.
            root.remove(NETWORK_CHANGE)?;
            return Ok(None);
        };
        Ok(Some(Self { root, record }))
    }

    /// What the running system was called; `None` if its name was not to change.
    pub(super) fn hostname(&self) -> Option<&str> {
        self.record.hostname.as_deref()
    }

    /// What the running network was changed by.
    pub(super) fn network(&self) -> Option<&Network> {
        self.record.network.as_ref()
    }

    /// Whether the change began in this boot.
    pub(super) fn is_of_this_boot(&self) -> bool {
        self.record.boot.is_some() && self.record.boot == boot(self.root)
    }

    /// Whether any file is other than it was. One that cannot be put back, as far as that can be
    /// told before anything is changed, is an error, which names it.
    pub(super) fn check(&self) -> io::Result<bool> {
        let mut is_changed = false;
        for file in &self.record.files {
            if !file.is_back(self.root).map_err(about(&file.path))? {
                is_changed = true;
                file.check(self.root).map_err(about(&file.path))?;
            }
        }
        Ok(is_changed)
    }

    /// Puts all old files back, and takes new ones away. What fails does not keep it from the rest.
    /// An error names the file.
    pub(super) fn put_back(&self) -> io::Result<()> {
        let put_back = |file: &OldFile| file.put_back(self.root).map_err(about(&file.path));
        self.record.files.iter().map(put_back).fold(Ok(()), Result::and)
    }

    /// The guest is as the old files say, or the new ones are right: the record goes.
    pub(super) fn forget(self) -> io::Result<()> {
        self.root.remove(NETWORK_CHANGE).map(drop)
    }
}

impl OldFile {
    fn is_back(&self, root: &Root) -> io::Result<bool> {
        let kind = root.file_type(&self.path)?;
        let Some(text) = &self.text else { return Ok(kind.is_none()) };
        // What cannot be read is something else now.
        let is_same = || root.read(&self.path).ok().flatten() == bytes(text).ok();
        let is_file = kind == Some(FileType::RegularFile);
        Ok(is_file && root.mode(&self.path)? == Some(self.mode) && is_same())
    }

    fn check(&self, root: &Root) -> io::Result<()> {
        root.check_replace(&self.path, &bytes(self.text.as_deref().unwrap_or_default())?)
    }

    fn put_back(&self, root: &Root) -> io::Result<()> {
        match &self.text {
            Some(text) => files::write(root, &self.path, text, self.mode),
            None => root.remove(&self.path).map(drop),
        }
    }
}

fn boot(root: &Root) -> Option<String> {
    let id = read_text(root, BOOT_ID).ok()??;
    Some(id.trim().to_owned())
}
