//! Hosts that may connect.

use crate::core::model::Invalid;
use regex::Regex;
use std::net::IpAddr;
use std::sync::Arc;

/// Regular expressions, separated by blanks. A peer may connect if one of them matches its name or
/// address. Without any expression all peers may connect, as in xend.
#[derive(Debug, Clone, Default)]
pub struct AllowedHosts(Arc<[Regex]>);

impl AllowedHosts {
    /// Reads the setting.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let compile = |pattern: &str| {
            Regex::new(pattern)
                .map_err(|_| Invalid::new(format!("'{pattern}' is not a regular expression")))
        };
        Ok(Self(text.split_whitespace().map(compile).collect::<Result<_, _>>()?))
    }

    /// Whether all peers may connect.
    pub fn everybody(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a peer may connect. Blocks while its name is looked up.
    pub fn allows(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.everybody()
            || self.matches(&peer.to_string())
            || (peer.is_loopback() && self.matches("localhost"))
            || dns_lookup::lookup_addr(&peer).is_ok_and(|name| self.matches(&name))
    }

    fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern.is_match(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_matched_by_name_and_address() {
        let local = AllowedHosts::parse("^localhost$ ^localhost\\.localdomain$").unwrap();
        assert!(local.allows("127.0.0.1".parse().unwrap()));
        assert!(local.allows("::ffff:127.0.0.1".parse().unwrap()));
        let net = AllowedHosts::parse("^192\\.0\\.2\\.").unwrap();
        assert!(net.allows("192.0.2.7".parse().unwrap()));
        assert!(!net.matches("198.51.100.1") && !net.everybody());
        assert!(AllowedHosts::parse("").unwrap().everybody());
        assert_eq!(
            AllowedHosts::parse("^a (").unwrap_err().to_string(),
            "'(' is not a regular expression"
        );
    }
}
