//! The part of a snapshot that a user sees.

use super::{DomainView, Snapshot};
use crate::core::model::{DomName, HostFigures, Uuid};
use crate::core::rights::{Access, DomainPattern, Right};
use std::sync::Arc;

impl Snapshot {
    /// The part with the domains on which there are rights. `scope` is the number of the access,
    /// and `earlier` a part of an earlier snapshot that the same access showed. The changes are
    /// those of all domains: a domain that is not there any more is one of them.
    pub(in crate::core) fn visible_to(
        &self,
        access: &Access,
        scope: u64,
        earlier: Option<&Self>,
    ) -> Self {
        let figures =
            if access.has(Right::HostFacts) { self.figures } else { HostFigures::default() };
        let named = access.named_domains();
        // What most domains are is known from the earlier part; a few names are looked up anew.
        let base = earlier.filter(|_| named.is_none()).cloned();
        let mut visible = Self {
            generation: self.generation,
            config_changes: self.config_changes.clone(),
            changes: self.changes.clone(),
            replaced: self.replaced,
            figures,
            scope,
            swept: self.swept,
            ..base.unwrap_or_else(Self::empty)
        };
        let sees =
            |view: &DomainView| !access.rights_on(Some(view.uuid), view.name().as_str()).is_empty();
        match named {
            Some(domains) => {
                for domain in domains {
                    let view = match domain {
                        DomainPattern::Uuid(uuid) => self.by_uuid(uuid),
                        DomainPattern::Name(name) => self.by_name(&DomName::adopted(name)),
                    };
                    if let Some(view) = view.filter(|view| sees(view)) {
                        visible.link(view.clone());
                    }
                }
            }
            None => visible.follow(self, sees),
        }
        visible
    }

    /// Makes this the part of `full` with the domains that `sees` tells.
    fn follow(&mut self, full: &Self, sees: impl Fn(&DomainView) -> bool) {
        let mut count = 0;
        for view in full.unsorted() {
            let old = self.domains.get(&view.uuid);
            if old.is_some_and(|old| Arc::ptr_eq(old, view)) {
                count += 1;
                continue;
            }
            let same_place =
                old.is_some_and(|old| (old.name(), old.domid()) == (view.name(), view.domid()));
            if same_place {
                // Rights are on the name and the UUID.
                self.domains.insert_mut(view.uuid, view.clone());
                count += 1;
                continue;
            }
            self.unlink(&view.uuid);
            if sees(view) {
                self.link(view.clone());
                count += 1;
            }
        }
        if self.len() > count {
            let is_gone = |uuid: &&Uuid| full.by_uuid(uuid).is_none();
            let gone: Vec<Uuid> = self.domains.keys().filter(is_gone).copied().collect();
            for uuid in gone {
                self.unlink(&uuid);
            }
        }
    }
}
