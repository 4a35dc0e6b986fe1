//! Devices as xend lists them, and the columns that several classes share.

use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{print, print_json, print_pretty};
use serde::Serialize;
use std::fmt::Write as _;
use xend_sxp::Sxp;

/// A device and its state in XenStore. A number that is not known is -1, as in xm.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Device {
    pub(super) id: i64,
    pub(super) backend_id: i64,
    pub(super) handle: i64,
    pub(super) state: i64,
    pub(super) event_channel: i64,
    pub(super) ring_ref: i64,
    pub(super) tx_ring_ref: i64,
    pub(super) rx_ring_ref: i64,
    pub(super) mac: String,
    pub(super) backend: String,
}

impl Device {
    /// Reads `(2049 ((virtual-device 2049) (backend-id 0) ...))`.
    pub(super) fn read(listed: &Sxp) -> Self {
        let properties = listed.tail().first().and_then(Sxp::as_list).unwrap_or_default();
        let text = |key: &str| {
            let found = properties.iter().find(|property| property.head() == Some(key));
            found.and_then(|property| property.tail().first()).and_then(Sxp::as_str)
        };
        let number = |key: &str, missing: i64| {
            text(key).and_then(|text| text.parse().ok()).unwrap_or(missing)
        };
        let word = |key: &str| text(key).unwrap_or("??").to_owned();
        Self {
            id: listed.head().and_then(|id| id.parse().ok()).unwrap_or(-1),
            backend_id: number("backend-id", -1),
            handle: number("handle", 0),
            state: number("state", -1),
            event_channel: number("event-channel", -1),
            ring_ref: number("ring-ref", -1),
            tx_ring_ref: number("tx-ring-ref", -1),
            rx_ring_ref: number("rx-ring-ref", -1),
            mac: word("mac"),
            backend: word("backend"),
        }
    }
}

/// The devices of a class that a domain has.
pub(super) fn devices(context: &Context, domain: &str, class: &str) -> Result<Vec<Sxp>, Failure> {
    let list = context.gateway.operate_on(domain, "devices", &[("type", class)])?;
    Ok(list.and_then(|list| list.as_list().map(<[Sxp]>::to_vec)).unwrap_or_default())
}

/// Lists the devices of a class: as S-expressions, as JSON, or in columns below a header, which is
/// left out when there are none.
pub(super) fn show(
    context: &Context,
    words: &Words,
    class: &str,
    header: &str,
    row: fn(&Device) -> String,
) -> Result<(), Failure> {
    let listed = devices(context, words.argument(0), class)?;
    if words.has("long") {
        return listed.iter().try_for_each(print_pretty);
    }
    let devices: Vec<Device> = listed.iter().map(Device::read).collect();
    if words.has("json") {
        return print_json(&devices);
    }
    let mut out = String::new();
    if !devices.is_empty() {
        let _ = writeln!(out, "{header}");
    }
    for device in &devices {
        let _ = writeln!(out, "{}", row(device));
    }
    print(out)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use xend_sxp::{Limits, read_one};

    /// A device of a listing.
    pub(in super::super) fn device(text: &str) -> Device {
        Device::read(&read_one(text.as_bytes(), &Limits::DEFAULT).unwrap())
    }

    #[test]
    fn missing_properties_are_as_in_xm() {
        let device = device("(0 ((state 4)))");
        assert_eq!((device.id, device.state, device.backend_id, device.handle), (0, 4, -1, 0));
        assert_eq!((device.mac.as_str(), device.backend.as_str()), ("??", "??"));
    }
}
