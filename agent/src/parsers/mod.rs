//! The parsers.

pub mod json;
