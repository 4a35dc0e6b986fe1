//! Answers to operations that succeeded.

/// The answer to an operation that succeeded, as xend gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Success {
    /// `201 created`, the domain's Location, and the domain.
    Created,
    /// `201 Created` and the domain's Location. S-expression clients get no body: xm 3.0.0 fails if
    /// there is one with a domid. HTML and JSON have the domain.
    Restored,
    /// `202 Accepted`, `Location: URL/..`, no body. Failures have the Location as well.
    Accepted,
    /// `200 OK`, no body.
    Empty,
    /// `200 OK`, no body. The forms of pages are led to this path.
    Listed(&'static str),
    /// `201 Created` and the Location of what was made. The forms of pages are led to this path.
    Made(&'static str),
    /// `200 OK` and the `0` that a Python function returned.
    Zero,
    /// `200 OK` and the result.
    Answer(AnswerType),
}

/// The type of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerType {
    Domains,
    Vcpus,
    Devices,
    Attached,
    Sedf,
    Credit,
    Agent,
}

impl Success {
    /// The answer in words, for the reference.
    pub(super) const fn about(self) -> &'static str {
        match self {
            Self::Created => "201 created, the domain's Location, and the domain",
            Self::Restored => {
                "201 Created and the domain's Location; the domain itself in HTML and JSON only"
            }
            Self::Accepted => "202 Accepted",
            Self::Empty | Self::Listed(_) => "200 OK",
            Self::Made(_) => "201 Created and the Location of what was made",
            Self::Zero => "200 OK and 0",
            Self::Answer(_) => "200 OK and the result",
        }
    }
}
