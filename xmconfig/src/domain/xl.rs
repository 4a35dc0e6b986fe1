//! xl's variables and values as xm's.

use super::vnc_listen::VncListen;
use crate::error::Fault;
use crate::language::{Data, Value, Variable, Variables};

/// xl's names of xm's variables.
const RENAMED: [(&str, &str); 5] = [
    ("bootloader_args", "bootargs"),
    ("cap", "cpu_cap"),
    ("cmdline", "extra"),
    ("device_model_override", "device_model"),
    ("irqs", "irq"),
];

/// xl's name of one of xm's variables, which takes its place.
pub(crate) fn other_name(xm_name: &str) -> Option<&'static str> {
    let others = RENAMED.iter().chain(&[("type", "builder")]);
    others.into_iter().find(|(_, known)| *known == xm_name).map(|(name, _)| *name)
}

/// xl's words for xm's numbers, from 0 on.
const NUMBERED: [(&str, [&str; 4]); 2] = [
    (
        "timer_mode",
        [
            "delay_for_missed_ticks",
            "no_delay_for_missed_ticks",
            "no_missed_ticks_pending",
            "one_missed_tick_pending",
        ],
    ),
    ("tsc_mode", ["default", "always_emulate", "native", "native_paravirt"]),
];

/// The settings that take the place of a file's variables. Adds to `warnings` what has no place in
/// an S-expression.
pub(super) fn translated(
    variables: &Variables,
    warnings: &mut Vec<Fault>,
) -> Result<Vec<(&'static str, Value)>, Fault> {
    let mut translation = Translation { variables, warnings, found: Vec::new() };
    translation.builder()?;
    translation.names();
    translation.words();
    translation.firmware();
    translation.lists();
    translation.vnc_listen()?;
    Ok(translation.found)
}

struct Translation<'a> {
    variables: &'a Variables,
    warnings: &'a mut Vec<Fault>,
    found: Vec<(&'static str, Value)>,
}

impl<'a> Translation<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.variables.get(name).map(Variable::value).filter(|value| value.data != Data::None)
    }

    fn set(&mut self, name: &'static str, offset: u32, data: Data) {
        self.found.push((name, Value { offset, data }));
    }

    fn set_text(&mut self, name: &'static str, offset: u32, text: &str) {
        self.set(name, offset, Data::Text(text.into()));
    }

    fn warn(&mut self, offset: u32, reason: &str) {
        self.warnings.push(Fault::new(offset, reason));
    }

    /// `type = "hvm"`, and `pvh = 1` of Xen 4.4.
    fn builder(&mut self) -> Result<(), Fault> {
        if let Some(kind) = self.get("type") {
            let builder = match kind.data.to_text().as_slice() {
                b"pv" => "linux",
                b"hvm" => "hvm",
                b"pvh" => "pvh",
                _ => return Err(Fault::new(kind.offset, "type: pv, pvh or hvm is expected")),
            };
            self.set_text("builder", kind.offset, builder);
        } else if let Some(pvh) = self.get("pvh").filter(|pvh| pvh.data.is_true()) {
            self.set_text("builder", pvh.offset, "pvh");
        } else if let Some(builder) = self.get("builder") {
            if builder.data.to_text() == b"generic" {
                self.set_text("builder", builder.offset, "linux");
            }
        }
        Ok(())
    }

    fn names(&mut self) {
        for (name, xm_name) in RENAMED {
            if let Some(value) = self.get(name) {
                let mut data = value.data.clone();
                if let (Data::List(words), "bootargs") = (&data, xm_name) {
                    let words: Vec<_> = words.iter().map(|word| word.data.to_text()).collect();
                    data = Data::Text(words.join(&b' '));
                }
                self.set(xm_name, value.offset, data);
            }
        }
        // xl leaves out the root device if there is a whole command line.
        if let Some(line) = self.get("cmdline") {
            self.set("root", line.offset, Data::None);
        }
    }

    fn words(&mut self) {
        for (name, words) in NUMBERED {
            let Some(Value { offset, data: Data::Text(text) }) = self.get(name) else { continue };
            let number = words.iter().position(|word| word.as_bytes() == text.as_slice());
            if let Some(number) = number.and_then(|number| i64::try_from(number).ok()) {
                self.set(name, *offset, Data::Int(number));
            }
        }
        // Xen 3.3's name of the interface of Hyper-V.
        if let Some(extid) = self.get("extid").filter(|extid| extid.data.to_text() == b"1") {
            self.set("viridian", extid.offset, Data::Int(1));
        }
        if let Some(vga) = self.get("vga") {
            match vga.data.to_text().as_slice() {
                b"stdvga" => self.set("stdvga", vga.offset, Data::Int(1)),
                b"cirrus" => self.set("stdvga", vga.offset, Data::Int(0)),
                _ => self.warn(vga.offset, "vga: only stdvga and cirrus have an effect"),
            }
        }
        if let Some(Value { offset, data: groups @ (Data::Text(_) | Data::List(_)) }) =
            self.get("viridian")
        {
            let is_number =
                matches!(groups, Data::Text(text) if text.iter().all(u8::is_ascii_digit));
            if !is_number {
                self.set("viridian", *offset, Data::Int(i64::from(groups.is_true())));
                self.warn(*offset, "viridian: all groups are switched on or off together");
            }
        }
    }

    /// `firmware` is the path of a file, or the name of firmware that comes with Xen, as `bios` is.
    fn firmware(&mut self) {
        let Some(firmware) = self.get("firmware") else { return };
        match firmware.data.to_text().as_slice() {
            b"" | b"bios" => {}
            b"uefi" => self.set_text("bios", firmware.offset, "ovmf"),
            b"ovmf" | b"seabios" | b"rombios" => {
                self.set("bios", firmware.offset, firmware.data.clone());
            }
            b"pvgrub32" | b"pvgrub64" => {
                self.warn(firmware.offset, "firmware: give pvgrub's path as kernel");
            }
            _ => self.set("loader", firmware.offset, firmware.data.clone()),
        }
    }

    /// An address with a display behind it.
    fn vnc_listen(&mut self) -> Result<(), Fault> {
        let Some(Value { offset, data: Data::Text(text) }) = self.get("vnclisten") else {
            return Ok(());
        };
        let wrong = |reason: &str| Fault::new(*offset, format!("vnclisten: {reason}"));
        let listen = VncListen::read(text).map_err(wrong)?;
        let vncdisplay = self.get("vncdisplay").map(|value| value.data.to_text());
        let display = listen.display_beside(vncdisplay.as_deref()).map_err(wrong)?;
        let address = listen.address.map_or(Data::None, |address| Data::Text(address.to_vec()));
        self.set("vnclisten", *offset, address);
        if let Some(display) = display {
            self.set("vncdisplay", *offset, Data::Int(display.into()));
        }
        Ok(())
    }

    /// Lists where xm had one value.
    fn lists(&mut self) {
        for name in ["serial", "usbdevice"] {
            let Some(Value { offset, data: Data::List(items) }) = self.get(name) else { continue };
            match items.as_slice() {
                [] => self.set(name, *offset, Data::None),
                [one] => self.set(name, one.offset, one.data.clone()),
                // A domain can have several serial ports.
                _ if name == "serial" => {}
                [first, second, ..] => {
                    self.set(name, first.offset, first.data.clone());
                    self.warn(second.offset, "usbdevice: only the first device has an effect");
                }
            }
        }
    }
}
