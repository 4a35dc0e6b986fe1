//! XenStore: a client for its wire protocol and, with the feature `server`, an in-memory XenStore.
//!
//! # The client
//!
//! [`Client::open`] connects to this machine's XenStore, [`Client::open_path`] to a device or a
//! unix socket. A client is blocking, and has one request outstanding. What reads and changes nodes
//! is in the trait [`Nodes`], which a [`Transaction`] implements, too:
//!
//! ```no_run
//! use xend_xenstore::{Client, Nodes};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::open()?;
//! client.watch("data/host", "requests")?;
//! while let Some(event) = client.next_event(None)? {
//!     for name in client.directory_if_exists(&event.path)?.unwrap_or_default() {
//!         let request = client.read_if_exists(&format!("data/host/{name}"))?;
//!         client.transaction(|nodes| {
//!             nodes.remove(&format!("data/host/{name}"))?;
//!             nodes.write(&format!("data/guest/{name}"), b"seen")
//!         })?;
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - Paths are absolute, or relative to the domain's own directory `/local/domain/DOMID`.
//! - Domain numbers are `u32`, values are bytes, tokens and paths are text.
//! - A refusal is [`Error::Refused`] with a [`Refusal`]; [`Error::is_not_found`] and its like ask
//!   for the usual ones. All other errors but [`Error::EventsLost`] and those of arguments end the
//!   connection: open a new one. [`Error::is_lost`] tells.
//! - A [`SharedClient`] is for several threads: it opens connections itself, and no thread waits
//!   for ever, whatever the daemon does.
//! - A [`Client`] is `AsFd`: wait for it to be readable, ask [`Client::has_event`] before, and take
//!   events by [`Client::next_event`] with a timeout of zero.
//!
//! # The in-memory XenStore
//!
//! `Store` is used in the same process through its `Connection`s, or served over unix sockets by a
//! `Server`. A guest's connection has the rights and quotas of its domain:
//!
//! ```
//! # #[cfg(feature = "server")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use xend_xenstore::{Access, Identity, Nodes, Permission, Store};
//!
//! let store = Store::new();
//! store.introduce(5)?;
//! let mut host = store.connect(Identity::Host).ok_or("domain 0 is always there")?;
//! host.mkdir("/local/domain/5/data")?;
//! host.set_permissions("/local/domain/5/data", &[Permission::new(Access::None, 5)])?;
//!
//! let mut guest = store.connect(Identity::Guest(5)).ok_or("domain 5 was introduced")?;
//! guest.watch("data/host", "requests")?;
//! guest.next_event(Some(Duration::ZERO))?;
//! host.write("/local/domain/5/data/host/1", b"hello")?;
//! let event = guest.next_event(Some(Duration::ZERO))?.ok_or("the watch hears of it")?;
//! assert_eq!(guest.read(&event.path)?, b"hello");
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "server"))]
//! # fn main() {}
//! ```

mod client;
mod error;
mod events;
mod nodes;
mod path;
mod perms;
#[cfg(feature = "server")]
mod server;
mod shared;
#[cfg(feature = "server")]
mod store;
mod transaction;
mod transport;
pub mod wire;

pub use client::Client;
pub use error::{Error, OpenError, Refusal};
pub use events::WatchEvent;
pub use nodes::Nodes;
pub use path::{MAX_ABSOLUTE_PATH, MAX_RELATIVE_PATH, PathError, check_path, check_watch_path};
pub use perms::{Access, BadPermission, Permission};
#[cfg(feature = "server")]
pub use server::Server;
pub use shared::SharedClient;
#[cfg(feature = "server")]
pub use store::{Connection, Identity, Store};
pub use transaction::Transaction;
pub use transport::Transport;
