//! What the engine measures: how often changes and calls of the hypervisor are made, how they end,
//! and how long they take.
//!
//! ```text
//! counters         all of them, by the closed enums of changes and calls
//!   measures       one kind of change or call: its endings and its durations
//!   ending         how one ends
//!   histogram      durations
//!   hypervisor_call  the names of the calls of the port
//! ```
//!
//! A measurement is a few additions to atomics. Nothing here has a name that a client chooses.

mod counters;
mod ending;
mod histogram;
mod hypervisor_call;
mod measures;

pub use ending::Ending;
pub use histogram::{BOUNDS, Durations};
pub use hypervisor_call::HypervisorCall;
pub use measures::Measurement;

pub(super) use counters::Counters;
