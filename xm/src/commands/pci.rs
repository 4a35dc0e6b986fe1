//! `xm pci-attach`, `pci-detach`, `pci-list`, `pci-list-assignable-devices`.

use crate::cli::command::Command;
use crate::cli::option::{JSON, option};
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{print, print_json};
use crate::wire::xmlrpc::Value;
use serde::Serialize;
use std::fmt::Write as _;

pub(super) static COMMANDS: [Command; 4] = [
    Command::new(
        "pci-attach",
        "[-o|--options=<opt>] <Domain> <domain:bus:slot.func> [virtual slot]",
        "Pass a PCI function through to a domain.",
        (2, 3),
        |context, words| configure(context, words, "Initialising"),
    )
    .with(&[option(
        'o',
        "options",
        "KEY=VALUE",
        "An option of the device, such as msitranslate=0",
    )]),
    Command::new(
        "pci-detach",
        "<Domain> <domain:bus:slot.func>",
        "Take a PCI function from a domain.",
        (2, 2),
        |context, words| configure(context, words, "Closing"),
    ),
    Command::new("pci-list", "<Domain>", "List the PCI functions of a domain.", (1, 1), list)
        .with(&[JSON]),
    Command::new(
        "pci-list-assignable-devices",
        "",
        "List the PCI functions that domains may get.",
        (0, 0),
        |context, _| match context.gateway.call("xend.node.pciinfo", &[])? {
            Value::Nil => {
                Err(Failure::new("No PCI function can be passed through: is pciback loaded?"))
            }
            devices => {
                let devices = devices.items().iter().map(|device| Function::read(device).address());
                print(devices.map(|address| address + "\n").collect::<String>())
            }
        },
    ),
];

/// The bit of `vdevfn` with which the device model chooses the slot.
const ANY_SLOT: u32 = 0x100;

/// A PCI function of a guest.
#[derive(Debug, Clone, Serialize)]
struct Function {
    domain: u32,
    bus: u32,
    slot: u32,
    func: u32,
    vdevfn: u32,
}

impl Function {
    /// Reads a struct, or a list of pairs, of hexadecimal texts.
    fn read(value: &Value) -> Self {
        let pair = |item: &Value| match item.items() {
            [key, value] => Some((key.to_text(), value.to_text())),
            _ => None,
        };
        let fields: Vec<(String, String)> = match value {
            Value::Struct(members) => {
                members.iter().map(|(name, value)| (name.clone(), value.to_text())).collect()
            }
            other => other.items().iter().filter_map(pair).collect(),
        };
        let number = |key: &str, missing: u32| {
            let found = fields.iter().find(|(name, _)| name == key);
            found.and_then(|(_, text)| hexadecimal(text)).unwrap_or(missing)
        };
        Self {
            domain: number("domain", 0),
            bus: number("bus", 0),
            slot: number("slot", 0),
            func: number("func", 0),
            vdevfn: number("vdevfn", ANY_SLOT),
        }
    }

    /// Reads `[DDDD:]BB:SS.F[@SLOT]`.
    fn parse(text: &str) -> Option<Self> {
        let (address, slot) = match text.split_once('@') {
            Some((address, slot)) => (address, Some(hexadecimal(slot)?)),
            None => (text, None),
        };
        let (rest, func) = address.rsplit_once('.')?;
        let mut parts = rest.rsplit(':');
        let place = hexadecimal(parts.next()?)?;
        let bus = hexadecimal(parts.next()?)?;
        let domain = parts.next().map_or(Some(0), hexadecimal)?;
        let func = hexadecimal(func)?;
        let is_valid = domain <= 0xffff && bus <= 0xff && place <= 0x1f && func <= 7;
        if !is_valid || parts.next().is_some() || slot.is_some_and(|slot| slot > 0x1f) {
            return None;
        }
        let vdevfn = slot.map_or(ANY_SLOT, |slot| slot << 3);
        Some(Self { domain, bus, slot: place, func, vdevfn })
    }

    fn address(&self) -> String {
        format!("{:04x}:{:02x}:{:02x}.{:x}", self.domain, self.bus, self.slot, self.func)
    }

