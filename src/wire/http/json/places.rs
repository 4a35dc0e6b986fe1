//! Where in a body the reader of S-expressions found an error.

use super::device::Devices;
use crate::core::model::Invalid;
use crate::shape::{ShapeError, read_device};
use crate::sxp::Sxp;

/// The keys of a domain's configuration that have another name in JSON.
pub(super) const OTHER_NAMES: [(&str, &str); 6] = [
    ("memory", "memory_mib"),
    ("maxmem", "max_memory_mib"),
    ("shadow_memory", "shadow_memory_mib"),
    ("vcpu_avail", "vcpus_at_start"),
    ("cpu_cap", "cpu_cap_percent"),
    ("pool_name", "pool"),
];

/// The keys of a domain's configuration that have the same name.
const SAME_NAMES: [&str; 16] = [
    "name",
    "uuid",
    "description",
    "vcpus",
    "cpus",
    "cpu_weight",
    "bootloader",
    "bootloader_args",
    "features",
    "on_poweroff",
    "on_reboot",
    "on_crash",
    "on_xend_start",
    "on_xend_stop",
    "image",
    "xenstore_data",
];

/// The refusal of the parameter `param`, which `tree` was made of. It names the key in JSON.
pub(crate) fn refusal(param: &str, tree: &Sxp, error: &ShapeError) -> Invalid {
    // An error about several fields names the first one in its text.
    let (field, reason) = match (error.field(), error.reason().split_once(": ")) {
        ("", Some((field, reason))) if !field.contains(' ') => (field, reason),
        (field, _) => (field, error.reason()),
    };
    let below = match tree.head() {
        Some("vm") => key_of_domain(tree, field),
        // A whole that is refused is its own place.
        Some(class) => field.strip_prefix(class).map(|rest| {
            let key = key_of_device(class, rest.trim_start(), tree);
            if Devices::has_class(class) { joined(class, &key) } else { key }
        }),
        None => None,
    };
    match below.filter(|key| !key.is_empty()) {
        Some(key) => refused(format!("{param}.{key}"), reason_in_json(&key, reason)),
        None => refused(param.to_owned(), &error.to_string()),
    }
}

/// The reason, without the S-expressions and the parts of an address that JSON does not have.
fn reason_in_json<'a>(key: &str, reason: &'a str) -> &'a str {
    match key.rsplit('.').next() {
        Some("address") => "an address like 0000:01:13.0 is expected",
        Some("uname") if reason.contains("(uname") => "a source like phy:/dev/vg0/root is expected",
        _ => reason,
    }
}

fn refused(place: String, reason: &str) -> Invalid {
    Invalid::new(format!("Invalid value for {place}: {reason}")).about(place)
}

fn joined(place: &str, key: &str) -> String {
    if key.is_empty() { place.to_owned() } else { format!("{place}.{key}") }
}

/// The key of a domain's configuration.
fn key_of_domain(tree: &Sxp, field: &str) -> Option<String> {
    let (first, rest) = field.split_once(' ').unwrap_or((field, ""));
    if let Some((_, name)) = OTHER_NAMES.iter().find(|(old, _)| *old == field) {
        return Some((*name).to_owned());
    }
    if SAME_NAMES.contains(&first) {
        return Some(joined(first, rest));
    }
    if first == "device" {
        return Some("devices".to_owned());
    }
    if !Devices::has_class(first) {
        return None;
    }
    let place = format!("devices.{first}");
    // The error does not say which device it is about: the first one that is refused by itself.
    let all = tree.tail().iter().filter(|item| item.head() == Some("device"));
    let of_class = all.filter_map(|item| item.tail().first());
    let mut of_class = of_class.filter(|device| device.head() == Some(first)).enumerate();
    let found = of_class.find(|(_, device)| read_device(device).is_err());
    Some(match found {
        Some((index, device)) => {
            joined(&format!("{place}[{index}]"), &key_of_device(first, rest, device))
        }
        None => place,
    })
}

