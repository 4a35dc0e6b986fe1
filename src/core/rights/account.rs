//! Accounts as the users file has them.

use super::access::Access;
use std::fmt;

/// How the user of an account logs in.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// With a password, of which this is the hash.
    Hash(String),
    /// As the user of the same name of this machine, through PAM.
    Pam,
    /// Not at all: the kernel identifies the user on the unix socket.
    None,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hash(_) => "Hash(..)",
            Self::Pam => "Pam",
            Self::None => "None",
        })
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub credential: Credential,
    /// Users of this machine who have the account without a password, on the unix sockets and over
    /// loopback.
    pub uids: Vec<u32>,
    pub access: Access,
}

impl Account {
    /// An account that no user of this machine has without logging in.
    pub fn new(name: &str, credential: Credential, access: Access) -> Self {
        Self { name: name.to_owned(), credential, uids: Vec::new(), access }
    }
}
