//! Who may do what: callers with accounts, their domains and rights.
//!
//! ```text
//! Account   what the users file says: a name, a credential, an access
//! Accounts  all accounts; a reload replaces them
//! User      an account in force, shared by all sessions of the user
//! Access    domains with rights on them, and limits
//! OpKind    every change and every read; each needs a right
//! ```
//!
//! A user has domains by patterns for names, or by UUIDs. A pattern for names follows the name: a
//! domain that gets another name leaves the pattern. A right by UUID follows the domain. Users
//! rename domains only to names that they have as well, and that give them no further right; a
//! rename that gives a domain to a user or takes it away is logged.
//!
//! Rights count when a change is asked for: one that waits behind another change of its domain is
//! carried out even if the rights have gone meanwhile.

mod access;
mod account;
mod accounts;
mod config_check;
mod glob;
mod key_check;
mod limits;
mod need;
mod op_kind;
mod peer_users;
mod right;
mod user;

pub use access::{Access, DomainPattern, Grant};
pub use account::{Account, Credential};
pub use accounts::Accounts;
pub(in crate::core) use config_check::{MAX_DEVICES, check_config, check_device};
pub(in crate::core) use limits::{Claim, is_below};
pub use limits::{Limits, Usage};
pub use need::Need;
pub use op_kind::OpKind;
pub(in crate::core) use peer_users::PeerUsers;
pub use right::{Right, Rights};
pub use user::User;
