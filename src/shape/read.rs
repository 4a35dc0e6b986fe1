//! Reads configurations of domains.

use super::device::{self, implied_vfb};
use super::error::ShapeError;
use super::fields::{Fields, property};
use super::image::read_image;
use super::zero_byte;
use crate::core::model::{
    ActionOnShutdown, ClientData, CpuSet, Device, DomName, DomainConfig, Invalid, MAX_CPUS,
    MAX_VCPUS, SedfParams, Unit, XenstoreData, parse_uuid,
};
use crate::sxp::Sxp;
use std::time::Duration;

/// Keys of an answer that describe a domain's present state. They are ignored in a configuration,
/// since libvirt's autostart echoes an answer as a configuration.
pub(super) const TRANSIENT: [&str; 13] = [
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
];

/// Name of a domain whose configuration has none, as in xend 4.x.
const UNNAMED: &str = "Domain-Unnamed";

/// Reads a configuration: `(vm ...)`, as xm and libvirt send it, `(config ...)`, or `(domain ...)`,
/// which is an echoed answer.
pub fn read_config(sxp: &Sxp) -> Result<DomainConfig, ShapeError> {
    zero_byte::refuse(sxp)?;
    let mut config = read(sxp, Origin::Client)?;
    // The engine, which knows all devices, assigns the numbers; those of an echoed answer are void.
    config.devices.iter_mut().for_each(Device::clear_id);
    config.restarts = 0;
    Ok(config)
}

/// Reads a device, as a client sends it: `(vbd (uname phy:/dev/vg0/a) (dev sda1) (mode w))`. `None`
/// for one that xend adds by itself and prints in its answers.
pub fn read_device(device: &Sxp) -> Result<Option<Device>, ShapeError> {
    zero_byte::refuse(device)?;
    device::read_device(device)
}

/// Reads a configuration that `stored_config` wrote. Names are not checked: another toolstack may
/// have given one that xend would refuse.
pub fn read_stored(sxp: &Sxp) -> Result<DomainConfig, ShapeError> {
    read(sxp, Origin::Store)
}

/// Where a configuration comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Client,
    /// What was stored once can always be read.
    Store,
}

impl Origin {
    fn name(self, text: &str) -> Result<DomName, Invalid> {
        match self {
            Self::Client => DomName::new(text),
            Self::Store => Ok(DomName::adopted(text)),
        }
    }
}

