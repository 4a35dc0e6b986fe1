//! Checking of users' passwords.

use crate::core::caller::Via;
use crate::core::rights::User;
use async_trait::async_trait;
use std::sync::Arc;

/// The longest user name, in bytes.
const MAX_USER: usize = 255;

/// The longest password, in bytes.
const MAX_PASSWORD: usize = 1024;

/// Whether a user name and a password are short enough to be checked. Longer ones are neither
/// hashed nor kept.
pub fn fits_a_login(user: &str, password: &str) -> bool {
    user.len() <= MAX_USER && password.len() <= MAX_PASSWORD
}

/// Why a login fails. The text is for the log: a client only learns that the login failed.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The user is unknown, the password is wrong, or the account must not be used.
    #[error("{0}")]
    Refused(String),
    /// The password could not be checked.
    #[error("{0}")]
    Broken(String),
    /// Too many passwords are being checked. The caller may try again later.
    #[error("too many logins are waiting")]
    Busy,
}

/// A source of users and passwords.
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// Checks a user's password. An unknown user takes as long as a known one. `via` is the
    /// connection of the client.
    async fn check(&self, user: &str, password: &str, via: &Via) -> Result<(), LoginError>;
}

/// The accounts of this host, as wires log their users in.
#[async_trait]
pub trait Logins: Send + Sync + 'static {
    /// Checks the password of an account. An unknown account takes as long as a known one. `via`
    /// is the connection of the client: failures slow down later logins from its address.
    async fn log_in(&self, user: &str, password: &str, via: &Via) -> Result<Arc<User>, LoginError>;

    /// The account that a user of this machine has without a password.
    fn by_uid(&self, uid: u32) -> Option<Arc<User>>;

    /// The account of callers who have not logged in; `None` if they may do nothing.
    fn anonymous(&self) -> Option<Arc<User>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_have_a_greatest_length_in_bytes() {
        let text = |length: usize| "x".repeat(length);
        assert!(fits_a_login(&text(255), &text(1024)) && fits_a_login("", ""));
        assert!(!fits_a_login(&text(256), "") && !fits_a_login("", &text(1025)));
        assert!(!fits_a_login(&"ü".repeat(128), ""));
    }
}
