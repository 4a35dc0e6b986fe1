//! Network interfaces.

use super::python_dict::PythonDict;
use super::settings::{Item, Settings};
use super::tree;
use crate::error::Fault;
use xend_sxp::Sxp;

/// Keys of `vif`: xm's and, from `devid` on, xl's.
const KEYS: [&str; 17] = [
    "backend",
    "bridge",
    "ip",
    "mac",
    "script",
    "type",
    "vifname",
    "rate",
    "model",
    "accel",
    "policy",
    "label",
    "devid",
    "gatewaydev",
    "mtu",
    "netdev",
    "trusted",
];

/// Keys of `vif2`, the interfaces of netchannel2.
const KEYS_2: [&str; 10] = [
    "front_mac",
    "back_mac",
    "backend",
    "trusted",
    "back_trusted",
    "front_filter_mac",
    "filter_mac",
    "bridge",
    "pdev",
    "max_bypasses",
];

/// The largest number of interfaces that `nics` asks for.
const MOST: i64 = 64;

/// The devices of `vif` and `vif2`.
pub(super) fn interfaces(
    settings: &Settings<'_>,
    devices: &mut Vec<Sxp>,
    warnings: &mut Vec<Fault>,
) -> Result<(), Fault> {
    let mut vifs = settings.items("vif")?;
    let nics = settings.get("nics").map_or(0, |value| value.offset);
    if let Some(count) = settings.integer("nics")? {
        if count > MOST {
            return Err(Fault::new(nics, format!("nics: {count} is above {MOST}")));
        }
        if count >= 0 {
            let reason = "nics: deprecated, use an empty item of vif for an interface: vif = ['']";
            warnings.push(Fault::new(nics, reason));
        }
        while i64::try_from(vifs.len()).is_ok_and(|known| known < count) {
            vifs.push(Item { variable: "nics", text: b"", offset: nics });
        }
    }
    for vif in vifs {
        devices.push(device("vif", &vif, &vif.pairs(&KEYS)?));
    }
    for vif in settings.items("vif2")? {
        devices.push(device("vif2", &vif, &vif.pairs(&KEYS_2)?));
    }
    Ok(())
}

fn device(class: &str, item: &Item<'_>, pairs: &PythonDict<&[u8]>) -> Sxp {
    let fields = pairs
        .iter()
        .map(|(key, text)| tree::text_field(&String::from_utf8_lossy(key), text, item.offset));
    tree::device(class, fields, item.offset)
}
