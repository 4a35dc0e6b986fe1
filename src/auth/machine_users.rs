//! The machine's own users, if xend is built with PAM.

#[cfg(feature = "pam")]
use super::pam::Pam;
use crate::core::ports::Authenticator;
use std::sync::Arc;

/// The machine's own users; `None` in a build without PAM.
pub fn pam() -> Option<Arc<dyn Authenticator>> {
    #[cfg(feature = "pam")]
    return Some(Arc::new(Pam));
    #[cfg(not(feature = "pam"))]
    None
}
