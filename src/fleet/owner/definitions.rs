//! Definitions that clients change: the fleet has them first, then the copy here.

use super::news::News;
use super::note::Note;
use super::state::Owner;
use super::step::{Done, Failed, Written};
use super::text::text_of;
use crate::core::error::Error;
use crate::core::fleet_domain::Act;
use crate::core::model::{CompleteConfig, DomName, Uuid};
use crate::core::ownership::Step;
use crate::core::ports::PendingCopy;
use crate::fleet::keys;
use std::sync::Arc;
use tokio::sync::OwnedMutexGuard;

/// A change that the fleet has and the copy has not. Until it is done nothing else of the domain is
/// changed, and the copy is not compared.
pub(super) struct Pending {
    owner: Arc<Owner>,
    domain: Uuid,
    /// The new name of a domain that is renamed.
    name: Option<DomName>,
    is_done: bool,
    _turn: OwnedMutexGuard<()>,
}

impl PendingCopy for Pending {
    fn done(mut self: Box<Self>) {
        self.is_done = true;
        if let Some(name) = &self.name {
            self.owner.locals().call(self.domain, name);
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.is_done {
            self.owner.announce(self.domain, News::Failed);
            if self.name.is_some() {
                self.owner.tell(self.domain);
            }
        }
    }
}

/// A change of a definition that was made in etcd.
pub(super) struct Change<'a> {
    pub(super) domain: Uuid,
    pub(super) act: Act,
    /// What the definition is then.
    pub(super) definition: Option<&'a Arc<CompleteConfig>>,
}

impl Change<'_> {
    /// A step of ownership alone.
    pub(super) const fn own(domain: Uuid, step: Step, name: Option<DomName>) -> Self {
        Self { domain, act: Act::own(step, name), definition: None }
    }
}

impl Owner {
    /// Changes a definition in the fleet, and lets the caller change the copy.
    pub(super) async fn begin_copy(
        &self,
        change: Change<'_>,
        rename: Option<&DomName>,
    ) -> Result<Box<dyn PendingCopy>, Error> {
        let Some(owner) = self.this.upgrade() else { return Err(Error::Stopping) };
        let domain = change.domain;
        let turn = self.owned_turn(domain).await;
        self.change_definition(change).await.map_err(|failed| {
            if matches!(failed, Failed::Unavailable { in_doubt: true, .. }) {
                self.announce(domain, News::Failed);
            }
            self.failure(domain, failed, rename.is_some())
        })?;
        self.news_table().supersede(domain);
        let name = rename.cloned();
        Ok(Box::new(Pending { owner, domain, name, is_done: false, _turn: turn }))
    }

    /// Makes a change in etcd, and notes it. The caller has the domain's turn.
    pub(super) async fn change_definition(&self, change: Change<'_>) -> Result<Done, Failed> {
        let Change { domain, act, definition } = change;
        let done = self.act(domain, &act, definition.map(|definition| &**definition)).await?;
        if act.definition.is_some() {
            let text = definition.map(|definition| text_of(definition));
            self.note(domain, text.as_deref(), done).await;
        }
        Ok(done)
    }

    /// Notes which version a copy is of that is about to be made; none without a text.
    pub(super) async fn note(&self, domain: Uuid, text: Option<&str>, done: Done) {
        match (text, done) {
            (Some(text), Done::Written(Written { op, revision })) => {
                let note = Note::new(op, revision, keys::digest(text.as_bytes()));
                self.notes.set(domain, Some(note)).await;
                self.news_table().disputed.remove(&domain);
            }
            (None, _) => {
                self.notes.set(domain, None).await;
                self.news_table().disputed.remove(&domain);
            }
            (Some(_), Done::Outside | Done::Same) => {}
        }
    }
}

#[cfg(test)]
mod tests;
