//! `xm pci-attach`, `pci-detach`, `pci-list`, `pci-list-assignable-devices`.

use super::pci_functions::{Function, Named};
use crate::cli::command::Command;
use crate::cli::option::{JSON, option};
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{print, print_json};
use crate::wire::xmlrpc::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

pub(super) static COMMANDS: [Command; 4] = [
    Command::new(
        "pci-attach",
        "[-o|--options=<opt>] <Domain> <domain:bus:slot.func[,func...]|.*> [virtual slot]",
        "Pass PCI functions through to a domain.",
        (2, 3),
        attach,
    )
    .with(&[option(
        'o',
        "options",
        "KEY=VALUE",
        "An option of the device, such as msitranslate=0",
    )]),
    Command::new(
        "pci-detach",
        "<Domain> <domain:bus:slot.func[,func...]|.*>",
        "Take PCI functions from a domain.",
        (2, 2),
        detach,
    ),
    Command::new("pci-list", "<Domain>", "List the PCI functions of a domain.", (1, 1), list)
        .with(&[JSON]),
    Command::new(
        "pci-list-assignable-devices",
        "",
        "List the PCI functions that domains may get.",
        (0, 0),
        list_assignable,
    )
    .with(&[JSON]),
];

/// The functions that a domain has.
fn attached(context: &Context, domain: &str) -> Result<Vec<Function>, Failure> {
    let arguments = [Value::text(domain), Value::text("pci")];
    let answer = context.gateway.query("xend.domain.getDeviceSxprs", &arguments)?;
    Ok(answer.items().iter().map(Function::read).collect())
}

