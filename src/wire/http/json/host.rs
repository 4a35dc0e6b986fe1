//! What the host has: storage, networks, CPU pools, PCI devices, saved domains, events, accounts.

use schemars::JsonSchema;
use serde::Serialize;

/// The local storage, and a part of the disk images that xend knows.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Storage {
    /// Directory of the images that xend makes; null if it cannot be used.
    pub(crate) directory: Option<String>,
    /// Size of the file system.
    pub(crate) size_bytes: Option<u64>,
    /// Bytes that the images occupy.
    pub(crate) used_bytes: Option<u64>,
    /// Bytes that can still be written.
    pub(crate) free_bytes: Option<u64>,
    /// Number of all images that match.
    pub(crate) total: usize,
    pub(crate) images: Vec<Image>,
}

/// A disk image.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Image {
    pub(crate) uuid: String,
    /// What clients call it; may be empty.
    pub(crate) name: String,
    /// `file:/var/lib/xend/storage/....img`, `phy:/dev/vg0/root`
    pub(crate) location: String,
    /// Bytes that a guest sees.
    pub(crate) size_bytes: u64,
    /// Bytes that are occupied on the disk; null if that is unknown.
    pub(crate) used_bytes: Option<u64>,
    /// `raw`, `qcow2`, `vhd`, ...
    pub(crate) format: String,
    /// What its first sectors hold: `ext4`, `partitions`, `empty`, ...; null if that is unknown.
    pub(crate) content: Option<&'static str>,
    /// Whether xend made the image, and deletes it together with its entry.
    pub(crate) is_own: bool,
    pub(crate) is_read_only: bool,
    /// Whether several domains may write to it.
    pub(crate) is_sharable: bool,
    /// Names of the domains with it.
    pub(crate) domains: Vec<String>,
}

/// The host's networks.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Networks {
    pub(crate) bridges: Vec<Bridge>,
    /// Network cards and virtual LANs of Domain-0.
    pub(crate) interfaces: Vec<HostInterface>,
}

/// A bridge of Domain-0.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Bridge {
    pub(crate) name: String,
    /// Whether it exists: a domain can name one that does not.
    pub(crate) exists: bool,
    /// Whether a client of the Xen-API created it.
    pub(crate) is_created_by_client: bool,
    /// Names of the cards and virtual LANs on it.
    pub(crate) interfaces: Vec<String>,
    /// Names of the domains on it.
    pub(crate) domains: Vec<String>,
}

/// A network interface of Domain-0.
#[derive(Serialize, JsonSchema)]
pub(crate) struct HostInterface {
    pub(crate) name: String,
    #[schemars(extend("enum" = ["card", "vlan"]))]
    pub(crate) kind: &'static str,
    pub(crate) mac: Option<String>,
    pub(crate) mtu_bytes: u32,
    /// Bridge that it is on; null for none.
    pub(crate) bridge: Option<String>,
    /// Bytes since the interface exists.
    pub(crate) received_bytes: u64,
    pub(crate) sent_bytes: u64,
}

/// A CPU pool.
#[derive(Serialize, JsonSchema)]
pub(crate) struct CpuPool {
    pub(crate) name: String,
    /// Whether the pool is on the host. Another one is a definition.
    pub(crate) is_started: bool,
    pub(crate) scheduler: &'static str,
    /// CPUs in it; those that it is to get, for a definition.
    pub(crate) cpus: Vec<u32>,
    /// Names of the domains in it.
    pub(crate) domains: Vec<String>,
}

/// A PCI function of the host.
#[derive(Serialize, JsonSchema)]
pub(crate) struct HostPciFunction {
    /// `0000:00:19.0`
    pub(crate) address: String,
    /// What it is, in a word or two.
    pub(crate) kind: &'static str,
    /// The class, subclass and programming interface, in hexadecimal.
    pub(crate) class: String,
    /// In hexadecimal.
    pub(crate) vendor: String,
    /// In hexadecimal.
    pub(crate) device: String,
    /// Driver of Domain-0; null without one.
    pub(crate) driver: Option<String>,
    /// Name of the domain that it is configured for.
    pub(crate) domain: Option<String>,
}

/// Saved domains.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Saved {
    /// Directories in which files are looked for.
    pub(crate) directories: Vec<String>,
    /// Number of all files.
    pub(crate) total: usize,
    /// A part of the files, the newest first.
    pub(crate) files: Vec<SavedFile>,
    /// Names of the managed domains that are suspended.
    pub(crate) suspended: Vec<String>,
}

/// The file of a saved domain.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SavedFile {
    /// Absolute path on the host.
    pub(crate) file: String,
    /// Name of the domain in it.
    pub(crate) domain: String,
    pub(crate) uuid: Option<String>,
    pub(crate) memory_mib: u64,
    pub(crate) size_bytes: u64,
    /// Time of the save (RFC 3339).
    pub(crate) saved_at: String,
}

/// A part of the events since the daemon started, the latest first.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Journal {
    /// Number of all events that match.
    pub(crate) total: usize,
    pub(crate) events: Vec<JournalEvent>,
}

/// An event.
#[derive(Serialize, JsonSchema)]
pub(crate) struct JournalEvent {
    /// RFC 3339
    pub(crate) at: String,
    pub(crate) kind: &'static str,
    /// Name of the domain, or of the other object.
    pub(crate) about: String,
    /// UUID of the domain; null if the event is about something else.
    pub(crate) uuid: Option<String>,
    /// The event in words.
    pub(crate) text: String,
    /// Who asked for an operation; null for other events.
    pub(crate) caller: Option<String>,
}

/// A part of the accounts, and of the sessions of pages.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Accounts {
    pub(crate) accounts: Vec<Account>,
    pub(crate) sessions: Vec<PageSession>,
}

/// An account.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Account {
    pub(crate) name: String,
    /// Whether it may do everything.
    pub(crate) is_operator: bool,
    #[schemars(extend("enum" = ["password", "pam", "socket"]))]
    pub(crate) login: &'static str,
    pub(crate) grants: Vec<Grant>,
}

/// Rights on some domains.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Grant {
    /// Names, patterns or UUIDs.
    pub(crate) domains: Vec<String>,
    pub(crate) rights: Vec<String>,
}

/// A session of a user who has logged in on a page.
#[derive(Serialize, JsonSchema)]
pub(crate) struct PageSession {
    pub(crate) user: String,
    /// Time since the login.
    pub(crate) age_seconds: u64,
    /// Time since its last use.
    pub(crate) idle_seconds: u64,
}
