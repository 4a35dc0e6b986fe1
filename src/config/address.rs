//! IP addresses to listen on.

use std::net::{AddrParseError, IpAddr, Ipv4Addr};
use std::str::FromStr;

/// An IP address to listen on, in xend's spelling: `localhost` is one, and `''` is all interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenIp(pub IpAddr);

impl ListenIp {
    /// All interfaces.
    pub const ANY: Self = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

    /// This machine only.
    pub const LOCALHOST: Self = Self(IpAddr::V4(Ipv4Addr::LOCALHOST));
}

impl Default for ListenIp {
    fn default() -> Self {
        Self::LOCALHOST
    }
}

impl FromStr for ListenIp {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Ok(Self::ANY),
            "localhost" => Ok(Self::LOCALHOST),
            ip => ip.parse().map(Self),
        }
    }
}
