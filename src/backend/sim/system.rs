//! The parts of a guest's system that its agent can change.

use crate::core::model::{DomainConfig, Vif};
use crate::core::op::Content;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use xend_guest_protocol::hostname::Hostname;
use xend_guest_protocol::network::Mac;

/// The release of a guest's kernel.
pub(super) const KERNEL_RELEASE: &str = "6.1.0-sim";

/// A guest's system. The disks of simulated guests hold nothing, so that it ends with the domain; a
/// save takes it along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct System {
    /// `None` if the domain was built with a name that cannot be a host's.
    pub(super) host_name: Option<Hostname>,
    /// The addresses of the network interfaces whose settings were changed.
    pub(super) addresses: BTreeMap<Mac, Vec<IpAddr>>,
    /// The files that were written, by their paths.
    pub(super) files: BTreeMap<String, Content>,
}

impl System {
    /// The system of a guest that is built now.
    pub(super) fn new(config: &DomainConfig) -> Self {
        Self {
            host_name: Hostname::new(config.name.as_str()).ok(),
            addresses: BTreeMap::new(),
            files: BTreeMap::new(),
        }
    }

    /// The addresses of a network interface: those that it was given, else those of the domain's
    /// configuration, else one that follows from its MAC address. The link-local one is the last.
    pub(super) fn addresses_of(&self, vif: &Vif) -> Vec<IpAddr> {
        let Some(mac) = mac(vif) else { return Vec::new() };
        let mut addresses = match self.addresses.get(&mac) {
            Some(given) => given.clone(),
            None => configured(vif),
        };
        let [vendor @ .., x, y, z] = mac.0;
        if addresses.is_empty() {
            addresses.push(Ipv4Addr::new(10, x, y, z.clamp(1, 254)).into());
        }
        // The interface's part of an address is its MAC address with a flag turned over.
        let host = [vendor[0] ^ 2, vendor[1], vendor[2], 0xff, 0xfe, x, y, z];
        let bits = u128::from(u64::from_be_bytes(host));
        addresses.push(Ipv6Addr::from_bits(0xfe80 << 112 | bits).into());
        addresses
    }
}

/// The MAC address of a network interface.
pub(super) fn mac(vif: &Vif) -> Option<Mac> {
    Some(Mac(vif.mac?.octets()))
}

/// The addresses of the configuration, which may come with prefixes.
fn configured(vif: &Vif) -> Vec<IpAddr> {
    let text = vif.ip.as_ref().map(|ip| String::from_utf8_lossy(ip)).unwrap_or_default();
    let addresses = text.split([' ', ',']).filter_map(|word| word.split('/').next());
    addresses.filter_map(|address| address.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::config;
    use super::*;
    use crate::core::model::DomName;

    fn addresses(system: &System, ip: Option<&str>) -> Vec<String> {
        let mac = Some("00:16:3e:01:02:00".parse().unwrap());
        let vif = Vif { mac, ip: ip.map(Into::into), ..Vif::default() };
        system.addresses_of(&vif).iter().map(IpAddr::to_string).collect()
    }

    #[test]
    fn an_interface_has_addresses() {
        const LOCAL: &str = "fe80::216:3eff:fe01:200";
        let mut system = System::new(&config("web", 64));
        assert_eq!(addresses(&system, None), ["10.1.2.1", LOCAL]);
        assert_eq!(addresses(&system, Some("any")), ["10.1.2.1", LOCAL]);
        assert_eq!(
            addresses(&system, Some("203.0.113.5/24 2001:db8::5,203.0.113.6")),
            ["203.0.113.5", "2001:db8::5", "203.0.113.6", LOCAL]
        );
        let mac = Mac([0, 0x16, 0x3e, 1, 2, 0]);
        system.addresses.insert(mac, vec!["192.0.2.7".parse().unwrap()]);
        assert_eq!(addresses(&system, Some("203.0.113.5")), ["192.0.2.7", LOCAL]);
        assert!(system.addresses_of(&Vif::default()).is_empty());
    }

    #[test]
    fn a_name_with_blanks_is_no_host_name() {
        let name = |text| {
            let mut config = config("web1", 64);
            config.name = DomName::adopted(text);
            System::new(&config).host_name.map(|name| name.as_str().to_owned())
        };
        assert_eq!(name("web1.example"), Some("web1.example".into()));
        assert_eq!(name("my guest"), None);
    }
}
