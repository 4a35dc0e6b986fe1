//! The running kernel, as the reset of the network needs it: which addresses have come, whatever a
//! distribution's tools say, the system's name, and the time.

use super::plan::Subnet;
use crate::netlink::{self, Interface};
use crate::root::Root;
use rustix::system::sethostname;
use std::io;
use std::thread;
use std::time::{Duration, Instant};
use xend_guest_protocol::network::Mac;

/// How often addresses are asked for.
const INTERVAL: Duration = Duration::from_millis(200);

/// An address that an interface is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    pub mac: Mac,
    pub address: Subnet,
}

/// The kernel of the running system.
pub trait Kernel {
    /// Waits for addresses, for `limit` at most. Returns those that have not come.
    fn missing(&self, wanted: &[Wanted], limit: Duration) -> io::Result<Vec<Wanted>>;

    /// Renames the system whose files are below `root`. One that does not run is an error.
    fn set_hostname(&self, root: &Root, name: &str) -> io::Result<()>;

    /// The time.
    fn now(&self) -> Instant;
}

/// Linux.
#[derive(Debug, Clone, Copy, Default)]
pub struct Linux;

impl Kernel for Linux {
    fn missing(&self, wanted: &[Wanted], limit: Duration) -> io::Result<Vec<Wanted>> {
        let end = Instant::now() + limit;
        loop {
            let interfaces = netlink::interfaces()?;
            let mut missing = wanted.to_vec();
            missing.retain(|wanted| !interfaces.iter().any(|interface| has(interface, wanted)));
            let left = end.saturating_duration_since(Instant::now());
            if missing.is_empty() || left.is_zero() {
                return Ok(missing);
            }
            thread::sleep(left.min(INTERVAL));
        }
    }

    fn set_hostname(&self, root: &Root, name: &str) -> io::Result<()> {
        if !root.is_running_system() {
            return Err(io::Error::other("The agent's root is not that of the running system"));
        }
        Ok(sethostname(name.as_bytes())?)
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// An address whose uniqueness is still in doubt counts: without a carrier it stays so for ever.
fn has(interface: &Interface, wanted: &Wanted) -> bool {
    interface.link.mac == Some(wanted.mac.0)
        && interface.addresses.iter().any(|address| {
            address.ip == wanted.address.ip && address.prefix == wanted.address.prefix
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::{Address, Link};
    use std::net::IpAddr;

    const MAC: Mac = Mac([0, 0x16, 0x3e, 0, 0, 1]);

    fn wanted(ip: [u8; 4], prefix: u8) -> Wanted {
        Wanted { mac: MAC, address: Subnet { ip: IpAddr::from(ip), prefix } }
    }

    #[test]
    fn addresses_are_waited_for_within_the_limit() {
        let limit = Duration::from_millis(250);
        let began = Instant::now();
        let missing = Linux.missing(&[wanted([203, 0, 113, 10], 24)], limit).unwrap();
        assert_eq!(missing, [wanted([203, 0, 113, 10], 24)]);
        assert!(began.elapsed() >= limit);
        assert_eq!(Linux.missing(&[], Duration::from_secs(60)).unwrap(), []);
    }

    #[test]
    fn a_system_that_does_not_run_is_not_renamed() {
        let error = Linux.set_hostname(&Root::new("/nowhere"), "web1").unwrap_err();
        assert_eq!(error.to_string(), "The agent's root is not that of the running system");
    }

    #[test]
    fn an_address_is_of_its_interface_and_has_its_prefix() {
        let link = Link {
            index: 2,
            name: "eth0".to_owned(),
            mac: Some(MAC.0),
            is_up: true,
            is_loopback: false,
            master: None,
        };
        let address = Address {
            index: 2,
            ip: IpAddr::from([203, 0, 113, 10]),
            prefix: 24,
            is_link_local: false,
            is_usable: false,
            is_temporary: false,
        };
        let interface = Interface { link, addresses: vec![address] };
        assert!(has(&interface, &wanted([203, 0, 113, 10], 24)));
        assert!(!has(&interface, &wanted([203, 0, 113, 10], 25)));
        assert!(!has(&interface, &wanted([203, 0, 113, 11], 24)));
        let elsewhere = Wanted { mac: Mac([0; 6]), ..wanted([203, 0, 113, 10], 24) };
        assert!(!has(&interface, &elsewhere));
    }
}
