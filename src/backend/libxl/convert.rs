//! Our configuration to libxl's JSON.
//!
//! libxl takes unknown keys and text in the place of numbers in silence, so what goes in is made
//! from values that have been checked.

use super::hvm;
use crate::core::error::Error;
use crate::core::model::{
    Block, BlockKind, BlockMode, CpuSet, Device, DomainConfig, GuestKind, Invalid, MAX_VCPUS,
    Password, PciFunction, Property, Rtds, SchedParams, Vif,
};
use serde_json::{Value, json};
use std::time::Duration;

/// libxl's names of xend's numbers.
const TSC_MODES: [&str; 4] = ["default", "always_emulate", "native", "native_paravirt"];

/// A domain's configuration as libxl takes it. `cpus` are the host's, and `password` is that of VNC
/// screens that name none.
pub(super) fn domain(
    config: &DomainConfig,
    cpus: u32,
    password: Option<&Password>,
) -> Result<Value, Error> {
    let image = config.image.as_ref();
    let kind = image.map_or(GuestKind::Pv, |image| image.kind);
    let online: Vec<u32> =
        (0..MAX_VCPUS).filter(|vcpu| config.vcpu_avail >> vcpu & 1 == 1).collect();
    let affinity: Vec<Vec<u32>> = config.cpus.iter().map(|set| allowed(set, cpus)).collect();
    let mut build = json!({
        "max_vcpus": config.vcpus,
        "avail_vcpus": online,
        "vcpu_hard_affinity": affinity,
        "max_memkb": config.maxmem.max(config.memory) * 1024,
        "target_memkb": config.memory * 1024,
        "sched_params": { "weight": config.cpu_weight, "cap": config.cpu_cap },
    });
    let set = |build: &mut Value, key: &str, text: &[u8]| {
        if !text.is_empty() {
            build[key] = Value::from(String::from_utf8_lossy(text));
        }
    };
    set(&mut build, "bootloader", &config.bootloader);
    if !config.bootloader_args.is_empty() {
        let args = String::from_utf8_lossy(&config.bootloader_args);
        build["bootloader_args"] = args.split_whitespace().collect();
    }
    if let Some(image) = image {
        set(&mut build, "kernel", &image.kernel);
        set(&mut build, "ramdisk", image.ramdisk.as_deref().map_or(&[], Vec::as_slice));
        set(&mut build, "cmdline", &image.args);
        let tsc_mode =
            image.setting("tsc_mode").and_then(|mode| mode.to_string().parse::<usize>().ok());
        if let Some(mode) = tsc_mode.and_then(|mode| TSC_MODES.get(mode)) {
            build["tsc_mode"] = (*mode).into();
        }
        if image.switched_on("nomigrate") {
            build["disable_migrate"] = hvm::defbool(true);
        }
    }
    match kind {
        GuestKind::Pv => build["type.pv"] = json!({}),
        GuestKind::Pvh => build["type.pvh"] = json!({}),
        GuestKind::Hvm => hvm::complete(&mut build, config, password),
    }
    let word = match kind {
        GuestKind::Pv => "pv",
        GuestKind::Pvh => "pvh",
        GuestKind::Hvm => "hvm",
    };
    let mut all = json!({
        "c_info": { "type": word, "name": config.name.as_str(), "uuid": config.uuid.unwrap_or_default().to_string() },
        "b_info": build,
    });
    if !config.pool_name.is_empty() && config.pool_name != "Pool-0" {
        all["c_info"]["pool_name"] = Value::from(config.pool_name.to_string());
    }
    let is_hvm = kind == GuestKind::Hvm;
    for one in &config.devices {
        // An HVM guest's screen and keyboard are its device model's.
        if is_hvm && matches!(one, Device::Vfb(_) | Device::Vkbd(_)) {
            continue;
        }
        for (list, value) in device(one, password)? {
            add(&mut all, list, value);
        }
    }
    if let Some(drive) = hvm::cdrom(config).filter(|_| is_hvm) {
        add(&mut all, "disks", drive);
    }
    // A frame buffer without a keyboard is none for libxl.
    if all.get("vfbs").is_some() && all.get("vkbs").is_none() {
        add(&mut all, "vkbs", json!({ "devid": 0 }));
    }
    Ok(all)
}

fn add(all: &mut Value, list: &str, value: Value) {
    match all[list].as_array_mut() {
        Some(values) => values.push(value),
        None => all[list] = json!([value]),
    }
}

/// The CPUs that an affinity allows: all of them if it names none.
fn allowed(set: &CpuSet, cpus: u32) -> Vec<u32> {
    if set.is_empty() { (0..cpus).collect() } else { set.iter().collect() }
}

