//! What the guest reports about itself, in nodes of XenStore below its own directory.
//!
//! ```text
//! reporter           when to look, and what to do about changes
//! publisher          writes what has changed, in order
//! report             nodes and values, bounded and printable
//! operating_system   the system, its kernel, name and memory
//! features           what the host may do with the guest; the agent's version
//! addresses          the addresses of each vif
//! interfaces         where interfaces come from: the kernel, or a test
//! ```

mod addresses;
mod features;
#[cfg(test)]
mod fixtures;
mod interfaces;
mod operating_system;
mod publisher;
mod report;
mod reporter;

pub use interfaces::{Interfaces, KernelInterfaces};
pub use reporter::Reporter;
