//! The kernel's network interfaces and their addresses, over rtnetlink and without any program.
//!
//! ```text
//! message   reads messages: a function of bytes
//! socket    asks the kernel for all interfaces and addresses, and hears of changes
//! ```

mod message;
mod socket;

pub use message::{Address, Link, Malformed, Message, Messages, Received, messages};
pub use socket::{Changes, Interface, MAX_ADDRESSES, MAX_INTERFACES, interfaces};
