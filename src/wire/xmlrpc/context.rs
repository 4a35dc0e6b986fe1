//! What all calls work with.

use crate::core::caller::{Caller, Via};
use crate::core::engine::Engine;
use crate::core::model::Uuid;
use tokio_util::sync::CancellationToken;

/// Settings that can change while the daemon runs.
#[derive(Debug, Clone, Copy)]
pub struct XmlRpcSettings {
    /// The relocation port of other hosts, unless a call names one.
    pub relocation_port: u16,
    /// Whether a call may shut the host down.
    pub node_shutdown: bool,
    /// The daemon's own user, who may log in to the Xen-API like root.
    pub own_uid: u32,
}

/// The engine and the host as calls see them.
pub(super) struct Context {
    engine: Engine,
    host: Uuid,
    settings: Box<dyn Fn() -> XmlRpcSettings + Send + Sync>,
    log: Box<dyn Fn() -> String + Send + Sync>,
    stopping: CancellationToken,
}

impl Context {
    pub(super) fn new(
        engine: Engine,
        host: Uuid,
        settings: impl Fn() -> XmlRpcSettings + Send + Sync + 'static,
        log: impl Fn() -> String + Send + Sync + 'static,
        stopping: CancellationToken,
    ) -> Self {
        Self { engine, host, settings: Box::new(settings), log: Box::new(log), stopping }
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The host's UUID, which never changes.
    pub(super) fn host(&self) -> Uuid {
        self.host
    }

    /// The settings at this moment.
    pub(super) fn settings(&self) -> XmlRpcSettings {
        (self.settings)()
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

    /// Whether the kernel says that the caller is root or the daemon's own user.
    pub(super) fn is_local_admin(&self, caller: &Caller) -> bool {
        match caller.via {
            Via::Unix { uid: Some(uid), .. } => uid == 0 || uid == self.settings().own_uid,
            Via::Internal => true,
            Via::Unix { uid: None, .. } | Via::Tcp { .. } => false,
        }
    }
}
