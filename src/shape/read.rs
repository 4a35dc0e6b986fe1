//! S-expression to [`DomainConfig`].

use super::ShapeError;
use super::device::{implied_vfb, read_device};
use super::fields::{Fields, whole};
use super::image::read_image;
use crate::core::model::{
    CpuSet, DomName, DomainConfig, Invalid, MAX_VCPUS, OnEvent, SedfParams, parse_uuid,
};
use crate::sxp::Sxp;
use std::time::Duration;

/// What an answer says of a domain at the moment. An answer that is echoed back as a configuration (libvirt's
/// autostart does) holds these, and they mean nothing there.
const TRANSIENT: [&str; 14] = [
    "domid",
    "state",
    "status",
    "cpu_time",
    "online_vcpus",
    "start_time",
    "up_time",
    "store_mfn",
    "console_mfn",
    "store_ref",
    "console_ref",
    "shutdown_reason",
    "shutdown",
    "restart_count",
];

/// The most memory in MiB that makes sense: Domain-0's `maxmem` without a limit is 16777215.
const MAX_MEMORY: u64 = 1 << 32;

/// The name of a domain that was given none, as in xend 4.x.
const UNNAMED: &str = "Domain-Unnamed";

/// Reads a configuration: `(vm ...)`, as xm and libvirt send it, `(config ...)`, or `(domain ...)`, an earlier answer
/// echoed back.
pub fn read_config(sxp: &Sxp) -> Result<DomainConfig, ShapeError> {
    match sxp.head() {
        Some("vm" | "domain" | "config") => {}
        Some(other) => {
            return Err(ShapeError::new(
                "configuration",
                format!("begins with ({other} and not with (vm"),
                sxp,
            ));
        }
        None => {
            return Err(ShapeError::new(
                "configuration",
                "a list like (vm (name web1) (memory 128)) is expected",
                sxp,
            ));
        }
    }
    let mut fields = Fields::new("", sxp.tail())?;
    fields.drop_keys(&TRANSIENT);

    let name = fields.checked("name", DomName::new)?;
    let name = match name {
        Some(name) => name,
        None => DomName::new(UNNAMED).map_err(|reason| ShapeError::new("name", reason, sxp))?,
    };
    let memory = fields.number("memory", " of MiB", MAX_MEMORY)?;
    let maxmem = fields.number("maxmem", " of MiB", MAX_MEMORY)?.filter(|n| *n > 0);
    let Some(memory) = memory.or(maxmem) else {
        return Err(ShapeError::new("memory", "missing, give the domain's memory in MiB", sxp));
    };
    let mut config = DomainConfig::new(name, memory);
    config.maxmem = maxmem.unwrap_or(memory);
    config.uuid = fields.checked("uuid", parse_uuid)?;
    config.shadow_memory = fields.number("shadow_memory", " of MiB", MAX_MEMORY)?.unwrap_or(0);

    let image = fields.take("image")?.map(read_image).transpose()?;
    let vcpus = fields.number("vcpus", "", u64::from(MAX_VCPUS))?;
    let (image, image_vcpus) = image.unwrap_or_default();
    match vcpus.or(image_vcpus).map(u32::try_from) {
        Some(Ok(0)) => return Err(ShapeError::new("vcpus", "0 is too few, at least 1 is needed", sxp)),
        Some(Ok(count)) => config.set_vcpus(count),
        _ => {}
    }
    if let Some(mask) = fields.checked("vcpu_avail", vcpu_mask)? {
        let mask = mask & config.vcpu_avail;
        if mask == 0 {
            return Err(ShapeError::new("vcpu_avail", "no VCPU is online", sxp));
        }
        config.vcpu_avail = mask;
    }
    // xend 3.0 had one CPU for the whole domain, -1 for any.
    let pinned = fields.word("cpu")?.filter(|cpu| cpu.as_str() != Some("-1"));
    if let Some(cpus) = fields.take("cpus")? {
        read_cpus(cpus, &mut config)?;
    } else if let Some(cpu) = pinned {
        config.cpus.fill(cpu_set(cpu)?);
    }

    if let Some(weight) = fields.number("cpu_weight", "", u64::from(u16::MAX))? {
        config.cpu_weight = u16::try_from(weight).unwrap_or(u16::MAX).max(1);
    }
    if let Some(cap) = fields.number("cpu_cap", " of percent", u64::from(u16::MAX))? {
        config.cpu_cap = u16::try_from(cap).unwrap_or(u16::MAX);
    }
    if let Some(pool) = fields.optional_text("pool_name")? {
        config.pool_name = pool;
    }
    config.bootloader = fields.text("bootloader")?;
    config.bootloader_args = fields.text("bootloader_args")?;
    // The Xen-API spells them with underscores.
    let mode = |text: &str| text.replace('_', "-").parse::<OnEvent>();
    config.on_poweroff = fields.checked("on_poweroff", mode)?.unwrap_or(config.on_poweroff);
    config.on_reboot = fields.checked("on_reboot", mode)?.unwrap_or(config.on_reboot);
    config.on_crash = fields.checked("on_crash", mode)?.unwrap_or(config.on_crash);
    config.on_xend_start = fields.parse("on_xend_start")?.unwrap_or_default();
    config.on_xend_stop = fields.parse("on_xend_stop")?.unwrap_or_default();
    config.description = fields.text("description")?;
    config.features = fields.text("features")?;
    config.sedf = fields.take("sedf")?.map(|sedf| read_sedf(sedf.tail(), sedf)).transpose()?;

    for device in fields.take_all("device") {
        match device.tail() {
            [one] => config.devices.extend(read_device(one)?),
            _ => return Err(ShapeError::new("device", "one device like (device (vif)) is expected", device)),
        }
    }
    config.devices.extend(implied_vfb(image.as_ref(), &config.devices));
    config.image = image;
    config.rest = fields.rest();
    config.check().map_err(|reason| ShapeError::whole(&reason, sxp))?;
    Ok(config)
}

