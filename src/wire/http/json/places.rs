//! Where in a body the reader of S-expressions found an error.

use super::device::Devices;
use crate::core::model::Invalid;
use crate::shape::ShapeError;
use crate::sxp::Sxp;

/// The keys of a domain's configuration that have another name in JSON.
const OTHER_NAMES: [(&str, &str); 6] = [
    ("memory", "memory_mib"),
    ("maxmem", "max_memory_mib"),
    ("shadow_memory", "shadow_memory_mib"),
    ("vcpu_avail", "vcpus_at_start"),
    ("cpu_cap", "cpu_cap_percent"),
    ("pool_name", "pool"),
];

/// The keys of a domain's configuration that have the same name.
const SAME_NAMES: [&str; 15] = [
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
];

/// The refusal of the parameter `param`, which `tree` was made of. It names the key in JSON.
pub(crate) fn refusal(param: &str, tree: &Sxp, error: &ShapeError) -> Invalid {
    let is_domain = tree.head() == Some("vm");
    match key(error.field()).filter(|_| is_domain) {
        Some(Key::Own(name)) => refused(format!("{param}.{name}"), error.reason()),
        Some(Key::Device(class)) => refused(format!("{param}.devices.{class}"), &error.to_string()),
        None => refused(param.to_owned(), &error.to_string()),
    }
}

fn refused(place: String, reason: &str) -> Invalid {
    Invalid::new(format!("Invalid value for {place}: {reason}")).about(place)
}

/// A key of a domain's configuration.
enum Key<'a> {
    Own(&'a str),
    /// Of a device of this class.
    Device(&'a str),
}

fn key(field: &str) -> Option<Key<'_>> {
    let (first, rest) = field.split_once(' ').unwrap_or((field, ""));
    if let Some((_, name)) = OTHER_NAMES.iter().find(|(old, _)| *old == field) {
        return Some(Key::Own(name));
    }
    if SAME_NAMES.contains(&field) {
        return Some(Key::Own(field));
    }
    (!rest.is_empty() && Devices::has_class(first)).then_some(Key::Device(first))
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
                "config.devices.vbd",
                "Invalid value for config.devices.vbd: vbd mode: ",
            ),
            ("(memory 64) (xenstore_data 1)", "config", "Invalid value for config: "),
        ] {
            let text_of_tree = format!("(vm {config})");
            let tree = read_one(text_of_tree.as_bytes(), &Limits::default()).unwrap();
            let refused = refusal("config", &tree, &read_config(&tree).unwrap_err());
            assert_eq!(refused.parameter(), Some(parameter), "{config}: {refused}");
            assert!(refused.to_string().starts_with(text), "{config}: {refused}");
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
