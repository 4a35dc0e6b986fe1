//! What the daemon keeps on disk, in xend's own layout, since tools look there.
//!
//! ```text
//! domains/UUID/config.sxp        the definition of a managed domain
//! domains/UUID/checkpoint.chk    the memory of a suspended one
//! moves/UUID.sxp                 a note of what is under way with a domain
//! moves/ID.arrival               what has become of a domain that another host sent
//! vnets.sxp                      virtual networks
//! objects/UUID.sxp               what the host has beside domains, and notes on it
//! storage/UUID.img               disk images
//! ```
//!
//! A directory that a real xend left behind is taken over as it is. Domain-0's definition, which
//! xend kept there too, is left alone. Every file is written beside its place, forced to the disk,
//! and renamed; then its directory is forced to the disk. A file that makes no sense gets another
//! name, is reported, and never stops the start.

mod file;
mod notes;
mod objects;
mod saved;

use crate::core::error::Error;
use crate::core::model::{DomainConfig, Invalid, Uuid, Vnet, parse_uuid};
use crate::core::ports::{ArrivalNote, Definition, Draft, Note, Store};
use crate::shape;
use crate::sxp::{Limits, Reader, Sxp, pretty, read_one};
use async_trait::async_trait;
use saved::SavedDraft;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing::{error, warn};

/// The file of a definition.
const CONFIG: &str = "config.sxp";

/// The file of a suspended domain's memory: xend's name for it.
const CHECKPOINT: &str = "checkpoint.chk";

/// More than any configuration needs that came in through a wire, and still a bound: a damaged file
/// may say anything.
const LIMITS: Limits = Limits { bytes: 64 << 20, depth: 2_000, count: 4_000_000 };

/// How wide a stored definition is printed.
const WIDTH: usize = 100;

/// A directory as a [`Store`].
#[derive(Debug, Clone)]
pub struct DirStore {
    domains: Arc<PathBuf>,
    moves: Arc<PathBuf>,
    vnets: Arc<PathBuf>,
    host: Arc<PathBuf>,
    objects: Arc<PathBuf>,
    storage: Arc<PathBuf>,
}

impl DirStore {
    /// Takes the directory, making it if need be, with disk images below it. Blocks.
    pub fn open(dir: &Path) -> io::Result<Self> {
        Self::with_storage(dir, &dir.join("storage"))
    }

    /// The same with disk images somewhere else.
    pub fn with_storage(dir: &Path, storage: &Path) -> io::Result<Self> {
        let [domains, moves, objects] = ["domains", "moves", "objects"].map(|name| dir.join(name));
        for dir in [&domains, &moves, &objects, storage] {
            file::make_dir(dir)?;
        }
        let [vnets, host] = ["vnets.sxp", "host-uuid"].map(|name| Arc::new(dir.join(name)));
        let (domains, moves, objects) = (Arc::new(domains), Arc::new(moves), Arc::new(objects));
        Ok(Self { domains, moves, vnets, host, objects, storage: Arc::new(storage.to_owned()) })
    }

    fn of(&self, uuid: Uuid) -> PathBuf {
        self.domains.join(uuid.hyphenated().to_string())
    }

    fn load_all(&self) -> io::Result<Vec<Definition>> {
        let mut definitions = Vec::new();
        for entry in fs::read_dir(&*self.domains)? {
            let dir = entry?.path();
            let Some(uuid) = uuid_of(&dir).filter(|uuid| !uuid.is_nil()) else { continue };
            definitions.extend(load_one(&dir, uuid)?);
        }
        Ok(definitions)
    }
}

/// The definition in a directory; none if there is none that makes sense.
fn load_one(dir: &Path, uuid: Uuid) -> io::Result<Option<Definition>> {
    file::forget_unfinished(dir)?;
    let path = dir.join(CONFIG);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            warn!(dir = %dir.display(), "A domain's directory holds no {CONFIG}");
            return Ok(None);
        }
        // One that cannot be read is no reason to have none.
        Err(error) => {
            error!(file = %path.display(), %error, "A definition cannot be read");
            return Ok(None);
        }
    };
    match read_definition(&text, uuid) {
        Ok(config) => Ok(Some(Definition { config, suspended: dir.join(CHECKPOINT).exists() })),
        Err(reason) => file::set_aside(&path, &reason).map(|()| None),
    }
}

fn read_definition(text: &[u8], uuid: Uuid) -> Result<DomainConfig, String> {
    let tree = read_one(text, &LIMITS).map_err(|reason| format!("{reason:#}"))?;
    let mut config = shape::read_stored(&tree).map_err(|reason| {
        let (line, column) = reason.position(text);
        format!("line {line}, column {column}: {reason}")
    })?;
    match config.uuid {
        Some(own) if own != uuid => Err(format!("it is the definition of {own}")),
        _ => {
            config.uuid = Some(uuid);
            Ok(config)
        }
    }
}

fn uuid_of(path: &Path) -> Option<Uuid> {
    parse_uuid(path.file_stem()?.to_str()?).ok()
}

async fn write_note(path: PathBuf, note: Option<Sxp>) -> Result<(), Error> {
    blocking(move || {
        let written = match note {
            Some(note) => file::replace(&path, &note.to_bytes()),
            None => file::remove(&path),
        };
        written.map_err(|error| Error::backend("A note could not be written", error))
    })
    .await
}

/// Does something that waits for the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Error::backend("The store has been stopped", error)))
}

