//! Domains on this host that belong to other hosts of the fleet, as events.

use crate::core::context::Core;
use crate::core::journal::EventKind;
use std::sync::Arc;

impl Core {
    /// Records each new dispute as an event of the domain.
    pub(super) async fn follow_disputes(self: Arc<Self>) {
        let mut disputes = self.settings.ownership.disputes();
        let mut known = disputes.borrow_and_update().clone();
        while disputes.changed().await.is_ok() {
            let present = disputes.borrow_and_update().clone();
            let news = present.iter().filter(|(domain, owner)| known.get(domain) != Some(owner));
            for (domain, owner) in news {
                let view = self.snapshot().by_uuid(domain).cloned();
                let what = EventKind::Disputed { owner: owner.to_string() };
                self.publisher.journal.record_operation(view.as_deref(), &domain.to_string(), what);
            }
            known = present;
        }
    }
}
