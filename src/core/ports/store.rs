//! Storage of definitions, saved domains, and records of domains in transfer.

use super::histories::Histories;
use super::migration::Handover;
use super::objects::Objects;
use crate::core::error::Error;
use crate::core::fleet::ClusterName;
use crate::core::model::{CompleteConfig, DomName, Uuid, Vnet};
use async_trait::async_trait;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The stored definition of a managed domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    pub config: CompleteConfig,
    /// Whether the domain's memory is stored at [`Store::checkpoint`].
    pub suspended: bool,
}

/// A domain of this host that is being saved or sent, for a daemon that starts after another one
/// was killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferRecord {
    /// The domain was being saved or sent. If it is suspended, it is made to run again.
    Saving {
        /// Where the unfinished file is; `None` for a domain that was being sent.
        draft: Option<PathBuf>,
    },
    /// The domain was handed over to another host. Only that host knows whether it took the domain.
    HandedOver(Handover),
}

/// A domain that another host sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrivalRecord {
    pub domain: Uuid,
    pub stage: ArrivalStage,
    /// Whether its definition was sent together with the domain.
    pub defined: bool,
}

/// How far a domain is that another host sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArrivalStage {
    /// It is not handed over, or was refused. What is here of it is destroyed.
    Arriving,
    /// It was handed over, and it is not known yet whether this host may have it.
    HandedOver {
        /// The fleet of the sender, in which the domain is moving; `None` if the sender named none.
        fleet: Option<ClusterName>,
    },
    /// It belongs to this host.
    Taken,
}

/// The file of a saved domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedFile {
    pub path: PathBuf,
    /// In bytes.
    pub size: u64,
    pub saved_at: SystemTime,
    /// The name of the domain in it.
    pub name: DomName,
    /// `None` if a client left it out.
    pub uuid: Option<Uuid>,
    pub memory_mib: u64,
}

/// Files of saved domains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedFiles {
    pub files: Vec<SavedFile>,
    /// Whether there are older ones.
    pub are_left_out: bool,
}

/// The daemon's files: definitions of managed domains, saved domains, and records of domains in
/// transfer.
///
/// A change survives a crash of the machine from the moment that the method returns.
#[async_trait]
pub trait Store: Objects + Histories {
    /// All definitions. Those of older xends lack numbers and UUIDs of devices, and are completed.
    /// A damaged one is set aside and logged, and is no error.
    async fn load(&self) -> Result<Vec<Definition>, Error>;

    /// Stores a definition, replacing an earlier version.
    async fn save(&self, config: &CompleteConfig) -> Result<(), Error>;

    /// Removes a definition together with the stored memory.
    async fn remove(&self, uuid: Uuid) -> Result<(), Error>;

    /// Keeps the files of a domain that another host has now under another name, which it returns.
    /// The domain is not stored any more.
    async fn set_aside(&self, uuid: Uuid) -> Result<PathBuf, Error>;

    /// The file with the memory of a suspended managed domain.
    fn checkpoint(&self, uuid: Uuid) -> PathBuf;

    /// Deletes a file that [`draft`](Self::draft) created. A missing file is no error.
    async fn discard(&self, file: &Path) -> Result<(), Error>;

    /// Begins a file with a whole domain. The file appears under its name once it is complete. One
    /// that exists is an error unless it is to be replaced.
    async fn draft(
        &self,
        file: &Path,
        config: &CompleteConfig,
        replace: bool,
    ) -> Result<Box<dyn UnfinishedFile>, Error>;

    /// Removes an unfinished file that a killed daemon left. A missing file is no error, and what
    /// fails is logged.
    async fn remove_draft(&self, draft: &Path);

    /// Opens a file with a whole domain, and completes its configuration. The descriptor is at the
    /// hypervisor's part.
    async fn open(&self, file: &Path) -> Result<(CompleteConfig, OwnedFd), Error>;

    /// The newest `most` of the files in the directories that [`draft`](Self::draft) made and that
    /// can be restored, the newest first. A directory that cannot be read has none.
    async fn saved_files(&self, dirs: Vec<PathBuf>, most: usize) -> Result<SavedFiles, Error>;

    /// Records that a domain is being saved or sent; `None` deletes the record.
    async fn record_transfer(
        &self,
        uuid: Uuid,
        record: Option<TransferRecord>,
    ) -> Result<(), Error>;

    /// All records of domains that are being saved or sent.
    async fn transfers(&self) -> Result<Vec<(Uuid, TransferRecord)>, Error>;

    /// Records that another host sends a domain; `None` deletes the record. `id` is the migration.
    async fn record_arrival(&self, id: Uuid, record: Option<ArrivalRecord>) -> Result<(), Error>;

    /// All records of domains that other hosts sent. Records that are old at `now` may be left out.
    async fn arrivals(&self, now: SystemTime) -> Result<Vec<(Uuid, ArrivalRecord)>, Error>;

    /// The host's own UUID, the same for ever. The first call stores `new`.
    async fn host_uuid(&self, new: Uuid) -> Result<Uuid, Error>;

    /// Fails unless files can be written. It costs a small file, which does not stay.
    async fn check(&self) -> Result<(), Error>;

    /// All virtual networks.
    async fn vnets(&self) -> Result<Vec<Vnet>, Error>;

    /// Stores the virtual networks, replacing the earlier ones.
    async fn save_vnets(&self, vnets: Vec<Vnet>) -> Result<(), Error>;
}

/// A file that is being written. Dropped without a commit, it leaves nothing behind.
#[async_trait]
pub trait UnfinishedFile: Send {
    /// Where the file is until it has its name.
    fn path(&self) -> &Path;

    /// The stream to which the hypervisor writes its part.
    fn stream(&self) -> Result<OwnedFd, Error>;

    /// Makes the file durable and gives it its name.
    async fn commit(self: Box<Self>) -> Result<(), Error>;
}
