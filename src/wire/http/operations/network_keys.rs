//! The keys in the JSON of `network`. Agents pass over unknown ones, because hosts differ; a person
//! who misspells `gateway` is better told than left with a guest that has none.

use serde_json::Value;
use xend_spelling::nearest;

/// The keys of an interface. `broadcast` has no effect.
const INTERFACE: [&str; 10] = [
    "label",
    "mac",
    "ips",
    "ip6s",
    "gateway",
    "gateway_v6",
    "gateway6",
    "routes",
    "dns",
    "broadcast",
];
/// The keys of an address in `ips` or `ip6s`.
const ADDRESS: [&str; 6] = ["ip", "address", "netmask", "gateway", "enabled", "broadcast"];
const ROUTE: [&str; 3] = ["route", "netmask", "gateway"];

/// The lists of an interface whose items have keys.
const LISTS: [(&str, &[&str]); 3] = [("ips", &ADDRESS), ("ip6s", &ADDRESS), ("routes", &ROUTE)];

/// The most characters of a key in an error.
const MAX_SHOWN: usize = 40;

/// The error for the first unknown key of an interface. `None` if it has none.
pub(super) fn unknown_key(interface: &Value) -> Option<String> {
    unknown_of("", interface, &INTERFACE).or_else(|| {
        LISTS.iter().find_map(|(list, known)| {
            let items = interface.get(list)?.as_array()?;
            let numbered = items.iter().enumerate();
            let mut found = numbered
                .filter_map(|(index, item)| unknown_of(&format!("{list}[{index}]."), item, known));
            found.next()
        })
    })
}

fn unknown_of(place: &str, object: &Value, known: &[&str]) -> Option<String> {
    let key = object.as_object()?.keys().find(|key| !known.contains(&key.as_str()))?;
    let shown: String = key.chars().take(MAX_SHOWN).flat_map(char::escape_debug).collect();
    Some(match nearest(key, known.iter().copied()) {
        Some(other) => format!("{place}{shown} is unknown, did you mean {other}?"),
        None => format!("{place}{shown} is unknown"),
    })
}
