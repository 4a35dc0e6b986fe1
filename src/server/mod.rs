//! Listeners, connections and their limits, the life cycle of the daemon, and its log.
//!
//! Nothing here knows a page or an operation. A wire provides an [`axum::Router`], and every
//! request reaches it with a [`Caller`](crate::core::caller::Caller) among its extensions.
//!
//! ```text
//! lifecycle   signals, readiness, reload, drain, the end of the process
//! serve       the server: its listeners, its tasks, and their end
//!   listen             TCP, unix sockets, socket activation, TLS
//!   places             how many connections a listener has, within the limit of open files
//!   accept_loop        one task a connection
//!   admission          who calls, whether the host may connect, encryption, a place
//!   connection_limit   the limit of a listener, and the connection to close at the limit
//!   connection         HTTP on one connection
//!     activity         the phase of a connection, and its deadline
//!     refusal_headers  the headers of answers that hyper makes itself
//!     request_line     escapes raw spaces in the request target
//!     timeout_stream   closes connections of slow clients
//!   client_stream      a connection of another protocol
//! identity    who a connection is before a login
//! guard       refuses requests that foreign web pages send through a browser
//! basic_auth  logs in who sends a password with each request
//! telemetry   the log: standard error or a file, and /xend/node/log
//! ```

pub mod guard;
pub mod lifecycle;
pub mod listen;
pub mod places;
pub mod serve;
pub mod telemetry;

mod accept_loop;
mod activity;
mod admission;
mod basic_auth;
mod client_stream;
mod connection;
mod connection_limit;
mod identity;
mod refusal_headers;
mod request_line;
mod timeout_stream;

pub use basic_auth::BasicAuth;
pub use client_stream::ClientStream;
pub use guard::Guard;
pub use identity::{Identities, Trust};
pub use lifecycle::Signals;
pub use listen::{Inherited, Listener};
pub use places::Places;
pub use serve::Server;
