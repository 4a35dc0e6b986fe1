//! The state of the Xen-API between calls. It ends with the daemon.

use super::debug_objects::DebugObjects;
use super::sessions::Sessions;
use super::tasks::Tasks;
use crate::core::model::Uuid;

/// Sessions, tasks and debug objects.
pub(crate) struct ApiState {
    pub(crate) sessions: Sessions,
    pub(crate) tasks: Tasks,
    pub(crate) debug_objects: DebugObjects,
    new_uuid: Box<dyn Fn() -> Uuid + Send + Sync>,
}

impl ApiState {
    /// `new_uuid` gives random UUIDs: a session's reference cannot be guessed.
    pub(crate) fn new(new_uuid: impl Fn() -> Uuid + Send + Sync + 'static) -> Self {
        Self {
            sessions: Sessions::default(),
            tasks: Tasks::default(),
            debug_objects: DebugObjects::default(),
            new_uuid: Box::new(new_uuid),
        }
    }

    /// A random UUID for a new object.
    pub(crate) fn new_uuid(&self) -> Uuid {
        (self.new_uuid)()
    }
}
