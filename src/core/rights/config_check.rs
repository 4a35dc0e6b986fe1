//! What the user of an account may ask for in a configuration.
//!
//! Much of a configuration names programs, files and interfaces of the host, which root runs or
//! opens. A user may name those within the limits of the account, and keep what an operator wrote:
//! clients send whole configurations back to change one word of them.

use super::key_check::{self, KeyRule};
use super::limits::Limits;
use crate::core::model::{
    ActionOnShutdown, Block, CompleteConfig, Console, Device, DomainConfig, Image, Property, Text,
    Vfb, Vif, Vkbd,
};
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// The most devices of a domain of a user: each is work for the host.
pub(in crate::core) const MAX_DEVICES: usize = 64;

/// An action of a configuration.
type ActionOf = fn(&DomainConfig) -> ActionOnShutdown;

/// The path of a program in an image.
type ProgramOf = fn(&Image) -> Option<&Text>;

/// Something that the account does not allow: `bridge: xenbr0 is not allowed`.
type Refusal = String;

/// Checks a configuration against the limits. `old` are the configurations that the domain has by
/// now: their parts may stay. The error names the key at fault.
pub(in crate::core) fn check_config(
    limits: &Limits,
    config: &DomainConfig,
    old: &[Arc<CompleteConfig>],
) -> Result<(), Refusal> {
    // A new field has to be sorted in here.
    let DomainConfig {
        // Checked by the engine, or counted against the limits of the account.
        name: _,
        uuid: _,
        memory: _,
        maxmem: _,
        shadow_memory: _,
        vcpus: _,
        vcpu_avail: _,
        // These concern the guest alone.
        on_xend_start: _,
        on_xend_stop: _,
        description: _,
        features: _,
        client_data: _,
        xenstore_data: _,
        restarts: _,
        // These are checked below.
        cpus: _,
        cpu_weight: _,
        cpu_cap: _,
        pool_name: _,
        sedf: _,
        bootloader,
        bootloader_args,
        on_poweroff: _,
        on_reboot: _,
        on_crash: _,
        image,
        devices,
        rest,
    } = config;
    let kept = |same: &dyn Fn(&DomainConfig) -> bool| old.iter().any(|old| same(old));
    if !bootloader.is_empty() && !kept(&|old| old.bootloader == *bootloader) {
        return refuse("bootloader", "an operator chooses the boot loader");
    }
    if !bootloader_args.is_empty() && !kept(&|old| old.bootloader_args == *bootloader_args) {
        return refuse("bootloader_args", "an operator chooses the boot loader");
    }
    check_actions(config, old)?;
    let own = schedule(config);
    let default = schedule(&DomainConfig::new(config.name.clone(), config.memory));
    if own != default && !kept(&|old| schedule(old) == own) {
        return refuse("cpus, cpu_weight, cpu_cap, pool_name", "an operator shares out the CPUs");
    }
    if let Some(image) =
        image.as_ref().filter(|image| !kept(&|old| old.image.as_ref() == Some(image)))
    {
        check_image(limits, image, old)?;
    }
    let known: Vec<&[Property]> = old.iter().map(|old| old.rest.as_slice()).collect();
    check_keys("", rest, key_check::DOMAIN, &known)?;
    let had = old.iter().map(|old| old.devices.len()).max().unwrap_or_default();
    if devices.len() > MAX_DEVICES.max(had) {
        return refuse("device", &format!("a domain has at most {MAX_DEVICES} devices"));
    }
    let known = KnownDevices::of(old);
    devices.iter().try_for_each(|device| check_one_device(limits, device, &known))
}

