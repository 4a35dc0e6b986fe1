//! Operations: the requests to the engine and their outcomes.

mod change;
mod domain;
mod host;
mod once;
mod outcome;
mod query;

pub use change::{Change, Op};
pub use domain::{AfterDump, Arrival, DeviceRef, DomainOp};
pub use host::{NetworkOp, PoolOp};
pub use once::Once;
pub use outcome::Outcome;
pub use query::Query;
