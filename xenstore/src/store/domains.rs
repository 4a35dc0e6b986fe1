//! The domains that the store knows.

use super::node::{HOST, Who};
use crate::error::Refusal;
use std::collections::BTreeMap;

/// The highest number of a domain.
const MAX_DOMID: u32 = 0x7fef;

/// The domains that were introduced, and domain 0.
pub(crate) struct Domains {
    known: BTreeMap<u32, Domain>,
}

#[derive(Default)]
struct Domain {
    /// The domain whose rights it has beside its own.
    target: Option<u32>,
    has_shut_down: bool,
}

impl Domains {
    pub(crate) fn new() -> Self {
        Self { known: BTreeMap::from([(HOST, Domain::default())]) }
    }

    pub(crate) fn contains(&self, domid: u32) -> bool {
        self.known.contains_key(&domid)
    }

    /// A domain as it asks for something.
    pub(crate) fn who(&self, domid: u32) -> Who {
        Who { domid, target: self.known.get(&domid).and_then(|domain| domain.target) }
    }

    /// Adds a domain, and returns whether it is new.
    pub(crate) fn add(&mut self, domid: u32) -> Result<bool, Refusal> {
        if domid == HOST || domid > MAX_DOMID {
            return Err(Refusal::Invalid);
        }
        let is_new = !self.contains(domid);
        self.known.entry(domid).or_default();
        Ok(is_new)
    }

    pub(crate) fn remove(&mut self, domid: u32) -> Result<(), Refusal> {
        self.guest(domid)?;
        self.known.remove(&domid);
        for domain in self.known.values_mut().filter(|domain| domain.target == Some(domid)) {
            domain.target = None;
        }
        Ok(())
    }

    pub(crate) fn set_target(&mut self, domid: u32, target: u32) -> Result<(), Refusal> {
        if !self.contains(target) {
            return Err(Refusal::NotFound);
        }
        self.known.get_mut(&domid).ok_or(Refusal::NotFound)?.target = Some(target);
        Ok(())
    }

    /// Notes that a domain has shut down or runs again, and returns whether that is new.
    pub(crate) fn set_shut_down(
        &mut self,
        domid: u32,
        has_shut_down: bool,
    ) -> Result<bool, Refusal> {
        let domain = self.guest(domid)?;
        let is_new = domain.has_shut_down != has_shut_down;
        domain.has_shut_down = has_shut_down;
        Ok(is_new)
    }

    fn guest(&mut self, domid: u32) -> Result<&mut Domain, Refusal> {
        if domid == HOST {
            return Err(Refusal::Invalid);
        }
        self.known.get_mut(&domid).ok_or(Refusal::NotFound)
    }
}
