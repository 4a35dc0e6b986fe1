//! What is booted, and the virtual hardware of an HVM guest.

use crate::devices::port;
use crate::element::Element;
use crate::error::Fault;
use crate::kind::Kind;
use crate::screens::hvm_screens;
use crate::tree;
use crate::values::{fault, mebibytes, number};
use xend_sxp::Sxp;

/// Xen's own firmware of HVM guests, which is found without a path.
const FIRMWARE: &str = "hvmloader";

/// `(image (linux ...))`
pub(crate) fn image(root: &Element, kind: Kind, warnings: &mut Vec<Fault>) -> Result<Sxp, Fault> {
    let os = root.child("os");
    let mut image = Image { offset: os.map_or(root.offset, |os| os.offset), fields: Vec::new() };
    image.fields.push(kind.builder().into());
    if let Some(os) = os {
        image.boot_files(os, kind);
    }
    if kind == Kind::Hvm {
        image.hardware(root, warnings)?;
    }
    image.clock(root, kind, warnings);
    let offset = image.offset;
    Ok(tree::list(["image".into(), tree::list(image.fields, offset)], offset))
}

struct Image {
    offset: u32,
    fields: Vec<Sxp>,
}

impl Image {
    fn add(&mut self, key: &str, text: impl AsRef<[u8]>) {
        self.fields.push(tree::field(key, text, self.offset));
    }

    fn boot_files(&mut self, os: &Element, kind: Kind) {
        let kernel = os.text_of("kernel").filter(|kernel| !kernel.is_empty());
        let loader = os.text_of("loader").filter(|loader| !loader.is_empty());
        let is_uefi = os.is("firmware", "efi")
            || loader.is_some_and(|loader| loader.to_ascii_lowercase().contains("ovmf"));
        let loader = loader.filter(|_| !is_uefi).unwrap_or(FIRMWARE);
        match kernel {
            Some(kernel) => self.add("kernel", kernel),
            // xend took the kernel of an HVM guest without a loader for its firmware.
            None if kind == Kind::Hvm => self.add("kernel", loader),
            None => {}
        }
        for (element, key) in [("initrd", "ramdisk"), ("root", "root")] {
            if let Some(text) = os.text_of(element) {
                self.add(key, text);
            }
        }
        if let Some(line) = os.child("cmdline") {
            self.add("args", &line.text);
        }
        if kind == Kind::Hvm {
            if kernel.is_some() {
                self.add("loader", loader);
            }
            if is_uefi {
                self.add("bios", "ovmf");
                let variables = os.child("nvram");
                variables.into_iter().for_each(Element::ignore);
            }
        }
    }

    fn hardware(&mut self, root: &Element, warnings: &mut Vec<Fault>) -> Result<(), Fault> {
        if let Some(vcpus) = root.text_of("vcpu") {
            self.add("vcpus", vcpus);
        }
        let order: String = root
            .child("os")
            .into_iter()
            .flat_map(|os| os.all("boot"))
            .map(|boot| match boot.attribute("dev") {
                Some("fd") => 'a',
                Some("cdrom") => 'd',
                Some("network") => 'n',
                _ => 'c',
            })
            .collect();
        self.add("boot", if order.is_empty() { "c" } else { order.as_str() });
        let devices = root.child("devices");
        let all = |name| devices.into_iter().flat_map(move |devices| devices.all(name));
        for disk in all("disk").filter(|disk| disk.is("device", "floppy")) {
            let source = disk.attribute_of("source", "file");
            let path = source.or_else(|| disk.attribute_of("source", "dev"));
            if let (Some(drive @ ("fda" | "fdb")), Some(path)) =
                (disk.attribute_of("target", "dev"), path)
            {
                self.add(drive, path);
            }
        }
        self.features(root);
        self.add("usb", "1");
        for input in all("input").filter(|input| input.is("bus", "usb")) {
            if let Some(kind @ ("mouse" | "tablet")) = input.attribute("type") {
                self.add("usbdevice", kind);
            }
        }
        let parallel = all("parallel").next().and_then(|element| port(element, warnings));
        self.add("parallel", parallel.as_deref().unwrap_or("none"));
        self.serial_ports(devices, warnings)?;
        let mut cards: Vec<&str> = Vec::new();
        for card in all("sound").filter_map(|sound| sound.attribute("model")) {
            if !cards.contains(&card) {
                cards.push(card);
            }
        }
        if !cards.is_empty() {
            self.add("soundhw", cards.join(","));
        }
        if let Some(emulator) = devices.and_then(|devices| devices.text_of("emulator")) {
            self.add("device_model", emulator);
        }
        if let Some(devices) = devices {
            hvm_screens(devices, &mut self.fields, warnings)?;
            self.video(devices)?;
        }
        Ok(())
    }

