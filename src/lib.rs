//! xend's interface on today's Xen.
//!
//! Until Xen 4.4, Xen hosts were run by xend, a daemon with an HTTP interface that spoke
//! S-expressions. This crate is that interface again: unmodified clients of 2005 to 2014 work, on
//! real Xen through libxl or on a simulated host. `ARCHITECTURE.md` is the map. The modules, from
//! the inside out:

pub mod store;
pub use xend_sxp as sxp;

pub mod core;

pub mod shape;
pub mod xm_file;
pub use xend_xmconfig as xmconfig;

pub mod allocator;
pub mod answer_memory;
pub mod auth;
pub mod backend;
pub mod bounded_file;
pub mod call_reference;
pub mod check;
pub mod dir_lock;
pub mod durable;
pub mod fleet;
pub mod held_dir;
mod host_file;
pub mod long_body;
pub mod memory_budget;
pub mod os;
pub mod parent_dir;
pub mod peer_tls;
pub mod peers;
pub mod pem;
pub mod state_file;
pub mod wire;

pub mod cli;
pub mod config;
pub mod fleet_command;
pub mod guard_command;
pub mod server;
pub mod user_command;
mod version;
