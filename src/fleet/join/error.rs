//! Why a fleet is not made, joined or left.

use crate::core::fleet::HostName;
use crate::core::model::Uuid;
use crate::fleet::kv::KvError;
use crate::fleet::records::SCHEMAS;

/// Why a host does not make, join or leave a fleet, or forget another host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// There is one already.
    #[error("The fleet {0} exists: join it by xend fleet join")]
    Exists(String),
    /// Nobody has made it.
    #[error("There is no fleet {0} in this etcd: make it on its first host by xend fleet init")]
    NoFleet(String),
    /// This host is no member.
    #[error("The host {0} is not in the fleet: xend fleet join")]
    NoMember(HostName),
    /// Another host has the name.
    #[error(
        "The fleet has another host of the name {host}, with the UUID {uuid}: give this one another \
         name by (xend-fleet-host NAME), or type xend fleet forget {host} if that one is gone for good"
    )]
    NameTaken { host: HostName, uuid: Uuid },
    /// This host is a member by another name, or is a copy of that member.
    #[error(
        "The fleet has this host's UUID {uuid} as {host}: let {host} leave, or remove host-uuid and \
         host-uuid.copy from the state directory of a copy"
    )]
    UuidTaken { host: HostName, uuid: Uuid },
    /// The token is of no use.
    #[error(
        "The token is wrong, too old or was used already: xend fleet token on a member prints a \
         new one"
    )]
    BadToken,
    /// A host to forget is the one that asks.
    #[error("{0} is this host: xend fleet leave")]
    ThisHost(HostName),
    /// A host to forget is alive, or has just changed its record.
    #[error("{0} is alive: xend fleet leave on {0}, or stop its xend first")]
    NotSilent(HostName),
    /// There is no such host to forget.
    #[error("The fleet has no host {0}: xend fleet status lists its hosts")]
    NoSuchHost(HostName),
    /// A host is forgotten, but some of its domains are still in etcd.
    #[error("{host} is forgotten, but not all of its domains: type the command again ({error})")]
    LeftOver { host: HostName, error: KvError },
    /// Another version speaks another protocol.
    #[error("The fleet needs schema {needs}, and this xend speaks {} to {}: update xend", SCHEMAS.min, SCHEMAS.max)]
    Schema { needs: u32 },
    /// A key has a value that this version cannot read.
    #[error("{key} in etcd makes no sense to this xend: update it, or remove the key")]
    Unreadable { key: String },
    /// Domains that belong to it could be started elsewhere while they run here.
    #[error(
        "This host has domains of the fleet ({domains}), which other hosts could start when it has \
         left: migrate or destroy them first"
    )]
    HasDomains { domains: usize },
    /// This host has not the fleet's key, or cannot keep it.
    #[error("The fleet's key is of no use: {0}")]
    Key(String),
    /// Domains of this host and of the fleet have the same name or UUID. With a line for each.
    #[error(
        "This host has domains that the fleet has, too:{}\nRename them here (xm rename), or delete \
         them (xm delete), and join then",
        lines(.0)
    )]
    Clashes(Vec<String>),
    /// It has left, but its definitions are still in etcd.
    #[error(
        "{host} has left, but not all of its definitions are gone: type the command again ({error})"
    )]
    LeftBehind { host: HostName, error: KvError },
    /// A definition to adopt does not exist.
    #[error("The fleet has no definition of {0}: xend fleet status lists those without a host")]
    NoSuchDefinition(String),
    /// A definition to adopt has a host.
    #[error("{domain} is defined on {host}: migrate it from there")]
    HasHome { domain: String, host: HostName },
    /// A domain to adopt runs.
    #[error("{domain} runs on {host}, or is being started there: migrate it from there")]
    Runs { domain: String, host: HostName },
    /// A host is confirmed to be dead, but some of its domains are still its own.
    #[error(
        "{host} counts as dead, but not all of its domains are free: type the command again ({error})"
    )]
    HalfDead { host: HostName, error: KvError },
    /// Too few hosts watch for others that die.
    #[error(
        "A domain can be protected while at least two hosts watch for hosts that die, and the fleet \
         has {takers}: xend fleet takers HOST HOST"
    )]
    TooFewTakers { takers: usize },
    /// A domain to protect is not defined.
    #[error(
        "The fleet has no definition of {0}: a domain is protected once it is defined (xm new)"
    )]
    Undefined(String),
    /// A domain that is to be tried again waits for nobody.
    #[error("{0} does not wait for anybody: xend fleet status lists the domains that do")]
    NotStuck(String),
    /// Others change the fleet all the time.
    #[error("Other hosts join or leave at the same time: try again")]
    Busy,
    /// etcd did not say what came of it.
    #[error("It may have happened or not, since etcd did not answer: see xend fleet status ({0})")]
    InDoubt(String),
    /// etcd has said no, or nothing.
    #[error("{0}")]
    Kv(KvError),
}

/// A line of its own for each, with the break before it.
fn lines(clashes: &[String]) -> String {
    clashes.iter().flat_map(|clash| ["\n  ", clash]).collect()
}
