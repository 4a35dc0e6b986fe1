//! The core: operations on domains, and the interfaces to hypervisors and stores.
//!
//! This module knows no wire, no file format and no hypervisor library. A change is an
//! [`op::Change`] for [`engine::Engine::execute`], and is answered with an [`op::Outcome`] or an
//! [`error::Error`]. Everything that is read comes through an [`view::View`].

pub mod backend;
pub mod caller;
pub mod change_log;
pub mod consoles;
pub mod device_io;
pub mod engine;
pub mod error;
mod error_kind;
mod error_text;
pub mod fingerprint;
pub mod fleet;
pub mod fleet_domain;
pub mod guard;
pub mod inventory;
pub mod journal;
pub mod lifecycle;
pub mod metrics;
pub mod model;
pub mod offload;
pub mod op;
pub mod ownership;
pub mod placement;
pub mod ports;
pub mod rights;
pub mod samples;
pub mod sedf;
pub mod snapshot;
pub mod taker;
pub mod transfer;
pub mod view;

mod arrivals;
pub mod content_size;
mod context;
mod driver;
mod failures;
mod guest;
mod health;
mod histories;
mod image_claims;
mod last_read;
mod left_out;
mod limited;
mod mailbox;
mod place;
mod publisher;
mod registry;
mod reservations;
mod settings;
mod vnets;
mod watchdog;
