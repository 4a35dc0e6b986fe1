//! Other hosts and clients that connect: which of them may, and how many places each may take.
//!
//! ```text
//! allowed_hosts      the patterns of the hosts that may connect
//! names              the names of hosts, confirmed in both directions
//! resolver           the name service
//! shares             places that are bounded in all and for each address
//! pending            connections that are not admitted yet
//! connection_counts  what listeners did with connections
//! log_limit          a message at most once in some seconds
//! ```

mod allowed_hosts;
mod connection_counts;
mod log_limit;
mod names;
mod pending;
mod resolver;
mod shares;

pub use allowed_hosts::AllowedHosts;
pub use connection_counts::{
    ConnectionCounts, ConnectionFigures, ListenerCounts, OpenConnection, Refusal,
};
pub use log_limit::LogLimit;
pub use pending::{PendingConnections, PendingPlace};
pub use resolver::Resolver;
pub use shares::{AddressGroup, Full, Share, ShareLimits, Shares};
