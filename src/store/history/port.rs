//! The histories of a store.

use crate::core::error::Error;
use crate::core::model::{Span, Usage, UsageHistory, UsageOf, Uuid};
use crate::core::ports::Histories;
use crate::store::blocking::{blocking_io, blocking_write};
use crate::store::dir_store::DirStore;
use async_trait::async_trait;
use std::collections::HashSet;
use std::time::SystemTime;

#[async_trait]
impl Histories for DirStore {
    async fn add_usage(&self, minute: u32, usages: Vec<(UsageOf, Usage)>) -> Result<(), Error> {
        let files = self.histories.clone();
        let add = move || files.add(minute, &usages);
        blocking_write("The histories cannot be written", self.histories.dir(), add).await
    }

    async fn usage(&self, of: UsageOf, span: Span, minute: u32) -> Result<UsageHistory, Error> {
        let files = self.histories.clone();
        let read = move || files.history(of, span, minute);
        blocking_io("The history cannot be read", read).await
    }

    async fn remove_usage(&self, uuid: Uuid) -> Result<(), Error> {
        let files = self.histories.clone();
        blocking_io("The history cannot be removed", move || files.remove(uuid)).await
    }

    async fn forget_usage(&self, known: HashSet<Uuid>, now: SystemTime) -> Result<(), Error> {
        let files = self.histories.clone();
        let forget = move || files.forget(&known, now);
        blocking_io("Histories of earlier domains cannot be removed", forget).await
    }
}
