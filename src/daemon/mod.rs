//! The daemon: from its options to wires that are served.
//!
//! ```text
//! run         start and end
//! check       what a start would say, without one
//! diagnostics messages about the configuration
//! fleet       the fleet that the host is in
//! engine      the engine in front of its hypervisor
//! accounts    the file of accounts, and the gate that passwords pass
//! wires       what each listener serves
//! relocation  domains from other hosts
//! reload      what SIGHUP changes
//! ```

mod accounts;
mod check;
mod diagnostics;
mod engine;
mod fleet;
mod reload;
mod relocation;
mod run;
mod wires;

pub(crate) use check::check;
pub(crate) use run::serve;
