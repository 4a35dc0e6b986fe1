//! Definitions of managed domains.

use super::files::{self, uuid_in_name};
use crate::core::model::{CompleteConfig, Uuid};
use crate::core::ports::{Definition, Entropy};
use crate::durable;
use crate::shape;
use crate::sxp::{Limits, Sxp, read_one};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tracing::{error, warn};

/// The name of a definition's file.
pub(super) const CONFIG: &str = "config.sxp";

/// xend's name for the file with the memory of a suspended domain.
const CHECKPOINT: &str = "checkpoint.chk";

/// The directory of a domain.
fn domain_dir(domains: &Path, uuid: Uuid) -> PathBuf {
    domains.join(uuid.hyphenated().to_string())
}

/// The file with the memory of a suspended domain.
pub(super) fn checkpoint(domains: &Path, uuid: Uuid) -> PathBuf {
    domain_dir(domains, uuid).join(CHECKPOINT)
}

/// Reads all definitions but Domain-0's.
pub(super) fn load_all(domains: &Path, entropy: &dyn Entropy) -> io::Result<Vec<Definition>> {
    let mut definitions = Vec::new();
    for entry in fs::read_dir(domains)? {
        let dir = entry?.path();
        let Some(uuid) = uuid_in_name(&dir).filter(|uuid| !uuid.is_nil()) else { continue };
        definitions.extend(load(&dir, uuid, entropy)?);
    }
    Ok(definitions)
}

/// Reads the definition in a directory; `None` if it is missing, unreadable or damaged.
fn load(dir: &Path, uuid: Uuid, entropy: &dyn Entropy) -> io::Result<Option<Definition>> {
    durable::remove_unfinished(dir)?;
    let path = dir.join(CONFIG);
    let text = match durable::read(&path) {
        Ok(Some(text)) => text,
        Ok(None) => {
            warn!(dir = %dir.display(), "The directory of a domain has no {CONFIG}");
            return Ok(None);
        }
        // The other definitions are loaded all the same.
        Err(error) => {
            error!(file = %path.display(), %error, "A definition cannot be read");
            return Ok(None);
        }
    };
    match read(&text, uuid, entropy) {
        Ok(config) => Ok(Some(Definition { config, suspended: dir.join(CHECKPOINT).exists() })),
        Err(reason) => durable::set_aside(&path, &reason).map(|()| None),
    }
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

/// Stores a definition, replacing an earlier version.
pub(super) fn save(domains: &Path, uuid: Uuid, tree: &Sxp) -> io::Result<()> {
    let dir = domain_dir(domains, uuid);
    durable::create_dir(&dir)?;
    files::write(&dir.join(CONFIG), tree)
}

/// Removes a definition and the memory that is stored with it.
pub(super) fn remove(domains: &Path, uuid: Uuid) -> io::Result<()> {
    let dir = domain_dir(domains, uuid);
    // The definition goes first: without it, the other files have no meaning.
    durable::remove(&dir.join(CONFIG))?;
    durable::remove_dir(&dir)
}
