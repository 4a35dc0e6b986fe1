//! The state that the engine and the drivers share.
//!
//! The files below add methods that both of them need.

mod ballooning;
mod completion;
mod conflicts;
mod histories;
pub(super) mod scheduler;

use super::arrivals::Arrivals;
use super::caller::Caller;
use super::consoles::Consoles;
use super::device_io::DeviceIo;
use super::error::{Error, Place};
use super::guest::Turns;
use super::health::Health;
use super::image_claims::ImageClaims;
use super::inventory::LiveInventory;
use super::journal::Journal;
use super::last_read::LastRead;
use super::left_out::LeftOut;
use super::limited::{Limited, limited, unless_ending};
use super::mailbox::Handle;
use super::metrics::Counters;
use super::model::{DomId, DomName, HostInfo, Policy, Uuid};
use super::offload::Offload;
use super::op::{DomainOp, Outcome};
use super::ports::{Clock, Entropy, Hypervisor, MigrationTransport, Store};
use super::publisher::Publisher;
use super::registry::Registry;
use super::reservations::Reservations;
use super::rights::PeerUsers;
use super::samples::Samples;
use super::settings::Settings;
use super::snapshot::{DomainView, Snapshot};
use super::transfer::Transfer;
use super::vnets::Vnets;
use super::watchdog::wait_while_progressing;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The engine's ports to the outside.
#[derive(Clone)]
pub struct EnginePorts {
    /// The hypervisor and its toolstack.
    pub hypervisor: Arc<dyn Hypervisor>,
    /// The state on disk.
    pub store: Arc<dyn Store>,
    /// Connections to other hosts.
    pub transport: Arc<dyn MigrationTransport>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Randomness for identifiers.
    pub entropy: Arc<dyn Entropy>,
}

/// The state that the engine and the drivers share.
pub(super) struct Core {
    /// Its short calls have a time limit.
    pub(super) hypervisor: Arc<dyn Hypervisor>,
    pub(super) store: Arc<dyn Store>,
    pub(super) transport: Arc<dyn MigrationTransport>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) settings: Settings,
    pub(super) info: Arc<HostInfo>,
    pub(super) publisher: Publisher,
    pub(super) registry: Registry,
    pub(super) arrivals: Arrivals,
    pub(super) left_out: LeftOut,
    pub(super) vnets: Vnets,
    pub(super) inventory: LiveInventory,
    pub(super) samples: Samples,
    /// Memory in MiB.
    pub(super) reservations: Reservations,
    /// Bytes that disk images which are being written still need.
    pub(super) storage_reservations: Reservations,
    pub(super) image_claims: ImageClaims,
    pub(super) turns: Turns,
    pub(super) consoles: Consoles,
    /// Held while Domain-0 is asked for memory.
    pub(super) ballooning: Mutex<()>,
    /// Held while the figures of all domains are read.
    pub(super) sweeping: Mutex<()>,
    pub(super) last_read: LastRead,
    /// When the engine was started.
    pub(super) started: SystemTime,
    pub(super) counters: Arc<Counters>,
    pub(super) device_io: DeviceIo,
    pub(super) health: Health,
    pub(super) peer_users: PeerUsers,
    /// For large requests and answers of all wires.
    pub(super) offload: Offload,
    /// Cancelled when the engine stops.
    pub(super) stopping: CancellationToken,
    /// Cancelled when xend begins to stop, at the latest when the engine stops: nothing is waited
    /// for that may take minutes.
    pub(super) ending: CancellationToken,
    /// All tasks of the engine, drivers included.
    pub(super) tasks: TaskTracker,
}

