//! The places of a relocation port.

use crate::peers::ShareLimits;

/// The open files of a domain that arrives, in the worst case: the encrypted connection, the pair
/// of sockets before it, the hypervisor's copy, and a pipe.
const FILES_OF_ARRIVAL: usize = 6;

/// How many connections a relocation port has at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelocationPlaces {
    /// Domains that arrive. Questions about a handover count too, and take a moment only.
    pub arrivals: usize,
    /// Connections that have not sent their request yet.
    pub pending: usize,
}

impl RelocationPlaces {
    /// Those of a port that has enough open files.
    pub const ALL: Self = Self { arrivals: 32, pending: 64 };

    /// The open files that they need at most.
    pub const fn files(self) -> usize {
        self.pending + self.arrivals * FILES_OF_ARRIVAL
    }

    /// As many of [`ALL`](Self::ALL) as need no more than so many open files, but at least one of
    /// each.
    pub fn within(files: usize) -> Self {
        if Self::ALL.files() <= files {
            return Self::ALL;
        }
        let pending = (files / 3).clamp(1, Self::ALL.pending);
        let arrivals = files.saturating_sub(pending) / FILES_OF_ARRIVAL;
        Self { arrivals: arrivals.clamp(1, Self::ALL.arrivals), pending }
    }

    /// A host, which may be emptied for maintenance, can have half of the arrivals.
    pub(super) fn shares(self) -> ShareLimits {
        ShareLimits::new(self.arrivals, self.arrivals.div_ceil(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_shrink_to_the_open_files() {
        let all = RelocationPlaces::ALL;
        assert_eq!(RelocationPlaces::within(usize::MAX), all);
        assert_eq!(RelocationPlaces::within(all.files()), all);
        for files in 0..all.files() {
            let places = RelocationPlaces::within(files);
            assert!(places.arrivals >= 1 && places.pending >= 1, "{files}");
            let is_least = places.arrivals == 1 && places.pending <= files / 3 + 1;
            assert!(places.files() <= files || is_least, "{files}: {places:?}");
        }
    }
}
