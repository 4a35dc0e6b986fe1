//! The configuration of a domain that another toolstack built, as far as it matters here.

use crate::core::model::{
    ActionOnShutdown, Block, BlockClass, BlockKind, BlockMode, Device, DomName, DomainConfig,
    GuestKind, Image, Property, Uuid, Vfb, Vif, VirtualDevice,
};
use serde_json::Value;

/// Reads a `libxl_domain_config`. The other toolstack decides what happens when the guest stops.
pub(super) fn from_json(value: &Value, uuid: Uuid, memory_kib: u64) -> DomainConfig {
    let create = &value["c_info"];
    let build = &value["b_info"];
    let mib = |key: &str| build[key].as_u64().map(|kib| (kib / 1024).max(1));
    let text = |key: &str| build[key].as_str().unwrap_or_default();
    let memory = mib("target_memkb").unwrap_or((memory_kib / 1024).max(1));
    let name = DomName::adopted(create["name"].as_str().unwrap_or("unknown"));
    let mut config = DomainConfig::new(name, memory);
    config.uuid = Some(uuid);
    config.maxmem = mib("max_memkb").unwrap_or(memory).max(memory);
    let vcpus = build["max_vcpus"].as_u64().and_then(|count| u32::try_from(count).ok());
    config.set_vcpus(vcpus.unwrap_or(1));
    config.on_poweroff = ActionOnShutdown::Preserve;
    config.on_reboot = ActionOnShutdown::Preserve;
    config.on_crash = ActionOnShutdown::Preserve;
    let (kind, builder) = match create["type"].as_str() {
        Some("hvm") => (GuestKind::Hvm, "hvm"),
        Some("pvh") => (GuestKind::Pvh, "pvh"),
        _ => (GuestKind::Pv, "linux"),
    };
    config.image = Some(Image {
        kind,
        builder: builder.into(),
        kernel: text("kernel").into(),
        ramdisk: Some(text("ramdisk")).filter(|path| !path.is_empty()).map(Into::into),
        args: text("cmdline").into(),
        loader: None,
        device_model: None,
        rest: vec![],
    });
    let list = |key: &str| value[key].as_array().cloned().unwrap_or_default();
    config.devices.extend(list("nics").iter().map(nic));
    config.devices.extend(list("disks").iter().filter_map(disk));
    let screen = match kind {
        GuestKind::Hvm => &build["type.hvm"]["vnc"],
        GuestKind::Pv | GuestKind::Pvh => &value["vfbs"][0]["vnc"],
    };
    config.devices.extend(frame_buffer(screen));
    config.number_devices();
    config
}

/// The frame buffer behind a VNC server.
fn frame_buffer(vnc: &Value) -> Option<Device> {
    if vnc["enable"].as_str() != Some("True") {
        return None;
    }
    let keys = [("vnclisten", "listen"), ("vncpasswd", "passwd")];
    let settings = keys
        .iter()
        .filter_map(|(key, name)| vnc[*name].as_str().map(|value| Property::new(*key, value)));
    let rest = [Property::new("vnc", "1")].into_iter().chain(settings).collect();
    Some(Device::Vfb(Vfb { rest, ..Vfb::default() }))
}

fn nic(nic: &Value) -> Device {
    let text = |key: &str| nic[key].as_str().map(Into::into);
    Device::Vif(Vif {
        mac: nic["mac"].as_str().and_then(|mac| mac.parse().ok()),
        bridge: text("bridge"),
        script: text("script"),
        ip: text("ip"),
        id: Some(nic["devid"].as_u64().and_then(|id| u32::try_from(id).ok()).unwrap_or(0)),
        ..Vif::default()
    })
}

fn disk(disk: &Value) -> Option<Device> {
    let dev = disk["vdev"].as_str()?;
    let path = disk["pdev_path"].as_str().unwrap_or_default();
    let kind = if disk["is_cdrom"].as_i64().unwrap_or(0) == 1 {
        BlockKind::Cdrom
    } else {
        BlockKind::Disk
    };
    let script = disk["script"]
        .as_str()
        .and_then(|script| script.rsplit('/').next()?.strip_prefix("block-"));
    let scheme = script.unwrap_or(if path.starts_with("/dev/") { "phy" } else { "file" });
    Some(Device::Block(Block {
        class: BlockClass::Vbd,
        uname: if path.is_empty() { "".into() } else { format!("{scheme}:{path}").into() },
        dev: dev.to_owned(),
        number: VirtualDevice::parse(dev).ok()?,
        kind,
        mode: if disk["readwrite"].as_i64() == Some(1) {
            BlockMode::ReadWrite
        } else {
            BlockMode::ReadOnly
        },
        bootable: None,
        backend: None,
        vdi: None,
        uuid: None,
        rest: vec![],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_foreign_domain_is_preserved_when_it_stops() {
        let value = json!({ "c_info": { "type": "pv", "name": "jpv" }, "b_info": { "max_vcpus": 2, "max_memkb": 131_072,
            "target_memkb": 65_536, "kernel": "/k" }, "disks": [{ "pdev_path": "/tmp/d", "vdev": "xvda", "readwrite": 1 },
                { "pdev_path": "10.0.0.1:7000", "vdev": "xvdb", "readwrite": 1, "script": "/etc/xen/scripts/block-nbd" }] });
        let config = from_json(&value, Uuid::nil(), 0);
        assert_eq!((config.memory, config.maxmem, config.vcpus), (64, 128, 2));
        assert_eq!(config.on_reboot, ActionOnShutdown::Preserve);
        assert_eq!(config.devices[0].as_block().unwrap().uname, "file:/tmp/d");
        assert_eq!(config.devices[1].as_block().unwrap().uname, "nbd:10.0.0.1:7000");
    }

    #[test]
    fn the_screen_of_a_foreign_domain_is_its_frame_buffer() {
        let screen = |value: Value| {
            let config = from_json(&value, Uuid::nil(), 0);
            config.devices.into_iter().find_map(|device| match device {
                Device::Vfb(vfb) => Some((vfb.vnc_listen(), vfb.vnc_password(None).is_some())),
                _ => None,
            })
        };
        let vnc = json!({ "enable": "True", "listen": "0.0.0.0", "passwd": "geheim" });
        let expected = Some(("0.0.0.0".to_owned(), true));
        let hvm = json!({ "c_info": { "type": "hvm" }, "b_info": { "type.hvm": { "vnc": vnc } } });
        assert_eq!(screen(hvm), expected);
        let pv = json!({ "c_info": { "type": "pv" }, "vfbs": [{ "vnc": vnc }] });
        assert_eq!(screen(pv), expected);
        let off = json!({ "c_info": { "type": "pv" }, "vfbs": [{ "vnc": { "enable": "False" } }] });
        assert_eq!(screen(off), None);
    }
}
