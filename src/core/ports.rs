//! The interfaces between the core and the outside: a hypervisor, a store, other hosts, a fleet,
//! callers, passwords, a clock, randomness.

mod authenticator;
mod clock;
pub(in crate::core) mod entropy;
mod fleet;
mod guest_store;
mod guest_stream;
mod histories;
mod hypervisor;
mod identify;
mod machine;
mod migration;
mod objects;
mod ownership;
mod peer;
mod request_refusal;
mod store;

pub use authenticator::{Authenticator, LoginError, Logins, fits_a_login};
pub use clock::Clock;
pub use entropy::Entropy;
pub use fleet::Fleet;
pub use guest_store::{GuestStore, TreeLimits};
pub use guest_stream::{GuestStream, OpenConsole};
pub use histories::Histories;
pub use hypervisor::{CONSOLE_TAIL, DomainChanged, Hypervisor};
pub use identify::Identify;
pub use machine::Machine;
pub use migration::{
    Built, Destination, DestinationMember, Handover, IncomingMigration, MigratedDomain,
    MigrationTransport, OutgoingMigration, Verdict,
};
pub use objects::{DiskFacts, DiskKind, DiskUsage, Objects, StorageFacts};
pub use ownership::{Alone, Arrived, Copies, Disputes, Leave, Ownership, PendingCopy};
pub use peer::{HostStream, PeerRefusal, PeerRequests, Peers};
pub use request_refusal::{RefusalReason, RequestRefusal};
pub use store::{
    ArrivalRecord, ArrivalStage, Definition, SavedFile, SavedFiles, Store, TransferRecord,
    UnfinishedFile,
};
