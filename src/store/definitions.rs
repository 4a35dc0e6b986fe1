//! Definitions of managed domains.

use super::files;
use crate::core::model::{CompleteConfig, DomName, Uuid, parse_uuid};
use crate::core::ports::{Definition, Entropy};
use crate::durable;
use crate::shape;
use crate::state_file::{self, Stored};
use crate::sxp::{Limits, Sxp, read_one};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use tracing::{info, warn};

/// The directory of all domains, in the state directory.
pub(super) const DOMAINS: &str = "domains";

/// The name of a definition's file.
pub(super) const CONFIG: &str = "config.sxp";

/// xend's name for the file with the memory of a suspended domain.
const CHECKPOINT: &str = "checkpoint.chk";

/// The directories of one domain that are set aside.
const MAX_SET_ASIDE: u32 = 10;

/// How many definitions a thread reads at least.
const SMALLEST_PART: usize = 64;

/// The directory of a domain.
fn domain_dir(domains: &Path, uuid: Uuid) -> PathBuf {
    domains.join(uuid.hyphenated().to_string())
}

/// The file with the memory of a suspended domain.
pub(super) fn checkpoint(domains: &Path, uuid: Uuid) -> PathBuf {
    domain_dir(domains, uuid).join(CHECKPOINT)
}

/// Reads all definitions but Domain-0's, on as many threads as there are CPUs.
pub(super) fn load_all(domains: &Path, entropy: &dyn Entropy) -> io::Result<Vec<Definition>> {
    let mut dirs = Vec::new();
    for dir in state_file::entries(domains)? {
        // The whole name: the rest of one that was set aside begins with a UUID, too.
        let name = dir.file_name().and_then(OsStr::to_str);
        let uuid = name.and_then(|name| parse_uuid(name).ok());
        dirs.extend(uuid.filter(|uuid| !uuid.is_nil()).map(|uuid| (dir, uuid)));
    }
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let part = dirs.len().div_ceil(threads).max(SMALLEST_PART);
    let load_part = |part: &[(PathBuf, Uuid)]| -> io::Result<Vec<Definition>> {
        let loaded = part.iter().map(|(dir, uuid)| load(dir, *uuid, entropy));
        loaded.filter_map(Result::transpose).collect()
    };
    thread::scope(|scope| {
        let mut parts = dirs.chunks(part);
        let first = parts.next().unwrap_or_default();
        let others: Vec<_> = parts.map(|part| scope.spawn(move || load_part(part))).collect();
        let mut definitions = load_part(first)?;
        for other in others {
            let loaded = other.join().map_err(|_| io::Error::other("a thread panicked"))?;
            definitions.extend(loaded?);
        }
        Ok(definitions)
    })
}

/// Reads the definition in a directory; `None` if it is missing or damaged.
fn load(dir: &Path, uuid: Uuid, entropy: &dyn Entropy) -> io::Result<Option<Definition>> {
    let checkpoint = match look_into(dir) {
        Ok(checkpoint) => checkpoint,
        Err(error) => return state_file::set_aside_unreadable(dir, error).map(|()| None),
    };
    match state_file::load(&dir.join(CONFIG), |text| read(text, uuid, entropy))? {
        Stored::Sound(config) => {
            let suspended = checkpoint.is_some_and(|path| is_checkpoint(&path));
            Ok(Some(Definition { config, suspended }))
        }
        Stored::Damaged => Ok(None),
        // A killed xend leaves it before the definition is written.
        Stored::Missing if fs::remove_dir(dir).is_ok() => {
            info!(dir = %dir.display(), "Removed the empty directory of a domain");
            Ok(None)
        }
        Stored::Missing => {
            warn!(dir = %dir.display(), "The directory of a domain has no {CONFIG}");
            Ok(None)
        }
    }
}

