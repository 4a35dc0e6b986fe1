//! Metrics in the text format of OpenMetrics 1.0, and health.
//!
//! ```text
//! router      /metrics, /healthz and /readyz, and who may read them
//! sources     what is measured outside of the engine, and all figures of one moment
//! exposition  the figures as text
//!   families/   the tables of metrics: name, type, unit, labels, and what is read for it
//!   family      the columns of a table
//! ```
//!
//! Nothing is counted here, and no metric has a label whose values a client chooses, apart from the
//! names of the host's domains.

mod exposition;
mod families;
mod family;
mod router;
mod sources;

#[cfg(test)]
mod tests;

pub use router::{Metrics, Readers};
pub use sources::Sources;
