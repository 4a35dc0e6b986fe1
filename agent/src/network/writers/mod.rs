//! The writers, one file each.

pub(super) mod gentoo;
pub(super) mod ifcfg;
pub(super) mod ifupdown;
pub(super) mod netplan;
pub(super) mod network_manager;
pub(super) mod networkd;
pub(super) mod suse;

mod interfaces_file;
mod own_files;
mod scripts;
