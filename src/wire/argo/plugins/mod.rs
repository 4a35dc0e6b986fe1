//! Commands that the operator adds: programs in a directory.
//!
//! ```text
//! directory     finds the programs, checks whose they are, and remembers their descriptions
//! description   what a program says about itself
//! process       runs a program with limits
//! slots         how many run at a time
//! ```

mod description;
mod directory;
mod process;
mod slots;

pub(super) use directory::{Facts, Plugins};