/// Reads SEDF parameters as [`super::sedf`] writes them; times in nanoseconds.
pub fn read_sedf(items: &[Sxp], at: &Sxp) -> Result<SedfParams, ShapeError> {
    let mut fields = Fields::new("sedf", items)?;
    let mut number = |key: &str, max: u64| {
        fields.number(key, "", max)?.ok_or_else(|| ShapeError::new(format!("sedf {key}"), "missing", at))
    };
    let day = Duration::from_secs(86_400).as_nanos();
    let day = u64::try_from(day).unwrap_or(u64::MAX);
    Ok(SedfParams {
        period: Duration::from_nanos(number("period", day)?),
        slice: Duration::from_nanos(number("slice", day)?),
        latency: Duration::from_nanos(number("latency", day)?),
        extratime: number("extratime", 1)? == 1,
        weight: u32::try_from(number("weight", u64::from(u32::MAX))?).unwrap_or(u32::MAX),
    })
}

fn vcpu_mask(text: &str) -> Result<u128, Invalid> {
    text.trim().parse().map_err(|_| Invalid::new(format!("{text:?} is not a bit mask of VCPUs")))
}

fn cpu_set(word: &Sxp) -> Result<CpuSet, ShapeError> {
    let text = word.as_str().ok_or_else(|| ShapeError::new("cpus", "not UTF-8 text", word))?;
    text.parse().map_err(|reason| ShapeError::new("cpus", reason, word))
}

/// `(cpus '0-2,^1')` is for all VCPUs; `(cpus ((0 2) ()))` and `(cpus ('0,2' ''))` are one a VCPU, where an empty one
/// means any CPU and one that is missing as well.
fn read_cpus(property: &Sxp, config: &mut DomainConfig) -> Result<(), ShapeError> {
    let per_vcpu = match property.tail() {
        [] => return Ok(()),
        [word @ Sxp::Atom(_)] => {
            config.cpus.fill(cpu_set(word)?);
            return Ok(());
        }
        [list] => list.as_list().unwrap_or_default(),
        several => several,
    };
    if per_vcpu.len() > config.cpus.len() {
        let reason = format!("{} affinities for {} VCPUs", per_vcpu.len(), config.vcpus);
        return Err(ShapeError::new("cpus", reason, property));
    }
    for (affinity, item) in config.cpus.iter_mut().zip(per_vcpu) {
        *affinity = match item.as_list() {
            None => cpu_set(item)?,
            Some(numbers) => {
                let cpu = |n: &Sxp| {
                    let number = n.as_str().and_then(whole).and_then(|n| u32::try_from(n).ok());
                    number
                        .filter(|n| *n < crate::core::model::MAX_CPUS)
                        .ok_or_else(|| ShapeError::new("cpus", format!("{n} is not a CPU"), n))
                };
                numbers.iter().map(cpu).collect::<Result<CpuSet, _>>()?
            }
        };
    }
    Ok(())
}
