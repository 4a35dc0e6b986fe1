//! Accounts and passwords: the users file, and the gate that every check of a password passes.
//!
//! ```text
//! users_text     the text of the users file; access_text: domains, rights and limits in it
//! users_file     reads the file, and again when it changes
//! users_edit     changes it for `xend user`
//! gate           LoginGate: logs users in, on all wires
//! slowdown       failures slow down later logins, by account and by source (source)
//! lane           the way to the check, with room for sources of earlier logins
//! turns          logins at the same time with the same password
//! verified       passwords that were right a short time ago
//! hash           argon2, a few hashes at a time in the whole daemon
//! password       the password file, whose users are operators
//! machine_users  this machine's own users, through pam
//! ```

mod access_text;
mod gate;
mod hash;
mod lane;
mod machine_users;
mod mistake;
#[cfg(feature = "pam")]
mod pam;
mod password;
mod slowdown;
mod source;
mod turns;
mod users_edit;
mod users_file;
mod users_text;
mod verified;

pub use gate::LoginGate;
pub use hash::hash;
pub use machine_users::pam;
pub use password::{PasswordFile, hashed};
pub use users_edit::{UserChange, add_user, remove_user, set_user};
pub use users_file::{AccountChanges, UsersFile, UsersFileError};
