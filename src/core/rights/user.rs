//! A user: an account in force.

use super::access::{Access, next_version};
use super::account::{Account, Credential};
use super::limits::Claims;
use crate::core::snapshot::Snapshot;
use arc_swap::ArcSwapOption;
use std::fmt;
use std::sync::Arc;
use tokio::sync::watch;

/// An account in force, shared by all sessions of the user.
///
/// A reload of the accounts changes the access of all sessions at once. It revokes the user if the
/// account is gone, has another credential, or is taken from a user of this machine; a revoked user
/// may do nothing.
pub struct User {
    name: String,
    credential: Credential,
    current: ArcSwapOption<VersionedAccess>,
    /// Counts changes of the access.
    changes: watch::Sender<u64>,
    /// The domains that the user saw last.
    visible: ArcSwapOption<VisibleSnapshot>,
    /// The resources of changes under way.
    claims: Arc<Claims>,
}

/// An access with its number.
#[derive(Debug)]
pub(in crate::core) struct VersionedAccess {
    pub(in crate::core) version: u64,
    pub(in crate::core) access: Arc<Access>,
}

/// The part of a snapshot that a user sees.
struct VisibleSnapshot {
    version: u64,
    /// The generation of the full snapshot.
    generation: u64,
    snapshot: Arc<Snapshot>,
}

impl User {
    /// The user of an account.
    pub fn new(account: Account) -> Self {
        let user = Self {
            name: account.name,
            credential: account.credential,
            current: ArcSwapOption::default(),
            changes: watch::Sender::new(0),
            visible: ArcSwapOption::default(),
            claims: Arc::default(),
        };
        user.set_access(account.access);
        user
    }

    /// The account's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the user logs in.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// What the user may do now.
    pub fn access(&self) -> Arc<Access> {
        self.current.load().as_ref().map(|current| current.access.clone()).unwrap_or_default()
    }

    /// Whether sessions of the user end: the account is gone, has another credential, or was taken
    /// from a user of this machine.
    pub fn is_revoked(&self) -> bool {
        self.current.load().is_none()
    }

    /// The user of an account that has another credential now. Changes of the user before it still
    /// count.
    pub(super) fn in_place_of(earlier: &Self, account: Account) -> Self {
        Self { claims: earlier.claims.clone(), ..Self::new(account) }
    }

    pub(in crate::core) fn claims(&self) -> &Arc<Claims> {
        &self.claims
    }

    pub(super) fn set_access(&self, access: Access) {
        if self.current.load().as_ref().is_some_and(|current| *current.access == access) {
            return;
        }
        let version = next_version();
        self.current.store(Some(Arc::new(VersionedAccess { version, access: Arc::new(access) })));
        self.changes.send_modify(|changes| *changes += 1);
    }

    pub(super) fn revoke(&self) {
        self.current.store(None);
        self.visible.store(None);
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// A counter of changes of the access. The last one is the revocation.
    pub(in crate::core) fn access_changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The part of `full` that the user sees. It is kept, and given again until `full` or the
    /// access changes.
    pub(in crate::core) fn visible(&self, full: &Arc<Snapshot>) -> Arc<Snapshot> {
        let current = self.current.load();
        let Some(VersionedAccess { version, access }) = current.as_deref() else {
            return Arc::new(Snapshot::of_nobody());
        };
        if access.operator {
            return full.clone();
        }
        let kept = self.visible.load();
        let kept = kept.as_deref().filter(|kept| kept.version == *version);
        let same = kept.filter(|kept| kept.generation == full.generation);
        if let Some(kept) = same.filter(|kept| kept.snapshot.swept == full.swept) {
            return kept.snapshot.clone();
        }
        let snapshot = match same {
            // A sweep that found nothing new.
            Some(kept) => {
                let mut snapshot = Snapshot::clone(&kept.snapshot);
                snapshot.swept = full.swept;
                snapshot
            }
            None => full.visible_to(access, *version, kept.map(|kept| &*kept.snapshot)),
        };
        let snapshot = Arc::new(snapshot);
        self.visible.store(Some(Arc::new(VisibleSnapshot {
            version: *version,
            generation: full.generation,
            snapshot: snapshot.clone(),
        })));
        snapshot
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("User").field(&self.name).finish()
    }
}

impl PartialEq for User {
    /// A user who logs in again after the account was revoked is another one.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for User {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rights::Right;
    use crate::core::snapshot::fixtures::{facts, snapshot};
    use std::time::Duration;

    #[test]
    fn a_user_sees_when_the_figures_were_read() {
        let access = Access::to(["d1".parse().unwrap()], [Right::See].into_iter().collect());
        let user = User::new(Account::new("steve", Credential::None, access));
        let mut full = snapshot(&[facts(1, Duration::ZERO), facts(2, Duration::ZERO)]);
        let before = user.visible(&Arc::new(full.clone()));
        full.swept = before.swept().map(|swept| swept + Duration::from_secs(1));
        let after = user.visible(&Arc::new(full.clone()));
        assert_eq!((after.swept(), after.len(), after.scope), (full.swept, 1, before.scope));
    }

    #[test]
    fn changes_of_the_access_are_counted() {
        let see = Access::to(["d1".parse().unwrap()], [Right::See].into_iter().collect());
        let user = User::new(Account::new("steve", Credential::None, see.clone()));
        let mut changes = user.access_changes();
        changes.mark_unchanged();
        user.set_access(see);
        assert!(!changes.has_changed().unwrap(), "it is the same");
        user.set_access(Access::default());
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        user.revoke();
        assert!(changes.has_changed().unwrap());
    }

    /// Answers that are kept are those of one scope: that of operators must not reach a user whose
    /// account has just gone.
    #[test]
    fn a_revoked_user_sees_nothing_in_a_scope_of_its_own() {
        let access = Access::to(["d1".parse().unwrap()], [Right::See].into_iter().collect());
        let user = User::new(Account::new("steve", Credential::None, access));
        let full = Arc::new(snapshot(&[facts(1, Duration::ZERO), facts(2, Duration::ZERO)]));
        let before = user.visible(&full);
        assert_eq!(before.len(), 1);
        user.revoke();
        let after = user.visible(&full);
        assert!(after.is_empty() && after.scope != full.scope && after.scope != before.scope);
    }
}
