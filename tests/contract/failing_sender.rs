//! A host that sends a domain and fails.

use async_trait::async_trait;
use std::os::fd::OwnedFd;
use xend::core::error::Error;
use xend::core::fleet::ClusterName;
use xend::core::ports::IncomingMigration;

/// A sending host that fails.
pub(crate) struct FailingSender;

#[async_trait]
impl IncomingMigration for FailingSender {
    async fn ready(&mut self) -> Result<(), Error> {
        Err(Error::Remote { reason: "nothing".into() })
    }
    fn stream(&self) -> Result<OwnedFd, Error> {
        Err(Error::Stopping)
    }
    async fn building(&mut self, _stage: &str) -> Result<(), Error> {
        Err(Error::Stopping)
    }
    async fn arrived(&mut self) -> Result<Option<ClusterName>, Error> {
        Err(Error::Stopping)
    }
}
