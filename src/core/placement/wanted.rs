//! What a domain needs of the host that it is on.

use crate::core::model::{DomainConfig, Invalid, Property, Value};

/// The key of a configuration with the shared storages that the disks are in.
const STORAGES: &str = "fleet_storages";
/// The key with the tags: of a tag, each host has one domain.
const APART: &str = "fleet_apart";
/// The key with the hosts that the domain may be on; any one without it.
const HOSTS: &str = "fleet_hosts";

/// The most names that a key has.
const MOST_NAMES: usize = 16;
/// The longest name in bytes: of a host in DNS.
const MAX_NAME: usize = 253;

/// What a domain needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    pub memory_mib: u64,
    pub vcpus: u32,
    /// The names of the shared storages that its disks are in.
    pub storages: Vec<String>,
    /// The tags that it has: it is apart from the domains that have one of them.
    pub apart: Vec<String>,
    /// The hosts that it may be on; any one if there are none.
    pub hosts: Vec<String>,
}

impl Wanted {
    /// What a domain with this configuration needs. The keys about it are `fleet_storages`,
    /// `fleet_apart` and `fleet_hosts`, which the configuration keeps like all that xend does not
    /// interpret.
    pub fn of(config: &DomainConfig) -> Result<Self, Invalid> {
        Ok(Self {
            memory_mib: config.memory,
            vcpus: config.vcpus,
            storages: names(&config.rest, STORAGES)?,
            apart: names(&config.rest, APART)?,
            hosts: names(&config.rest, HOSTS)?,
        })
    }
}

/// The tags of a domain, which may have been defined before they meant something.
pub fn tags(config: &DomainConfig) -> Vec<String> {
    names(&config.rest, APART).unwrap_or_default()
}

/// As many of the tags that a host has told as can be.
pub fn known_tags(mut told: Vec<String>) -> Vec<String> {
    told.retain(|tag| is_name(tag));
    told.truncate(MOST_NAMES);
    told
}

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && !text.contains(char::is_control)
}

/// The names of a key: `(fleet_hosts xen1 xen2)`, `(fleet_hosts (xen1 xen2))`.
fn names(properties: &[Property], key: &str) -> Result<Vec<String>, Invalid> {
    let mut names = Vec::new();
    for value in properties.iter().filter(|one| one.key == key).flat_map(|one| &one.values) {
        let several = match value {
            Value::Text(_) => std::slice::from_ref(value),
            Value::List(values) => values,
        };
        for one in several {
            let name = one.as_text().and_then(|text| std::str::from_utf8(text).ok());
            let has_room = names.len() < MOST_NAMES;
            let Some(name) = name.filter(|name| has_room && is_name(name)) else {
                let text = format!(
                    "{key}: up to {MOST_NAMES} names of {MAX_NAME} bytes each are expected"
                );
                return Err(Invalid::new(text));
            };
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::DomName;

    fn config(values: Vec<Value>) -> DomainConfig {
        let mut config = DomainConfig::new(DomName::new("web1").unwrap(), 512);
        config.rest.push(Property { key: APART.into(), values });
        config
    }

    #[test]
    fn names_stand_alone_or_in_a_list() {
        let words = |words: &[&str]| words.iter().map(|word| Value::text(*word)).collect();
        for values in [words(&["web", "db"]), vec![Value::List(words(&["web", "db"]))]] {
            let mut config = config(values);
            config.rest.push(Property::new(HOSTS, "xen1"));
            config.set_vcpus(3);
            let wanted = Wanted::of(&config).unwrap();
            assert_eq!((wanted.memory_mib, wanted.vcpus), (512, 3));
            assert_eq!((wanted.apart, wanted.hosts), (tags(&config), vec!["xen1".to_owned()]));
            assert_eq!(tags(&config), ["web", "db"]);
        }
        assert_eq!(tags(&config(vec![])), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "a".repeat(MAX_NAME + 1);
        for values in [
            vec![Value::text("")],
            vec![Value::text("a\x1bb")],
            vec![Value::text(long.as_str())],
            vec![Value::text(&b"\xfc"[..])],
            vec![Value::List(vec![Value::List(vec![])])],
            vec![Value::text("a"); MOST_NAMES + 1],
        ] {
            let config = config(values);
            let refusal = Wanted::of(&config).unwrap_err().to_string();
            assert!(refusal.starts_with("fleet_apart: up to 16 names"), "{refusal}");
            assert!(tags(&config).is_empty());
        }
    }
}