/// What a device is for libxl, each with the list of its configuration that it belongs to; nothing
/// if libxl makes it by itself.
pub(super) fn device(
    device: &Device,
    password: Option<&Password>,
) -> Result<Vec<(&'static str, Value)>, Error> {
    Ok(match device {
        Device::Block(block) => vec![("disks", disk(block)?)],
        Device::Vif(interface) => vec![("nics", nic(interface))],
        Device::Vfb(frame) => {
            let mut screen =
                json!({ "devid": frame.id.unwrap_or(0), "vnc": vnc(&frame.rest, password) });
            if let Some(keymap) = frame.setting("keymap").filter(|keymap| !keymap.is_empty()) {
                screen["keymap"] = keymap.to_string().into();
            }
            vec![("vfbs", screen)]
        }
        Device::Vkbd(keyboard) => vec![("vkbs", json!({ "devid": keyboard.id.unwrap_or(0) }))],
        Device::Pci(device) => device.functions.iter().map(|one| ("pcidevs", pci(one))).collect(),
        Device::Console(_) => vec![],
        Device::Generic(other) => {
            let reason = format!("Today's Xen has no devices of the class {}", other.class);
            return Err(Error::Unsupported(reason));
        }
    })
}

/// A PCI function; libxl knows nothing bigger.
fn pci(function: &PciFunction) -> Value {
    let address = function.address;
    json!({ "domain": address.domain, "bus": address.bus, "dev": address.slot, "func": address.func })
}

/// `phy:` and `file:` are served by blkback, which looks by itself whether it is a device; a format
/// that the kernel does not know is for QEMU; any other type is for its hotplug script.
pub(super) fn disk(block: &Block) -> Result<Value, Error> {
    let (types, path) = block.source();
    let mut script = None;
    let format = match types.as_slice() {
        [] => "empty",
        [.., "qcow"] => "qcow",
        [.., "qcow2"] => "qcow2",
        [.., "vhd"] => "vhd",
        ["phy" | "file" | "tap" | "tap2" | "aio"] | ["tap" | "tap2", .., "aio" | "sync"] => "raw",
        ["tap" | "tap2", .., kind] => {
            let reason = format!("Block device type \"tap:{kind}\" is not served by today's Xen");
            return Err(Invalid::new(reason).into());
        }
        [kind, ..] => {
            script = Some(format!("block-{kind}"));
            "raw"
        }
    };
    let mut path = String::from_utf8_lossy(path).into_owned();
    if types.first() == Some(&"phy") && !path.starts_with('/') {
        path.insert_str(0, "/dev/");
    }
    let mut disk = json!({
        "vdev": block.dev,
        "format": format,
        "readwrite": u8::from(block.mode != BlockMode::ReadOnly),
        "is_cdrom": u8::from(block.kind == BlockKind::Cdrom),
        "removable": u8::from(block.kind == BlockKind::Cdrom),
    });
    if format != "empty" {
        disk["pdev_path"] = path.into();
    }
    if ["qcow", "qcow2", "vhd"].contains(&format) {
        disk["backend"] = "qdisk".into();
    } else if script.is_some() || (format == "raw" && block.kind == BlockKind::Disk) {
        disk["backend"] = "phy".into();
    }
    if let Some(script) = script {
        disk["script"] = script.into();
    }
    if let Some(backend) = block.backend.as_ref().filter(|backend| !backend.is_dom0()) {
        disk["backend_domname"] = backend.0.to_string().into();
    }
    Ok(disk)
}

fn nic(vif: &Vif) -> Value {
    let mut nic = json!({ "devid": vif.id.unwrap_or(0) });
    let mut set = |key: &str, text: Option<String>| {
        if let Some(text) = text {
            nic[key] = text.into();
        }
    };
    set("mac", vif.mac.map(|mac| mac.to_string()));
    set("bridge", vif.bridge.as_ref().map(ToString::to_string));
    set("script", vif.script.as_ref().map(ToString::to_string));
    set("ip", vif.ip.as_ref().map(ToString::to_string));
    let rest = |key: &str| {
        let property = vif.rest.iter().find(|property| property.key == key);
        property.and_then(Property::text).map(ToString::to_string)
    };
    set("model", rest("model"));
    set("ifname", rest("vifname"));
    if let Some(backend) = vif.backend.as_ref().filter(|backend| !backend.is_dom0()) {
        nic["backend_domname"] = backend.0.to_string().into();
    }
    match rest("type").as_deref() {
        Some("ioemu") => nic["nictype"] = "vif_ioemu".into(),
        Some("netfront" | "vif") => nic["nictype"] = "vif".into(),
        _ => {}
    }
    nic
}

/// Where a screen can be seen, and with which password: its own, even if that is none, or else the
/// host's.
pub(super) fn vnc(said: &[Property], password: Option<&Password>) -> Value {
    let get = |key: &str| {
        let property = said.iter().find(|property| property.key == key);
        property.and_then(Property::text).map(ToString::to_string)
    };
    let on = get("vnc").is_some_and(|value| value != "0")
        || get("type").is_some_and(|kind| kind == "vnc");
    let mut vnc = json!({ "enable": if on { "True" } else { "False" } });
    for (key, name) in [("vnclisten", "listen"), ("vncpasswd", "passwd")] {
        if let Some(value) = get(key) {
            vnc[name] = value.into();
        }
    }
    if let (None, Some(password)) = (get("vncpasswd"), password) {
        vnc["passwd"] = password.reveal().to_string().into();
    }
    if let Some(display) = get("vncdisplay").and_then(|display| display.parse::<u32>().ok()) {
        vnc["display"] = display.into();
    }
    if let Some(unused) = get("vncunused") {
        vnc["findunused"] = if unused == "0" { "False" } else { "True" }.into();
    }
    vnc
}

