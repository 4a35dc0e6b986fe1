//! JSON, for programs of today: what is answered, what is read, and the schemas of both.
//!
//! The types here are the format: their fields are the keys, their documentation is that of the
//! OpenAPI document (`openapi`), and `request` reads bodies by them. A configuration is read into
//! the tree that its S-expression has, so that one reader checks both.

pub(super) mod answers;
mod check;
mod config;
mod device;
pub(super) mod domain;
mod fields;
pub(super) mod figures;
pub(super) mod fleet;
pub(super) mod host;
pub(super) mod kept_domain;
mod limits;
pub(super) mod names;
mod pci_device;
pub(super) mod places;
pub(super) mod problem;
pub(super) mod problem_kind;
pub(super) mod request;
pub(super) mod schemas;
mod settings;
pub(super) mod task;
pub(super) mod usage;
