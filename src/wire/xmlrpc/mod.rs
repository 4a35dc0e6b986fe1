//! XML-RPC: the calls of xm and of the Xen-API's clients.
//!
//! ```text
//! serve          HTTP: which listener offers which calls
//! endpoint       what a listener offers
//! context        the engine and the host as calls see them
//! value          values
//! codec          text <-> values
//! args           parameters of a call
//! fault          faults and their codes
//! object_ids     UUIDs that follow from another one
//! introspection  system.*: the calls that a listener offers
//! legacy         xend.*
//! xenapi         classes, sessions
//! ```

mod args;
pub mod codec;
mod context;
mod endpoint;
mod fault;
mod introspection;
mod legacy;
mod object_ids;
mod serve;
mod value;
mod xenapi;

pub use endpoint::{Endpoint, LegacyPolicy, LoginPolicy};
pub use serve::XmlRpc;
pub use value::Value;
