//! The tables of metrics.

mod connections;
mod daemon;
mod domains;
mod engine;
mod table;

pub(super) use table::all;
