//! The engine: changes of all wires come through [`Engine::execute`], reads through a [`View`].

mod adopt;
mod authorize;
mod autostart;
mod copies;
mod cpu_pools;
mod create;
mod device_io;
mod disputes;
mod file_access;
mod guest_reports;
mod guests;
mod health;
mod hidden_domains;
mod histories;
mod network;
mod room;
mod saved;
mod storage;
mod sweep;
mod uploads;
mod user_config;

pub use super::context::EnginePorts;
pub use super::settings::Settings;
pub use sweep::FIGURES_AGE;
pub use uploads::ImageUpload;

use super::caller::{Caller, OnBehalf, Via};
use super::context::Core;
use super::error::{Error, ErrorKind};
use super::fleet::HostName;
use super::guest::Patience;
use super::journal::{Author, EventKind};
use super::model::Uuid;
use super::offload::{self, Offload};
use super::op::{Change, DomainOp, Outcome};
use super::rights::OpKind;
use super::snapshot::DomainView;
use super::view::View;
use authorize::Authorized;
use std::future::pending;
use std::panic;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// A handle on the engine; clones share it.
#[derive(Clone)]
pub struct Engine(Arc<Core>);

impl Engine {
    /// Adopts the domains on the hypervisor and those in the store. The engine is ready then;
    /// managed domains that start with xend are started in the background.
    pub async fn start(outside: EnginePorts, settings: Settings) -> Result<Self, Error> {
        // First, so that no change is missed.
        let changes = outside.hypervisor.subscribe();
        let reports = outside.hypervisor.subscribe_reports();
        let core = Arc::new(Core::load(outside, settings).await?);
        core.restore_network().await;
        core.start_pools().await;
        core.adopt_all().await?;
        core.sweep().await?;
        core.spawn_background(core.clone().follow_changes(changes));
        core.spawn_background(core.clone().follow_reports(reports));
        core.spawn_background(core.clone().remove_requests_of_earlier_runs());
        core.spawn_background(core.clone().keep_fresh());
        core.spawn_background(core.clone().take_samples());
        core.spawn_background(core.clone().follow_device_io());
        core.spawn_background(core.clone().keep_histories());
        core.spawn_background(core.clone().follow_disputes());
        core.spawn_background(core.clone().start_with_xend());
        Ok(Self(core))
    }

    /// The engine as `caller` may read it.
    pub fn view(&self, caller: &Caller) -> View {
        View::new(self.0.clone(), caller.clone())
    }

    /// The caller for whom a host of the fleet asks. A user has the rights that the host has sent,
    /// and an operator is one.
    pub fn peer_caller(&self, host: &HostName, on_behalf: OnBehalf) -> Caller {
        let OnBehalf { from, account } = on_behalf;
        let via = Via::Peer { host: host.clone(), from: from.into() };
        match account {
            None => Caller::operator(via),
            Some((name, access)) => {
                Caller::of_user(via, self.0.peer_users.user(host, &name, access))
            }
        }
    }

    /// Carries out a change that `caller` asks for.
    ///
    /// A user's change is made in a task of its own: if the client hangs up, what it takes of the
    /// limits still counts to its end, and it is logged.
    pub async fn execute(&self, caller: &Caller, change: Change) -> Result<Outcome, Error> {
        // Who hangs up does not wait for an agent in a guest any more.
        let hung_up = CancellationToken::new();
        let _guard = hung_up.clone().drop_guard();
        if caller.is_operator() {
            return self.0.carry_out(caller, change, hung_up).await;
        }
        let core = self.0.clone();
        let caller = caller.clone();
        let task = async move { core.carry_out(&caller, change, hung_up).await };
        self.0.tasks.spawn(task).await.unwrap_or(Err(Error::Stopping))
    }

    /// Begins a disk image that `caller` sends, of `size` bytes.
    pub async fn begin_upload(&self, caller: &Caller, size: u64) -> Result<ImageUpload, Error> {
        self.0.begin_upload(caller, self.new_uuid(), size).await
    }

