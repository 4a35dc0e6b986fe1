//! Who connects.

use crate::core::caller::{Caller, Via};
use async_trait::async_trait;
use std::os::fd::BorrowedFd;

/// Tells who the callers of a listener without a login are.
#[async_trait]
pub trait Identify: Send + Sync + 'static {
    /// The caller of a connection, before anything is read from it: an operator, a user whom the
    /// kernel knows, or nobody.
    async fn caller(&self, via: Via, connection: BorrowedFd<'_>) -> Caller;
}
