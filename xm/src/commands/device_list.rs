//! Devices as xend lists them, and the columns that several classes share.

use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{print, print_json, print_pretty};
use serde::Serialize;
use std::fmt::Write as _;
use xend_sxp::Sxp;

/// A device and its state in XenStore.
#[derive(Debug, Serialize)]
pub(super) struct Device {
    pub(super) id: Option<i64>,
    pub(super) backend_id: Option<i64>,
    pub(super) handle: i64,
    pub(super) state: Option<i64>,
    pub(super) event_channel: Option<i64>,
    pub(super) ring_ref: Option<i64>,
    pub(super) tx_ring_ref: Option<i64>,
    pub(super) rx_ring_ref: Option<i64>,
    pub(super) mac: Option<String>,
    pub(super) backend: Option<String>,
}

impl Device {
    /// Reads `(2049 ((virtual-device 2049) (backend-id 0) ...))`.
    pub(super) fn read(listed: &Sxp) -> Self {
        let properties = listed.tail().first().and_then(Sxp::as_list).unwrap_or_default();
        let text = |key: &str| {
            let found = properties.iter().find(|property| property.head() == Some(key));
            found.and_then(|property| property.tail().first()).and_then(Sxp::as_str)
        };
        let number = |key: &str| text(key).and_then(|text| text.parse().ok());
        Self {
            id: listed.head().and_then(|id| id.parse().ok()),
            backend_id: number("backend-id"),
            handle: number("handle").unwrap_or(0),
            state: number("state"),
            event_channel: number("event-channel"),
            ring_ref: number("ring-ref"),
            tx_ring_ref: number("tx-ring-ref"),
            rx_ring_ref: number("rx-ring-ref"),
            mac: text("mac").map(str::to_owned),
            backend: text("backend").map(str::to_owned),
        }
    }
}

/// A number in a column: -1 if it is not known, as in xm.
pub(super) fn column(number: Option<i64>) -> i64 {
    number.unwrap_or(-1)
}

/// A text in a column: `??` if it is not known, as in xm.
pub(super) fn text_column(text: Option<&String>) -> &str {
    text.map_or("??", String::as_str)
}

/// The devices of a class that a domain has.
pub(super) fn devices(context: &Context, domain: &str, class: &str) -> Result<Vec<Sxp>, Failure> {
    let list = context.gateway.ask_about(domain, "devices", &[("type", class)])?;
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
    let devices: Vec<Device> = listed.iter().map(Device::read).collect();
    if words.has("json") {
        return print_json(&devices);
    }
    if words.has("long") {
        return listed.iter().try_for_each(print_pretty);
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
    fn what_is_missing_is_null_and_has_fillers_in_columns() {
        let device = device("(0 ((state 4)))");
        assert_eq!((device.id, device.state, device.handle), (Some(0), Some(4), 0));
        let json = serde_json::to_value(&device).unwrap();
        assert!(json["backend_id"].is_null() && json["mac"].is_null(), "{json}");
        assert_eq!(column(device.backend_id), -1);
        assert_eq!(text_column(device.mac.as_ref()), "??");
    }
}
