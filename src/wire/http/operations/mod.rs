//! The operations of POST, a file a family.
//!
//! An [`Operation`](super::operation::Operation) is a static with its name, its parameters, and a
//! function that reads them. `by_page` lists the operations of each page; dispatch, the reference
//! and the forms of pages are made from these lists.

pub(super) mod by_page;
mod create;
mod credit;
pub(super) mod devices;
pub(super) mod guest;
pub(super) mod managed;
mod memory;
mod migrate;
mod network_keys;
mod node;
pub(super) mod power;
mod rename;
mod reset_network;
pub(super) mod save;
pub(super) mod saved;
mod sedf;
pub(crate) mod storage;
mod sysrq;
pub(super) mod vcpus;
mod vnet;
