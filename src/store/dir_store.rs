//! A directory as a store.

use super::blocking::{blocking, blocking_io};
use super::save_file::{self, UnfinishedSave};
use super::{definitions, files, records, vnets};
use crate::core::error::Error;
use crate::core::model::{CompleteConfig, Uuid, Vnet};
use crate::core::ports::{
    ArrivalRecord, Definition, Entropy, Store, TransferRecord, UnfinishedFile,
};
use crate::durable;
use crate::shape;
use crate::sxp::Sxp;
use async_trait::async_trait;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// A directory as a [`Store`].
#[derive(Clone)]
pub struct DirStore {
    pub(super) paths: Arc<Paths>,
    /// For what stored configurations lack.
    entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for DirStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirStore").field("paths", &self.paths).finish_non_exhaustive()
    }
}

/// The files and directories of a store.
#[derive(Debug)]
pub(super) struct Paths {
    domains: PathBuf,
    moves: PathBuf,
    vnets: PathBuf,
    host_uuid: PathBuf,
    pub(super) objects: PathBuf,
    pub(super) storage: PathBuf,
}

impl DirStore {
    /// Opens the directory, creating it if need be, with disk images below it. Blocks.
    pub fn open(dir: &Path, entropy: Arc<dyn Entropy>) -> io::Result<Self> {
        Self::with_storage(dir, &dir.join("storage"), entropy)
    }

    /// Opens the directory, creating it if need be, with disk images in another directory. Blocks.
    pub fn with_storage(dir: &Path, storage: &Path, entropy: Arc<dyn Entropy>) -> io::Result<Self> {
        let paths = Paths {
            domains: dir.join("domains"),
            moves: dir.join("moves"),
            vnets: dir.join("vnets.sxp"),
            host_uuid: dir.join("host-uuid"),
            objects: dir.join("objects"),
            storage: storage.to_owned(),
        };
        for dir in [&paths.domains, &paths.moves, &paths.objects, &paths.storage] {
            durable::create_dir(dir)?;
        }
        Ok(Self { paths: Arc::new(paths), entropy })
    }
}

#[async_trait]
impl Store for DirStore {
    async fn load(&self) -> Result<Vec<Definition>, Error> {
        let paths = self.paths.clone();
        let entropy = self.entropy.clone();
        let load = move || definitions::load_all(&paths.domains, &*entropy);
        blocking_io("The stored domains cannot be read", load).await
    }

    async fn save(&self, config: &CompleteConfig) -> Result<(), Error> {
        let uuid = config.uuid();
        let paths = self.paths.clone();
        let tree = shape::stored_config(config);
        let save = move || definitions::save(&paths.domains, uuid, &tree);
        blocking_io("The definition could not be stored", save).await
    }

    async fn remove(&self, uuid: Uuid) -> Result<(), Error> {
        let paths = self.paths.clone();
        let remove = move || definitions::remove(&paths.domains, uuid);
        blocking_io("The definition could not be deleted", remove).await
    }

    fn checkpoint(&self, uuid: Uuid) -> PathBuf {
        definitions::checkpoint(&self.paths.domains, uuid)
    }

    async fn discard(&self, file: &Path) -> Result<(), Error> {
        let file = file.to_owned();
        blocking(move || {
            durable::remove(&file).map_err(|error| {
                Error::backend(format!("{} could not be removed", file.display()), error)
            })
        })
        .await
    }

    async fn draft(
        &self,
        file: &Path,
        config: &CompleteConfig,
    ) -> Result<Box<dyn UnfinishedFile>, Error> {
        let file = file.to_owned();
        let header = save_file::header(config);
        blocking(move || {
            Ok(Box::new(UnfinishedSave::begin(&file, &header)?) as Box<dyn UnfinishedFile>)
        })
        .await
    }

    async fn open(&self, file: &Path) -> Result<(CompleteConfig, OwnedFd), Error> {
        let file = file.to_owned();
        let entropy = self.entropy.clone();
        blocking(move || {
            let (config, stream) = save_file::open(&file)?;
            Ok((CompleteConfig::for_definition(config, &*entropy)?, stream))
        })
        .await
    }

    async fn record_transfer(
        &self,
        uuid: Uuid,
        record: Option<TransferRecord>,
    ) -> Result<(), Error> {
        let path = self.paths.moves.join(format!("{uuid}.{}", records::DEPARTURE));
        write_record(path, record.map(|record| records::departure(&record))).await
    }

    async fn transfers(&self) -> Result<Vec<(Uuid, TransferRecord)>, Error> {
        let paths = self.paths.clone();
        let read = move || {
            files::read_all(&paths.moves, records::DEPARTURE, |tree, _| {
                records::read_departure(tree).ok_or_else(records::unknown)
            })
        };
        blocking_io("The records of domains in transfer cannot be read", read).await
    }

    async fn record_arrival(&self, id: Uuid, record: Option<ArrivalRecord>) -> Result<(), Error> {
        let path = self.paths.moves.join(format!("{id}.{}", records::ARRIVAL));
        write_record(path, record.map(|record| records::arrival(&record))).await
    }

    async fn arrivals(&self, now: SystemTime) -> Result<Vec<(Uuid, ArrivalRecord)>, Error> {
        let paths = self.paths.clone();
        let read = move || {
            records::remove_old_arrivals(&paths.moves, now);
            files::read_all(&paths.moves, records::ARRIVAL, |tree, _| {
                records::read_arrival(tree).ok_or_else(records::unknown)
            })
        };
        blocking_io("The records of domains in transfer cannot be read", read).await
    }

    async fn host_uuid(&self, new: Uuid) -> Result<Uuid, Error> {
        let paths = self.paths.clone();
        let load = move || load_host_uuid(&paths.host_uuid, new);
        blocking_io("The host's UUID cannot be stored", load).await
    }

    async fn vnets(&self) -> Result<Vec<Vnet>, Error> {
        let paths = self.paths.clone();
        let load = move || vnets::load(&paths.vnets);
        blocking_io("The virtual networks cannot be read", load).await
    }

    async fn save_vnets(&self, vnets: Vec<Vnet>) -> Result<(), Error> {
        let paths = self.paths.clone();
        let save = move || vnets::save(&paths.vnets, &vnets);
        blocking_io("The virtual networks could not be stored", save).await
    }
}

/// Writes a record, or removes the file if there is none.
async fn write_record(path: PathBuf, record: Option<Sxp>) -> Result<(), Error> {
    let write = move || match record {
        Some(record) => files::write(&path, &record),
        None => durable::remove(&path),
    };
    blocking_io("The record of a domain in transfer could not be stored", write).await
}

/// Reads the host's UUID; the first time, stores `new`.
fn load_host_uuid(path: &Path, new: Uuid) -> io::Result<Uuid> {
    let Some(text) = durable::read(path)? else {
        durable::replace(path, format!("{new}\n").as_bytes())?;
        return Ok(new);
    };
    Uuid::try_parse_ascii(text.trim_ascii()).map_err(|error| {
        let reason = format!("{} has no UUID: {error}", path.display());
        io::Error::new(io::ErrorKind::InvalidData, reason)
    })
}
