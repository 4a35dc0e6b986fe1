//! The image of an HVM guest as libxl's JSON.

use super::devices::{defbool, setting, vnc};
use crate::core::model::{DomainConfig, Image, Password, Value as Word};
use serde_json::{Map, Value, json};
use std::slice;

/// The file names of xend's firmware and device model. Old configurations have their paths, which
/// stand for libxl's own.
const XEND_FILES: [&str; 2] = ["hvmloader", "qemu-dm"];

/// libxl's names of xend's numbers.
const TIMER_MODES: [&str; 4] = [
    "delay_for_missed_ticks",
    "no_delay_for_missed_ticks",
    "no_missed_ticks_pending",
    "one_missed_tick_pending",
];

/// Adds the settings of an HVM guest to a `libxl_domain_build_info`.
pub(super) fn complete(build: &mut Value, config: &DomainConfig, vnc_password: Option<&Password>) {
    build["device_model_version"] = "qemu_xen".into();
    let mut hvm = Map::new();
    let Some(image) = &config.image else {
        build["type.hvm"] = Value::Object(hvm);
        return;
    };
    // xend's answers show its defaults, which are not libxl's: libxl is given them, too.
    let default = |key: &str| {
        image.defaults().find(|(name, _)| *name == key).map(|(_, value)| value.to_owned())
    };
    let text = |key: &str| image.setting(key).map(ToString::to_string).or_else(|| default(key));
    let number = |key: &str| text(key).and_then(|value| value.parse::<u64>().ok());
    let switch = |key: &str| text(key).map(|value| defbool(!matches!(value.as_str(), "" | "0")));

    for key in ["apic", "acpi", "localtime"] {
        if let Some(value) = switch(key) {
            build[key] = value;
        }
    }
    if let Some(mode) = number("timer_mode").and_then(|n| TIMER_MODES.get(usize::try_from(n).ok()?))
    {
        build["timer_mode"] = (*mode).into();
    }
    for (key, name, unit) in [
        ("rtc_timeoffset", "rtc_timeoffset", 1),
        ("videoram", "video_memkb", 1024),
        ("shadow_memory", "shadow_memkb", 1024),
    ] {
        if let Some(value) = number(key).filter(|value| *value > 0) {
            build[name] = value.saturating_mul(unit).into();
        }
    }
    if config.shadow_memory > 0 {
        build["shadow_memkb"] = config.shadow_memory.saturating_mul(1024).into();
    }
    if let Some(path) = foreign_path(image.device_model.as_ref().map(ToString::to_string)) {
        build["device_model"] = path.into();
    }
    if let Some(path) = foreign_path(image.loader.as_ref().map(ToString::to_string)) {
        hvm.insert("firmware".into(), path.into());
    }
    for key in ["pae", "viridian", "hpet", "xen_platform_pci", "vpt_align", "usb"] {
        if let Some(value) = switch(key) {
            hvm.insert(key.into(), value);
        }
    }
    for key in ["bios", "boot", "keymap", "soundhw"] {
        if let Some(value) = text(key).filter(|value| !value.is_empty()) {
            hvm.insert(key.into(), value.into());
        }
    }
    if let Some(device) = text("usbdevice").filter(|device| !device.is_empty()) {
        hvm.insert("usb".into(), defbool(true));
        hvm.insert("usbdevice".into(), device.into());
    }
    if image.switched_on("stdvga") {
        hvm.insert("vga".into(), json!({ "kind": "std" }));
    }
    if image.switched_on("nographic") {
        hvm.insert("nographic".into(), defbool(true));
    }
    match ports(image, "serial").as_slice() {
        [] => {}
        [one] => drop(hvm.insert("serial".into(), one.as_str().into())),
        several => drop(hvm.insert("serial_list".into(), json!(several))),
    }
    // libxl has no setting for parallel ports, but its device model has an option.
    let parallel: Vec<String> = ports(image, "parallel")
        .into_iter()
        .flat_map(|port| ["-parallel".to_owned(), port])
        .collect();
    if !parallel.is_empty() {
        build["extra_hvm"] = json!(parallel);
    }
    add_screen(&mut hvm, config, image, vnc_password);
    build["type.hvm"] = Value::Object(hvm);
}

/// Adds the guest's screen. The frame buffer configures it or, before Xen 3.0.4, the image. Without
/// either there is no screen, although libxl's default is one.
fn add_screen(
    hvm: &mut Map<String, Value>,
    config: &DomainConfig,
    image: &Image,
    vnc_password: Option<&Password>,
) {
    let properties = config.frame_buffer().map_or(&image.rest, |frame_buffer| &frame_buffer.rest);
    let get = |key: &str| setting(properties, key);
    hvm.insert("vnc".into(), vnc(properties, vnc_password));
    if let Some(keymap) = get("keymap").filter(|keymap| !keymap.is_empty()) {
        hvm.entry("keymap").or_insert_with(|| keymap.into());
    }
    if get("sdl").is_some_and(|value| value != "0") || get("type").is_some_and(|kind| kind == "sdl")
    {
        let mut sdl = json!({ "enable": defbool(true) });
        for key in ["display", "xauthority"] {
            if let Some(value) = get(key) {
                sdl[key] = value.into();
            }
        }
        hvm.insert("sdl".into(), sdl);
    }
}

/// The drive of `(cdrom /root/boot.iso)`, a setting of images before CD-ROM drives were devices.
pub(super) fn cdrom(config: &DomainConfig) -> Option<Value> {
    let path = config.image.as_ref()?.setting("cdrom").filter(|path| !path.is_empty())?;
    let taken = config
        .devices
        .iter()
        .any(|device| device.as_block().is_some_and(|block| block.dev == "hdc"));
    let drive = json!({
        "vdev": "hdc",
        "pdev_path": path.to_string(),
        "format": "raw",
        "readwrite": 0,
        "is_cdrom": 1,
        "removable": 1,
    });
    (!taken).then_some(drive)
}

