//! The guest's network as the host wants it: read from `vm-data`, written into the files of the
//! distribution, applied by its own tools, checked, and taken back if it does not work.
//!
//! ```text
//! reset        all of it, in order
//! settings     what the host wants: vm-data/hostname, vm-data/networking
//! interfaces   the guest's interfaces, found by their MAC
//! plan         what each interface is to have
//! change       what is to be different, and whether that is possible
//! choice       which writer the guest's network is of
//! writer       the trait of writers; writers: one file a kind of configuration
//! assignments  files of KEY=value lines, which some of the writers share
//! hostname, resolv_conf, cloud_init   the other files
//! files, lines   a file as it is to be, and its text
//! undo         the record of a change: the old files, until the new ones have proven themselves
//! rollback     taking a change back
//! schedule     how long each part of a reset may take
//! error        why the network was not reset
//! kernel       what the running kernel says of addresses; it renames itself
//! ```

pub mod error;
pub mod files;
pub mod kernel;
pub mod plan;
pub mod reset;
pub mod rollback;
pub mod schedule;
pub mod writer;

mod assignments;
mod change;
mod choice;
mod cloud_init;
mod hostname;
mod interfaces;
mod lines;
mod resolv_conf;
mod settings;
mod undo;
mod writers;