impl Core {
    /// Reads the host and the store.
    pub(super) async fn load(outside: EnginePorts, settings: Settings) -> Result<Self, Error> {
        let EnginePorts { hypervisor, store, transport, clock, entropy } = outside;
        let counters = Arc::new(Counters::default());
        let limit = settings.hypervisor_limit;
        let hypervisor = Arc::new(Limited::new(hypervisor, limit, counters.clone()));
        let stopping = CancellationToken::new();
        Ok(Self {
            info: Arc::new(hypervisor.info().await?),
            vnets: Vnets::load(store.clone()).await?,
            inventory: LiveInventory::load(store.clone()).await?,
            arrivals: Arrivals::load(store.clone(), clock.now()).await?,
            left_out: LeftOut::default(),
            publisher: Publisher::new(Journal::new(clock.clone(), &*entropy)),
            registry: Registry::default(),
            samples: Samples::default(),
            reservations: Reservations::default(),
            storage_reservations: Reservations::default(),
            image_claims: ImageClaims::default(),
            turns: Turns::default(),
            consoles: Consoles::default(),
            ballooning: Mutex::default(),
            sweeping: Mutex::default(),
            last_read: LastRead::new(),
            started: clock.now(),
            counters,
            device_io: DeviceIo::default(),
            health: Health::default(),
            peer_users: PeerUsers::default(),
            offload: Offload::default(),
            ending: stopping.child_token(),
            stopping,
            tasks: TaskTracker::new(),
            hypervisor,
            store,
            transport,
            clock,
            entropy,
            settings,
        })
    }

    /// The current snapshot.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.publisher.current()
    }

    /// The part of the current snapshot that the caller sees.
    pub(super) fn visible(&self, caller: &Caller) -> Arc<Snapshot> {
        caller.visible(&self.snapshot())
    }

    /// The operator's current policy.
    pub(super) fn policy(&self) -> arc_swap::Guard<Arc<Policy>> {
        self.settings.policy.load()
    }

    /// Waits for a call of the store or of another host, but for no longer than the hypervisor may
    /// take.
    pub(super) async fn limited<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        limited(self.settings.hypervisor_limit, what, call).await
    }

    /// Waits for a call of the storage of disk images, see [`unless_ending`].
    pub(super) async fn storage_call<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        unless_ending(&self.ending, what, call).await
    }

    /// The same for a question, which has the limit of the hypervisor as well.
    pub(super) async fn storage_question<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.limited(what, self.storage_call(what, call)).await
    }

    /// Waits for a long hypervisor call as long as it makes progress.
    pub(super) async fn long_call<T, F: Future<Output = Result<T, Error>>>(
        &self,
        what: &'static str,
        call: impl FnOnce(Arc<Transfer>) -> F,
    ) -> Result<T, Error> {
        let transfer = Arc::new(Transfer::default());
        let call = call(transfer.clone());
        wait_while_progressing(what, self.stall_limit(), &transfer, call, || ()).await
    }

    /// How long a long call may make no progress. The toolstack's own limits for the parts of a
    /// call are shorter (a minute and a half by default) and end first: its errors know the reason.
    pub(super) fn stall_limit(&self) -> Duration {
        self.settings.hypervisor_limit.saturating_mul(2)
    }

    /// Lets a task run until the engine stops, and drops it then.
    pub(super) fn spawn_background(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(self.stopping.clone().run_until_cancelled_owned(task));
    }

    /// The driver of a domain.
    pub(super) fn driver(&self, view: &DomainView) -> Result<Handle, Error> {
        // The domain can have gone since it was looked up.
        let gone = || Error::NoSuchDomain(view.name().to_string());
        self.registry.get(&view.uuid).ok_or_else(gone)
    }

    /// Has the driver of a domain carry out an operation.
    pub(super) async fn request(&self, view: &DomainView, op: DomainOp) -> Result<Outcome, Error> {
        self.driver(view)?.request(view.name().as_str(), op).await
    }

    pub(super) fn domid_of(&self, uuid: &Uuid) -> Option<DomId> {
        self.snapshot().by_uuid(uuid).and_then(|view| view.domid())
    }

    /// Where a domain of this host is.
    pub(super) fn place_of(&self, uuid: &Uuid) -> Place {
        Place::Here(self.domid_of(uuid))
    }

    /// The file for a domain's memory: xend's `YYYY-MMDD-HHMM.SS-NAME.DOMID.core`, in UTC.
    pub(super) fn core_file(&self, name: &DomName, domid: DomId) -> PathBuf {
        let now =
            jiff::Timestamp::try_from(self.clock.now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        // A name can hold slashes, and a file's name cannot.
        let name = name.as_str().replace('/', "_");
        self.settings
            .dump_dir
            .join(format!("{}-{name}.{domid}.core", now.strftime("%Y-%m%d-%H%M.%S")))
    }
}
