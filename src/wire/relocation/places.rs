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
    /// Requests of other hosts of the fleet, which take no place of a domain: one of them may be a
    /// migration that waits for such a place here.
    pub requests: usize,
    /// Connections that have not sent their request yet.
    pub pending: usize,
}

impl RelocationPlaces {
    /// Those of a port that has enough open files.
    pub const ALL: Self = Self { arrivals: 32, requests: 128, pending: 64 };

    /// The open files that they need at most.
    pub const fn files(self) -> usize {
        self.pending + self.requests + self.arrivals * FILES_OF_ARRIVAL
    }

    /// As many of [`ALL`](Self::ALL) as need no more than so many open files, but at least one of
    /// each.
    pub fn within(files: usize) -> Self {
        if Self::ALL.files() <= files {
            return Self::ALL;
        }
        let pending = (files / 4).clamp(1, Self::ALL.pending);
        let requests = (files / 4).clamp(1, Self::ALL.requests);
        let arrivals = files.saturating_sub(pending + requests) / FILES_OF_ARRIVAL;
        Self { arrivals: arrivals.clamp(1, Self::ALL.arrivals), requests, pending }
    }

    /// A host, which may be emptied for maintenance, can have half of the arrivals.
    pub(super) fn arrival_shares(self) -> ShareLimits {
        half_each(self.arrivals)
    }

    /// A host by which many others are managed can have half of the requests.
    pub(super) fn request_shares(self) -> ShareLimits {
        half_each(self.requests)
    }
}

const fn half_each(places: usize) -> ShareLimits {
    ShareLimits::new(places, places.div_ceil(2))
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
            assert!(places.arrivals >= 1 && places.requests >= 1 && places.pending >= 1, "{files}");
            let others = places.requests + places.pending;
            let is_least = places.arrivals == 1 && others <= files / 2 + 2;
            assert!(places.files() <= files || is_least, "{files}: {places:?}");
        }
    }
}
