//! How long a reset of the network may take: less than hosts wait for its answer, whatever hangs.

use std::time::Duration;

/// How long nova waits for the answer to `resetnetwork`.
pub const ANSWER: Duration = Duration::from_secs(60);

/// What is left of [`ANSWER`] for all that is no part of the [`Part`]s: the host and the agent look
/// for requests and responses, files are forced to the disk.
pub const RESERVE: Duration = Duration::from_secs(6);

/// The least time for a program, as long as there is any: programs that follow get less then.
pub const LEAST: Duration = Duration::from_secs(3);

/// A part of a reset, in order. Each has its own time, so that what hangs in one leaves the others
/// theirs; what one does not need is the next ones'. As a rule the first ones need a second or two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Finding out which tools the guest has, and what they say.
    Questions,
    /// Taking the interfaces down, by `ifdown` for example.
    TakeDown,
    /// Making the new configuration take effect, by `ifup` for example.
    Apply,
    /// Waiting for the new addresses.
    Addresses,
    /// Taking the interfaces down again when the change is taken back.
    TakeDownAgain,
    /// Making the old configuration take effect again. If that is DHCP, it is slow.
    ApplyAgain,
}

impl Part {
    /// All parts, in order.
    pub const ALL: [Self; 6] = [
        Self::Questions,
        Self::TakeDown,
        Self::Apply,
        Self::Addresses,
        Self::TakeDownAgain,
        Self::ApplyAgain,
    ];

    /// The time that the part has in any case.
    pub const fn limit(self) -> Duration {
        Duration::from_secs(match self {
            Self::Questions | Self::TakeDown | Self::Addresses | Self::TakeDownAgain => 6,
            Self::Apply => 14,
            Self::ApplyAgain => 16,
        })
    }

    /// When it ends, from the start of the reset. One that begins late has its limit nevertheless.
    pub fn end(self) -> Duration {
        Self::ALL.into_iter().filter(|part| *part <= self).map(Self::limit).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_together_are_shorter_than_a_host_waits() {
        let all: Duration = Part::ALL.into_iter().map(Part::limit).sum();
        assert_eq!(all, Part::ApplyAgain.end());
        assert!(all + RESERVE <= ANSWER, "{all:?}");
        assert!(Part::ALL.is_sorted() && Part::Questions.end() == Part::Questions.limit());
        // Two interfaces, each with a program that hangs.
        assert!(Part::ALL.into_iter().all(|part| part.limit() >= 2 * LEAST));
    }
}
