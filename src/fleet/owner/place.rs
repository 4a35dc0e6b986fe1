//! What is known of the host's place in the fleet.

use crate::fleet::membership::{Ended, Membership};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// The host's place in the fleet at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// It is not known, or taken anew, which takes a moment if etcd answers. With the reason.
    Between(Ended, String),
    /// The host has not joined.
    Outside,
    /// The host must not write into the fleet, for this reason.
    Barred(String),
    Member(Membership),
}

/// The host's place, which its part in the fleet keeps up to date.
#[derive(Debug)]
pub(super) struct PlaceWatch(watch::Sender<Place>);

impl Default for PlaceWatch {
    fn default() -> Self {
        // A write of an earlier run may be on its way.
        let reason = "The fleet's etcd has not answered yet".to_owned();
        Self(watch::Sender::new(Place::Between(Ended::InDoubt, reason)))
    }
}

impl PlaceWatch {
    pub(super) fn enter(&self, membership: Membership) {
        self.0.send_replace(Place::Member(membership));
    }

    pub(super) fn stay_outside(&self) {
        self.0.send_replace(Place::Outside);
    }

    pub(super) fn bar(&self, reason: String) {
        self.0.send_replace(Place::Barred(reason));
    }

    /// Why a place that is not known is not known yet.
    pub(super) fn explain(&self, reason: String) {
        self.0.send_if_modified(|place| {
            let Place::Between(_, known) = place else { return false };
            *known = reason;
            true
        });
    }

    /// Ends a membership, unless another one has begun.
    pub(super) fn end(&self, membership: Membership, ended: Ended) {
        self.0.send_if_modified(|place| {
            let is_present = *place == Place::Member(membership);
            if is_present {
                *place = Place::Between(ended, "The fleet's etcd does not answer".to_owned());
            }
            is_present
        });
    }

    /// Ends the present membership: a write may be on its way.
    pub(super) fn end_in_doubt(&self) {
        self.0.send_if_modified(|place| {
            let is_member = matches!(place, Place::Member(_));
            if is_member {
                let reason = "The fleet's etcd does not answer".to_owned();
                *place = Place::Between(Ended::InDoubt, reason);
            }
            is_member
        });
    }

    /// Waits until a membership has ended, and tells why.
    pub(super) async fn ended(&self, membership: Membership) -> Ended {
        let mut changes = self.0.subscribe();
        let present = Place::Member(membership);
        // The sender is this one's own.
        match changes.wait_for(|place| *place != present).await.as_deref() {
            Ok(Place::Between(ended, _)) => *ended,
            Ok(_) | Err(_) => Ended::Changed,
        }
    }

    /// The host's membership; `None` if it has not joined. It is waited for until the deadline. The
    /// error is the reason why it is not known, or why the host must not write.
    pub(super) async fn membership(&self, deadline: Instant) -> Result<Option<Membership>, String> {
        let mut changes = self.0.subscribe();
        let is_known = |place: &Place| !matches!(place, Place::Between(..));
        // Without the deadline it is looked at once more.
        let _ = timeout_at(deadline, changes.wait_for(is_known)).await.is_ok();
        let place = changes.borrow().clone();
        match place {
            Place::Member(membership) => Ok(Some(membership)),
            Place::Outside => Ok(None),
            Place::Barred(reason) | Place::Between(_, reason) => Err(reason),
        }
    }

    /// Waits until it is known whether the host is a member.
    pub(super) async fn known(&self) {
        let mut changes = self.0.subscribe();
        let is_known = |place: &Place| matches!(place, Place::Member(_) | Place::Outside);
        changes.wait_for(is_known).await.ok();
    }

    /// Whether the host has not joined, as far as is known.
    pub(super) fn is_outside(&self) -> bool {
        matches!(*self.0.borrow(), Place::Outside)
    }

    /// Whether the host is a member, as far as is known.
    pub(super) fn is_member(&self) -> bool {
        matches!(*self.0.borrow(), Place::Member(_))
    }
}
