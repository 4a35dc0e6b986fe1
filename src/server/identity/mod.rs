//! Who a connection is before anybody logs in.
//!
//! ```text
//! identities    from a connection to its caller
//! owner         the local user at the other end of a TCP connection
//!   sock_diag   asks the kernel by netlink
//!   proc_net    reads /proc/net/tcp, where netlink does not work
//!   socket      what both tell about a socket
//! ```

mod identities;
mod owner;
mod proc_net;
mod sock_diag;
mod socket;

pub use identities::{Identities, Trust};
