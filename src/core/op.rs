//! Operations: the changes that the engine carries out, and their outcomes.

mod change;
mod domain;
mod guest;
mod host;
mod once;
mod outcome;

pub use change::{Change, ImageContent};
pub use domain::{AfterDump, Arrival, DeviceRef, DomainOp};
pub use guest::{Content, GuestAnswer, GuestCall, GuestOp, StoreOp};
pub use host::{NetworkOp, PoolOp};
pub use once::Once;
pub use outcome::Outcome;
