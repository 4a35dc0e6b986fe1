//! A function of a plug-in.

use super::call::Work;
use super::params::Params;
use crate::wire::xmlrpc::xenapi::failure::Failure;

/// A function of a plug-in.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) make: fn(&Params<'_>) -> Result<Work, Failure>,
}
