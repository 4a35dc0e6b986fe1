//! Commands of the table.

use super::answer::Answer;
use super::call::Call;
use super::instance::Instance;
use super::signature::Signature;
use std::pin::Pin;

/// An answer to wait for.
pub(super) type Waiting<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// A command of the table.
pub(super) struct Command {
    pub(super) signature: Signature,
    pub(super) run: Run,
}

/// What a command does. The arguments and the right have been checked.
pub(super) enum Run {
    /// Something about the session or the host.
    Plain(for<'a> fn(&'a Call<'a>) -> Waiting<'a>),
    /// Something about the instance that the first argument names.
    Instance(for<'a> fn(&'a Call<'a>, &'a Instance) -> Waiting<'a>),
}
