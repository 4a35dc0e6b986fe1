//! The exchanges.

pub mod directory;
pub mod stdio;
pub mod xenstore;

mod data_files;
mod responses;
