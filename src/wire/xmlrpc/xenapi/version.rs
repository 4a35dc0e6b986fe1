//! How new a view of the host is.

use tokio::time::Instant;

/// How new a view of the host is. Within one scope, a view that is at least as new as another one
/// shows at least all that the other one shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    /// That of the snapshot.
    pub(crate) generation: u64,
    /// The time of the last sweep. Facts that are in no snapshot are as old.
    pub(crate) swept: Option<Instant>,
    /// The number of changes of the inventory.
    pub(crate) inventory: u64,
}

impl Version {
    /// Whether nothing is older than in the other version.
    pub(crate) fn is_at_least(&self, other: &Self) -> bool {
        self.generation >= other.generation
            && self.swept >= other.swept
            && self.inventory >= other.inventory
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_version_is_newer_if_nothing_is_older() {
        let swept = Some(Instant::now());
        let version = Version { generation: 7, swept, inventory: 7 };
        let later = swept.map(|swept| swept + Duration::from_secs(1));
        for newer in [
            version,
            Version { generation: 8, ..version },
            Version { swept: later, ..version },
            Version { inventory: 8, ..version },
        ] {
            assert!(newer.is_at_least(&version), "{newer:?}");
            assert_eq!(version.is_at_least(&newer), newer == version);
        }
        let mixed = Version { generation: 8, inventory: 6, ..version };
        assert!(!mixed.is_at_least(&version) && !version.is_at_least(&mixed));
        assert!(!Version { swept: None, ..version }.is_at_least(&version));
    }
}
