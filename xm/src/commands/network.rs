//! `xm network-attach`, `network-detach`, `network-list`.

use super::block::detach_device;
use super::device_list::{Device, column, devices, show, text_column};
use crate::cli::command::Command;
use crate::cli::option::{JSON, LONG, flag};
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::Failure;
use xend_sxp::Sxp;

pub(super) static COMMANDS: [Command; 3] = [
    Command::new(
        "network-attach",
        "<Domain> [type=<type>] [mac=<mac>] [bridge=<bridge>] [ip=<ip>] [script=<script>] \
         [backend=<BackDomain>] [vifname=<name>] [rate=<rate>] [model=<model>] [accel=<accel>]",
        "Give a domain a network interface.",
        (1, 11),
        |context, words| {
            let config = interface(&words.arguments()[1..])?;
            let domain = Some(words.argument(0));
            context.gateway.configure(domain, "device_create", &config, &[]).map(drop)
        },
    ),
    Command::new(
        "network-detach",
        "<Domain> <DevId|mac> [-f|--force]",
        "Take a network interface from a domain.",
        (2, 2),
        detach,
    )
    .with(&[flag('f', "force", "Detach it even if the guest does not release it")]),
    Command::new(
        "network-list",
        "<Domain> [--long]",
        "List the network interfaces of a domain.",
        (1, 1),
        |context, words| show(context, words, "vif", HEADER, row),
    )
    .with(&[LONG, JSON])
    .also(&["vif-list"]),
];

const HEADER: &str = "Idx BE     MAC Addr.     handle state evt-ch tx-/rx-ring-ref BE-path";

const KEYS: [&str; 10] =
    ["type", "mac", "bridge", "ip", "script", "backend", "vifname", "rate", "model", "accel"];

fn row(device: &Device) -> String {
    format!(
        "{:<3} {:<3}{:<17}    {:<3}   {:<3}    {:<3}   {:<5}/{:<5}   {:<30}  ",
        column(device.id),
        column(device.backend_id),
        text_column(device.mac.as_ref()),
        device.handle,
        column(device.state),
        column(device.event_channel),
        column(device.tx_ring_ref),
        column(device.rx_ring_ref),
        text_column(device.backend.as_ref())
    )
}

/// `(vif (mac 00:16:3e:5a:00:44) (bridge xenbr0))`, of words such as `bridge=xenbr0`.
fn interface(words: &[String]) -> Result<Sxp, Failure> {
    let mut fields = vec![Sxp::atom("vif")];
    for word in words {
        let pair = word
            .split_once('=')
            .filter(|(key, value)| KEYS.contains(key) && !value.is_empty() && !value.contains('='));
        let Some((key, value)) = pair else {
            return Err(Failure::new(format!(
                "Invalid argument: {word} (one of {} is expected)",
                KEYS.join("=, ") + "="
            )));
        };
        fields.push(Sxp::list([Sxp::atom(key), Sxp::atom(value)]));
    }
    Ok(Sxp::list(fields))
}

fn detach(context: &Context, words: &Words) -> Result<(), Failure> {
    let domain = words.argument(0);
    let mut device = words.argument(1).to_owned();
    if device.split(':').count() == 6 {
        let all = devices(context, domain, "vif")?;
        let mut all = all.iter().map(Device::read);
        let is_it = |mac: &String| mac.eq_ignore_ascii_case(&device);
        let found = all.find(|found| found.mac.as_ref().is_some_and(is_it));
        let missing = || format!("Cannot find device '{device}' in domain '{domain}'");
        let found = found.ok_or_else(|| Failure::new(missing()))?;
        device = column(found.id).to_string();
    }
    detach_device(context, domain, "vif", &device, words.has("force"))
}

#[cfg(test)]
mod tests {
    use super::super::device_list::tests::device;
    use super::*;

    #[test]
    fn rows_are_those_of_xm() {
        let device = device(
            "(0 ((backend-id 0) (mac 00:16:3e:5a:00:01) (handle 0) (state 4) \
             (backend /local/domain/0/backend/vif/1/0) (event-channel 8) (tx-ring-ref 768) \
             (rx-ring-ref 769)))",
        );
        let xm = "0   0  00:16:3e:5a:00:01    0     4      8     768  /769     \
            /local/domain/0/backend/vif/1/0  ";
        assert_eq!(row(&device), xm);
    }

    #[test]
    fn an_interface_is_made_of_words() {
        let made = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            interface(&words).map(|vif| vif.to_string())
        };
        assert_eq!(made("").unwrap(), "(vif)");
        let vif = made("mac=00:16:3e:5a:00:44 bridge=xenbr0").unwrap();
        assert_eq!(vif, "(vif (mac 00:16:3e:5a:00:44) (bridge xenbr0))");
        for wrong in ["mac", "mac=", "color=red", "mac=a=b"] {
            let failure = made(wrong).unwrap_err().to_string();
            assert!(failure.starts_with(&format!("Invalid argument: {wrong} ")), "{failure}");
        }
    }
}
