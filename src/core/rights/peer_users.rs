//! The users for whom other hosts of the fleet ask.

use super::access::Access;
use super::account::{Account, Credential};
use super::user::User;
use crate::core::fleet::HostName;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The most users that are kept while they ask nothing.
const MOST: usize = 1024;

/// Users of accounts of other hosts, as these hosts have described them last. They are kept because
/// of what they have claimed: changes at the same time share the limits of an account.
#[derive(Debug, Default)]
pub(in crate::core) struct PeerUsers(Mutex<HashMap<String, Arc<User>>>);

impl PeerUsers {
    /// The user of an account of another host, with exactly this access. Its name is
    /// `HOST/ACCOUNT`, which no account of this host has.
    pub(in crate::core) fn user(
        &self,
        host: &HostName,
        account: &str,
        access: Access,
    ) -> Arc<User> {
        let name = format!("{host}/{account}");
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = users.get(&name);
        if let Some(same) = earlier.filter(|user| *user.access() == access) {
            return same.clone();
        }
        let account = Account::new(&name, Credential::None, access);
        let user = Arc::new(match earlier {
            Some(earlier) => User::in_place_of(earlier, account),
            None => User::new(account),
        });
        if users.len() >= MOST {
            users.retain(|_, user| {
                Arc::strong_count(user) > 1 || Arc::strong_count(user.claims()) > 1
            });
        }
        users.insert(name, user.clone());
        user
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rights::{Right, Rights};

    fn access(rights: &[Right]) -> Access {
        let rights: Rights = rights.iter().copied().collect();
        Access::to(["web*".parse().unwrap()], rights)
    }

    #[test]
    fn each_request_has_the_access_that_its_host_has_sent() {
        let users = PeerUsers::default();
        let [xen1, xen2] = ["xen1", "xen2"].map(|host| host.parse().unwrap());
        let first = users.user(&xen1, "steve", access(&[Right::See]));
        assert_eq!(first.name(), "xen1/steve");
        assert_eq!(users.user(&xen1, "steve", access(&[Right::See])), first);
        let more = users.user(&xen1, "steve", access(&[Right::Power]));
        assert!(more.access().has(Right::Power) && !first.access().has(Right::Power));
        assert!(Arc::ptr_eq(first.claims(), more.claims()), "they share the limits");
        let other = users.user(&xen2, "steve", access(&[Right::See]));
        assert!(!Arc::ptr_eq(first.claims(), other.claims()));
    }

    #[test]
    fn users_who_ask_nothing_are_not_kept_for_ever() {
        let users = PeerUsers::default();
        let host = "xen1".parse().unwrap();
        let kept = users.user(&host, "ann", access(&[Right::See]));
        for number in 0..2 * MOST {
            users.user(&host, &number.to_string(), access(&[Right::See]));
        }
        assert!(users.0.lock().unwrap().len() <= MOST);
        assert_eq!(users.user(&host, "ann", access(&[Right::See])), kept);
    }
}
