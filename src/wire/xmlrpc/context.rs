//! The engine and the host, which all calls share.

use crate::core::caller::{Caller, Principal, Via};
use crate::core::engine::Engine;
use crate::core::model::Uuid;
use tokio_util::sync::CancellationToken;

/// The engine and the host as calls see them.
pub(super) struct Context {
    engine: Engine,
    host: Uuid,
    /// The daemon's own user, who may log in to the Xen-API like root.
    own_uid: u32,
    log: Box<dyn Fn() -> String + Send + Sync>,
    stopping: CancellationToken,
}

impl Context {
    pub(super) fn new(
        engine: Engine,
        host: Uuid,
        own_uid: u32,
        log: impl Fn() -> String + Send + Sync + 'static,
        stopping: CancellationToken,
    ) -> Self {
        Self { engine, host, own_uid, log: Box::new(log), stopping }
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The host's UUID, which never changes.
    pub(super) fn host(&self) -> Uuid {
        self.host
    }

    /// The text of the daemon's log.
    pub(super) fn log(&self) -> String {
        (self.log)()
    }

    /// Spawns a task that the daemon waits for when it stops.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.engine.spawn(task);
    }

    /// Cancelled when the server stops: calls that only wait answer at once.
    pub(super) fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Whether the kernel says that the caller is root or the daemon's own user, and neither has an
    /// account.
    pub(super) fn is_local_admin(&self, caller: &Caller) -> bool {
        if caller.principal != Principal::Operator {
            return false;
        }
        match caller.via {
            Via::Unix { uid: Some(uid), .. } => uid == 0 || uid == self.own_uid,
            Via::Internal => true,
            Via::Unix { uid: None, .. } | Via::Tcp { .. } | Via::Peer { .. } => false,
        }
    }
}
