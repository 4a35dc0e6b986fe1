//! The daemon: from its options to wires that are served.
//!
//! ```text
//! run         start and end
//! diagnostics messages about the configuration
//! engine      the engine in front of its hypervisor
//! accounts    the file of accounts, and the gate that passwords pass
//! wires       what each listener serves
//! relocation  domains from other hosts
//! reload      what SIGHUP changes
//! ```

mod accounts;
mod diagnostics;
mod engine;
mod reload;
mod relocation;
mod run;
mod wires;

pub(crate) use run::serve;
