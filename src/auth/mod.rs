//! Password checks: the implementations of [`Authenticator`].

#[cfg(feature = "pam")]
mod pam;
mod password;

use crate::core::ports::Authenticator;
use std::sync::Arc;

pub use password::{PasswordFile, hashed};

/// The machine's own users; `None` in a build without PAM.
pub fn pam() -> Option<Arc<dyn Authenticator>> {
    #[cfg(feature = "pam")]
    return Some(Arc::new(pam::Pam));
    #[cfg(not(feature = "pam"))]
    None
}
