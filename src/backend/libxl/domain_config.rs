//! Our configuration as a `libxl_domain_config`.
//!
//! libxl silently accepts unknown keys, and text in the place of numbers, so its JSON is made from
//! values that have been checked.

use super::devices::{self, defbool};
use super::hvm;
use crate::core::error::Error;
use crate::core::model::{
    CompleteConfig, CpuSet, Device, DomainConfig, GuestKind, MAX_VCPUS, Password, PoolFacts,
};
use serde_json::{Value, json};

/// libxl's names of xend's numbers.
const TSC_MODES: [&str; 4] = ["default", "always_emulate", "native", "native_paravirt"];

/// A domain's configuration. `cpus` is the number of the host's CPUs, `vnc_password` the host's.
pub(super) fn to_json(
    config: &CompleteConfig,
    cpus: u32,
    vnc_password: Option<&Password>,
) -> Result<Value, Error> {
    let kind = config.image.as_ref().map_or(GuestKind::Pv, |image| image.kind);
    let is_hvm = kind == GuestKind::Hvm;
    let mut all = json!({
        "c_info": create_info(config, kind),
        "b_info": build_info(config, kind, cpus, vnc_password),
    });
    for device in &config.devices {
        // An HVM guest's screen and keyboard are its device model's.
        if is_hvm && matches!(device, Device::Vfb(_) | Device::Vkbd(_)) {
            continue;
        }
        for (class, value) in devices::to_json(device, vnc_password)? {
            push(&mut all, devices::list_name(class), value);
        }
    }
    if let Some(drive) = hvm::cdrom(config).filter(|_| is_hvm) {
        push(&mut all, "disks", drive);
    }
    // libxl refuses a frame buffer without a keyboard.
    if all.get("vfbs").is_some() && all.get("vkbs").is_none() {
        push(&mut all, "vkbs", json!({ "devid": 0 }));
    }
    Ok(all)
}

/// A `libxl_domain_create_info`.
fn create_info(config: &CompleteConfig, kind: GuestKind) -> Value {
    let kind = match kind {
        GuestKind::Pv => "pv",
        GuestKind::Pvh => "pvh",
        GuestKind::Hvm => "hvm",
    };
    let uuid = config.uuid().to_string();
    let mut create = json!({ "type": kind, "name": config.name.as_str(), "uuid": uuid });
    if !config.xenstore_data.is_empty() {
        // libxl writes them below the domain's directory, which the guest cannot write.
        let nodes = config.xenstore_data.iter();
        let nodes = nodes.map(|(path, value)| (path.to_string(), value.to_string().into()));
        create["xsdata"] = Value::Object(nodes.collect());
    }
    if !config.pool_name.is_empty() && config.pool_name != PoolFacts::FIRST {
        create["pool_name"] = config.pool_name.to_string().into();
    }
    create
}

/// A `libxl_domain_build_info`.
fn build_info(
    config: &DomainConfig,
    kind: GuestKind,
    cpus: u32,
    vnc_password: Option<&Password>,
) -> Value {
    let online: Vec<u32> =
        (0..MAX_VCPUS).filter(|vcpu| config.vcpu_avail >> vcpu & 1 == 1).collect();
    let affinity: Vec<Vec<u32>> = config.cpus.iter().map(|set| allowed_cpus(set, cpus)).collect();
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
    if let Some(image) = &config.image {
        set(&mut build, "kernel", &image.kernel);
        set(&mut build, "ramdisk", image.ramdisk.as_deref().map_or(&[], Vec::as_slice));
        set(&mut build, "cmdline", &image.args);
        let tsc_mode =
            image.setting("tsc_mode").and_then(|mode| mode.to_string().parse::<usize>().ok());
        if let Some(mode) = tsc_mode.and_then(|mode| TSC_MODES.get(mode)) {
            build["tsc_mode"] = (*mode).into();
        }
        if image.switched_on("nomigrate") {
            build["disable_migrate"] = defbool(true);
        }
    }
    match kind {
        GuestKind::Pv => build["type.pv"] = json!({}),
        GuestKind::Pvh => build["type.pvh"] = json!({}),
        GuestKind::Hvm => hvm::complete(&mut build, config, vnc_password),
    }
    build
}

fn push(config: &mut Value, list: &str, value: Value) {
    match config[list].as_array_mut() {
        Some(values) => values.push(value),
        None => config[list] = json!([value]),
    }
}

/// The CPUs that an affinity allows: all of the host's if it is empty.
fn allowed_cpus(affinity: &CpuSet, cpus: u32) -> Vec<u32> {
    if affinity.is_empty() { (0..cpus).collect() } else { affinity.iter().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::completed;
    use crate::shape::read_config;
    use crate::sxp::{Limits, read_one};

    fn config(text: &str) -> CompleteConfig {
        let tree = read_one(text.as_bytes(), &Limits::default()).unwrap();
        completed(read_config(&tree).unwrap())
    }

    #[test]
    fn a_paravirtual_guest() {
        let config = config(
            "(vm (name a) (memory 64) (maxmem 128) (vcpus 2) (cpus ((0) ())) (cpu_weight 300) (image (linux (kernel /k) \
             (args quiet))) (device (vbd (uname phy:vg0/a) (dev xvda) (mode w))) (device (tap (uname tap:qcow2:/b) \
             (dev xvdb) (mode r))) (device (vif (mac 00:16:3e:01:02:03) (bridge xenbr0))))",
        );
        let value = to_json(&config, 2, None).unwrap();
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
    fn a_type_unknown_to_xen_names_a_hotplug_script() {
        let disk = |uname: &str| {
            let text = format!(
                "(vm (name a) (memory 64) (device (vbd (uname '{uname}') (dev xvda) (mode w))))"
            );
            to_json(&config(&text), 1, None).map(|value| value["disks"][0].clone())
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
    fn a_screen_without_a_password_has_the_hosts() {
        let password = Password::new("geheim".into());
        let screens = |settings: &str| {
            let text = format!(
                "(vm (name a) (memory 64) (image (linux (kernel /k))) (device (vfb {settings})))"
            );
            to_json(&config(&text), 2, password.as_ref()).unwrap()["vfbs"][0].clone()
        };
        assert_eq!(screens("(vnc 1)")["vnc"]["passwd"], "geheim");
        assert_eq!(screens("(vnc 1) (vncpasswd own)")["vnc"]["passwd"], "own");
        assert_eq!(screens("(vnc 1) (vncpasswd '')")["vnc"]["passwd"], "", "no password");
        assert_eq!(screens("(vnc 1) (keymap de) (vnclisten 0.0.0.0)")["keymap"], "de");
        assert_eq!(screens("(vnc 1) (vnclisten 0.0.0.0)")["vnc"]["listen"], "0.0.0.0");
    }
}
