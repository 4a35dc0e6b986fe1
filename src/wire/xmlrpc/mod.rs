//! XML-RPC: the calls of xm and of the Xen-API's clients.
//!
//! ```text
//! chunks         bodies in several chunks
//! serve          HTTP: which listener offers which calls
//! receive        how much is read of a call, and in what memory
//! endpoint       what a listener offers
//! context        the engine and the host as calls see them
//! value          values
//! codec          text <-> values
//! args           parameters of a call
//! fault          faults and their codes
//! object_ids     UUIDs that follow from another one
//! introspection  system.*: the calls that a listener offers
//! reference      all calls with examples
//! examples       a value for each parameter
//! legacy         xend.*
//! xenapi         classes, sessions
//! ```

mod args;
mod chunks;
pub mod codec;
mod context;
mod endpoint;
mod examples;
mod fault;
mod introspection;
mod legacy;
mod object_ids;
mod receive;
mod reference;
mod serve;
mod value;
mod xenapi;

pub use endpoint::{Endpoint, LegacyPolicy, LoginPolicy};
pub use reference::{legacy_calls, xen_api_calls};
pub use serve::XmlRpc;
pub use value::Value;
pub use xenapi::XenApiHosts;