/// A path that is neither xend's firmware nor its device model.
fn foreign_path(path: Option<String>) -> Option<String> {
    path.filter(|path| {
        !path.is_empty() && !XEND_FILES.iter().any(|own| path.rsplit('/').next() == Some(own))
    })
}

/// `(serial pty)`, or `(serial (/dev/ttyS0 none))`.
fn ports(image: &Image, key: &str) -> Vec<String> {
    let values =
        image.rest.iter().find(|property| property.key == key).map(|property| &property.values);
    let words = values.into_iter().flatten().flat_map(|value| match value {
        Word::Text(_) => slice::from_ref(value),
        Word::List(several) => several,
    });
    let ports = words.filter_map(Word::as_text).map(ToString::to_string);
    ports.filter(|port| !port.is_empty() && port != "none").collect()
}

#[cfg(test)]
mod tests {
    use super::super::domain_config::to_json;
    use crate::core::model::{Password, completed};
    use crate::shape::read_config;
    use crate::sxp::{Limits, read_one};
    use serde_json::{Value, json};

    fn converted(text: &str) -> Value {
        let tree = read_one(text.as_bytes(), &Limits::default()).unwrap();
        let config = completed(read_config(&tree).unwrap());
        to_json(&config, 2, Password::new("host".into()).as_ref()).unwrap()
    }

    #[test]
    fn an_image_of_2006() {
        let value = converted(
            "(vm (name fv) (memory 400) (image (hvm (kernel /usr/lib/xen/boot/hvmloader) (device_model \
             /usr/lib64/xen/bin/qemu-dm) (boot dc) (cdrom /root/boot.iso) (acpi 1) (pae 0) (timer_mode 2) (vnc 1) (vncpasswd s) \
             (keymap ja) (soundhw 'sb16,es1370') (serial (pty none)) (parallel tcp:localhost:9999) (videoram 8))) (device (vbd \
             (dev ioemu:hda) (uname file:/root/foo.img) (mode w))) (device (vif (type ioemu) (bridge xenbr0))))",
        );
        let build = &value["b_info"];
        let hvm = &build["type.hvm"];
        assert_eq!(build.get("device_model"), None, "today's Xen has no qemu-dm");
        assert_eq!((hvm.get("firmware"), build.get("kernel")), (None, None));
        assert_eq!((&build["acpi"], &hvm["pae"]), (&json!("True"), &json!("False")));
        assert_eq!(build["timer_mode"], "no_missed_ticks_pending");
        assert_eq!(build["video_memkb"], 8192);
        assert_eq!(hvm["vnc"], json!({ "enable": "True", "passwd": "s" }));
        assert_eq!(
            (&hvm["serial"], &build["extra_hvm"]),
            (&json!("pty"), &json!(["-parallel", "tcp:localhost:9999"]))
        );
        assert_eq!(hvm["soundhw"], "sb16,es1370");
        assert_eq!(
            (&value["disks"][1]["vdev"], &value["disks"][1]["is_cdrom"]),
            (&json!("hdc"), &json!(1))
        );
        assert_eq!(value["nics"][0]["nictype"], "vif_ioemu");
    }

    #[test]
    fn a_kernel_that_the_firmware_boots_and_a_frame_buffer() {
        let value = converted(
            "(vm (name fv) (memory 400) (image (hvm (kernel /boot/linux) (loader /usr/lib/xen/boot/hvmloader) (ramdisk /boot/i) \
             (args quiet) (usbdevice tablet) (stdvga 1) (bios ovmf))) (device (vfb (vnc 1) (vncdisplay 3))) (device (pci (dev (domain 0) \
             (bus 1) (slot 2) (func 0)) (dev (domain 0) (bus 1) (slot 2) (func 1)))))",
        );
        let build = &value["b_info"];
        let hvm = &build["type.hvm"];
        assert_eq!((&build["kernel"], &build["cmdline"]), (&json!("/boot/linux"), &json!("quiet")));
        assert_eq!((&hvm["usbdevice"], &hvm["vga"]), (&json!("tablet"), &json!({ "kind": "std" })));
        assert_eq!(hvm["bios"], json!("ovmf"));
        assert_eq!(hvm["vnc"], json!({ "enable": "True", "passwd": "host", "display": 3 }));
        assert_eq!(value.get("vfbs"), None, "the device model shows the screen");
        assert_eq!(value["pcidevs"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn a_guest_without_a_frame_buffer_has_no_screen() {
        let value = converted(
            "(vm (name fv) (memory 400) (image (hvm (loader /usr/lib/xen/boot/hvmloader))))",
        );
        assert_eq!(value["b_info"]["type.hvm"]["vnc"]["enable"], "False");
    }

    #[test]
    fn libxl_is_given_xends_defaults_and_no_others() {
        let value = converted("(vm (name fv) (memory 400) (image (hvm)))");
        let build = &value["b_info"];
        let hvm = &build["type.hvm"];
        assert_eq!(build["timer_mode"], "no_delay_for_missed_ticks");
        for (key, on) in [
            ("hpet", "False"),
            ("viridian", "False"),
            ("xen_platform_pci", "True"),
            ("vpt_align", "True"),
        ] {
            assert_eq!(hvm[key], on, "{key}");
        }
        for key in ["acpi", "apic"] {
            assert_eq!(build.get(key), None, "{key}");
        }
        for key in ["pae", "vga", "sdl", "firmware"] {
            assert_eq!(hvm.get(key), None, "{key}");
        }
    }
}
