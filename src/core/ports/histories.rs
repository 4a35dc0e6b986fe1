//! Storage of what domains and the host used.

use crate::core::error::Error;
use crate::core::model::{Span, Usage, UsageHistory, UsageOf, Uuid};
use async_trait::async_trait;
use std::collections::HashSet;
use std::time::SystemTime;

/// A store of histories, each of a fixed size. The oldest step goes when a new one comes.
///
/// A step may be lost in a crash of the machine, but never the steps before it.
#[async_trait]
pub trait Histories: Send + Sync + 'static {
    /// Adds a minute to histories, which begin if need be. `minute` counts from 1970 on. Of what
    /// cannot be written, the first failure is the result; the rest is written.
    async fn add_usage(&self, minute: u32, usages: Vec<(UsageOf, Usage)>) -> Result<(), Error>;

    /// The history up to `minute`, which is in it. One that was never begun is empty.
    async fn usage(&self, of: UsageOf, span: Span, minute: u32) -> Result<UsageHistory, Error>;

    /// Removes a domain's history. A missing one is no error.
    async fn remove_usage(&self, uuid: Uuid) -> Result<(), Error>;

    /// Removes the histories of domains that are not `known` any more, save for a limited number of
    /// the newest ones: a domain that was saved to a file may come back.
    async fn forget_usage(&self, known: HashSet<Uuid>, now: SystemTime) -> Result<(), Error>;
}