fn read(sxp: &Sxp, origin: Origin) -> Result<DomainConfig, ShapeError> {
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

    let name = fields.checked("name", |text| origin.name(text))?;
    let name = match name {
        Some(name) => name,
        None => DomName::new(UNNAMED).map_err(|reason| ShapeError::new("name", reason, sxp))?,
    };
    let memory = fields.number("memory", Unit::Mebibytes, 1..=DomainConfig::MAX_MEMORY)?;
    let maxmem =
        fields.number("maxmem", Unit::Mebibytes, 1..=DomainConfig::MAX_MEMORY)?.filter(|n| *n > 0);
    let Some(memory) = memory.or(maxmem) else {
        return Err(ShapeError::new("memory", "missing, give the domain's memory in MiB", sxp));
    };
    let mut config = DomainConfig::new(name, memory);
    config.maxmem = maxmem.unwrap_or(memory);
    config.uuid = fields.checked("uuid", parse_uuid)?;
    config.shadow_memory =
        fields.number("shadow_memory", Unit::Mebibytes, 0..=DomainConfig::MAX_MEMORY)?.unwrap_or(0);

    let image = fields.take("image")?.map(read_image).transpose()?;
    let vcpus = fields.number("vcpus", Unit::Plain, 1..=u64::from(MAX_VCPUS))?;
    let (image, image_vcpus) = image.unwrap_or_default();
    match vcpus.or(image_vcpus).map(u32::try_from) {
        Some(Ok(0)) => {
            return Err(ShapeError::new("vcpus", "0 is too few, at least 1 is needed", sxp));
        }
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
    // xend 3.0 had one CPU for the whole domain, with -1 for any CPU.
    let pinned = fields.word("cpu")?.filter(|cpu| cpu.as_str() != Some("-1"));
    if let Some(cpus) = fields.take("cpus")? {
        read_cpus(cpus, &mut config)?;
    } else if let Some(cpu) = pinned {
        config.cpus.fill(cpu_set(cpu)?);
    }

    let weight_word = sxp.value("cpu_weight").unwrap_or(sxp);
    if let Some(weight) = fields.number("cpu_weight", Unit::Plain, 1..=u64::from(u16::MAX))? {
        if weight == 0 && origin == Origin::Client {
            let reason = format!("0 is out of range, 1 to {}", u16::MAX);
            return Err(ShapeError::new("cpu_weight", reason, weight_word));
        }
        config.cpu_weight = u16::try_from(weight).unwrap_or(u16::MAX).max(1);
    }
    if let Some(cap) = fields.number("cpu_cap", Unit::Percent, 0..=u64::from(config.vcpus * 100))? {
        config.cpu_cap = u16::try_from(cap).unwrap_or(u16::MAX);
    }
    if let Some(pool) = fields.optional_text("pool_name")? {
        config.pool_name = pool;
    }
    config.bootloader = fields.text("bootloader")?;
    config.bootloader_args = fields.text("bootloader_args")?;
    // The Xen-API spells these values with underscores.
    let mode = |text: &str| text.replace('_', "-").parse::<ActionOnShutdown>();
    config.on_poweroff = fields.checked("on_poweroff", mode)?.unwrap_or(config.on_poweroff);
    config.on_reboot = fields.checked("on_reboot", mode)?.unwrap_or(config.on_reboot);
    config.on_crash = fields.checked("on_crash", mode)?.unwrap_or(config.on_crash);
    config.on_xend_start = fields.parse("on_xend_start")?.unwrap_or_default();
    config.on_xend_stop = fields.parse("on_xend_stop")?.unwrap_or_default();
    config.description = fields.text("description")?;
    config.features = fields.text("features")?;
    let restarts =
        fields.number("restart_count", Unit::Plain, 0..=u64::from(u32::MAX))?.unwrap_or(0);
    config.restarts = u32::try_from(restarts).unwrap_or(u32::MAX);
    config.sedf = fields.take("sedf")?.map(|sedf| read_sedf(sedf.tail(), sedf)).transpose()?;

    config.xenstore_data = read_xenstore_data(&mut fields)?;
    if let Some(client_data) = fields.take("xenapi")? {
        config.client_data =
            ClientData::from_properties(&Fields::new("xenapi", client_data.tail())?.rest());
    }

    config.devices = read_devices(&mut fields, sxp)?;
    config.devices.extend(implied_vfb(image.as_ref(), &config.devices));
    config.image = image;
    config.rest = fields.rest();
    config.check().map_err(|reason| ShapeError::whole(&reason, sxp))?;
    Ok(config)
}

/// Reads all `(device ...)`.
fn read_devices(fields: &mut Fields<'_>, sxp: &Sxp) -> Result<Vec<Device>, ShapeError> {
    let given = fields.take_all("device");
    // Before they are read: a text can have many more than a domain.
    DomainConfig::check_device_count(given.len())
        .map_err(|reason| ShapeError::whole(&reason, sxp))?;
    let mut devices = Vec::new();
    for device in given {
        let [one] = device.tail() else {
            let reason = "one device like (device (vif)) is expected";
            return Err(ShapeError::new("device", reason, device));
        };
        devices.extend(device::read_device(one)?);
    }
    Ok(devices)
}

/// Reads `(xenstore_data (vm-data/hostname web1) ...)`, with or without an inner list.
fn read_xenstore_data(fields: &mut Fields<'_>) -> Result<XenstoreData, ShapeError> {
    let Some(data) = fields.take("xenstore_data")? else { return Ok(XenstoreData::default()) };
    let values = property(data).map(|property| property.values).unwrap_or_default();
    XenstoreData::from_values(&values).map_err(|reason| ShapeError::whole(&reason, data))
}

/// Reads SEDF parameters as `sedf` writes them, with times in nanoseconds.
pub fn read_sedf(items: &[Sxp], at: &Sxp) -> Result<SedfParams, ShapeError> {
    let mut fields = Fields::new("sedf", items)?;
    let mut number = |key: &str, max: u64| {
        fields
            .number(key, Unit::Plain, 0..=max)?
            .ok_or_else(|| ShapeError::new(format!("sedf {key}"), "missing", at))
    };
    let day = u64::try_from(SedfParams::MAX_TIME.as_nanos()).unwrap_or(u64::MAX);
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
    // xl's word, which xm passed on, too.
    if text == "all" {
        return Ok(CpuSet::default());
    }
    text.parse().map_err(|reason| ShapeError::new("cpus", reason, word))
}

/// Reads affinities. `(cpus '0-2,^1')` is for all VCPUs. `(cpus ((0 2) ()))` has one affinity per
/// VCPU, and so has `(cpus ('0,2' ''))`; an empty or missing one means any CPU.
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
            Some(items) if items.len() > MAX_CPUS as usize => {
                let reason = format!("{} CPUs for a VCPU, at most {MAX_CPUS}", items.len());
                return Err(ShapeError::new("cpus", reason, item));
            }
            Some(items) => items.iter().try_fold(CpuSet::default(), |set, item| {
                Ok::<_, ShapeError>(set.union(&cpu_set(item)?))
            })?,
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::GuestKind;
    use crate::shape::{SxpSink, config, stored_config};
    use crate::sxp::{Limits, read_one};

    fn read(text: &str) -> Result<DomainConfig, ShapeError> {
        read_config(&read_one(text.as_bytes(), &Limits::default()).unwrap())
    }

    fn good(text: &str) -> DomainConfig {
        read(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    const EVERYTHING: &str = "(vm (name all) (uuid 11111111-2222-3333-4444-555555550001) (memory 128) (maxmem 256) \
        (vcpus 3) (vcpu_avail 5) (cpus ((0 2) () ('1-2'))) (cpu_weight 300) (cpu_cap 20) (on_crash coredump-restart) \
        (on_xend_start start) (description 'B\\xfcro') (localtime 0) (unknown (a (b)) c) (unknown twice) \
        (xenapi (user_version 2) (other_config ((folder /a) (empty '')))) \
        (image (hvm (kernel /hvmloader) (boot cda) (vnc 1) (vncpasswd secret) (acpi 1) (serial (none /dev/ttyS1)))) \
        (device (vif (type ioemu) (mac 00:16:3e:01:00:01) (bridge xenbr0))) \
        (device (tap (uname tap:qcow:/a.img) (dev ioemu:hda) (mode 'w!') (backend 3))) \
        (device (vbd (dev hdc:cdrom) (mode r))) \
        (device (pci (dev (domain 0x0001)(bus 0x0c)(slot 0x1b)(func 0x2)) (dev (bus 1) (slot 0x13)))) \
        (device (vusb (num-ports 8))))";

    #[test]
    fn stored_configurations_read_back() {
        let config = good(EVERYTHING);
        let stored = stored_config(&config);
        assert!(stored.to_string().contains("secret"));
        assert_eq!(read_stored(&stored).unwrap(), config);
    }

    #[test]
    fn shown_configurations_have_no_passwords_and_the_same_meaning() {
        let first = good(EVERYTHING);
        let mut sink = SxpSink::default();
        config(&mut sink, &first);
        let shown = String::from_utf8(sink.into_bytes()).unwrap();
        assert!(!shown.contains("secret"));
        assert!(shown.contains("(description 'B\\xfcro')"));
        let second = good(&shown);
        assert_eq!((second.vcpus, second.vcpu_avail, &second.cpus), (3, 5, &first.cpus));
        assert_eq!(second.devices.len(), first.devices.len());
    }

    #[test]
    fn a_list_that_is_too_long_is_refused_before_it_is_read() {
        let refusal = |list: &str| {
            read(&format!("(vm (name a) (memory 64) {list})")).unwrap_err().to_string()
        };
        let devices = refusal(&"(device (floppy))".repeat(1025));
        assert_eq!(devices, "device: 1025 devices are too many, at most 1024");
        let functions = refusal(&format!("(device (pci {}))", "(dev (bus x))".repeat(257)));
        assert_eq!(functions, "pci dev: 257 functions are too many, at most 256");
        let cpus = refusal(&format!("(cpus (({})))", "x ".repeat(4097)));
        assert_eq!(cpus, "cpus: 4097 CPUs for a VCPU, at most 4096");
        let ranges = refusal(&format!("(cpus '{}')", "0-4095,".repeat(75_000)));
        assert!(ranges.starts_with("cpus: 525000 bytes are too many for a list"), "{ranges}");
    }

    #[test]
    fn a_weight_of_zero_is_refused_unless_it_is_stored() {
        let text = "(vm (name a) (memory 64) (cpu_weight 0))";
        let error = read(text).unwrap_err();
        assert_eq!(error.to_string(), "cpu_weight: 0 is out of range, 1 to 65535");
        assert_eq!(error.position(text.as_bytes()), (1, 38));
        let stored = read_stored(&read_one(text.as_bytes(), &Limits::default()).unwrap());
        assert_eq!(stored.unwrap().cpu_weight, 1);
    }

    #[test]
    fn xm_3_0_0_sends_vcpus_twice_in_the_image() {
        let config = good(
            "(vm (name a) (memory 64) (image (linux (kernel /k) (root '/dev/hda1 ro') (args 4) (vcpus 2) (vcpus 2) (boot c) (nics 1))))",
        );
        let image = config.image.unwrap();
        assert_eq!((config.vcpus, config.vcpu_avail), (2, 3));
        assert_eq!(
            (image.kind, image.args.as_slice(), image.rest.len()),
            (GuestKind::Pv, &b"root=/dev/hda1 ro 4"[..], 0)
        );
    }

    #[test]
    fn all_cpus_are_no_affinity() {
        for cpus in ["all", "(all)", "''", "(() '')"] {
            let config = good(&format!("(vm (name a) (memory 64) (vcpus 2) (cpus {cpus}))"));
            assert_eq!(config.cpus, [CpuSet::default(), CpuSet::default()], "{cpus}");
        }
    }

    #[test]
    fn an_echoed_answer_is_a_configuration() {
        let config = good(
            "(domain (domid 7) (name a) (memory 64) (state -b----) (cpu_time 1.5) (cpu_weight 1.0) (status 2) \
             (image (linux (kernel '') (pci ()) (client_data (GUEST_OS linux)))) \
             (device (console (protocol vt100) (location 2) (uuid 02488805-3377-f57d-b75f-f1da15db4731))) \
             (device (vbd (protocol x86_64-abi) (dev sda1:disk) (uname phy:/a) (backend 0) (VDI '') (driver paravirtualised))))",
        );
        assert!(config.rest.is_empty());
        let block = config.devices.iter().find_map(Device::as_block).unwrap();
        assert_eq!((block.dev.as_str(), block.rest.len()), ("sda1", 0));
    }

    #[test]
    fn the_image_can_ask_for_a_frame_buffer() {
        let config = good(
            "(vm (name a) (memory 64) (image (hvm (kernel /l) (vnc 1) (vncunused 1) (sdl 0))))",
        );
        assert!(matches!(config.devices.as_slice(), [Device::Vfb(vfb)] if vfb.rest.len() == 2));
        assert!(
            good("(vm (name a) (memory 64) (image (hvm (kernel /l) (vnc 0))))").devices.is_empty()
        );
    }

    #[test]
    fn errors_have_field_reason_and_position() {
        for (text, message, column) in [
            ("vm", "configuration: a list like (vm (name web1) (memory 128)) is expected", 1),
            ("(foo (name a))", "configuration: begins with (foo and not with (vm", 1),
            ("(vm (name a) x)", "configuration: an item of it is not of the form (key value)", 14),
            ("(vm (name a))", "memory: missing, give the domain's memory in MiB", 1),
            ("(vm (name a) (memory 12x))", "memory: \"12x\" is not a whole number of MiB", 22),
            ("(vm (name a) (memory 0))", "memory must be greater than zero MiB", 1),
            (
                "(vm (name a) (memory 64) (memory 65))",
                "memory: given twice, with different values",
                26,
            ),
            (
                "(vm (name a) (memory 64) (maxmem 32))",
                "maxmem: 32 MiB is less than memory, 64 MiB",
                1,
            ),
            ("(vm (name a) (memory 64) (vcpus 0))", "vcpus: 0 is too few, at least 1 is needed", 1),
            ("(vm (name a) (memory 64) (vcpus 129))", "vcpus: 129 is out of range, 1 to 128", 33),
            (
                "(vm (name a) (memory 64) (cpus foo))",
                "cpus: \"foo\" is not a list of CPUs like 0-3,^1",
                32,
            ),
            ("(vm (name a) (memory 64) (cpus ((0) (1))))", "cpus: 2 affinities for 1 VCPUs", 26),
            ("(vm (name a) (memory 64) (uuid zzz))", "uuid: \"zzz\" is not a UUID", 32),
            (
                "(vm (name a) (memory 64) (image (bsd)))",
                "image: \"bsd\" is not one of linux, hvm, pvh",
                33,
            ),
            (
                "(vm (name a) (memory 64) (xenstore_data (vm-data/a 1) (vm-data/a 2)))",
                "xenstore_data: vm-data/a: given twice, with different values",
                26,
            ),
            (
                "(vm (name a) (memory 64) (device (floppy (a b))))",
                "device: floppy not a valid device type",
                34,
            ),
            (
                "(vm (name a) (memory 64) (device (vbd (uname phy:/a))))",
                "vbd dev: missing, give the device's name in the guest, like xvda",
                34,
            ),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(
                (error.to_string().as_str(), error.position(text.as_bytes())),
                (message, (1, column)),
                "{text}"
            );
        }
    }
}
