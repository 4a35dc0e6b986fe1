//! The hosts that may connect.

use super::names::PeerNames;
use super::resolver::Resolver;
use crate::core::model::Invalid;
use regex::Regex;
use std::net::IpAddr;
use std::sync::Arc;

/// Regular expressions, separated by blanks. A peer may connect if one of them matches its name or
/// address. Without any expression all peers may connect, as in xend.
///
/// Clones share the names that have been looked up.
#[derive(Debug, Clone, Default)]
pub struct AllowedHosts {
    patterns: Arc<[Regex]>,
    names: PeerNames,
}

impl AllowedHosts {
    /// Reads the setting. Names come from the machine's name service.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let compile = |pattern: &str| {
            Regex::new(pattern)
                .map_err(|_| Invalid::new(format!("'{pattern}' is not a regular expression")))
        };
        let patterns = text.split_whitespace().map(compile).collect::<Result<_, _>>()?;
        Ok(Self { patterns, names: PeerNames::default() })
    }

    /// The same hosts, with names from another name service.
    #[must_use]
    pub fn with_resolver(self, resolver: Arc<dyn Resolver>) -> Self {
        Self { names: PeerNames::new(resolver), ..self }
    }

    /// Whether all peers may connect.
    pub fn everybody(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether a peer may connect. Waits some seconds for its name at most. A name counts only if
    /// it has the peer's address: xend believed whatever a peer called itself.
    pub async fn allows(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.everybody()
            || self.matches(&peer.to_string())
            || (peer.is_loopback() && self.matches("localhost"))
            || self.names.of(peer).await.is_some_and(|name| self.matches(&name))
    }

    fn matches(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_match(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    /// 192.0.2.7 is `xen7.example.org`; all others call themselves `localhost`, `10.0.0.1` or so.
    struct Liars;

    impl Resolver for Liars {
        fn name_of(&self, address: IpAddr) -> io::Result<String> {
            let name = match address.to_string().as_str() {
                "192.0.2.7" | "192.0.2.66" => "xen7.example.org",
                "192.0.2.67" => "10.0.0.1",
                "192.0.2.68" => return Err(io::ErrorKind::NotFound.into()),
                _ => "localhost",
            };
            Ok(name.to_owned())
        }

        fn addresses_of(&self, name: &str) -> io::Result<Vec<IpAddr>> {
            let address = match name {
                "xen7.example.org" => "192.0.2.7",
                "localhost" => "127.0.0.1",
                address => address,
            };
            Ok(vec![address.parse().unwrap()])
        }
    }

    async fn allows(hosts: &AllowedHosts, peer: &str) -> bool {
        hosts.allows(peer.parse().unwrap()).await
    }

    #[tokio::test]
    async fn hosts_are_matched_by_name_and_address() {
        let local = AllowedHosts::parse("^localhost$ ^localhost\\.localdomain$").unwrap();
        assert!(allows(&local, "127.0.0.1").await);
        assert!(allows(&local, "::ffff:127.0.0.1").await);
        let net = AllowedHosts::parse("^192\\.0\\.2\\.").unwrap();
        assert!(allows(&net, "192.0.2.7").await);
        assert!(!net.matches("198.51.100.1") && !net.everybody());
        assert!(AllowedHosts::parse("").unwrap().everybody());
        assert_eq!(
            AllowedHosts::parse("^a (").unwrap_err().to_string(),
            "'(' is not a regular expression"
        );
    }

    #[tokio::test]
    async fn a_name_that_leads_elsewhere_is_not_believed() {
        let parse = |text| AllowedHosts::parse(text).unwrap().with_resolver(Arc::new(Liars));
        let hosts = parse("^localhost$ ^10\\. ^xen[0-9]+\\.example\\.org$");
        assert!(allows(&hosts, "192.0.2.7").await);
        assert!(allows(&hosts, "::ffff:192.0.2.7").await);
        for liar in ["192.0.2.1", "192.0.2.66", "192.0.2.67", "192.0.2.68", "2001:db8::1"] {
            assert!(!allows(&hosts, liar).await, "{liar}");
        }
    }
}