/// Parameters of a scheduler, as libxl takes them.
pub(super) fn sched(params: SchedParams) -> Result<Value, Error> {
    Ok(match params {
        SchedParams::Credit { weight, cap } => {
            json!({ "sched": "credit", "weight": weight, "cap": cap })
        }
        SchedParams::Credit2 { weight, cap } => {
            json!({ "sched": "credit2", "weight": weight, "cap": cap })
        }
        SchedParams::Rtds(Rtds { period, budget }) => {
            json!({ "sched": "rtds", "period": micros(period), "budget": micros(budget) })
        }
        SchedParams::Sedf(_) => {
            return Err(Error::Unsupported("Xen has no SEDF scheduler any more".to_owned()));
        }
    })
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::read_config;
    use crate::sxp::{Limits, read_one};

    fn config(text: &str) -> DomainConfig {
        let mut config =
            read_config(&read_one(text.as_bytes(), &Limits::default()).unwrap()).unwrap();
        config.number_devices();
        config
    }

    #[test]
    fn a_paravirtual_guest() {
        let config = config(
            "(vm (name a) (memory 64) (maxmem 128) (vcpus 2) (cpus ((0) ())) (cpu_weight 300) (image (linux (kernel /k) \
             (args quiet))) (device (vbd (uname phy:vg0/a) (dev xvda) (mode w))) (device (tap (uname tap:qcow2:/b) \
             (dev xvdb) (mode r))) (device (vif (mac 00:16:3e:01:02:03) (bridge xenbr0))))",
        );
        let value = domain(&config, 2, None).unwrap();
        assert_eq!(value["c_info"]["type"], "pv");
        let build = &value["b_info"];
        assert_eq!(
            (&build["max_memkb"], &build["target_memkb"]),
            (&json!(131_072), &json!(65_536))
        );
        assert_eq!(build["vcpu_hard_affinity"], json!([[0], [0, 1]]));
        assert_eq!(build["type.pv"], json!({}), "libxl refuses a domain without it");
        assert_eq!(value["disks"][0]["pdev_path"], "/dev/vg0/a");
        assert_eq!(
            (&value["disks"][1]["backend"], &value["disks"][1]["readwrite"]),
            (&json!("qdisk"), &json!(0))
        );
        assert_eq!(value["nics"][0]["mac"], "00:16:3e:01:02:03");
    }

    #[test]
    fn a_type_that_xen_does_not_know_is_for_its_script() {
        let disk = |uname: &str| {
            let text = format!(
                "(vm (name a) (memory 64) (device (vbd (uname '{uname}') (dev xvda) (mode w))))"
            );
            domain(&config(&text), 1, None).map(|value| value["disks"][0].clone())
        };
        for (uname, script, path) in [
            ("nbd:10.0.0.1:7000", "block-nbd", "10.0.0.1:7000"),
            ("drbd:web", "block-drbd", "web"),
            ("iscsi:iqn.2001-04.com.example:disk1", "block-iscsi", "iqn.2001-04.com.example:disk1"),
        ] {
            let disk = disk(uname).unwrap();
            assert_eq!(
                (&disk["script"], &disk["pdev_path"], &disk["format"], &disk["backend"]),
                (&json!(script), &json!(path), &json!("raw"), &json!("phy")),
                "{uname}"
            );
        }
        let path = "/dev/disk/by-path/ip-10.0.0.1:3260-lun-1";
        let phy = disk(&format!("phy:{path}")).unwrap();
        assert_eq!((&phy["pdev_path"], phy.get("script")), (&json!(path), None));
        assert!(disk("tap:vmdk:/a").unwrap_err().to_string().contains("tap:vmdk"));
    }

    #[test]
    fn a_screen_has_the_hosts_password_unless_it_names_its_own() {
        let password = Password::new("geheim".into());
        let screens = |said: &str| {
            let text = format!(
                "(vm (name a) (memory 64) (image (linux (kernel /k))) (device (vfb {said})))"
            );
            domain(&config(&text), 2, password.as_ref()).unwrap()["vfbs"][0].clone()
        };
        assert_eq!(screens("(vnc 1)")["vnc"]["passwd"], "geheim");
        assert_eq!(screens("(vnc 1) (vncpasswd own)")["vnc"]["passwd"], "own");
        assert_eq!(screens("(vnc 1) (vncpasswd '')")["vnc"]["passwd"], "", "it is to have none");
        assert_eq!(screens("(vnc 1) (keymap de) (vnclisten 0.0.0.0)")["keymap"], "de");
        assert_eq!(screens("(vnc 1) (vnclisten 0.0.0.0)")["vnc"]["listen"], "0.0.0.0");
    }
}
