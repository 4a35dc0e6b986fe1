//! VMs and their metrics.
//!
//! ```text
//! class          the class: fields and calls
//! fields         fields
//! calls          calls
//! set            setters
//! create         VM.create
//! clone          VM.clone
//! parameters     values that setters and records share
//! metrics        VM_metrics
//! guest_metrics  VM_guest_metrics
//! ```

mod calls;
pub(super) mod class;
mod clone;
mod create;
mod fields;
pub(super) mod guest_metrics;
pub(super) mod metrics;
mod parameters;
mod set;
