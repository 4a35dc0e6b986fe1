//! Domains that stop by themselves, and the ends of domains in the history of the host.

use super::Host;
use crate::core::model::DomId;

impl Host {
    /// Tells that a domain does not run any more, if it does not. Its change lock is held. Blocks.
    pub(super) fn tell_end(&self, domid: DomId) {
        let history = self.state_dir.history();
        let told = match self.record(domid) {
            _ if !history.is_wanted() => return,
            Some(record) => history.after(&record, self.now()),
            None => history.gone(domid),
        };
        if let Err(error) = told {
            tracing::error!(%domid, %error, "The history of the simulated host has gaps");
        }
    }

    pub(super) fn record_crash(&self, domid: DomId) {
        let changed = self.change_even_dying(domid, |record, now| {
            let is_unlogged = record.has_unlogged_crash(now);
            record.crash_logged = true;
            Ok(is_unlogged)
        });
        match changed {
            Ok(true) => self.log_crash(domid),
            Ok(false) => {}
            Err(error) => tracing::warn!(%domid, %error, "A crash could not be recorded"),
        }
    }

    /// A domain has stopped by itself. Blocks.
    pub(super) fn note_end(&self, domid: DomId) {
        if self.state_dir.history().is_wanted() {
            // In its turn: it may have been resumed meanwhile.
            self.change_even_dying(domid, |_, _| Ok(())).ok();
        }
    }
}
