//! Rules that tests break, to see that they are needed.

/// A rule that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// A read counts from its answer.
    FromAnswer,
    /// A timer counts however late it was set.
    LateTimer,
    /// What is not built yet counts as gone.
    LetGoInBuild,
}
