//! Outcomes of changes.

use super::guest::GuestAnswer;
use crate::core::model::DomId;
use crate::core::ports::Verdict;
use crate::core::snapshot::DomainView;
use std::sync::Arc;

/// The result of a successful change.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Success without a value.
    Done,
    /// A domain that was created.
    Domain(Arc<DomainView>),
    /// A device that was attached.
    Attached {
        class: String,
        id: u32,
        /// The domid of the domain; `None` if the domain is not on the host.
        domid: Option<DomId>,
    },
    /// Whether a migration to this host has succeeded.
    Verdict(Verdict),
    /// The answer of the agent in a guest.
    Guest(GuestAnswer),
}
