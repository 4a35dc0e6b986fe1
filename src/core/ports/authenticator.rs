//! Checking of users' passwords.

use async_trait::async_trait;

/// Why a login fails. The text is for the log: a client only learns that the login failed.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The user is unknown, the password is wrong, or the account must not be used.
    #[error("{0}")]
    Refused(String),
    /// The password could not be checked.
    #[error("{0}")]
    Broken(String),
}

/// A source of users and passwords.
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// Checks a user's password. An unknown user takes as long as a known one.
    async fn check(&self, user: &str, password: &str) -> Result<(), LoginError>;
}
