//! The guest's network as the host wants it: read from `vm-data`, written into the files of the
//! distribution, applied by its own tools, checked, and taken back if it does not work.
//!
//! ```text
//! reset        all of it, in order
//! settings     what the host wants: vm-data/hostname, vm-data/networking
//! interfaces   the guest's interfaces, found by their MAC
//! plan         what each interface is to have
//! choice       which writer the guest's network is of
//! writer       the trait of writers; writers: one file a kind of configuration
//! assignments  files of KEY=value lines, which some of the writers share
//! hostname, resolv_conf, cloud_init   the other files
//! files, lines   a file as it is to be, and its text
//! undo         the old files, kept until the new ones have proven themselves
//! error        why the network was not reset
//! addresses    what the kernel says of addresses
//! ```

pub mod addresses;
pub mod error;
pub mod files;
pub mod plan;
pub mod reset;
pub mod writer;

mod assignments;
mod choice;
mod cloud_init;
mod hostname;
mod interfaces;
mod lines;
mod resolv_conf;
mod settings;
mod undo;
mod writers;
