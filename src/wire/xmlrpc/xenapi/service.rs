//! The Xen-API of one daemon.

use super::indices::Indices;
use super::state::ApiState;
use crate::wire::xmlrpc::context::Context;
use std::sync::Arc;

/// The state that all calls of the Xen-API share.
pub(crate) struct XenApi {
    pub(crate) context: Arc<Context>,
    pub(crate) state: Arc<ApiState>,
    pub(crate) indices: Indices,
}

impl XenApi {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        let engine = context.engine().clone();
        let state = Arc::new(ApiState::new(move || engine.new_uuid()));
        let indices = Indices::new(context.host());
        Self { context, state, indices }
    }
}