/// Removes the unfinished files in the directory of a domain. Returns where its memory is, if there
/// is something under that name.
fn look_into(dir: &Path) -> io::Result<Option<PathBuf>> {
    let mut checkpoint = None;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.file_name() == Some(OsStr::new(CHECKPOINT)) {
            checkpoint = Some(path);
        } else {
            durable::remove_unfinished_file(&path);
        }
    }
    Ok(checkpoint)
}

/// Whether what is in the place of a domain's memory can be memory. What cannot is set aside; the
/// rest shows when the domain is resumed.
fn is_checkpoint(path: &Path) -> bool {
    let reason = match fs::metadata(path) {
        Ok(data) if data.is_file() && data.len() > 0 => return true,
        Ok(data) if data.is_file() => "it is empty".to_owned(),
        Ok(_) => "it is not a file".to_owned(),
        Err(error) => error.to_string(),
    };
    state_file::set_aside(path, &reason);
    false
}

fn read(text: &[u8], uuid: Uuid, entropy: &dyn Entropy) -> Result<CompleteConfig, String> {
    let tree = read_one(text, &Limits::STORED).map_err(|reason| format!("{reason:#}"))?;
    let mut config = shape::read_stored(&tree).map_err(|reason| {
        let (line, column) = reason.position(text);
        format!("line {line}, column {column}: {reason}")
    })?;
    match config.uuid {
        Some(other) if other != uuid => Err(format!("it is the definition of {other}")),
        _ => {
            config.uuid = Some(uuid);
            CompleteConfig::for_definition(config, entropy).map_err(|reason| reason.to_string())
        }
    }
}

/// The domains that are defined in a state directory, as far as their files make sense. A daemon
/// may be running: nothing is changed.
pub fn defined(state_dir: &Path) -> Vec<(Uuid, DomName)> {
    let Ok(entries) = fs::read_dir(state_dir.join(DOMAINS)) else { return Vec::new() };
    let one = |dir: PathBuf| {
        let uuid = parse_uuid(dir.file_name()?.to_str()?).ok().filter(|uuid| !uuid.is_nil())?;
        let text = state_file::read(&dir.join(CONFIG)).ok()??;
        let tree = read_one(&text, &Limits::STORED).ok()?;
        Some((uuid, shape::read_stored(&tree).ok()?.name))
    };
    entries.flatten().filter_map(|entry| one(entry.path())).collect()
}

/// Stores a definition, replacing an earlier version.
pub(super) fn save(domains: &Path, uuid: Uuid, tree: &Sxp) -> io::Result<()> {
    let dir = domain_dir(domains, uuid);
    let saved = durable::create_last_dir(&dir).and_then(|()| files::write(&dir.join(CONFIG), tree));
    if saved.is_err() {
        // One with an earlier definition is not empty, and stays.
        let _ = fs::remove_dir(&dir);
    }
    saved
}

/// Renames the directory of a domain to one that is not read. Of the few names that there are for
/// each domain, the last one is used again.
pub(super) fn set_aside(domains: &Path, uuid: Uuid) -> io::Result<PathBuf> {
    let mut names = (1..=MAX_SET_ASIDE).map(|n| domains.join(format!("{uuid}.elsewhere-{n}")));
    let last = domains.join(format!("{uuid}.elsewhere-{MAX_SET_ASIDE}"));
    let is_free = |path: &PathBuf| fs::symlink_metadata(path).is_err();
    let aside = names.find(is_free).unwrap_or(last);
    if !is_free(&aside) {
        fs::remove_dir_all(&aside)?;
    }
    durable::rename(&domain_dir(domains, uuid), &aside)?;
    Ok(aside)
}

/// Removes a definition and the memory that is stored with it.
pub(super) fn remove(domains: &Path, uuid: Uuid) -> io::Result<()> {
    let dir = domain_dir(domains, uuid);
    // The definition goes first: without it, the other files have no meaning.
    durable::remove(&dir.join(CONFIG))?;
    // By its name, too: of a link to a directory, the rest stays.
    let _ = durable::remove_unsynced(&dir.join(CHECKPOINT));
    durable::remove_dir(&dir)
}
