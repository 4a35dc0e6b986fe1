//! The configuration of a domain, as xm made it of the variables of a file.

use super::cpuid::cpuid;
use super::defaults::Defaults;
use super::disk::disks;
use super::image::image;
use super::interfaces::interfaces;
use super::other_devices::{interrupts, io_ports, scsi, tpm, usb};
use super::pci;
use super::screens::screens;
use super::settings::Settings;
use super::tree;
use crate::error::Fault;
use crate::language::Variables;
use xend_sxp::Sxp;

/// Memory in MiB if the file leaves it open.
const MEMORY: &str = "128";

/// The largest number of VCPUs: xend's mask of those online has so many bits.
const MAX_VCPUS: u32 = u128::BITS;

/// The keys that follow the name, with the values that they have if the file leaves them open.
const KEYS: [(&str, &str); 18] = [
    ("memory", MEMORY),
    ("maxmem", ""),
    ("shadow_memory", ""),
    ("restart", ""),
    ("on_poweroff", ""),
    ("tsc_mode", ""),
    ("nomigrate", ""),
    ("on_reboot", ""),
    ("on_crash", ""),
    ("features", ""),
    ("on_xend_start", "ignore"),
    ("on_xend_stop", "ignore"),
    ("target", ""),
    ("cpuid", ""),
    ("cpuid_check", ""),
    ("machine_address_size", ""),
    ("suppress_spurious_page_faults", ""),
    ("description", ""),
];

/// Makes `(vm ...)` of the variables. Expressions have the offsets of the values that they come
/// from. Adds to `warnings` what has no effect.
pub(crate) fn configuration(
    variables: &Variables,
    defaults: &Defaults<'_>,
    warnings: &mut Vec<Fault>,
) -> Result<Sxp, Fault> {
    let settings = Settings::new(variables, warnings)?;
    let pci = pci::functions(&settings)?;

    let mut fields = vec!["vm".into()];
    fields.extend(name(&settings, defaults));
    for (key, default) in KEYS {
        fields.extend(match key {
            "cpuid" | "cpuid_check" => {
                cpuid(&settings, key)?.map(|masks| Sxp::list([key.into(), masks]))
            }
            _ => field(&settings, key, default),
        });
    }
    vcpus(&settings, &mut fields)?;
    for key in ["uuid", "cpu", "cpus", "cpu_cap", "cpu_weight"] {
        fields.extend(settings.get(key).map(|value| tree::field(key, value)));
    }
    for class in ["blkif", "netif", "tpmif"] {
        if settings.get_true(class).is_some() {
            fields.push(Sxp::list(["backend".into(), Sxp::list([class.into()])]));
        }
    }
    fields.extend(field(&settings, "localtime", ""));
    fields.extend(field(&settings, "oos", "1"));
    fields.extend(settings.get_true("pool").map(|value| tree::field("pool_name", value)));
    if let Some(bootloader) = settings.get_true("bootloader") {
        fields.push(tree::field("bootloader", bootloader));
        fields.push(if let Some(arguments) = settings.get_true("bootargs") {
            tree::field("bootloader_args", arguments)
        } else {
            // pygrub is asked for the default entry without a menu.
            let arguments = if defaults.console { "" } else { "-q" };
            tree::text_field("bootloader_args", arguments, bootloader.offset)
        });
    }
    fields.extend(image(&settings, defaults, &pci)?);
    fields.push(match settings.get("s3_integrity") {
        Some(value) => tree::field("s3_integrity", value),
        None => tree::text_field("s3_integrity", "1", 0),
    });
    fields.extend(security(&settings)?);

    disks(&settings, &mut fields)?;
    pci::device(&pci, &mut fields);
    scsi(&settings, &mut fields)?;
    usb(&settings, &mut fields)?;
    io_ports(&settings, &mut fields)?;
    interrupts(&settings, &mut fields)?;
    interfaces(&settings, &mut fields, warnings)?;
    tpm(&settings, &mut fields)?;
    screens(&settings, defaults, &mut fields)?;
    Ok(Sxp::list(fields))
}

/// `(name ...)`: the file's name if the file sets none.
fn name(settings: &Settings<'_>, defaults: &Defaults<'_>) -> Option<Sxp> {
    match settings.get_true("name") {
        Some(value) => Some(tree::field("name", value)),
        None => defaults.name.map(|name| tree::text_field("name", name, 0)),
    }
}

/// A key whose value Python takes for true, or its default unless that is empty.
fn field(settings: &Settings<'_>, key: &str, default: &str) -> Option<Sxp> {
    match settings.get(key) {
        Some(value) => value.data.is_true().then(|| tree::field(key, value)),
        None => (!default.is_empty()).then(|| tree::text_field(key, default, 0)),
    }
}

/// `vcpus`; with `maxvcpus`, `vcpus` are those online at the start, one if it is not set.
fn vcpus(settings: &Settings<'_>, fields: &mut Vec<Sxp>) -> Result<(), Fault> {
    let Some(most) = settings.get_true("maxvcpus") else {
        fields.extend(field(settings, "vcpus", "1"));
        return Ok(());
    };
    let offset = settings.get("vcpus").map_or(most.offset, |online| online.offset);
    let online = settings.integer("vcpus")?.unwrap_or(1);
    if online != 0 {
        let count = u32::try_from(online).ok().filter(|count| (1..=MAX_VCPUS).contains(count));
        let Some(count) = count else {
            return Err(Fault::new(offset, format!("vcpus: 1 to {MAX_VCPUS} are possible")));
        };
        let mask = u128::MAX >> (MAX_VCPUS - count);
        fields.push(tree::text_field("vcpu_avail", mask.to_string(), offset));
    }
    fields.push(tree::field("vcpus", most));
    Ok(())
}

/// The security label of `access_control`, `policy=NAME,label=NAME`.
fn security(settings: &Settings<'_>) -> Result<Option<Sxp>, Fault> {
    let items = settings.items("access_control")?;
    let [item] = items.as_slice() else {
        return match items.get(1) {
            Some(second) => Err(second.fault("one label is expected")),
            None => Ok(None),
        };
    };
    let pairs = item.pairs(&["policy", "label"])?;
    let field = |key: &str| {
        let text = pairs.get(key.as_bytes());
        text.map(|text| tree::text_field(key, text, item.offset))
    };
    let (Some(policy), Some(label)) = (field("policy"), field("label")) else {
        return Err(item.fault("policy=NAME,label=NAME is expected"));
    };
    let control = tree::list(["access_control".into(), policy, label], item.offset);
    Ok(Some(tree::list(["security".into(), Sxp::list([control])], item.offset)))
}
