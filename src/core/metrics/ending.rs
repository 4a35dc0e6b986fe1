//! How changes and calls end.

use crate::core::error::{Error, ErrorKind};

/// How a change, or a call of the hypervisor, ended. Failures have their [`ErrorKind`]; those of
/// the kind `Backend` that are a time limit are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Done,
    NotFound,
    Conflict,
    Denied,
    Invalid,
    Unsupported,
    Backend,
    /// The hypervisor or an agent did not answer in time, or made no progress.
    Timeout,
    /// Whoever waited for it gave up first. A change is carried out all the same.
    Abandoned,
}

impl Ending {
    /// All endings.
    pub const ALL: [Self; 9] = [
        Self::Done,
        Self::NotFound,
        Self::Conflict,
        Self::Denied,
        Self::Invalid,
        Self::Unsupported,
        Self::Backend,
        Self::Timeout,
        Self::Abandoned,
    ];

    /// The ending of what had this result.
    pub(super) fn of<T>(result: &Result<T, Error>) -> Self {
        let Err(error) = result else { return Self::Done };
        if matches!(
            error,
            Error::Timeout { .. } | Error::Stalled { .. } | Error::AgentTimeout { .. }
        ) {
            return Self::Timeout;
        }
        match error.kind() {
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Conflict => Self::Conflict,
            ErrorKind::Denied => Self::Denied,
            ErrorKind::Invalid => Self::Invalid,
            ErrorKind::Unsupported => Self::Unsupported,
            ErrorKind::Backend => Self::Backend,
        }
    }

    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::Unsupported => "unsupported",
            Self::Backend => "backend",
            Self::Timeout => "timeout",
            Self::Abandoned => "abandoned",
        }
    }
}
