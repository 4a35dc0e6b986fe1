//! Definitions that are to be compared with the fleet's, and those that the fleet cannot have.

use crate::core::fleet::HostName;
use crate::core::model::{CompleteConfig, DomName, Uuid};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The most definitions of which is remembered that they were changed. With more of them, all are
/// compared.
const MAX_NEWS: usize = 4096;

/// What is new of a definition.
#[derive(Debug, Clone)]
pub(super) enum News {
    /// It was changed here, or removed.
    Changed(Option<Arc<CompleteConfig>>),
    /// What is here counts, since a change may have happened in the fleet and failed.
    Failed,
    /// It is to be looked at. With the change that wrote what the fleet has, if that is known.
    Compare(Option<Uuid>),
}

/// Why the fleet cannot have a definition of this host, or the host one of the fleet's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dispute {
    /// Another domain has the name. With its host.
    Name(Option<HostName>),
    /// Another host has a domain of the same UUID.
    Uuid(Option<HostName>),
    /// It is of no use to try again soon, for this reason.
    Other(String),
}

impl fmt::Display for Dispute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |host: &Option<HostName>| {
            host.as_ref().map_or_else(|| "no host".to_owned(), ToString::to_string)
        };
        match self {
            Self::Name(host) => write!(f, "another domain has its name, on {}", at(host)),
            Self::Uuid(host) => write!(f, "another domain has its UUID, on {}", at(host)),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

/// A definition that is disputed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Disputed {
    /// The domain's name here.
    pub(super) name: DomName,
    pub(super) dispute: Dispute,
}

#[derive(Debug, Default)]
pub(super) struct NewsTable {
    /// Definitions that were changed here, with a number that grows: news of an earlier one are
    /// old.
    changed: BTreeMap<Uuid, (u64, News)>,
    /// Those to look at: there are not more than the host has, or is to have.
    compare: BTreeMap<Uuid, (u64, News)>,
    last: u64,
    /// All definitions are to be compared.
    pub(super) has_lost_some: bool,
    pub(super) disputed: BTreeMap<Uuid, Disputed>,
}

impl NewsTable {
    /// Adds news. What was changed here is not taken for something that is only to be looked at.
    pub(super) fn add(&mut self, domain: Uuid, news: News) {
        let is_known = self.changed.contains_key(&domain);
        self.last += 1;
        match news {
            News::Compare(_) if is_known => {}
            News::Compare(_) => {
                self.compare.insert(domain, (self.last, news));
            }
            News::Changed(_) | News::Failed if !is_known && self.changed.len() >= MAX_NEWS => {
                self.has_lost_some = true;
            }
            News::Changed(_) | News::Failed => {
                self.compare.remove(&domain);
                self.changed.insert(domain, (self.last, news));
            }
        }
    }

    /// The domains of which there are news.
    pub(super) fn domains(&self) -> Vec<Uuid> {
        self.changed.keys().chain(self.compare.keys()).copied().collect()
    }

    /// The news of a domain, with their number.
    pub(super) fn get(&self, domain: Uuid) -> Option<(u64, News)> {
        self.changed.get(&domain).or_else(|| self.compare.get(&domain)).cloned()
    }

    /// What was new of a domain is old: the fleet has another definition, or none.
    pub(super) fn supersede(&mut self, domain: Uuid) {
        self.changed.remove(&domain);
        self.compare.remove(&domain);
        self.disputed.remove(&domain);
    }

    /// Whether there are news.
    pub(super) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.compare.is_empty()
    }

    /// News have been dealt with, unless there are others by now.
    pub(super) fn settled(&mut self, domain: Uuid, number: u64) {
        for news in [&mut self.changed, &mut self.compare] {
            if news.get(&domain).is_some_and(|(last, _)| *last == number) {
                news.remove(&domain);
            }
        }
    }

    /// Notes that a definition is disputed, and tells whether that is new.
    pub(super) fn dispute(&mut self, domain: Uuid, disputed: &Disputed) -> bool {
        if self.disputed.len() >= MAX_NEWS && !self.disputed.contains_key(&domain) {
            return false;
        }
        self.disputed.insert(domain, disputed.clone()).as_ref() != Some(disputed)
    }

    /// All that is disputed is to be looked at again.
    pub(super) fn recheck(&mut self) {
        let disputed: Vec<Uuid> = self.disputed.keys().copied().collect();
        for domain in disputed {
            self.add(domain, News::Compare(None));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_not_forgotten_for_a_look() {
        let domain = Uuid::from_u128(1);
        let mut table = NewsTable::default();
        table.add(domain, News::Changed(None));
        table.add(domain, News::Compare(None));
        let Some((number, News::Changed(None))) = table.get(domain) else { panic!() };
        table.add(domain, News::Failed);
        table.settled(domain, number);
        assert!(matches!(table.get(domain), Some((_, News::Failed))), "it is another one");
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let mut table = NewsTable::default();
        for domain in 0..MAX_NEWS {
            table.add(Uuid::from_u128(domain as u128), News::Failed);
        }
        assert!(!table.has_lost_some);
        table.add(Uuid::from_u128(u128::MAX), News::Failed);
        assert!(table.has_lost_some);
        assert_eq!(table.domains().len(), MAX_NEWS);
        // A host may have more definitions than that.
        for domain in 0..2 * MAX_NEWS {
            table.add(Uuid::from_u128(domain as u128), News::Compare(None));
        }
        assert_eq!(table.domains().len(), 2 * MAX_NEWS);
    }
}