    fn features(&mut self, root: &Element) {
        let Some(features) = root.child("features") else { return };
        for key in ["acpi", "apic", "pae", "hap", "viridian"] {
            if features.child(key).is_some_and(|feature| !feature.is("state", "off")) {
                self.add(key, "1");
            }
        }
    }

    /// The serial ports, by their numbers if there are several.
    fn serial_ports(
        &mut self,
        devices: Option<&Element>,
        warnings: &mut Vec<Fault>,
    ) -> Result<(), Fault> {
        const MOST: usize = 8;
        let mut ports: Vec<Option<String>> = Vec::new();
        for (n, serial) in devices.into_iter().flat_map(|devices| devices.all("serial")).enumerate()
        {
            let at = match serial.attribute_of("target", "port") {
                Some(at) => number(serial, at)?,
                None => n,
            };
            if at >= MOST {
                return Err(fault(serial, &format!("there are more than {MOST} ports")));
            }
            ports.resize(ports.len().max(at + 1), None);
            if let Some(slot) = ports.get_mut(at) {
                *slot = port(serial, warnings);
            }
        }
        // The console of an HVM guest is its serial port.
        let mut consoles = devices.into_iter().flat_map(|devices| devices.all("console"));
        let is_serial = |console: &&Element| {
            matches!(console.attribute_of("target", "type"), None | Some("serial"))
        };
        if let (true, Some(console)) = (ports.is_empty(), consoles.find(is_serial)) {
            ports.push(port(console, warnings));
        }
        let words: Vec<Sxp> = ports
            .iter()
            .map(|port| Sxp::atom(port.as_deref().unwrap_or("none")).at(self.offset))
            .collect();
        let value = match words.as_slice() {
            [] => "none".into(),
            [one] => one.clone(),
            _ => tree::list(words, self.offset),
        };
        self.fields.push(tree::list(["serial".into(), value], self.offset));
        Ok(())
    }

    fn video(&mut self, devices: &Element) -> Result<(), Fault> {
        let Some(model) = devices.child("video").and_then(|video| video.child("model")) else {
            return Ok(());
        };
        if model.is("type", "vga") {
            self.add("stdvga", "1");
        }
        if let Some(kibibytes) = model.attribute("vram") {
            let mut memory = Element::new("vram".to_owned(), model.offset, Vec::new());
            kibibytes.clone_into(&mut memory.text);
            self.add("videoram", mebibytes(&memory)?.to_string());
        }
        model.ignore();
        Ok(())
    }

    fn clock(&mut self, root: &Element, kind: Kind, warnings: &mut Vec<Fault>) {
        let Some(clock) = root.child("clock") else { return };
        match clock.attribute("offset").unwrap_or("utc") {
            "localtime" if kind == Kind::Hvm => self.add("localtime", "1"),
            "utc" | "localtime" => {}
            "variable" if kind == Kind::Hvm => {
                if clock.is("basis", "localtime") {
                    self.add("localtime", "1");
                }
                self.add("rtc_timeoffset", clock.attribute("adjustment").unwrap_or("0"));
            }
            _ => warnings.push(fault(clock, "only utc, localtime and variable have an effect")),
        }
        for timer in clock.children.iter().filter(|timer| timer.name == "timer") {
            match (timer.attribute("name"), timer.attribute("present")) {
                (Some("hpet"), Some(present)) => {
                    self.add("hpet", if present == "yes" { "1" } else { "0" });
                }
                (Some("tsc"), _) => {
                    let modes = ["auto", "emulate", "native", "paravirt"];
                    let mode = modes.iter().position(|mode| timer.is("mode", mode)).unwrap_or(0);
                    self.add("tsc_mode", mode.to_string());
                }
                _ => {
                    warnings.push(fault(timer, "only hpet and tsc have an effect"));
                }
            }
        }
        clock.ignore();
    }
}