#[async_trait]
impl Store for DirStore {
    async fn load(&self) -> Result<Vec<Definition>, Error> {
        let store = self.clone();
        blocking(move || {
            store
                .load_all()
                .map_err(|error| Error::backend("The stored domains cannot be read", error))
        })
        .await
    }

    async fn save(&self, uuid: Uuid, config: &DomainConfig) -> Result<(), Error> {
        // What is stored must be readable after a restart.
        config.check()?;
        let (dir, tree) = (self.of(uuid), shape::stored_config(config));
        blocking(move || {
            let text = format!("{}\n", pretty(&tree, WIDTH));
            let written = file::make_dir(&dir)
                .and_then(|()| file::replace(&dir.join(CONFIG), text.as_bytes()));
            written.map_err(|error| Error::backend("The definition could not be stored", error))
        })
        .await
    }

    async fn remove(&self, uuid: Uuid) -> Result<(), Error> {
        let dir = self.of(uuid);
        blocking(move || {
            // The definition first: what is left without it is nothing.
            let removed = file::remove(&dir.join(CONFIG)).and_then(|()| file::remove_tree(&dir));
            removed.map_err(|error| Error::backend("The definition could not be deleted", error))
        })
        .await
    }

    fn checkpoint(&self, uuid: Uuid) -> PathBuf {
        self.of(uuid).join(CHECKPOINT)
    }

    async fn discard(&self, file: &Path) -> Result<(), Error> {
        let file = file.to_owned();
        blocking(move || {
            file::remove(&file).map_err(|error| {
                Error::backend(format!("{} could not be removed", file.display()), error)
            })
        })
        .await
    }

    async fn draft(&self, file: &Path, config: &DomainConfig) -> Result<Box<dyn Draft>, Error> {
        let (file, header) = (file.to_owned(), saved::header(config));
        blocking(move || Ok(Box::new(SavedDraft::begin(&file, &header)?) as Box<dyn Draft>)).await
    }

    async fn open(&self, file: &Path) -> Result<(DomainConfig, OwnedFd), Error> {
        let file = file.to_owned();
        blocking(move || saved::open(&file)).await
    }

    async fn note(&self, uuid: Uuid, note: Option<Note>) -> Result<(), Error> {
        let path = self.moves.join(format!("{uuid}.sxp"));
        write_note(path, note.map(|note| notes::note(&note))).await
    }

    async fn notes(&self) -> Result<Vec<(Uuid, Note)>, Error> {
        let dir = self.moves.clone();
        blocking(move || notes::read_all(&dir, "sxp", notes::read_note)).await
    }

    async fn note_arrival(&self, id: Uuid, note: Option<ArrivalNote>) -> Result<(), Error> {
        let path = self.moves.join(format!("{id}.{}", notes::ARRIVAL));
        write_note(path, note.map(|note| notes::arrival(&note))).await
    }

    async fn arrivals(&self) -> Result<Vec<(Uuid, ArrivalNote)>, Error> {
        let dir = self.moves.clone();
        blocking(move || {
            notes::forget_old(&dir);
            notes::read_all(&dir, notes::ARRIVAL, notes::read_arrival)
        })
        .await
    }

    async fn host_uuid(&self) -> Result<Uuid, Error> {
        let path = self.host.clone();
        blocking(move || {
            own_uuid(&path).map_err(|error| Error::backend("The host's UUID cannot be kept", error))
        })
        .await
    }

    async fn vnets(&self) -> Result<Vec<Vnet>, Error> {
        let path = self.vnets.clone();
        blocking(move || {
            read_vnets(&path)
                .map_err(|error| Error::backend("The virtual networks cannot be read", error))
        })
        .await
    }

    async fn save_vnets(&self, vnets: Vec<Vnet>) -> Result<(), Error> {
        let path = self.vnets.clone();
        blocking(move || {
            let mut text = Vec::new();
            for vnet in &vnets {
                text.extend(shape::stored_vnet(vnet).to_bytes());
                text.push(b'\n');
            }
            file::replace(&path, &text)
                .map_err(|error| Error::backend("The virtual networks could not be stored", error))
        })
        .await
    }
}

fn own_uuid(path: &Path) -> io::Result<Uuid> {
    match fs::read_to_string(path) {
        Ok(text) => Uuid::try_parse(text.trim()).map_err(|error| {
            let reason = format!("{} holds no UUID: {error}", path.display());
            io::Error::new(io::ErrorKind::InvalidData, reason)
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let uuid = Uuid::new_v4();
            file::replace(path, format!("{uuid}\n").as_bytes())?;
            Ok(uuid)
        }
        Err(error) => Err(error),
    }
}

fn read_vnets(path: &Path) -> io::Result<Vec<Vnet>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut reader = Reader::new(&text, &LIMITS);
    let mut vnets = Vec::new();
    loop {
        let read = match reader.next() {
            Ok(Some(tree)) => shape::read_vnet(&tree).map_err(|reason| reason.to_string()),
            Ok(None) => return Ok(vnets),
            Err(reason) => Err(format!("{reason:#}")),
        };
        match read {
            Ok(vnet) => vnets.push(vnet),
            Err(reason) => return file::set_aside(path, &reason).map(|()| Vec::new()),
        }
    }
}

/// A path that a file cannot be written to, in words that name it.
fn unusable(path: &Path, error: io::Error) -> Error {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => {
            Invalid::new(format!("file: the directory of {shown} does not exist")).into()
        }
        io::ErrorKind::PermissionDenied => {
            Invalid::new(format!("file: xend may not write {shown}")).into()
        }
        _ => Error::backend(format!("file: {shown} cannot be written"), error),
    }
}

#[cfg(test)]
mod tests;
