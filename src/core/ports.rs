//! The interfaces between the core and the outside: a hypervisor, a store, other hosts, passwords,
//! a clock, randomness.

mod authenticator;
mod clock;
pub(in crate::core) mod entropy;
mod hypervisor;
mod machine;
mod migration;
mod objects;
mod store;

pub use authenticator::{Authenticator, LoginError};
pub use clock::Clock;
pub use entropy::Entropy;
pub use hypervisor::{CONSOLE_TAIL, DomainChanged, Hypervisor};
pub use machine::Machine;
pub use migration::{
    Built, Destination, Handover, IncomingMigration, MigratedDomain, MigrationTransport,
    OutgoingMigration, Verdict,
};
pub use objects::{DiskUsage, Objects, StorageFacts};
pub use store::{ArrivalRecord, Definition, Store, TransferRecord, UnfinishedFile};