    /// Spawns a task that [`stop`](Self::stop) waits for.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.0.tasks.spawn(task)
    }

    /// For a daemon that begins to stop. Requests that wait for agents in guests end with
    /// [`Error::Stopping`], later ones as well; calls of the storage of disk images do so after
    /// some seconds.
    pub fn begin_stop(&self) {
        self.0.ending.cancel();
    }

    /// Carries out work on a request of this many bytes, beside the threads that serve reads if
    /// these are many. Wires do all their work on a request in it, from its bytes to the answer.
    ///
    /// Large work has a task of its own, and goes on when the client hangs up: what a change was
    /// made from stays in memory to its end, and so must the reservation of it.
    pub async fn offload<F>(&self, bytes: usize, work: F) -> F::Output
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        if bytes <= offload::SMALL {
            return work.await;
        }
        let offload = self.0.offload.clone();
        let task = self.spawn(async move { offload.request(bytes, work).await });
        match task.await.map_err(JoinError::try_into_panic) {
            Ok(done) => done,
            // As if it had happened here.
            Err(Ok(panicked)) => panic::resume_unwind(panicked),
            // The runtime ends, and this task with it.
            Err(Err(_)) => pending().await,
        }
    }

    /// Prints an answer of about this many bytes, beside the threads that serve reads if these are
    /// many.
    pub async fn print<T>(&self, bytes: usize, print: impl FnOnce() -> T) -> T {
        self.places().print(bytes, print).await
    }

    /// The places for such work.
    pub fn places(&self) -> &Offload {
        &self.0.offload
    }

    /// Carries out each domain's `on_xend_stop`, then stops all drivers. All other domains go on.
    ///
    /// Waits for operations that have begun, for [`Settings::stop_limit`] at most. Queued and later
    /// requests fail with [`Error::Stopping`].
    pub async fn stop(&self) {
        let core = &self.0;
        core.stop_with_xend().await;
        core.stopping.cancel();
        core.tasks.close();
        let limit = core.settings.stop_limit;
        if tokio::time::timeout(limit, core.tasks.wait()).await.is_err() {
            for (domain, op) in core.registry.operations() {
                warn!(%domain, op, "An operation is still going on as xend stops");
            }
            warn!("Not all operations ended within {} s", limit.as_secs());
        }
    }

    /// The host's own UUID, which never changes.
    pub async fn host_uuid(&self) -> Result<Uuid, Error> {
        self.0
            .limited("Reading the host's UUID", self.0.store.host_uuid(self.0.entropy.uuid()))
            .await
    }

    /// Whether the host is simulated, which everybody may know.
    pub fn is_simulated(&self) -> bool {
        self.0.info.is_simulated
    }

    /// The time of day.
    pub fn now(&self) -> SystemTime {
        self.0.clock.now()
    }

    /// The time to measure with, see [`Clock::monotonic`](super::ports::Clock::monotonic).
    pub fn monotonic(&self) -> Duration {
        self.0.clock.monotonic()
    }

    /// A random UUID for a new object.
    pub fn new_uuid(&self) -> Uuid {
        self.0.entropy.uuid()
    }

    /// Random bytes for a secret.
    pub fn new_secret(&self) -> [u8; 32] {
        let mut secret = [0; 32];
        self.0.entropy.fill(&mut secret);
        secret
    }
}

/// Whether the request was for something that does not exist.
const fn is_failed_lookup(error: &Error) -> bool {
    matches!(error, Error::NoSuchDomain(_) | Error::NoSuchObject { .. } | Error::NoSuchVnet(_))
}

/// Whether the host failed rather than the request was wrong, refused, or failed elsewhere: in a
/// guest, or on another host.
const fn is_fault_of_host(error: &Error) -> bool {
    matches!(
        error,
        Error::Device { .. }
            | Error::NoRoom { .. }
            | Error::Timeout { .. }
            | Error::Stalled { .. }
            | Error::InDoubt { .. }
            | Error::Backend { .. }
    )
}

/// The part of an error that only the log may show; `None` if its `text` has it already.
fn source(error: &Error, text: &str) -> Option<String> {
    let source = std::error::Error::source(error).map(ToString::to_string);
    source.filter(|source| !text.contains(source))
}

impl Core {
    /// Makes a change, and records it in the journal and in the log.
    async fn carry_out(
        self: &Arc<Self>,
        caller: &Caller,
        change: Change,
        hung_up: CancellationToken,
    ) -> Result<Outcome, Error> {
        // `stop` waits for what has begun, in whatever task it runs.
        let _running = self.tasks.token();
        let op = change.name();
        let target = change.target().into_owned();
        let is_read = change.is_read();
        let domain = match &change {
            Change::Domain(domain, _)
            | Change::Cancel(domain)
            | Change::Guest { domain, .. }
            | Change::GuestStore(domain, _) => self.visible(caller).find(domain).cloned(),
            _ => None,
        };
        let renamed_to = match &change {
            Change::Domain(_, DomainOp::Rename(name)) => Some(name.clone()),
            _ => None,
        };
        let measures = self.counters.operation(OpKind::of(&change));
        let work = async {
            if self.stopping.is_cancelled() {
                return Err(Error::Stopping);
            }
            self.authorize_and_change(caller, change, hung_up).await
        };
        let outcome = measures.run(work).await;
        if let (Ok(_), Some(view), Some(new)) = (&outcome, &domain, &renamed_to) {
            self.report_rename(view.uuid, view.name(), new);
        }
        // Refusals are in the log alone: a user cannot push events of others out of the journal.
        let is_refusal = |error: &Error| {
            matches!(error.kind(), ErrorKind::Denied | ErrorKind::NotFound | ErrorKind::Invalid)
        };
        if caller.is_operator() || !outcome.as_ref().is_err_and(is_refusal) {
            self.record(caller, op, &target, domain.as_deref(), &outcome);
        }
        match &outcome {
            Ok(_) if is_read => debug!(%caller, op, domain = target, "Done"),
            Ok(_) => info!(%caller, op, domain = target, "Done"),
            Err(error) => {
                let text = error.for_record().to_string();
                let source = source(error, &text);
                if is_fault_of_host(error) {
                    // The state directory may be the reason.
                    self.check_store_after_failure();
                }
                // An operator's monitors and scripts look for domains that may have gone. What a
                // user of an account looks for in vain is for the operator to see.
                if is_read || (caller.is_operator() && is_failed_lookup(error)) {
                    debug!(%caller, op, domain = target, error = %text, source, "Failed");
                } else if is_fault_of_host(error) {
                    warn!(%caller, op, domain = target, error = %text, source, "Failed");
                } else {
                    info!(%caller, op, domain = target, error = %text, source, "Failed");
                }
            }
        }
        outcome
    }

