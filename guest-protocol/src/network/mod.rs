//! The settings of one network interface: a node below `vm-data/networking`.

mod interface;
mod mac;
mod prefix;
mod read;
mod write;

pub use interface::{Address, BadInterface, Interface, MAX_LABEL, Route};
pub use mac::Mac;
