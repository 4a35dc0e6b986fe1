//! Debian's own xenstored (4.17) as a server for tests, without Xen: domain 0 and guests connect to
//! it as on a real host, with permissions, quotas and the guests' rings.
//!
//! `xenstore/tests/xenstored/shim.c` stands in for the hypervisor. The program is `$XENSTORED`, the
//! installed one, or what `tests/xenstored/fetch target/xenstored` gets.
//!
//! Tests of other packages include this file by its path; they need the development dependencies
//! `rustix` (features `event`, `mm` and `process`), `tempfile` and `xend-xenstore`:
//!
//! ```ignore
//! #[path = "../../xenstore/tests/support/xenstored/mod.rs"]
//! mod xenstored;
//!
//! let Some(mut xenstored) = xenstored::Xenstored::start() else { return };
//! xenstored.introduce(5);
//! let mut host = xenstored.client();
//! let agent = Agent::start(&xenstored.guest_socket(5));
//! ```
#![allow(dead_code, unused_imports, reason = "not every test uses all of it")]

mod daemon;
mod guest;
mod multiplexer;
mod nodes;
mod program;
mod ring;

pub(crate) use daemon::Xenstored;
pub(crate) use nodes::{directory_of, make_nodes};
