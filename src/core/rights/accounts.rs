//! All accounts.

use super::account::Account;
use super::user::User;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// All accounts in force.
#[derive(Debug, Default)]
pub struct Accounts {
    current: ArcSwap<Table>,
    /// Held while the accounts are replaced.
    replacing: Mutex<()>,
    in_use: AtomicBool,
}

#[derive(Debug, Default)]
struct Table {
    by_name: HashMap<String, Entry>,
    by_uid: HashMap<u32, Arc<User>>,
    anonymous: Option<Arc<User>>,
}

#[derive(Debug)]
struct Entry {
    user: Arc<User>,
    /// The users of this machine who have the account.
    uids: Vec<u32>,
}

impl Accounts {
    /// The name of the account of callers who have not logged in. No user has it.
    pub const ANONYMOUS: &'static str = "anonymous";

    /// Whether this host has accounts, even if there is none at present: from then on, a user of
    /// this machine without an account is not an operator by merely reaching a unix socket.
    pub fn are_in_use(&self) -> bool {
        self.in_use.load(Ordering::Acquire)
    }

    /// Notes that this host has accounts, also if they cannot be read. It has them to the end of
    /// the process.
    pub fn put_in_use(&self) {
        self.in_use.store(true, Ordering::Release);
    }

    /// Replaces all accounts, which are in use from now on. The user of an account stays, with the
    /// new access, if the account has the same name and credential, and all users of this machine
    /// that it had; the others are revoked. `anonymous` is the access of callers who have not
    /// logged in, on the wires that have it.
    pub fn replace(&self, accounts: Vec<Account>, anonymous: Option<Account>) {
        let _guard = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        self.put_in_use();
        let old = self.current.load_full();
        let mut next = Table::default();
        for account in accounts {
            // A session does not tell by which uid it came in.
            let known = old.by_name.get(&account.name);
            let has_all =
                known.is_some_and(|old| old.uids.iter().all(|uid| account.uids.contains(uid)));
            let uids = account.uids.clone();
            let user = keep_or_make(known.map(|old| &old.user), has_all, account);
            next.by_uid.extend(uids.iter().map(|uid| (*uid, user.clone())));
            next.by_name.insert(user.name().to_owned(), Entry { user, uids });
        }
        next.anonymous =
            anonymous.map(|account| keep_or_make(old.anonymous.as_ref(), true, account));
        let kept = |user: &Arc<User>| {
            next.by_name.get(user.name()).is_some_and(|kept| Arc::ptr_eq(&kept.user, user))
        };
        let gone = old.by_name.values().map(|old| &old.user).filter(|user| !kept(user)).cloned();
        let gone: Vec<_> = match (&old.anonymous, &next.anonymous) {
            (Some(user), None) => gone.chain([user.clone()]).collect(),
            _ => gone.collect(),
        };
        self.current.store(Arc::new(next));
        for user in gone {
            user.revoke();
        }
    }

    /// The user of the account with this name.
    pub fn get(&self, name: &str) -> Option<Arc<User>> {
        self.current.load().by_name.get(name).map(|entry| entry.user.clone())
    }

    /// The user of the account that this user of the machine has.
    pub fn by_uid(&self, uid: u32) -> Option<Arc<User>> {
        self.current.load().by_uid.get(&uid).cloned()
    }

    /// What callers who have not logged in may do; `None` for nothing.
    pub fn anonymous(&self) -> Option<Arc<User>> {
        self.current.load().anonymous.clone()
    }

    /// All users, in no particular order.
    pub fn all(&self) -> Vec<Arc<User>> {
        self.current.load().by_name.values().map(|entry| entry.user.clone()).collect()
    }
}

/// The user of an account: the known one if it may stay and has the same credential.
fn keep_or_make(known: Option<&Arc<User>>, may_stay: bool, account: Account) -> Arc<User> {
    match known.filter(|user| may_stay && *user.credential() == account.credential) {
        Some(user) => {
            user.set_access(account.access);
            user.clone()
        }
        None => Arc::new(match known {
            Some(earlier) => User::in_place_of(earlier, account),
            None => User::new(account),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rights::{Access, Credential, Right};

    fn account(name: &str, hash: &str, rights: &[Right]) -> Account {
        let domain = "lj".parse().unwrap();
        Account {
            name: name.to_owned(),
            credential: Credential::Hash(hash.to_owned()),
            uids: vec![1000],
            access: Access::to([domain], rights.iter().copied().collect()),
        }
    }

    #[test]
    fn a_session_follows_the_access_of_its_account_and_ends_with_the_password() {
        let accounts = Accounts::default();
        accounts.replace(vec![account("steve", "a", &[Right::See])], None);
        let session = accounts.get("steve").unwrap();
        assert_eq!(accounts.by_uid(1000), Some(session.clone()));
        accounts.replace(vec![account("steve", "a", &[Right::Power])], None);
        assert!(session.access().has(Right::Power) && !session.is_revoked());
        accounts.replace(vec![account("steve", "b", &[Right::Power])], None);
        assert!(session.is_revoked() && !session.access().has(Right::Power));
        let again = accounts.get("steve").unwrap();
        assert!(again != session && !again.is_revoked());
        accounts.replace(vec![], None);
        assert!(again.is_revoked() && accounts.by_uid(1000).is_none());
    }

    #[test]
    fn an_account_that_loses_a_user_of_the_machine_ends_its_sessions() {
        let accounts = Accounts::default();
        let with = |name: &str, uids: &[u32]| Account {
            uids: uids.to_vec(),
            ..account(name, "a", &[Right::See])
        };
        accounts.replace(vec![with("steve", &[1]), with("ann", &[3])], None);
        let [steve, ann] = [1, 3].map(|uid| accounts.by_uid(uid).unwrap());
        accounts.replace(vec![with("steve", &[2, 1]), with("ann", &[3])], None);
        assert!(!steve.is_revoked() && accounts.by_uid(2) == Some(steve.clone()), "one more");
        // One moves to another account.
        accounts.replace(vec![with("steve", &[1]), with("ann", &[2, 3])], None);
        assert!(steve.is_revoked() && !ann.is_revoked());
        let again = accounts.get("steve").unwrap();
        assert!(accounts.by_uid(1) == Some(again.clone()) && accounts.by_uid(2) == Some(ann));
        accounts.replace(vec![with("steve", &[]), with("ann", &[2, 3])], None);
        assert!(again.is_revoked() && accounts.by_uid(1).is_none());
    }

    #[test]
    fn accounts_stay_in_use_when_all_are_gone() {
        let accounts = Accounts::default();
        assert!(!accounts.are_in_use());
        accounts.replace(vec![account("steve", "a", &[Right::See])], None);
        accounts.replace(vec![], None);
        assert!(accounts.are_in_use());
    }

    #[test]
    fn the_access_of_callers_without_a_login_can_go() {
        let accounts = Accounts::default();
        let anonymous = Account { credential: Credential::None, ..account("anonymous", "", &[]) };
        accounts.replace(vec![], Some(anonymous));
        let anonymous = accounts.anonymous().unwrap();
        accounts.replace(vec![], None);
        assert!(anonymous.is_revoked() && accounts.anonymous().is_none());
    }
}
