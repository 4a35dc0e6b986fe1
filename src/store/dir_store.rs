//! A directory as a store.

use super::blocking::{blocking, blocking_io, blocking_write};
use super::history::HistoryFiles;
use super::save_file::{self, UnfinishedSave};
use super::{definitions, files, host_uuid, records, saved_files, vnets};
use crate::core::error::Error;
use crate::core::model::{CompleteConfig, Uuid, Vnet};
use crate::core::ports::{
    ArrivalRecord, Definition, Entropy, SavedFiles, Store, TransferRecord, UnfinishedFile,
};
use crate::durable;
use crate::held_dir::HeldDir;
use crate::shape;
use crate::state_file;
use crate::sxp::Sxp;
use async_trait::async_trait;
use std::fmt;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tracing::{error, info};

/// The directory of disk images that is the daemon's own.
const STORAGE: &str = "storage";

/// The size of the file that [`Store::check`] writes, in bytes: a file system has a block for it.
const CHECKED: usize = 8 << 10;

/// A directory as a [`Store`].
#[derive(Clone)]
pub struct DirStore {
    pub(super) paths: Arc<Paths>,
    pub(super) histories: Arc<HistoryFiles>,
    /// For what stored configurations lack.
    entropy: Arc<dyn Entropy>,
    /// The host's UUID for as long as no file has it.
    unstored_uuid: Arc<Mutex<Option<Uuid>>>,
}

impl fmt::Debug for DirStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirStore").field("paths", &self.paths).finish_non_exhaustive()
    }
}

/// The files and directories of a store.
#[derive(Debug)]
pub(super) struct Paths {
    dir: PathBuf,
    domains: PathBuf,
    moves: PathBuf,
    vnets: PathBuf,
    host_uuid: [PathBuf; 2],
    pub(super) objects: PathBuf,
    pub(super) storage: PathBuf,
    /// The directory and those in it, as they were when the store was opened.
    held: Vec<HeldDir>,
}

impl Paths {
    /// Fails if one of the directories was removed or replaced: nothing may be written then.
    pub(super) fn check(&self) -> io::Result<()> {
        self.held.iter().try_for_each(HeldDir::check)
    }

    /// The same for a file or directory that need not be within the store's.
    pub(super) fn check_above(&self, path: &Path) -> io::Result<()> {
        if path.starts_with(&self.dir) { self.check() } else { Ok(()) }
    }
}

impl DirStore {
    /// Opens the directory, creating it if need be, with disk images below it. Blocks.
    pub fn open(dir: &Path, entropy: Arc<dyn Entropy>) -> io::Result<Self> {
        Self::with_storage(dir, &dir.join(STORAGE), entropy)
    }

    /// Opens the directory, creating it if need be, with disk images in another directory. Blocks.
    pub fn with_storage(dir: &Path, storage: &Path, entropy: Arc<dyn Entropy>) -> io::Result<Self> {
        let mut paths = Paths {
            dir: dir.to_owned(),
            domains: dir.join(definitions::DOMAINS),
            moves: dir.join("moves"),
            vnets: dir.join("vnets.sxp"),
            host_uuid: host_uuid::files(dir),
            objects: dir.join("objects"),
            storage: storage.to_owned(),
            held: Vec::new(),
        };
        durable::create_dir(dir)?;
        for dir in [&paths.domains, &paths.moves, &paths.objects] {
            state_file::make_dir(dir)?;
        }
        if *storage == dir.join(STORAGE) {
            state_file::make_dir_of_any_mode(storage)?;
        } else if let Err(error) = durable::create_dir(storage) {
            // The operator's own, on a disk that is missing today: the rest works without.
            error!(
                dir = %storage.display(), %error,
                "The directory of disk images cannot be used: mount or make it, or change \
                 xend-storage-path"
            );
        }
        durable::remove_unfinished(dir)?;
        let held = [&paths.dir, &paths.domains, &paths.moves, &paths.objects]
            .map(|dir| HeldDir::open(dir));
        paths.held = held.into_iter().collect::<io::Result<_>>()?;
        let histories = Arc::new(HistoryFiles::open(&dir.join("history"))?);
        Ok(Self { paths: Arc::new(paths), histories, entropy, unstored_uuid: Arc::default() })
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
        let config = config.clone();
        let save = move || {
            let tree = shape::stored_config(&config);
            // What the next start could not read would be lost then.
            shape::read_stored(&tree).map_err(io::Error::other)?;
            paths.check()?;
            definitions::save(&paths.domains, uuid, &tree)
        };
        blocking_write("The definition could not be stored", &self.paths.domains, save).await
    }

