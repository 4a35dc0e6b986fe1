//! Whether etcd is at an earlier revision than it was.

use super::kv::Revision;
use std::sync::atomic::{AtomicI64, Ordering};

/// The highest revision that etcd has told this run of the daemon. A lower one in an answer means
/// that etcd was restored from a backup.
#[derive(Debug, Default)]
pub(super) struct Told(AtomicI64);

impl Told {
    /// The highest revision up to now: what is asked for from now on has that one at least.
    pub(super) fn highest(&self) -> Revision {
        Revision(self.0.load(Ordering::Relaxed))
    }

    /// Notes the revision of an answer, and tells whether etcd has gone back. `before` was the
    /// highest one when etcd was asked: answers may come in another order than they were made in.
    pub(super) fn has_gone_back(&self, before: Revision, now: Revision) -> bool {
        let has_gone_back = now < before;
        if has_gone_back {
            self.0.store(now.0, Ordering::Relaxed);
        } else {
            self.0.fetch_max(now.0, Ordering::Relaxed);
        }
        has_gone_back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_in_another_order_are_no_backup() {
        let told = Told::default();
        let (first, second) = (told.highest(), told.highest());
        assert!(!told.has_gone_back(second, Revision(11)));
        assert!(!told.has_gone_back(first, Revision(10)));
        assert_eq!(told.highest(), Revision(11));
        assert!(told.has_gone_back(told.highest(), Revision(10)));
        // Once.
        assert!(!told.has_gone_back(told.highest(), Revision(10)));
    }
}
