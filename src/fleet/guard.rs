//! The guard of protected domains: a process of its own beside the daemon.
//!
//! The state machine is [`core::guard`](crate::core::guard); here are its surroundings.
//!
//! ```text
//! ports     the hypervisor's watchdog, what destroys domains, the clock
//! fence     the linearizable read of the fence
//! lines     the protocol of the socket
//! clients   connections of the daemon
//! client    the daemon's side of them; guarded_here: what it hears
//! driver    the loop that carries out what the state machine wants
//! ```

mod client;
mod clients;
mod driver;
mod fence;
mod guarded_here;
mod lines;
mod ports;

#[cfg(test)]
mod tests;

pub use client::{GuardClient, GuardFailure, GuardPort};
pub use clients::{MAX_CLIENTS, serve};
pub use driver::{GuardHandle, drive};
pub use fence::{FenceReader, READ_LIMIT};
pub use guarded_here::GuardedHere;
pub use lines::MAX_LINE;
pub use ports::{BootClock, Destroyer, GuardPorts, Watchdog};
