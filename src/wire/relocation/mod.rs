//! Migration of domains between hosts, over xend's relocation port (8002).
//!
//! ```text
//! sender                        receiver
//! (receive (version 1) (id ID) (config (domain ...)) (definition (domain ...)))
//!                               (ready)             or (err REASON), at any point:
//!                                                   a host that is not allowed, all places taken
//! the hypervisor's own stream
//!                               (building STAGE)    every few seconds while nothing is read
//!                               (arrived)
//! (go (fleet NAME))             without NAME if the domain moves in no fleet
//!                               (taken)             or (err REASON): the verdict is asked for
//!
//! (verdict (id ID))
//!                               (taken)             or (not-taken (refused)), a migration that the
//!                                                   host knows, or (not-taken), one that it does
//!                                                   not; (err REASON) while it is not decided
//! ```
//!
//! Each message is one S-expression on a line. `core::driver::migrate` documents what a lost
//! connection means at each step. The original xend sent a line of its own before a stream that
//! today's Xen cannot read; such a sender gets `(err REASON)`.
//!
//! The same over TLS is on port 8003. There both hosts show a certificate (`peer_tls`). xend
//! encrypted, too, and checked no certificate.
//!
//! On a host in a fleet, the same port takes the domains of other hosts of the fleet, and their
//! requests, as HTTP. They are told by the protocol that the handshake names, and come from hosts
//! whose certificates the fleet knows by their names (`introduction.rs`; `transport.rs` sends,
//! `peers.rs` asks, `server.rs` is asked).

mod connection;
mod greeting;
mod incoming;
mod introduction;
mod peers;
mod places;
mod server;
mod transport;
mod tunnel;

pub use peers::TlsPeers;
pub use places::RelocationPlaces;
pub use server::RelocationServer;
pub use transport::TcpTransport;
