//! The commands, one file each.

pub mod agentupdate;
pub mod features;
pub mod file_inject;
pub mod injectfile;
pub mod keyinit;
pub mod password;
pub mod resetnetwork;
pub mod version;

mod put_file;
