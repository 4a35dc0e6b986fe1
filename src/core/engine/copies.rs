//! The definitions here as copies of what a fleet has.

use super::Engine;
use crate::core::error::Error;
use crate::core::mailbox::CopyChange;
use crate::core::model::{CompleteConfig, Uuid};
use crate::core::op::DomainOp;
use crate::core::ports::Copies;
use async_trait::async_trait;
use std::sync::Arc;

#[async_trait]
impl Copies for Engine {
    fn defined(&self) -> Vec<Uuid> {
        let snapshot = self.0.snapshot();
        snapshot.domains().filter(|view| view.managed()).map(|view| view.uuid).collect()
    }

    fn definition(&self, domain: Uuid) -> Option<Arc<CompleteConfig>> {
        self.0.snapshot().by_uuid(&domain)?.definition.clone()
    }

    fn is_here(&self, domain: Uuid) -> bool {
        self.0.registry.contains(&domain)
    }

    async fn add(&self, definition: Arc<CompleteConfig>) -> Result<bool, Error> {
        let defined = self.0.start_driver("fleet", definition.clone(), |mut driver| async move {
            let defined = driver.define_copy(definition).await;
            (driver, defined)
        });
        match defined.await {
            Ok(_) => Ok(true),
            Err(Error::Exists { .. } | Error::UuidTaken { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn replace(
        &self,
        definition: Arc<CompleteConfig>,
        instead_of: Option<Arc<CompleteConfig>>,
    ) -> Result<bool, Error> {
        let domain = definition.uuid();
        self.change_copy(domain, CopyChange::Replace { definition, instead_of }).await
    }

    async fn start(&self, domain: Uuid) -> Result<(), Error> {
        let view = self.0.snapshot().by_uuid(&domain).cloned();
        let view = view.ok_or_else(|| Error::NoSuchDomain(domain.to_string()))?;
        let paused = false;
        self.0.request(&view, DomainOp::Start { paused }).await.map(drop)
    }

    async fn set_aside(&self, definition: Arc<CompleteConfig>) -> Result<bool, Error> {
        self.change_copy(definition.uuid(), CopyChange::SetAside { definition }).await
    }
}

impl Engine {
    async fn change_copy(&self, domain: Uuid, change: CopyChange) -> Result<bool, Error> {
        let Some(driver) = self.0.registry.get(&domain) else { return Ok(false) };
        match driver.change_copy(&domain.to_string(), change).await {
            // It has gone meanwhile.
            Err(Error::NoSuchDomain(_)) => Ok(false),
            changed => changed,
        }
    }
}
