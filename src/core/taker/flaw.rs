//! Rules that tests break, to see that they are needed.

/// A rule that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// A wait ends too early.
    ShortWait,
    /// A wait goes on when its fence is another one.
    AnyFence,
}
