//! What a listener offers, and how its clients log in.

use crate::core::caller::{Caller, Principal};
use crate::core::ports::{Authenticator, Logins};
use std::sync::Arc;

/// The fault for `xend.*` at a listener with passwords.
const NEEDS_PASSWORD: &str =
    "This listener asks for passwords, and xend.* have none: log in to the Xen-API";

/// The reason for refusing somebody whom a listener without passwords does not trust.
pub(super) const NOT_TRUSTED: &str = "This listener is for root, xend's own user, the users in \
    xend-trusted-users, and users of this machine with an account";

/// The calls that a listener takes.
#[derive(Clone)]
pub enum Endpoint {
    /// `xend.*` alone.
    Legacy(LegacyPolicy),
    /// `xend.*` and the Xen-API.
    XenApi(LoginPolicy),
}

/// Who may call `xend.*`, which have no sessions: the server knows the caller of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegacyPolicy {
    /// Whom the server trusts.
    Trust,
    /// Users with an account, who send name and password with each request (HTTP Basic).
    Users,
}

/// How clients log in to the Xen-API. Root and the daemon's own user always can on a unix socket,
/// and so can users of this machine with an account.
#[derive(Clone)]
pub enum LoginPolicy {
    /// Whom the server trusts can, with any user and password.
    Trust,
    /// With a password, as operators. `xend.*` have no passwords, and are then for root and the
    /// daemon's own user only.
    Password(Arc<dyn Authenticator>),
    /// With the password of an account, as its user. `xend.*` take it by HTTP Basic.
    Users(Arc<dyn Logins>),
    /// No other client can.
    Deny,
}

/// Why a caller may not call `xend.*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoLegacy {
    /// Name and password are missing.
    Unauthorized,
    /// The listener does not have them for this caller. The text is for a fault.
    Refused(&'static str),
}

impl NoLegacy {
    /// The text for the log.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Unauthorized => "Name and password are missing",
            Self::Refused(reason) => reason,
        }
    }
}

impl Endpoint {
    /// Whether a caller may call `xend.*`. A local admin is root or the daemon's own user, as the
    /// kernel says.
    pub(super) fn check_legacy(
        &self,
        caller: &Caller,
        is_local_admin: bool,
    ) -> Result<(), NoLegacy> {
        let is_user = caller.user().is_some_and(|user| !user.is_revoked());
        let is_operator = caller.principal == Principal::Operator;
        match self {
            _ if is_user || is_local_admin => Ok(()),
            Self::XenApi(LoginPolicy::Password(_) | LoginPolicy::Deny) => {
                Err(NoLegacy::Refused(NEEDS_PASSWORD))
            }
            _ if is_operator => Ok(()),
            Self::Legacy(LegacyPolicy::Users) | Self::XenApi(LoginPolicy::Users(_)) => {
                Err(NoLegacy::Unauthorized)
            }
            Self::Legacy(LegacyPolicy::Trust) | Self::XenApi(LoginPolicy::Trust) => {
                Err(NoLegacy::Refused(NOT_TRUSTED))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::caller::Via;
    use crate::core::ports::LoginError;
    use crate::core::rights::{Access, Account, Accounts, Credential, User};
    use async_trait::async_trait;

    struct NoLogins;

    #[async_trait]
    impl Authenticator for NoLogins {
        async fn check(&self, _: &str, _: &str, _: &Via) -> Result<(), LoginError> {
            Err(LoginError::Busy)
        }
    }

    #[async_trait]
    impl Logins for NoLogins {
        async fn log_in(&self, _: &str, _: &str, _: &Via) -> Result<Arc<User>, LoginError> {
            Err(LoginError::Busy)
        }
        fn by_uid(&self, _: u32) -> Option<Arc<User>> {
            None
        }
        fn anonymous(&self) -> Option<Arc<User>> {
            None
        }
    }

    #[test]
    fn xend_calls_are_for_callers_whom_the_listener_knows() {
        let account = Account::new("steve", Credential::None, Access::default());
        let accounts = Accounts::default();
        accounts.replace(vec![account], None);
        let steve = accounts.get("steve").unwrap();
        let user = Caller::of_user(Via::Internal, steve.clone());
        let operator = Caller::operator(Via::Internal);
        let nobody = Caller::nobody(Via::Internal);
        let password = Err(NoLegacy::Refused(NEEDS_PASSWORD));
        let stranger = Err(NoLegacy::Refused(NOT_TRUSTED));
        let challenge = Err(NoLegacy::Unauthorized);
        // The answers to an operator and to nobody.
        let cases = [
            (Endpoint::Legacy(LegacyPolicy::Trust), Ok(()), stranger),
            (Endpoint::Legacy(LegacyPolicy::Users), Ok(()), challenge),
            (Endpoint::XenApi(LoginPolicy::Trust), Ok(()), stranger),
            (Endpoint::XenApi(LoginPolicy::Users(Arc::new(NoLogins))), Ok(()), challenge),
            (Endpoint::XenApi(LoginPolicy::Password(Arc::new(NoLogins))), password, password),
            (Endpoint::XenApi(LoginPolicy::Deny), password, password),
        ];
        for (endpoint, to_operator, to_nobody) in &cases {
            assert_eq!(endpoint.check_legacy(&user, false), Ok(()));
            assert_eq!(endpoint.check_legacy(&operator, true), Ok(()));
            assert_eq!(endpoint.check_legacy(&operator, false), *to_operator);
            assert_eq!(endpoint.check_legacy(&nobody, false), *to_nobody);
        }
        accounts.replace(vec![], None);
        assert!(steve.is_revoked());
        for (endpoint, _, to_nobody) in &cases {
            assert_eq!(endpoint.check_legacy(&user, false), *to_nobody);
        }
    }
}