    async fn authorize_and_change(
        self: &Arc<Self>,
        caller: &Caller,
        change: Change,
        hung_up: CancellationToken,
    ) -> Result<Outcome, Error> {
        let changed = async {
            let Authorized { change, claim } = self.authorize(caller, change).await?;
            let done = self.change(caller, change, hung_up).await;
            drop(claim);
            done
        };
        changed.await.map_err(|error| self.without_hidden_domains(caller, error))
    }

    async fn change(
        self: &Arc<Self>,
        caller: &Caller,
        change: Change,
        hung_up: CancellationToken,
    ) -> Result<Outcome, Error> {
        let done = match change {
            Change::Create(config) => return self.create(caller, *config).await,
            Change::Define(config) => return self.define(caller, *config).await,
            Change::StartFromFile(config) => return self.start_from_file(*config).await,
            Change::Receive(arrival) => return self.receive(arrival).await,
            Change::Restore { file, paused } => return self.restore(caller, file, paused).await,
            Change::RemoveSaved(file) => self.remove_saved(caller, &file).await,
            Change::Settle(id) => return Ok(Outcome::Verdict(self.arrivals.settle(id).await?)),
            Change::Domain(domain, op) => {
                let view = self.snapshot().lookup(&domain)?;
                return self.request(&view, op).await;
            }
            Change::Cancel(domain) => {
                let view = self.snapshot().lookup(&domain)?;
                self.driver(&view)?.cancel()
            }
            Change::Guest { domain, op, limit } => {
                let stopping = self.ending.clone();
                let patience = Patience { limit, hung_up, stopping };
                return self.ask_guest(&domain, op, patience).await;
            }
            Change::GuestStore(domain, op) => self.change_guest_store(&domain, op).await,
            Change::ClearDmesg => self.hypervisor.clear_dmesg().await,
            Change::DebugKeys(keys) => self.hypervisor.debug_keys(&keys).await,
            Change::PowerHost { reboot } => self.hypervisor.power_host(reboot).await,
            Change::GoAway(time) => {
                let now = self.clock.now();
                self.settings.ownership.go_away(now, now + time).await
            }
            Change::ComeBack => self.settings.ownership.come_back().await,
            Change::CreateVnet(vnet) => self.vnets.create(vnet).await,
            Change::DeleteVnet(id) => self.vnets.delete(&id).await,
            Change::CreateVdi { uuid, vdi, client_data, content } => {
                self.create_vdi(uuid, *vdi, client_data, content).await
            }
            Change::SetVdi(uuid, setting) => self.set_vdi(uuid, setting).await,
            Change::DestroyVdi(uuid) => self.destroy_vdi(uuid).await,
            Change::CreatePbd { uuid, client_data } => self.create_pbd(uuid, client_data).await,
            Change::DestroyPbd(uuid) => self.destroy_pbd(uuid).await,
            Change::Network(op) => self.change_network(op).await,
            Change::Pool(name, op) => self.change_pool(&name, op).await,
            Change::SetClientData(object, change) => self.change_client_data(object, &change).await,
        };
        done.map(|()| Outcome::Done)
    }

    /// Records the result of an operation in the journal.
    fn record(
        &self,
        caller: &Caller,
        op: &'static str,
        target: &str,
        domain: Option<&DomainView>,
        outcome: &Result<Outcome, Error>,
    ) {
        let caller = Author::from(caller);
        let (domain, what) = match outcome {
            Ok(Outcome::Domain(view)) => (Some(&**view), EventKind::Done { op, caller }),
            Ok(_) => (domain, EventKind::Done { op, caller }),
            Err(error) => {
                (domain, EventKind::Failed { op, caller, error: error.for_record().into_owned() })
            }
        };
        self.publisher.journal.record_operation(domain, target, what);
    }
}