fn list(context: &Context, words: &Words) -> Result<(), Failure> {
    let mut functions = attached(context, words.argument(0))?;
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

/// xend's answer is that of a host without such functions: this machine knows its own.
fn list_assignable(context: &Context, words: &Words) -> Result<(), Failure> {
    let mut addresses: Vec<String> = match context.gateway.query("xend.node.pciinfo", &[])? {
        Value::Nil if context.gateway.is_local() => bound_to(Path::new(PCIBACK)),
        devices => devices.items().iter().map(|device| Function::read(device).address()).collect(),
    };
    if addresses.is_empty() {
        return Err(Failure::new("No PCI function can be passed through: is pciback loaded?"));
    }
    for domain in context.gateway.domains("all")?.iter().filter(|one| one.domid().is_some()) {
        let taken = attached(context, domain.name())?;
        addresses.retain(|address| taken.iter().all(|function| function.address() != *address));
    }
    if words.has("json") {
        return print_json(&addresses);
    }
    print(addresses.into_iter().map(|address| address + "\n").collect::<String>())
}

/// The functions of a driver, of the folder that lists them.
fn bound_to(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    // The driver's own files are there as well.
    let mut addresses: Vec<String> = names.filter(|name| Named::parse(name).is_ok()).collect();
    addresses.sort();
    addresses
}

/// Where Linux lists the functions that guests may get.
const PCIBACK: &str = "/sys/bus/pci/drivers/pciback";
/// Where Linux lists the functions of the machine.
const DEVICES: &str = "/sys/bus/pci/devices";

fn attach(context: &Context, words: &Words) -> Result<(), Failure> {
    let named = named(words)?;
    let mut all = Vec::new();
    if named.is_whole_device() {
        if !context.gateway.is_local() {
            let advice = "name its functions, like 05:00.0-3";
            return Err(Failure::new(format!("The host's device is not known here: {advice}")));
        }
        all = functions_of(&named, Path::new(DEVICES));
        if all.is_empty() {
            let name = words.argument(1);
            return Err(Failure::new(format!("'{name}': this machine has no such PCI device")));
        }
    }
    let functions = named.functions(&all).map_err(|why| mistaken(words, &why))?;
    configure(context, words, &functions, "Initialising")
}

/// `*` stands for the functions that the domain has.
fn detach(context: &Context, words: &Words) -> Result<(), Failure> {
    let named = named(words)?;
    let mut functions = if named.is_whole_device() {
        attached(context, words.argument(0))?.into_iter().filter(|f| named.has(f)).collect()
    } else {
        named.functions(&[]).map_err(|why| mistaken(words, &why))?
    };
    if functions.is_empty() {
        let domain = words.argument(0);
        let name = words.argument(1);
        return Err(Failure::new(format!("Domain '{domain}' has no function of {name}")));
    }
    functions.sort_by_key(|function| std::cmp::Reverse(function.vdevfn));
    configure(context, words, &functions, "Closing")
}

fn mistaken(words: &Words, why: &str) -> Failure {
    Failure::new(format!("'{}': {why}", words.argument(1)))
}

fn named(words: &Words) -> Result<Named, Failure> {
    let text = match words.arguments().get(2) {
        Some(slot) => format!("{}@{slot}", words.argument(1)),
        None => words.argument(1).to_owned(),
    };
    Named::parse(&text).map_err(Failure::new)
}

/// The functions that a device of this machine has, of the folder that lists them.
fn functions_of(named: &Named, folder: &Path) -> Vec<u32> {
    let device = format!("{:04x}:{:02x}:{:02x}", named.domain, named.bus, named.slot);
    let mut functions: Vec<u32> =
        (0..8).filter(|n| folder.join(format!("{device}.{n}")).exists()).collect();
    functions.sort_unstable();
    functions
}

/// Sends all functions in one change: xend attaches or detaches all, or none.
fn configure(
    context: &Context,
    words: &Words,
    functions: &[Function],
    state: &str,
) -> Result<(), Failure> {
    let options = options(words)?;
    let devices = functions.iter().map(|function| device(function, options.as_ref()));
    let state = field("state", state.into());
    let config = std::iter::once(Value::text("pci")).chain(devices).chain([state]);
    let arguments = [Value::text(words.argument(0)), Value::Array(config.collect())];
    context.gateway.call("xend.domain.device_configure", &arguments).map(drop)
}

fn field(key: &str, value: String) -> Value {
    Value::Array(vec![Value::text(key), Value::Text(value)])
}

fn device(function: &Function, options: Option<&Value>) -> Value {
    let mut device = vec![
        Value::text("dev"),
        field("domain", format!("0x{:04x}", function.domain)),
        field("bus", format!("0x{:02x}", function.bus)),
        field("slot", format!("0x{:02x}", function.slot)),
        field("func", format!("0x{:x}", function.func)),
        field("vdevfn", format!("0x{:02x}", function.vdevfn)),
    ];
    device.extend(options.cloned());
    Value::Array(device)
}

/// `(opts ((msitranslate 0)))`
fn options(words: &Words) -> Result<Option<Value>, Failure> {
    let Some(options) = words.value("options") else { return Ok(None) };
    let pair = options.split_once('=').filter(|(_, value)| !value.contains('='));
    let (key, value) =
        pair.ok_or_else(|| Failure::new(format!("Invalid pci attach option: {options}")))?;
    let options = Value::Array(vec![field(key, value.to_owned())]);
    Ok(Some(Value::Array(vec![Value::text("opts"), options])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<const N: usize>(texts: [&str; N]) -> Vec<Function> {
        let read = |text| Named::parse(text).and_then(|named| named.functions(&[])).unwrap();
        texts.into_iter().flat_map(read).collect()
    }

    #[test]
    fn the_functions_of_a_device_are_those_of_the_machine() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["0000:05:00.0", "0000:05:00.3", "0000:05:01.1", "0001:05:00.2"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(functions_of(&Named::parse("05:00.*").unwrap(), dir.path()), [0, 3]);
        assert_eq!(functions_of(&Named::parse("06:00.*").unwrap(), dir.path()), [0_u32; 0]);
        fs::write(dir.path().join("new_slot"), "").unwrap();
        let all = ["0000:05:00.0", "0000:05:00.3", "0000:05:01.1", "0001:05:00.2"];
        assert_eq!(bound_to(dir.path()), all);
        assert_eq!(bound_to(&dir.path().join("none")), [""; 0]);
    }

    #[test]
    fn slots_are_shown_when_they_are_known() {
        let functions = parse(["03:1a.1", "04:00.0"]);
        assert_eq!(table(&functions), "Device\n0000:03:1a.1\n0000:04:00.0\n");
        let functions = parse(["03:1a.1@6", "04:00.0"]);
        assert_eq!(table(&functions), "Vdev Device\n06.0 0000:03:1a.1\n-    0000:04:00.0\n");
        assert_eq!(table(&[]), "");
    }
}
