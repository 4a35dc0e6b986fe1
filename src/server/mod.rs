//! The way in: listeners, connections and their limits, the life of the daemon, its log.
//!
//! Nothing here knows a page or an operation. A wire hands in an [`axum::Router`]; every request
//! reaches it with a [`Caller`](crate::core::caller::Caller) among its extensions.
//!
//! ```text
//! lifecycle   signals, readiness, drain
//! serve       accept loops, one task a connection
//!   listen      TCP, unix socket, socket activation
//!   slots       who may stay when the house is full
//!   conn        hyper on one connection
//!     request_line   repairs a raw space in the target
//!     pace           cuts off who is too slow
//! guard       refuses requests that a web page sends behind its reader's back
//! telemetry   log lines to standard error or a file, and to /xend/node/log
//! ```

pub mod guard;
pub mod lifecycle;
pub mod listen;
pub mod serve;
pub mod telemetry;

mod activity;
mod conn;
mod pace;
mod request_line;
mod slots;

pub use guard::Guard;
pub use lifecycle::Signals;
pub use listen::{Inherited, Listener};
pub use serve::Server;
