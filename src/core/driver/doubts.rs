//! What a driver does not do while it is not known whether the domain is this host's.

use super::state::Driver;
use crate::core::error::Error;
use crate::core::op::{AfterDump, DomainOp};

impl Driver {
    /// Fails for an operation that would let the domain run, or forget it, while another host may
    /// have it.
    pub(super) async fn check_doubts(&self, op: &DomainOp) -> Result<(), Error> {
        if self.incoming.is_some() && !matches!(op, DomainOp::Destroy) {
            return Err(Error::Undecided { what: format!("domain {}", self.config.name) });
        }
        match &self.in_doubt {
            Some(handover) if runs(op) || defines(op) => Err(self.handover_in_doubt(handover)),
            // What is not on the host is claimed.
            _ if self.domid.is_some() && runs(op) => {
                self.core.settings.ownership.check_dispute(self.uuid).await
            }
            _ => Ok(()),
        }
    }
}

/// Whether the operation changes a definition that the other host may have.
fn defines(op: &DomainOp) -> bool {
    matches!(op, DomainOp::Define(_) | DomainOp::Rename(_) | DomainOp::Delete)
}

/// Whether a domain may run after the operation that did not run before, or runs anew.
fn runs(op: &DomainOp) -> bool {
    match op {
        DomainOp::Unpause
        | DomainOp::Reset
        | DomainOp::Start { .. }
        | DomainOp::CreateFrom(_)
        | DomainOp::Resume { .. }
        | DomainOp::RestoreFrom { .. }
        | DomainOp::Arrive(_)
        | DomainOp::Dump { then: AfterDump::Reset, .. } => true,
        DomainOp::Pause
        | DomainOp::Destroy
        | DomainOp::Shutdown(_)
        | DomainOp::Rename(_)
        | DomainOp::SetSedf(_)
        | DomainOp::SetShare { .. }
        | DomainOp::SetMemory(_)
        | DomainOp::SetMaxMemory(_)
        | DomainOp::SetVcpus(_)
        | DomainOp::MoveToPool(_)
        | DomainOp::Pin { .. }
        | DomainOp::Sysrq(_)
        | DomainOp::Trigger(..)
        | DomainOp::Define(_)
        | DomainOp::Delete
        | DomainOp::Set(_)
        | DomainOp::Suspend
        | DomainOp::Save { .. }
        | DomainOp::Migrate { .. }
        | DomainOp::Dump { .. }
        | DomainOp::AttachDevice(_)
        | DomainOp::PlugDevice(_)
        | DomainOp::ConfigureDevice { .. }
        | DomainOp::DetachDevice { .. } => false,
    }
}
