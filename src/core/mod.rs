//! The domain language: what a caller can ask for, what a domain is, what a hypervisor must be able
//! to do.
//!
//! This module knows no wire, no file format and no hypervisor library. Everything that comes from
//! outside arrives as an [`op::Op`] at the one door, [`engine::Engine::execute`], and leaves as an
//! [`op::Outcome`] or an [`error::Error`].

pub mod caller;
pub mod engine;
pub mod error;
pub mod inventory;
pub mod journal;
pub mod lifecycle;
pub mod model;
pub mod op;
pub mod ports;
pub mod samples;
pub mod sedf;
pub mod snapshot;
pub mod transfer;

mod arrivals;
mod context;
mod driver;
mod last_read;
mod limited;
mod mailbox;
mod publisher;
mod registry;
mod reservations;
mod settings;
mod vnets;
mod watchdog;