    async fn remove(&self, uuid: Uuid) -> Result<(), Error> {
        let paths = self.paths.clone();
        let remove = move || {
            paths.check()?;
            definitions::remove(&paths.domains, uuid)
        };
        blocking_write("The definition could not be deleted", &self.paths.domains, remove).await
    }

    async fn set_aside(&self, uuid: Uuid) -> Result<PathBuf, Error> {
        let paths = self.paths.clone();
        let set_aside = move || {
            paths.check()?;
            definitions::set_aside(&paths.domains, uuid)
        };
        let message = "The definition could not be set aside";
        blocking_write(message, &self.paths.domains, set_aside).await
    }

    fn checkpoint(&self, uuid: Uuid) -> PathBuf {
        definitions::checkpoint(&self.paths.domains, uuid)
    }

    async fn discard(&self, file: &Path) -> Result<(), Error> {
        let file = file.to_owned();
        let paths = self.paths.clone();
        blocking(move || {
            let removed = paths.check_above(&file).and_then(|()| durable::remove(&file));
            removed.map_err(|error| {
                let message = format!("{} could not be removed", file.display());
                Error::not_written(message, durable::parent(&file), error)
            })
        })
        .await
    }

    async fn draft(
        &self,
        file: &Path,
        config: &CompleteConfig,
        replace: bool,
    ) -> Result<Box<dyn UnfinishedFile>, Error> {
        let file = file.to_owned();
        let config = config.clone();
        let paths = self.paths.clone();
        blocking(move || {
            let message = || format!("file: {} cannot be written", file.display());
            let check = paths.check_above(&file);
            check.map_err(|error| Error::not_written(message(), &paths.dir, error))?;
            let header = save_file::header(&config);
            Ok(Box::new(UnfinishedSave::begin(&file, &header, replace)?) as Box<dyn UnfinishedFile>)
        })
        .await
    }

    async fn remove_draft(&self, draft: &Path) {
        let draft = draft.to_owned();
        let remove = move || {
            durable::remove_unfinished_file(&draft);
            Ok(())
        };
        blocking(remove).await.ok();
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

    async fn saved_files(&self, dirs: Vec<PathBuf>, most: usize) -> Result<SavedFiles, Error> {
        blocking(move || Ok(saved_files::list(&dirs, most))).await
    }

    async fn record_transfer(
        &self,
        uuid: Uuid,
        record: Option<TransferRecord>,
    ) -> Result<(), Error> {
        let path = self.paths.moves.join(format!("{uuid}.{}", records::DEPARTURE));
        self.write_record(path, record.map(|record| records::departure(&record))).await
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
        self.write_record(path, record.map(|record| records::arrival(&record))).await
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
        let unstored = self.unstored_uuid.clone();
        let load = move || {
            let (uuid, stored) = host_uuid::load(&paths.host_uuid, new)?;
            if let Err(error) = stored {
                let message = "The host's UUID cannot be stored";
                let error = Error::not_written(message, &paths.dir, error);
                error!(%uuid, "{error}: it counts for this run unless there is room before its end");
                *lock(&unstored) = Some(uuid);
            }
            Ok(uuid)
        };
        blocking_io("The host's UUID cannot be read", load).await
    }

    async fn check(&self) -> Result<(), Error> {
        let paths = self.paths.clone();
        let unstored = self.unstored_uuid.clone();
        let write = move || {
            paths.check()?;
            durable::begin(&paths.dir.join("check"))?.write_all(&[0; CHECKED])?;
            let mut unstored = lock(&unstored);
            if let Some(uuid) = *unstored {
                host_uuid::store(&paths.host_uuid, uuid)?;
                *unstored = None;
                info!(%uuid, "The host's UUID is stored");
            }
            Ok(())
        };
        blocking_write("The state directory cannot be written", &self.paths.dir, write).await
    }

    async fn vnets(&self) -> Result<Vec<Vnet>, Error> {
        let paths = self.paths.clone();
        let load = move || vnets::load(&paths.vnets);
        blocking_io("The virtual networks cannot be read", load).await
    }

    async fn save_vnets(&self, vnets: Vec<Vnet>) -> Result<(), Error> {
        let paths = self.paths.clone();
        let save = move || paths.check().and_then(|()| vnets::save(&paths.vnets, &vnets));
        blocking_write("The virtual networks could not be stored", &self.paths.dir, save).await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DirStore {
    /// Writes a record, or removes the file if there is none.
    async fn write_record(&self, path: PathBuf, record: Option<Sxp>) -> Result<(), Error> {
        let paths = self.paths.clone();
        let write = move || {
            paths.check()?;
            match record {
                Some(record) => files::write(&path, &record),
                None => durable::remove(&path),
            }
        };
        let message = "The record of a domain in transfer could not be stored";
        blocking_write(message, &self.paths.moves, write).await
    }
}
