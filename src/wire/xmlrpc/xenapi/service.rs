//! The Xen-API of one daemon.

use super::indices::Indices;
use super::printed::PrintedClasses;
use super::sessions::Now;
use super::state::ApiState;
use crate::wire::xmlrpc::context::Context;
use std::sync::Arc;

/// The state that all calls of the Xen-API share.
pub(crate) struct XenApi {
    pub(crate) context: Arc<Context>,
    pub(crate) state: Arc<ApiState>,
    pub(crate) indices: Indices,
    pub(crate) printed: PrintedClasses,
}

impl XenApi {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        let engine = context.engine().clone();
        let state = Arc::new(ApiState::new(move || engine.new_uuid()));
        let indices = Indices::new(context.host());
        Self { context, state, indices, printed: PrintedClasses::default() }
    }

    /// Whether a session is live. Its time of last use stays as it is.
    pub(crate) fn is_live(&self, session: &str) -> bool {
        self.state.sessions.is_live(session, Now::of(self.context.engine()))
    }

    /// Forgets the sessions and tasks that are over.
    pub(crate) fn forget_old(&self) {
        self.state.forget_old(Now::of(self.context.engine()));
    }
}