/// What happens when the guest stops: memory must not pile up on the host, on its disk or in
/// domains that are kept.
fn check_actions(config: &DomainConfig, old: &[Arc<CompleteConfig>]) -> Result<(), Refusal> {
    use ActionOnShutdown::{CoredumpDestroy, CoredumpRestart, RenameRestart};
    let actions: [(&str, ActionOf); 3] = [
        ("on_poweroff", |config| config.on_poweroff),
        ("on_reboot", |config| config.on_reboot),
        ("on_crash", |config| config.on_crash),
    ];
    for (key, of) in actions {
        let action = of(config);
        let piles_up = matches!(action, CoredumpDestroy | CoredumpRestart | RenameRestart);
        if piles_up && !old.iter().any(|old| of(old) == action) {
            return refuse(key, &format!("an operator may choose {action}"));
        }
    }
    Ok(())
}

/// The part of a configuration that shares out the CPUs of the host.
fn schedule(config: &DomainConfig) -> impl PartialEq + use<> {
    let cpus: Vec<_> = config.cpus.iter().filter(|set| !set.is_empty()).cloned().collect();
    (config.pool_name.clone(), cpus, config.cpu_weight, config.cpu_cap, config.sedf)
}

/// Checks one device, like [`check_config`].
pub(in crate::core) fn check_device(
    limits: &Limits,
    device: &Device,
    old: &[Arc<CompleteConfig>],
) -> Result<(), Refusal> {
    check_one_device(limits, device, &KnownDevices::of(old))
}

fn check_one_device(
    limits: &Limits,
    device: &Device,
    known: &KnownDevices<'_>,
) -> Result<(), Refusal> {
    if let Some(old) = known.find(device) {
        // It is the same but for its passwords.
        let scope = format!("{} ", device.class());
        return check_keys(&scope, device.rest(), key_check::VFB_PASSWORDS, &[old.rest()]);
    }
    match device {
        Device::Block(block) => check_disk(limits, block),
        Device::Vif(vif) => check_vif(limits, vif),
        Device::Vfb(Vfb { id: _, uuid: _, rest }) => check_keys("vfb ", rest, key_check::VFB, &[]),
        Device::Vkbd(Vkbd { backend: None, id: _, uuid: _, rest }) => {
            check_keys("vkbd ", rest, &[], &[])
        }
        Device::Console(Console { protocol: _, id: _, uuid: _, rest }) => {
            check_keys("console ", rest, &[], &[])
        }
        Device::Vkbd(Vkbd { backend: Some(_), .. }) | Device::Pci(_) | Device::Generic(_) => {
            refuse(device.class(), "an operator attaches such a device")
        }
    }
}

/// The devices that a domain has, by their properties without what the engine assigns and without
/// passwords, which answers do not have. Users can send as many devices as the domain has: each is
/// looked up.
struct KnownDevices<'a>(HashMap<Device, &'a Device>);

impl<'a> KnownDevices<'a> {
    fn of(old: &'a [Arc<CompleteConfig>]) -> Self {
        let mut known = HashMap::new();
        for device in old.iter().flat_map(|old| &old.devices) {
            let plain = plain(device);
            if let Device::Vif(vif) = &plain {
                // The engine assigned the address, if a client does not send one.
                let without_mac = Device::Vif(Vif { mac: None, ..vif.clone() });
                known.entry(without_mac).or_insert(device);
            }
            known.entry(plain).or_insert(device);
        }
        Self(known)
    }

    /// The first device that is the same.
    fn find(&self, device: &Device) -> Option<&'a Device> {
        self.0.get(&plain(device)).copied()
    }
}

/// The device without what the engine assigns, and without passwords.
fn plain(device: &Device) -> Device {
    let mut device = device.clone();
    *device.uuid_mut() = None;
    device.clear_id();
    device.rest_mut().retain(|property| !property.is_secret());
    device
}

