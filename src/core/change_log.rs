//! What has changed since a moment: whoever follows many objects looks at the changed ones alone.

use super::model::Uuid;
use rpds::RedBlackTreeMapSync;
use std::ops::Bound;

/// The number of changes that are remembered.
pub const MAX_CHANGES: usize = 4096;

/// The last changes of a set of objects, numbered from 1. Copies share their structure.
#[derive(Debug, Clone)]
pub struct ChangeLog {
    number: u64,
    latest: RedBlackTreeMapSync<u64, Uuid>,
}

impl Default for ChangeLog {
    fn default() -> Self {
        Self { number: 0, latest: RedBlackTreeMapSync::new_sync() }
    }
}

impl ChangeLog {
    /// The number of the last change; 0 before the first.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The objects that changed after change `number`, an object once for each of its changes;
    /// `None` if some of these changes are forgotten.
    pub fn since(&self, number: u64) -> Option<impl Iterator<Item = Uuid>> {
        let forgotten = self.number - self.latest.size() as u64;
        let after = (Bound::Excluded(number), Bound::Unbounded);
        (number >= forgotten).then(|| self.latest.range(after).map(|(_, object)| *object))
    }

    /// Adds a change of an object: it came, went, or is another one now.
    pub fn add(&mut self, object: Uuid) {
        self.number += 1;
        self.latest.insert_mut(self.number, object);
        if self.latest.size() > MAX_CHANGES {
            self.latest.remove_mut(&(self.number - MAX_CHANGES as u64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_remembers_the_last_changes() {
        let mut log = ChangeLog::default();
        let since = |log: &ChangeLog, number| log.since(number).map(Iterator::collect::<Vec<Uuid>>);
        let object = Uuid::from_u128;
        assert_eq!(since(&log, 0), Some(vec![]));
        log.add(object(1));
        log.add(object(2));
        log.add(object(1));
        assert_eq!(since(&log, 0), Some(vec![object(1), object(2), object(1)]));
        assert_eq!(since(&log, log.number()), Some(vec![]));
        assert_eq!(since(&log, log.number() + 1), Some(vec![]), "of a moment to come");
        let earlier = log.clone();
        for _ in 0..MAX_CHANGES {
            log.add(object(3));
        }
        assert_eq!(since(&log, earlier.number() - 1), None);
        assert_eq!(since(&log, earlier.number()).map(|all| all.len()), Some(MAX_CHANGES));
        assert_eq!(since(&earlier, 2), Some(vec![object(1)]), "a copy stays as it was");
    }
}
