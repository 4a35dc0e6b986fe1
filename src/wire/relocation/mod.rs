//! Domains that go from host to host, over xend's relocation port (8002).
//!
//! ```text
//! sender                                            receiver
//! (receive (version 1) (id ID) (config (domain ...)) (definition (domain ...)))
//!                                                   (ready)            or (err REASON), at any point
//! the hypervisor's own form of the domain
//!                                                   (building STAGE)   while nothing is read, every few seconds
//!                                                   (arrived)
//! (go)
//!                                                   (taken)
//!
//! (verdict (id ID))
//!                                                   (taken)            or (not-taken)
//! ```
//!
//! Each message is one S-expression on a line. What it means when the connection is lost in between
//! is told in `core::driver::migrate`. xend spoke a line of its own here before a stream that
//! today's Xen cannot read; it is refused in words.

mod courier;
mod line;
mod server;

pub use courier::TcpCourier;
pub use server::RelocationServer;
