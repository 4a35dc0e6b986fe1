//! The log: to standard error or a file, and the latest lines in memory for `/xend/node/log`.
//!
//! The lines in memory, and by default the others, have the format of xend's log, which log readers
//! know:
//!
//! ```text
//! [2026-11-20 10:24:13 5794] INFO (SrvDaemon:332) Xend Daemon started
//! ```
//!
//! To the journal of systemd go priorities and messages, and to programs JSON, if wanted. Standard
//! error, in the format that belongs there, takes the place of a log file that cannot be opened.

mod announcements;
mod journal;
mod line_queue;
mod log_fields;
mod log_format;
mod log_ring;
mod log_writer;
mod setup;

pub use announcements::Announcements;
pub use log_ring::LogRing;
pub use setup::{Telemetry, TelemetryError, check, report_failure, report_usage};
