//! Passwords that were right a short time ago.
//!
//! A script that sends the password with each request costs one hash, not one for each request.
//! Only a keyed digest of a password is kept, under a key that never leaves the process.

use crate::core::ports::Entropy;
use crate::core::rights::{Credential, User};
use blake2::Blake2bMac512;
use blake2::digest::{KeyInit, Mac};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// For how long a password is kept after its last use; after its check by PAM, which does not tell
/// when a password changes.
const KEPT_FOR: Duration = Duration::from_secs(10 * 60);

/// Keyed digest of a name and a password.
pub(super) type Digest = [u8; 64];

/// A key of the process's own for digests.
pub(super) struct DigestKey([u8; 64]);

impl DigestKey {
    pub(super) fn random(entropy: &dyn Entropy) -> Self {
        let mut key = [0; 64];
        entropy.fill(&mut key);
        Self(key)
    }

    pub(super) fn digest(&self, user: &str, password: &str) -> Digest {
        self.mac(user, password).finalize().into_bytes().into()
    }

    /// Whether this is the digest of the name and the password, in constant time.
    fn is_of(&self, digest: &Digest, user: &str, password: &str) -> bool {
        self.mac(user, password).verify_slice(digest).is_ok()
    }

    fn mac(&self, user: &str, password: &str) -> Blake2bMac512 {
        // The length keeps apart what stands side by side.
        Blake2bMac512::new(&self.0.into())
            .chain_update(user.len().to_le_bytes())
            .chain_update(user)
            .chain_update(password)
    }
}

/// A password that was right.
struct Entry {
    /// Of the account as it was then: revoked when the account changes its password or is gone.
    user: Arc<User>,
    digest: Digest,
    expires: Instant,
}

impl Entry {
    fn is_valid(&self, now: Instant) -> bool {
        now < self.expires && !self.user.is_revoked()
    }
}

/// The last right password of each account.
#[derive(Default)]
pub(super) struct Verified(Mutex<HashMap<String, Entry>>);

impl Verified {
    /// The user of the account, if this password was right a short time ago.
    pub(super) fn find(
        &self,
        key: &DigestKey,
        user: &str,
        password: &str,
        now: Instant,
    ) -> Option<Arc<User>> {
        let mut entries = self.lock();
        let entry = entries.get_mut(user).filter(|entry| entry.is_valid(now))?;
        if !key.is_of(&entry.digest, user, password) {
            return None;
        }
        if *entry.user.credential() != Credential::Pam {
            entry.expires = now + KEPT_FOR;
        }
        Some(entry.user.clone())
    }

    /// Keeps a right password of a user.
    pub(super) fn insert(&self, user: Arc<User>, digest: Digest, now: Instant) {
        let mut entries = self.lock();
        entries.retain(|_, entry| entry.is_valid(now));
        let name = user.name().to_owned();
        entries.insert(name, Entry { user, digest, expires: now + KEPT_FOR });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rights::{Access, Account, Accounts};
    use crate::os::OsEntropy;

    fn account(name: &str, credential: Credential) -> Account {
        Account::new(name, credential, Access::default())
    }

    fn hash(text: &str) -> Credential {
        Credential::Hash(text.to_owned())
    }

    #[test]
    fn a_right_password_is_known_until_it_changes_or_is_not_used() {
        let accounts = Accounts::default();
        accounts.replace(vec![account("steve", hash("a")), account("ann", Credential::Pam)], None);
        let key = DigestKey::random(&OsEntropy);
        let verified = Verified::default();
        let mut now = Instant::now();
        let find = |user: &str, password: &str, now| verified.find(&key, user, password, now);
        for name in ["steve", "ann"] {
            let user = accounts.get(name).unwrap();
            verified.insert(user.clone(), key.digest(name, "secret"), now);
            assert_eq!(find(name, "secret", now), Some(user));
            assert_eq!(find(name, "secre", now), None);
            assert_eq!(find(name, "", now), None);
        }
        assert_eq!(find("stev", "esecret", now), None);
        for _ in 0..3 {
            now += KEPT_FOR / 2;
            assert!(find("steve", "secret", now).is_some(), "it is in use");
        }
        assert_eq!(find("ann", "secret", now), None, "PAM is asked again");
        assert_eq!(find("steve", "secret", now + KEPT_FOR), None);
        accounts.replace(vec![account("steve", hash("b"))], None);
        assert_eq!(find("steve", "secret", now), None);
        let user = accounts.get("steve").unwrap();
        verified.insert(user, key.digest("steve", "new"), now);
        assert_eq!(verified.lock().len(), 1);
    }

    #[test]
    fn digests_differ_between_processes_and_where_the_name_ends() {
        let key = DigestKey::random(&OsEntropy);
        assert_ne!(key.digest("a", "bc"), key.digest("ab", "c"));
        assert_ne!(key.digest("a", "b"), DigestKey::random(&OsEntropy).digest("a", "b"));
        assert!(key.is_of(&key.digest("a", "b"), "a", "b"));
    }
}
