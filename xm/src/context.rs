//! What a command is given beside its words.

use crate::gateway::Gateway;
use std::ffi::OsString;

/// The surroundings of a command.
pub(crate) struct Context {
    pub(crate) gateway: Gateway,
    /// Carries out a command line, for the shell. It gives the exit status.
    pub(crate) interpret: fn(&Context, &[OsString]) -> u8,
}
