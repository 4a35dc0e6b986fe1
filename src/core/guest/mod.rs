//! The agent inside a guest, from the host's side.
//!
//! ```text
//! turns     one request at a time for each guest
//! exchange  a request and its response, through XenStore
//! commands  what is asked of the agent: versions, passwords, files, network
//! text      the printable part of texts of a guest
//! report    what the guest reports about itself
//! ```

mod commands;
mod exchange;
mod report;
mod text;
mod turns;

pub(in crate::core) use report::read_report;
pub(in crate::core) use turns::{Patience, Turns, Unanswered};
