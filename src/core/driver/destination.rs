//! Where a domain is sent: to a host of the fleet by its name, or to another one as the client
//! names it.

use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::fleet::{HostName, Member, Presence};
use crate::core::model::Invalid;
use crate::core::ports::{Destination, DestinationMember, Fleet};
use std::net::IpAddr;
use std::sync::Arc;

impl Core {
    /// The destination that a client means. The name of a host of the fleet is that host, whatever
    /// it means in DNS: the fleet knows its address, its port and its certificate, and the
    /// connection is encrypted. Every other destination is as it was given.
    pub(super) async fn destination(&self, to: Destination) -> Result<Destination, Error> {
        let Some((fleet, name)) = self.as_member(&to) else { return Ok(to) };
        let refused = |reason: &str| Invalid::new(format!("destination: {name} {reason}"));
        if name == fleet.own() {
            let own = refused("is this host: name another one");
            return Err(own.about("destination").into());
        }
        let unreachable = |reason: &str| Error::Unreachable {
            message: format!("destination: {name} {reason}"),
            source: None,
        };
        let unknown = |error: Error| {
            unreachable(&format!("may be a host of the fleet, which is not known: {error}"))
        };
        let Some(member) = fleet.member(&name).await.map_err(unknown)? else { return Ok(to) };
        let view = fleet.view().await.map_err(unknown)?;
        let presence = view.members.get(&name).map(|member| member.presence);
        if let Some(Presence::Silent { .. }) = presence {
            return Err(unreachable(
                "is silent: it is off, or cut off from etcd, and cannot take a domain",
            ));
        }
        let Some(found) = address_of(&name, &member) else {
            return Err(unreachable(
                "has no encrypted relocation port, see xend-relocation-ssl-server there",
            ));
        };
        // A port of no default is one that the client wants.
        let is_default = to.port == self.policy().relocation.port(to.encrypted);
        if !is_default && to.port != found.port {
            let reason = format!(
                "Invalid value for port: {name} takes domains at port {}, which the fleet knows: \
                 leave the port out",
                found.port
            );
            return Err(Invalid::new(reason).about("port").into());
        }
        Ok(found)
    }

    /// The same destination as the fleet knows it now, for a question about a domain that was sent:
    /// meanwhile a host can have another address and another certificate.
    pub(super) async fn destination_now(&self, to: &Destination) -> Destination {
        let now = async {
            let name = &to.member.as_ref()?.name;
            let member = self.settings.fleet.as_ref()?.member(name).await.ok()??;
            address_of(name, &member)
        };
        now.await.unwrap_or_else(|| to.clone())
    }

    /// The error of a destination that cannot be reached. Somebody may have meant a host of the
    /// fleet.
    pub(super) fn unreached(&self, to: &Destination, error: Error) -> Error {
        match error {
            Error::Unreachable { message, source }
                if to.member.is_none() && self.as_member(to).is_some() =>
            {
                let message = format!("{message}; the fleet has no host of this name");
                Error::Unreachable { message, source }
            }
            other => other,
        }
    }

    /// The name that a host of the fleet could have, and the fleet. An address is none.
    fn as_member(&self, to: &Destination) -> Option<(&Arc<dyn Fleet>, HostName)> {
        let fleet = self.settings.fleet.as_ref()?;
        let is_address = to.host.parse::<IpAddr>().is_ok();
        let name = to.host.parse::<HostName>().ok().filter(|_| !is_address)?;
        Some((fleet, name))
    }
}

/// Where a member takes domains over encrypted connections; `None` if it takes none.
fn address_of(name: &HostName, member: &Member) -> Option<Destination> {
    let certificate = member.fingerprint?;
    let (host, port) = member.relocation.as_deref()?.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some(Destination {
        host: host.to_owned(),
        port: port.parse().ok()?,
        encrypted: true,
        member: Some(DestinationMember { name: name.clone(), certificate }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fingerprint::Fingerprint;
    use crate::core::model::Uuid;

    #[test]
    fn a_member_with_an_encrypted_port_has_an_address() {
        let certificate = Fingerprint::new([7; Fingerprint::LEN]);
        let at = |relocation: Option<&str>, fingerprint| {
            let member = Member {
                uuid: Uuid::nil(),
                relocation: relocation.map(str::to_owned),
                fingerprint,
                version: String::new(),
                hypervisor: String::new(),
                cpus: 1,
                memory_mib: 1,
                storages: Vec::new(),
                epoch: 1,
                is_away: false,
                presence: Presence::Alive,
            };
            address_of(&"xen2".parse().unwrap(), &member).map(|to| to.to_string())
        };
        let pin = Some(certificate);
        assert_eq!(at(Some("xen2:8003"), pin).as_deref(), Some("xen2 at xen2:8003"));
        assert_eq!(at(Some("10.0.0.2:8013"), pin).as_deref(), Some("xen2 at 10.0.0.2:8013"));
        let of_ipv6 = at(Some("[2001:db8::2]:8003"), pin);
        assert_eq!(of_ipv6.as_deref(), Some("xen2 at [2001:db8::2]:8003"));
        for (relocation, pin) in
            [(None, pin), (Some("xen2:8002"), None), (Some("xen2"), pin), (Some("xen2:x"), pin)]
        {
            assert_eq!(at(relocation, pin), None, "{relocation:?}");
        }
    }
}