/// The key of a device.
fn key_of_device(class: &str, field: &str, device: &Sxp) -> String {
    if class != "pci" || !field.starts_with("dev") {
        return field.to_owned();
    }
    // The address of a function is several fields there.
    let functions = device.tail().iter().filter(|item| item.head() == Some("dev"));
    let refused = functions.enumerate().find(|(_, function)| {
        read_device(&Sxp::list([Sxp::atom("pci"), (*function).clone()])).is_err()
    });
    match refused {
        Some((index, _)) => format!("functions[{index}].address"),
        None => "functions".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::read_config;
    use crate::sxp::{Limits, read_one};
    use crate::wire::http::json::config::DomainConfig;

    #[test]
    fn an_error_names_the_key_in_json() {
        for (config, parameter, text) in [
            ("(memory 0)", "config", "Invalid value for config: "),
            ("(memory x)", "config.memory_mib", "Invalid value for config.memory_mib: \"x\" is"),
            ("(memory 64) (name 'a b')", "config.name", "Invalid value for config.name: "),
            (
                "(memory 64) (image (x))",
                "config.image",
                "Invalid value for config.image: \"x\" is not one of",
            ),
            (
                "(memory 64) (device (vbd (uname phy:/a) (dev xvda) (mode x)))",
                "config.devices.vbd[0].mode",
                "Invalid value for config.devices.vbd[0].mode: Invalid mode \"x\", use r, w or w!",
            ),
            (
                "(memory 64) (device (vif)) (device (vbd (dev hdc:cdrom))) (device (vif (mac x)))",
                "config.devices.vif[1].mac",
                "Invalid value for config.devices.vif[1].mac: \"x\" is",
            ),
            (
                "(memory 64) (device (pci (dev (bus 1) (slot 2)) (dev (bus 1) (slot zz))))",
                "config.devices.pci[0].functions[1].address",
                "Invalid value for config.devices.pci[0].functions[1].address: an address like",
            ),
            (
                "(memory 64) (device (vbd (dev hdc:cdrom))) (device (vbd (dev hdc:cdrom)))",
                "config",
                "Invalid value for config: The device \"hdc\" is already defined",
            ),
            (
                "(memory 64) (maxmem 32)",
                "config.max_memory_mib",
                "Invalid value for config.max_memory_mib: 32 MiB is less than memory, 64 MiB",
            ),
            (
                "(memory 64) (cpu_cap 500)",
                "config.cpu_cap_percent",
                "Invalid value for config.cpu_cap_percent: 500 is out of range, 0 to 100",
            ),
            (
                "(memory 64) (xenstore_data 1)",
                "config.xenstore_data",
                "Invalid value for config.xenstore_data: ",
            ),
        ] {
            let text_of_tree = format!("(vm {config})");
            let tree = read_one(text_of_tree.as_bytes(), &Limits::default()).unwrap();
            let refused = refusal("config", &tree, &read_config(&tree).unwrap_err());
            assert_eq!(refused.parameter(), Some(parameter), "{config}: {refused}");
            assert!(refused.to_string().starts_with(text), "{config}: {refused}");
        }
    }

    #[test]
    fn an_error_names_the_key_of_a_device() {
        for (device, parameter) in [
            ("(vif (mac x))", "config.vif.mac"),
            ("(vbd (dev xvda))", "config.vbd.uname"),
            ("(vbd (dev xvda) (uname phy:/a) (mode x))", "config.vbd.mode"),
            ("(pci (dev (bus x) (slot 1)))", "config.pci.functions[0].address"),
        ] {
            let tree = read_one(device.as_bytes(), &Limits::default()).unwrap();
            let refused = refusal("config", &tree, &read_device(&tree).unwrap_err());
            assert_eq!(refused.parameter(), Some(parameter), "{refused}");
        }
    }

    #[test]
    fn all_keys_are_those_of_a_configuration() {
        let schema = serde_json::to_value(schemars::schema_for!(DomainConfig)).unwrap();
        let properties = schema["properties"].as_object().unwrap();
        let others = OTHER_NAMES.iter().map(|(_, name)| *name);
        for key in others.chain(SAME_NAMES) {
            assert!(properties.contains_key(key), "{key}");
        }
    }
}