    fn has_slot(&self) -> bool {
        self.vdevfn & ANY_SLOT == 0
    }
}

fn hexadecimal(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()
}

fn list(context: &Context, words: &Words) -> Result<(), Failure> {
    let arguments = [Value::text(words.argument(0)), Value::text("pci")];
    let answer = context.gateway.call("xend.domain.getDeviceSxprs", &arguments)?;
    let mut functions: Vec<Function> = answer.items().iter().map(Function::read).collect();
    functions.sort_by_key(|f| (f.vdevfn & !7, f.domain, f.bus, f.slot, f.func));
    if words.has("json") {
        return print_json(&functions);
    }
    print(table(&functions))
}

/// Nothing without devices; the guest's slots only if one is known.
fn table(functions: &[Function]) -> String {
    let with_slots = functions.iter().any(Function::has_slot);
    let mut out = String::new();
    if !functions.is_empty() {
        out.push_str(if with_slots { "Vdev Device\n" } else { "Device\n" });
    }
    for function in functions {
        if with_slots {
            let slot = if function.has_slot() {
                format!("{:02x}.{:x}", function.vdevfn >> 3, function.vdevfn & 7)
            } else {
                "-".to_owned()
            };
            let _ = write!(out, "{slot:<4} ");
        }
        let _ = writeln!(out, "{}", function.address());
    }
    out
}

fn configure(context: &Context, words: &Words, state: &str) -> Result<(), Failure> {
    let text = match words.arguments().get(2) {
        Some(slot) => format!("{}@{slot}", words.argument(1)),
        None => words.argument(1).to_owned(),
    };
    let function = Function::parse(&text).ok_or_else(|| {
        Failure::new(format!("'{text}' is not a PCI function: 0000:03:1a.1 is one, each by itself"))
    })?;
    let field = |key: &str, value: String| Value::Array(vec![Value::text(key), Value::Text(value)]);
    let mut device = vec![
        Value::text("dev"),
        field("domain", format!("0x{:04x}", function.domain)),
        field("bus", format!("0x{:02x}", function.bus)),
        field("slot", format!("0x{:02x}", function.slot)),
        field("func", format!("0x{:x}", function.func)),
        field("vdevfn", format!("0x{:02x}", function.vdevfn)),
    ];
    if let Some(options) = words.value("options") {
        let pair = options.split_once('=').filter(|(_, value)| !value.contains('='));
        let (key, value) =
            pair.ok_or_else(|| Failure::new(format!("Invalid pci attach option: {options}")))?;
        let options = Value::Array(vec![field(key, value.to_owned())]);
        device.push(Value::Array(vec![Value::text("opts"), options]));
    }
    let config =
        Value::Array(vec![Value::text("pci"), Value::Array(device), field("state", state.into())]);
    let arguments = [Value::text(words.argument(0)), config];
    context.gateway.call("xend.domain.device_configure", &arguments).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let parse = |text| Function::parse(text).map(|f| (f.address(), f.vdevfn));
        assert_eq!(parse("03:1a.1"), Some(("0000:03:1a.1".to_owned(), 0x100)));
        assert_eq!(parse("0001:03:1a.7@5"), Some(("0001:03:1a.7".to_owned(), 0x28)));
        for wrong in ["", "03", "03:1a", "03:1a.8", "03:20.0", "1:2:3:4.0", "03:1a.*", "3:1.0@20"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn slots_are_shown_when_they_are_known() {
        let functions: Vec<Function> =
            ["03:1a.1", "04:00.0"].map(|text| Function::parse(text).unwrap()).into();
        assert_eq!(table(&functions), "Device\n0000:03:1a.1\n0000:04:00.0\n");
        let functions: Vec<Function> =
            ["03:1a.1@6", "04:00.0"].map(|text| Function::parse(text).unwrap()).into();
        assert_eq!(table(&functions), "Vdev Device\n06.0 0000:03:1a.1\n-    0000:04:00.0\n");
        assert_eq!(table(&[]), "");
    }
}