fn check_image(limits: &Limits, image: &Image, old: &[Arc<CompleteConfig>]) -> Result<(), Refusal> {
    let Image { kind: _, builder: _, args: _, kernel, ramdisk, loader: _, device_model: _, rest } =
        image;
    let old: Vec<&Image> = old.iter().filter_map(|old| old.image.as_ref()).collect();
    for (key, path) in [("kernel", Some(kernel)), ("ramdisk", ramdisk.as_ref())] {
        let Some(path) = path.filter(|path| !path.is_empty()) else { continue };
        let kept = old.iter().any(|old| old.kernel == *path || old.ramdisk.as_ref() == Some(path));
        if !kept && !limits.allows_kernel(Path::new(OsStr::from_bytes(path))) {
            return refuse(key, &format!("{path} is in no directory of kernels of the account"));
        }
    }
    // xm sent the paths of its host. Programs of these names are today's, wherever they were.
    let programs: [(&str, &[u8], ProgramOf); 2] = [
        ("loader", b"hvmloader", |image| image.loader.as_ref()),
        ("device_model", b"qemu-dm", |image| image.device_model.as_ref()),
    ];
    for (key, default, of) in programs {
        let Some(path) = of(image).filter(|path| !path.is_empty()) else { continue };
        let name = path.rsplit(|byte| *byte == b'/').next();
        if name != Some(default) && !old.iter().any(|old| of(old) == Some(path)) {
            return refuse(key, "an operator chooses the program");
        }
    }
    let known: Vec<&[Property]> = old.iter().map(|old| old.rest.as_slice()).collect();
    check_keys("image ", rest, key_check::IMAGE, &known)
}

fn check_disk(limits: &Limits, block: &Block) -> Result<(), Refusal> {
    let class = block.class.name();
    let Block {
        class: _,
        uname: _,
        dev: _,
        number: _,
        kind: _,
        mode: _,
        bootable: _,
        backend,
        // The engine compares it with the image's location.
        vdi: _,
        uuid: _,
        rest,
    } = block;
    if backend.as_ref().is_some_and(|backend| !backend.is_dom0()) {
        return refuse(class, "an operator chooses the backend");
    }
    check_keys(&format!("{class} "), rest, &[], &[])?;
    let uname = format!("{class} uname");
    // Formats with headers are not for users: the header, which the guest can write, names other
    // files. All other types are served by scripts.
    let path = match block.source() {
        (types, []) if types.is_empty() => return Ok(()),
        (types, path) => match types.as_slice() {
            // A name in /dev may follow.
            ["phy"] if !path.starts_with(b"/") => [b"/dev/", path].concat(),
            ["phy" | "file"] | ["tap" | "tap2", "aio"] => path.to_vec(),
            _ => return refuse(&uname, "use phy:, file: or tap:aio:"),
        },
    };
    // QEMU separates options by commas.
    let is_plain = |byte: &u8| *byte != b',' && !byte.is_ascii_control();
    if path.iter().all(is_plain) && limits.allows_disk(&path) {
        return Ok(());
    }
    refuse(&uname, &format!("{} is in no place of the account", block.uname))
}

fn check_vif(limits: &Limits, vif: &Vif) -> Result<(), Refusal> {
    let Vif { mac: _, bridge, script, ip, backend, id: _, uuid: _, rest } = vif;
    if script.is_some() {
        return refuse("vif script", "an operator chooses the script");
    }
    if ip.is_some() {
        return refuse("vif ip", "an operator assigns addresses");
    }
    if backend.as_ref().is_some_and(|backend| !backend.is_dom0()) {
        return refuse("vif backend", "an operator chooses the backend");
    }
    check_keys("vif ", rest, key_check::VIF, &[])?;
    match bridge {
        Some(bridge) if limits.bridges.iter().any(|allowed| *bridge == **allowed) => Ok(()),
        Some(bridge) => refuse("vif bridge", &format!("{bridge} is not allowed")),
        None => refuse("vif bridge", "missing, a bridge of the account is expected"),
    }
}

/// Refuses keys that are neither allowed with their values, nor in one of the `known` lists with
/// the same value.
fn check_keys(
    scope: &str,
    properties: &[Property],
    allowed: &[KeyRule],
    known: &[&[Property]],
) -> Result<(), Refusal> {
    let known: HashSet<&Property> = known.iter().copied().flatten().collect();
    for property in properties {
        if known.contains(property) {
            continue;
        }
        let key = format!("{scope}{}", property.key);
        match allowed.iter().find(|rule| property.key == *rule.key) {
            None => return refuse(&key, "an operator sets this key"),
            Some(rule) if !rule.allows(property) => return refuse(&key, rule.expected),
            Some(_) => {}
        }
    }
    Ok(())
}

