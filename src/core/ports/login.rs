//! Who somebody is.

use async_trait::async_trait;

/// Why a login fails. What it says is for the log: a client is told nothing but that it failed.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// There is no such user, the password is another one, or the account may not be used.
    #[error("{0}")]
    Refused(String),
    /// It could not be found out.
    #[error("{0}")]
    Broken(String),
}

/// Something that knows users and their passwords.
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// Whether this is the user's password, and the user may come in. It takes as long for a user
    /// that there is not.
    async fn check(&self, user: &str, password: &str) -> Result<(), LoginError>;
}
