//! What changes, reads and commands need.

use super::right::Right;

/// The right that a change or a read needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// None: the answer has only what the caller may see.
    Anyone,
    /// This right on the domain.
    Domain(Right),
    /// The right to create a domain of this name.
    Create,
    /// The right to read facts about the host.
    HostFacts,
    /// To be an operator of the host.
    Operator,
}

impl Need {
    /// The right to ask an operator for; `None` if there is none.
    pub const fn right(self) -> Option<Right> {
        match self {
            Self::Anyone | Self::Operator => None,
            Self::Domain(right) => Some(right),
            Self::Create => Some(Right::Create),
            Self::HostFacts => Some(Right::HostFacts),
        }
    }
}
