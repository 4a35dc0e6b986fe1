//! Listeners: TCP and unix sockets, opened here or inherited from a service manager.

mod check;
mod claims;
mod configured;
mod error;
mod inherited;
mod listener;
mod open;
mod protocol;
mod relocation;
mod tls;
mod unix;

pub use check::{check, check_any};
pub use error::ListenError;
pub use inherited::Inherited;
pub use listener::Listener;
pub use open::{OpenListeners, open};
pub use protocol::Protocol;
pub use relocation::{RELOCATION_HOSTS, open_relocation_tls, open_to_every_host, relocation_error};
pub use tls::Tls;

pub(crate) use listener::{Stream, TcpSecurity};
