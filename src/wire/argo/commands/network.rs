//! `ip`, `mac`, `rx`, `tx`.

use crate::core::model::{Device, DeviceFacts, DomainConfig, Vif};
use crate::core::rights::{Need, Right};
use crate::wire::argo::answer::{Answer, Output, Refusal};
use crate::wire::argo::call::Call;
use crate::wire::argo::command::{Command, Run};
use crate::wire::argo::instance::Instance;
use crate::wire::argo::signature::Signature;
use std::net::{IpAddr, ToSocketAddrs};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

const SEE: Need = Need::Domain(Right::See);

/// The class of network interfaces.
const VIF: &str = "vif";

/// Names that are looked up at a time: a name service that does not answer holds threads.
static LOOKUPS: Semaphore = Semaphore::const_new(8);

/// How long a caller waits for the name service.
const LOOKUP_LIMIT: Duration = Duration::from_secs(5);

pub(in crate::wire::argo) static IP: Command = Command {
    signature: Signature::new("ip", "NAME", SEE, "Show an instance's addresses."),
    run: Run::Instance(|_, instance| Box::pin(ip(instance))),
};

pub(in crate::wire::argo) static MAC: Command = Command {
    signature: Signature::new("mac", "NAME", SEE, "Show an instance's MAC addresses."),
    run: Run::Instance(|_, instance| Box::pin(async move { Ok(mac(instance)) })),
};

pub(in crate::wire::argo) static RX: Command = Command {
    signature: Signature::new("rx", "NAME", SEE, "Show the bytes that an instance received."),
    run: Run::Instance(|call, instance| {
        Box::pin(traffic(call, instance, |(received, _)| received))
    }),
};

pub(in crate::wire::argo) static TX: Command = Command {
    signature: Signature::new("tx", "NAME", SEE, "Show the bytes that an instance sent."),
    run: Run::Instance(|call, instance| Box::pin(traffic(call, instance, |(_, sent)| sent))),
};

fn vifs(config: &DomainConfig) -> impl Iterator<Item = &Vif> {
    config.devices.iter().filter_map(Device::as_vif)
}

/// The addresses that the guest reports; without any, those of the configuration, or else those of
/// the instance's name in the resolver.
async fn ip(instance: &Instance) -> Answer {
    let report = instance.domain().ok().and_then(|domain| domain.report.as_ref());
    let reported: Vec<String> =
        report.iter().flat_map(|report| report.reachable()).map(|ip| ip.to_string()).collect();
    if !reported.is_empty() {
        return Ok(reported.into_iter().collect());
    }
    let configured = vifs(instance.config()).filter_map(|vif| vif.ip.as_ref());
    let configured: Vec<String> = configured
        .flat_map(|ip| ip.to_string().split_whitespace().map(address).collect::<Vec<_>>())
        .collect();
    if !configured.is_empty() {
        return Ok(configured.into_iter().collect());
    }
    let addresses = timeout(LOOKUP_LIMIT, resolve(instance.name().to_owned())).await;
    match addresses.ok().flatten() {
        Some(addresses) if !addresses.is_empty() => {
            Ok(addresses.iter().map(ToString::to_string).collect())
        }
        _ => Err(Refusal::Failed("The address is not known".to_owned())),
    }
}

/// The address in a word of the configuration, which may have the length of a prefix.
fn address(word: &str) -> String {
    word.split('/').next().unwrap_or_default().to_owned()
}

/// The addresses of a host, each once.
async fn resolve(host: String) -> Option<Vec<IpAddr>> {
    // The resolver takes a number for an address.
    if host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let permit = LOOKUPS.acquire().await.ok()?;
    let looked_up = spawn_blocking(move || {
        let _permit = permit;
        let found = (host.as_str(), 0).to_socket_addrs().ok()?;
        let mut addresses: Vec<IpAddr> = Vec::new();
        for address in found.map(|socket| socket.ip()) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        Some(addresses)
    });
    looked_up.await.ok().flatten()
}

/// One a line. An interface of a file gets its address at the start, unless the file has one.
fn mac(instance: &Instance) -> Output {
    vifs(instance.config()).filter_map(|vif| vif.mac).map(|mac| mac.to_string()).collect()
}

/// `vif0 BYTES`, a line an interface. An interface whose bytes are not counted is left out.
async fn traffic(call: &Call<'_>, instance: &Instance, direction: fn((u64, u64)) -> u64) -> Answer {
    let domain = instance.target().map_err(|error| call.failure(&error))?;
    let devices = call.view.all_devices(&domain).await;
    let devices = devices.map_err(|error| call.failure(&error))?;
    let line = |vif: &DeviceFacts| {
        let bytes = direction(vif.io?);
        Some(format!("{VIF}{} {bytes}", vif.number))
    };
    Ok(devices.iter().filter(|device| device.class == VIF).filter_map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_looked_up() {
        let found = resolve("localhost".to_owned()).await.unwrap();
        assert!(found.iter().any(IpAddr::is_loopback), "{found:?}");
        for none in ["no host", "17", "10.0.0.1"] {
            assert_eq!(resolve(none.to_owned()).await, None, "{none}");
        }
    }

    #[test]
    fn an_address_has_no_prefix() {
        assert_eq!(address("10.0.0.1/24"), "10.0.0.1");
        assert_eq!(address("2001:db8::1"), "2001:db8::1");
    }
}
