//! The daemon's state directory, in xend's own layout, since tools look there.
//!
//! ```text
//! domains/UUID/config.sxp        the definition of a managed domain
//! domains/UUID/checkpoint.chk    the memory of a suspended domain
//! domains/UUID.elsewhere-1/      what another host of the fleet has now
//! fleet/UUID.copy                of which version of the fleet a definition is, see `fleet`
//! moves/UUID.sxp                 a domain that is being saved or sent
//! moves/ID.arrival               a domain that another host sent
//! vnets.sxp                      virtual networks
//! host-uuid, host-uuid.copy      the host's own UUID
//! fleet-member                   the fleet of which the host is a member
//! lock                           locked by the daemon that runs, see `dir_lock`
//! objects/UUID.sxp               an object of the host beside its domains
//! history/UUID.history           what a domain used, see `history`
//! history/host.history           what the host used
//! storage/UUID.img               a disk image
//! storage/.part-UUID             a disk image that is being created or removed
//! ```
//!
//! A directory that a real xend left behind is taken over as it is. Domain-0's definition, which
//! xend kept there too, is left alone. Changes survive a crash of the machine, see
//! [`durable`](crate::durable). A damaged file is set aside and never prevents the start, see
//! [`state_file`](crate::state_file).

mod blocking;
mod definitions;
mod dir_store;
mod disk_content;
mod disk_facts;
mod files;
mod fleet_mark;
mod history;
mod host_uuid;
mod images;
mod objects;
mod real_path;
mod records;
mod save_file;
mod saved_files;
mod vnets;

pub use definitions::defined;
pub use dir_store::DirStore;
pub use fleet_mark::FleetMark;
pub use host_uuid::host_uuid;

#[cfg(test)]
mod tests;