fn refuse(key: &str, reason: &str) -> Result<(), Refusal> {
    Err(format!("{key}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{Backend, DomName, GuestKind, PciDevice, Value, completed};

    fn limits() -> Limits {
        Limits {
            disks: vec!["/dev/vg0/ann-".into(), "/srv/ann/".into()],
            bridges: vec!["xenbr1".into()],
            kernels: vec!["/boot/guests".into()],
            ..Limits::default()
        }
    }

    fn image() -> Image {
        Image {
            kind: GuestKind::Pv,
            builder: "linux".into(),
            kernel: "/boot/guests/vmlinuz".into(),
            ramdisk: None,
            args: "ro".into(),
            loader: None,
            device_model: None,
            rest: Vec::new(),
        }
    }

    fn disk(uname: &str) -> Device {
        Device::Block(Block::disk("xvda", uname))
    }

    fn vif(change: impl FnOnce(&mut Vif)) -> Device {
        let mut vif = Vif { bridge: Some("xenbr1".into()), ..Vif::default() };
        change(&mut vif);
        Device::Vif(vif)
    }

    fn config(change: impl FnOnce(&mut DomainConfig)) -> DomainConfig {
        let mut config = DomainConfig::new(DomName::new("ann-web").unwrap(), 64);
        config.image = Some(image());
        config.devices = vec![disk("phy:/dev/vg0/ann-web"), vif(|_| ())];
        change(&mut config);
        config
    }

    /// A key with several words.
    fn words(key: &str, words: &[&str]) -> Property {
        Property { key: key.into(), values: words.iter().map(|word| Value::text(*word)).collect() }
    }

    /// A key with a list of words.
    fn list(key: &str, items: &[&str]) -> Property {
        let items = words(key, items).values;
        Property { key: key.into(), values: vec![Value::List(items)] }
    }

    fn with_image(change: impl FnOnce(&mut Image)) -> DomainConfig {
        config(|config| change(config.image.as_mut().unwrap()))
    }

    #[test]
    fn a_user_names_only_places_of_the_account() {
        let good = [
            config(|_| ()),
            config(|config| config.devices.push(disk("file:/srv/ann/b.img"))),
            config(|config| config.devices.push(disk("phy:vg0/ann-c"))),
            config(|config| config.devices.push(disk("tap:aio:/srv/ann/d"))),
            with_image(|image| image.rest.push(Property::new("serial", "pty"))),
            with_image(|image| image.loader = Some(Image::LOADER.into())),
        ];
        for config in good {
            check_config(&limits(), &config, &[]).unwrap();
        }
    }

    #[test]
    fn what_root_runs_or_opens_is_the_operators() {
        let device = |device| config(|config| config.devices.push(device));
        let bad = vec![
            ("bootloader", config(|config| config.bootloader = "/srv/ann/evil".into())),
            ("bootloader_args", config(|config| config.bootloader_args = "-x".into())),
            ("on_crash", config(|config| config.on_crash = ActionOnShutdown::CoredumpRestart)),
            ("cpus", config(|config| config.cpu_weight = 60_000)),
            ("cpus", config(|config| config.pool_name = "fast".into())),
            (
                "device_model_args",
                config(|config| {
                    config.rest.push(Property::new("device_model_args", "-x"));
                }),
            ),
            ("kernel", with_image(|image| image.kernel = "/etc/shadow".into())),
            ("ramdisk", with_image(|image| image.ramdisk = Some("/etc/shadow".into()))),
            ("loader", with_image(|image| image.loader = Some("/srv/ann/x".into()))),
            ("device_model", with_image(|image| image.device_model = Some("/srv/ann/x".into()))),
            (
                "image serial",
                with_image(|image| {
                    image.rest.push(Property::new("serial", "file:/etc/passwd"));
                }),
            ),
            (
                "image serial",
                with_image(|image| image.rest.push(words("serial", &["pty", "file:/x"]))),
            ),
            ("image serial", with_image(|image| image.rest.push(list("serial", &["file:/x"])))),
            (
                "image boot",
                with_image(|image| image.rest.push(Property::new("boot", "c,splash=/x"))),
            ),
            ("image keymap", with_image(|image| image.rest.push(Property::new("keymap", "/x")))),
            (
                "image vncdisplay",
                with_image(|image| {
                    image.rest.push(Property::new("vncdisplay", "7"));
                }),
            ),
            ("on_reboot", config(|config| config.on_reboot = ActionOnShutdown::RenameRestart)),
            (
                "vif model",
                device(vif(|vif| {
                    vif.rest.push(Property::new("model", "e1000,romfile=/etc/shadow"));
                })),
            ),
            (
                "vfb type",
                device(Device::Vfb(Vfb {
                    rest: vec![Property::new("type", "sdl")],
                    ..Vfb::default()
                })),
            ),
            ("device", config(|config| config.devices = vec![vif(|_| ()); MAX_DEVICES + 1])),
            ("image fda", with_image(|image| image.rest.push(Property::new("fda", "/dev/sda")))),
            ("image cdrom", with_image(|image| image.rest.push(Property::new("cdrom", "/x")))),
            ("vbd uname", device(disk("phy:/dev/vg0/bob"))),
            ("vbd uname", device(disk("phy:/dev/vg0/ann-/../bob"))),
            ("vbd uname", device(disk("nbd:/srv/ann/x"))),
            ("vbd uname", device(disk("vmdk:/srv/ann/x"))),
            ("vbd uname", device(disk("tap:qcow2:/srv/ann/x"))),
            ("vbd uname", device(disk("file:aio:/srv/ann/x"))),
            ("vbd uname", device(disk("file:vg0/ann-x"))),
            ("vbd uname", device(disk("phy:/srv/ann/x,if=none"))),
            ("vif script", device(vif(|vif| vif.script = Some("/srv/ann/x".into())))),
            ("vif ip", device(vif(|vif| vif.ip = Some("192.0.2.1".into())))),
            ("vif bridge", device(vif(|vif| vif.bridge = Some("xenbr0".into())))),
            ("vif bridge", device(vif(|vif| vif.bridge = None))),
            ("vif backend", device(vif(|vif| vif.backend = Some(Backend("net".into()))))),
            ("vif vifname", device(vif(|vif| vif.rest.push(Property::new("vifname", "eth0"))))),
            ("pci", device(Device::Pci(PciDevice::default()))),
        ];
        for (key, config) in bad {
            let refusal = check_config(&limits(), &config, &[]).unwrap_err();
            assert!(refusal.starts_with(key), "{key}: {refusal}");
        }
    }

    #[test]
    fn what_an_operator_wrote_may_stay() {
        let operators = config(|config| {
            config.bootloader = "/usr/bin/pygrub".into();
            config.cpu_weight = 512;
            config.image = Some(Image { kernel: "/boot/vmlinuz".into(), ..image() });
            config.devices[0] = disk("phy:/dev/vg0/shared");
            config.devices.push(vif(|vif| vif.script = Some("vif-route".into())));
        });
        let old = [Arc::new(completed(operators.clone()))];
        let mut changed = DomainConfig::from(completed(operators));
        changed.description = "new".into();
        check_config(&limits(), &changed, &old).unwrap();
        let mut new_address = changed.clone();
        let script = |mac: Option<&str>| {
            vif(|vif| {
                vif.mac = mac.map(|mac| mac.parse().unwrap());
                vif.script = Some("vif-route".into());
            })
        };
        new_address.devices.push(script(None));
        check_config(&limits(), &new_address, &old).unwrap();
        new_address.devices.push(script(Some("00:16:3e:00:00:77")));
        assert!(check_config(&limits(), &new_address, &old).is_err());
        changed.devices[0] = disk("phy:/dev/vg0/other");
        assert!(check_config(&limits(), &changed, &old).is_err());
    }
}
