//! What an [`Owner`] has, and what it is told of the host.

use super::locals::Locals;
use super::news::{News, NewsTable};
use super::note::Notes;
use super::place::PlaceWatch;
use super::registrations::Registrations;
use crate::core::fleet::HostName;
use crate::core::model::Uuid;
use crate::core::ports::{Disputes, Entropy};
use crate::fleet::guard::GuardPort;
use crate::fleet::key_file::KeyFile;
use crate::fleet::keys::Keys;
use crate::fleet::kv::Kv;
use crate::fleet::membership::{Ended, Membership};
use crate::fleet::told::Told;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::{self, Notify, watch};
use tracing::error;

/// How many domains can change at a time.
const TURNS: usize = 64;

/// The domains of this host in its fleet.
pub struct Owner {
    pub(super) kv: Arc<dyn Kv>,
    pub(super) keys: Keys,
    pub(super) host: HostName,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) place: PlaceWatch,
    locals: Mutex<Locals>,
    /// A domain has one, so that its changes are made one after the other.
    turns: Vec<Arc<sync::Mutex<()>>>,
    /// There is something to tell the fleet.
    pub(super) news: Notify,
    /// The revisions that etcd has told.
    pub(in crate::fleet) told: Told,
    /// Whether etcd was restored from a backup while this daemon ran.
    is_restored: AtomicBool,
    pub(super) disputes: watch::Sender<Disputes>,
    /// The versions of the definitions that are here.
    pub(super) notes: Notes,
    pub(super) key_file: KeyFile,
    news_table: Mutex<NewsTable>,
    /// A definition is to be compared.
    pub(super) definition_news: Notify,
    pub(super) guard: Arc<dyn GuardPort>,
    registrations: Mutex<Registrations>,
    /// There is something to tell the guard, or a domain to start.
    pub(super) guard_news: Notify,
    /// The right to go away, or to come back.
    pub(super) absence_turn: sync::Mutex<()>,
    /// The host has gone away, or has come back.
    pub(super) absence_news: Notify,
    pub(super) this: Weak<Self>,
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Owner {
    /// The domains of this host. `take_part` tells it the host's place.
    pub fn new(
        kv: Arc<dyn Kv>,
        keys: Keys,
        host: HostName,
        entropy: Arc<dyn Entropy>,
        notes: Notes,
        key_file: KeyFile,
        guard: Arc<dyn GuardPort>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            kv,
            keys,
            host,
            entropy,
            place: PlaceWatch::default(),
            locals: Mutex::default(),
            turns: (0..TURNS).map(|_| Arc::default()).collect(),
            news: Notify::new(),
            told: Told::default(),
            is_restored: AtomicBool::new(false),
            disputes: watch::Sender::default(),
            notes,
            key_file,
            news_table: Mutex::default(),
            definition_news: Notify::new(),
            guard,
            registrations: Mutex::default(),
            guard_news: Notify::new(),
            absence_turn: sync::Mutex::default(),
            absence_news: Notify::new(),
            this: this.clone(),
        })
    }

    /// The host is a member. What is here is looked at again: etcd may be from a backup.
    pub(in crate::fleet) fn enter(&self, membership: Membership) {
        self.locals().mark_running();
        self.registrations().begin(membership.epoch);
        self.place.enter(membership);
    }

    /// The host has not joined, or has left.
    pub(in crate::fleet) fn stay_outside(&self) {
        self.locals().compared_in = None;
        self.place.stay_outside();
    }

    /// The host must not write into the fleet.
    pub(in crate::fleet) fn bar(&self, reason: String) {
        self.place.bar(reason);
    }

    /// Why it is not known yet whether the host is a member.
    pub(in crate::fleet) fn explain(&self, reason: String) {
        self.place.explain(reason);
    }

    /// The membership has ended.
    pub(in crate::fleet) fn end(&self, membership: Membership, ended: Ended) {
        self.place.end(membership, ended);
    }

    /// etcd is at an earlier revision than it was: nothing is taken from nobody any more, and all
    /// is compared again.
    pub(in crate::fleet) fn etcd_was_restored(&self) {
        self.locals().compared_in = None;
        if !self.is_restored.swap(true, Ordering::Relaxed) {
            let fleet = self.keys.cluster();
            error!(
                %fleet,
                "The fleet's etcd was restored from a backup: this host starts and receives no \
                 domains until xend is restarted"
            );
        }
    }

    /// Whether etcd was restored from a backup since the daemon was started.
    pub(super) fn is_restored(&self) -> bool {
        self.is_restored.load(Ordering::Relaxed)
    }

    pub(super) fn locals(&self) -> MutexGuard<'_, Locals> {
        self.locals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn registrations(&self) -> MutexGuard<'_, Registrations> {
        self.registrations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn news_table(&self) -> MutexGuard<'_, NewsTable> {
        self.news_table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to change a domain.
    pub(super) async fn turn(&self, domain: Uuid) -> sync::MutexGuard<'_, ()> {
        self.turn_of(domain).lock().await
    }

    /// The same for longer than a call.
    pub(super) async fn owned_turn(&self, domain: Uuid) -> sync::OwnedMutexGuard<()> {
        self.turn_of(domain).clone().lock_owned().await
    }

    fn turn_of(&self, domain: Uuid) -> &Arc<sync::Mutex<()>> {
        let [.., last] = domain.into_bytes();
        &self.turns[usize::from(last) % TURNS]
    }

    /// The fleet is to be told what a domain does now.
    pub(super) fn tell(&self, domain: Uuid) {
        self.locals().mark(domain);
        self.news.notify_one();
    }

    /// A definition is to be compared with what the fleet has.
    pub(super) fn announce(&self, domain: Uuid, news: News) {
        self.news_table().add(domain, news);
        self.definition_news.notify_one();
    }
}
