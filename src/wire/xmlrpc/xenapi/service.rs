//! The Xen-API of one daemon.

use super::hosts::XenApiHosts;
use super::indices::{Indices, ScopeIndices};
use super::moment::Moment;
use super::printed::PrintedClasses;
use super::sessions::Now;
use super::state::ApiState;
use crate::core::caller::Caller;
use crate::core::view::View;
use crate::memory_budget::MemoryBudget;
use crate::wire::xmlrpc::context::Context;
use std::sync::Arc;

/// The state that all calls of the Xen-API share.
pub(crate) struct XenApi {
    pub(crate) hosts: XenApiHosts,
    pub(crate) context: Arc<Context>,
    pub(crate) state: Arc<ApiState>,
    pub(crate) indices: Indices,
    pub(crate) printed: PrintedClasses,
    /// The memory for answers.
    pub(crate) answers: MemoryBudget,
}

impl XenApi {
    pub(crate) fn new(context: Arc<Context>, answers: MemoryBudget) -> Self {
        let engine = context.engine().clone();
        let state = Arc::new(ApiState::new(move || engine.new_uuid()));
        let indices = Indices::new(context.host());
        let hosts = XenApiHosts::Own;
        Self { hosts, context, state, indices, printed: PrintedClasses::default(), answers }
    }

    /// Whether a session is live. Its time of last use stays as it is.
    pub(crate) fn is_live(&self, session: &str) -> bool {
        self.state.sessions.is_live(session, Now::of(self.context.engine()))
    }

    /// Forgets the sessions and tasks that are over, and moments of sessions that have become old.
    pub(crate) fn forget_old(&self) {
        let engine = self.context.engine();
        self.state.forget_old(Now::of(engine));
        // The indices of operators follow, too: what they keep may be as old, if none of them has
        // called since.
        let (now, _) = self.moment(&engine.view(&Caller::internal()));
        self.state.sessions.drop_old_moments(now.replaced());
    }

    /// The present moment as a caller sees it, and the indices that it was taken from.
    pub(crate) fn moment(&self, view: &View) -> (Moment, Arc<ScopeIndices>) {
        let snapshot = view.snapshot();
        let indices = self.indices.of(&snapshot);
        // Before the inventory: a moment may seem to be older than it is.
        let inventory_generation = *view.inventory_generations().borrow();
        let moment = Moment {
            vms: indices.vm_states(&snapshot),
            inventory: indices.vdis(view, &snapshot).inventory().clone(),
            inventory_generation,
            tasks: self.state.tasks.visible(view.caller()),
        };
        (moment, indices)
    }
}
