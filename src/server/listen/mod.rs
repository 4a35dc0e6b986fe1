//! Listeners: TCP and unix sockets, opened here or inherited from a service manager.

mod configured;
mod error;
mod inherited;
mod listener;
mod open;
mod protocol;
mod relocation;
mod tls;
mod unix;

pub use error::ListenError;
pub use inherited::Inherited;
pub use listener::Listener;
pub use open::{OpenListeners, announce, check, check_any, open};
pub use protocol::Protocol;
pub use relocation::{RELOCATION_HOSTS, open_relocation_tls, relocation_error};
pub use tls::Tls;

pub(crate) use listener::{Stream, TcpSecurity};
