//! The daemon's own commands, one file a family.

pub(super) mod facts;
pub(super) mod host;
pub(super) mod image;
pub(super) mod list;
pub(super) mod network;
pub(super) mod power;
pub(super) mod session;
