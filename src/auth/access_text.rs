//! The part of the users file that users and roles have in common: domains, rights, limits.

use super::mistake::Mistake;
use crate::core::model::{Unit, WholeNumber, is_whole_number};
use crate::core::ports::Destination;
use crate::core::rights::{Access, DomainPattern, Grant, Limits, Right, Rights};
use crate::sxp::Sxp;
use std::fmt::Display;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr as _;
use xend_spelling::nearest;

/// Domains, rights and limits as a user or a role has them.
#[derive(Debug, Default)]
pub(super) struct AccessText {
    pub(super) domains: Vec<DomainPattern>,
    pub(super) rights: Rights,
    grants: Vec<Grant>,
    limits: Limits,
}

impl AccessText {
    /// The keys that [`read`](Self::read) knows.
    pub(super) const KEYS: [&str; 4] = ["domains", "rights", "grant", "limits"];

    /// Reads an item with one of the [`KEYS`](Self::KEYS).
    pub(super) fn read(&mut self, item: &Sxp) -> Result<(), Mistake> {
        match item.head() {
            Some("domains") => self.domains = values(item, "domains", DomainPattern::from_str)?,
            Some("rights") => self.rights = rights(item)?,
            Some("grant") => self.grants.push(grant(item)?),
            _ => self.limits = limits(item)?,
        }
        Ok(())
    }

    /// The access of a user with these roles. The error says what is missing.
    ///
    /// The rights of a role without domains are rights on the user's own domains. A number in the
    /// user's own limits counts before those of the roles, of which the highest counts. Places add
    /// up.
    pub(super) fn access(mut self, roles: &[&Self]) -> Result<Access, &'static str> {
        let mut grants = self.grants;
        let mut rights = self.rights;
        for role in roles {
            grants.extend(role.grants.iter().cloned());
            if role.domains.is_empty() {
                rights = rights.union(role.rights);
            } else {
                grants.push(Grant { domains: role.domains.clone(), rights: role.rights });
            }
        }
        if self.domains.is_empty() {
            // The facts about the host need no domain.
            if rights.iter().any(|right| right != Right::HostFacts) {
                return Err("rights without domains, add (domains NAME ..)");
            }
        } else if rights.is_empty() {
            return Err("domains without rights, add (rights see power ..) or a role");
        }
        if !rights.is_empty() {
            grants.insert(0, Grant { domains: self.domains, rights });
        }
        let own = &mut self.limits;
        own.domains = own.domains.or(highest(roles, |limits| limits.domains));
        own.memory_mib = own.memory_mib.or(highest(roles, |limits| limits.memory_mib));
        own.vcpus = own.vcpus.or(highest(roles, |limits| limits.vcpus));
        for role in roles {
            add(&mut own.disks, &role.limits.disks);
            add(&mut own.bridges, &role.limits.bridges);
            add(&mut own.kernels, &role.limits.kernels);
            add(&mut own.files, &role.limits.files);
            add(&mut own.hosts, &role.limits.hosts);
        }
        Ok(Access { operator: false, grants, limits: self.limits })
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.domains.is_empty()
            && self.rights.is_empty()
            && self.grants.is_empty()
            && self.limits == Limits::default()
    }
}

/// The highest of the roles' numbers.
fn highest<T: Ord>(roles: &[&AccessText], number: impl Fn(&Limits) -> Option<T>) -> Option<T> {
    roles.iter().filter_map(|role| number(&role.limits)).max()
}

/// Adds the places that are not there yet.
fn add<T: Clone + PartialEq>(places: &mut Vec<T>, more: &[T]) {
    for place in more {
        if !places.contains(place) {
            places.push(place.clone());
        }
    }
}

fn grant(item: &Sxp) -> Result<Grant, Mistake> {
    let mut grant = Grant::default();
    for part in item.tail() {
        match part.head() {
            Some("domains") if grant.domains.is_empty() => {
                grant.domains = values(part, "domains", DomainPattern::from_str)?;
            }
            Some("rights") if grant.rights.is_empty() => grant.rights = rights(part)?,
            Some("domains" | "rights") => return Err(given_twice(part)),
            _ => return Err(unknown(part, "grant", &["domains", "rights"])),
        }
    }
    if grant.domains.is_empty() || grant.rights.is_empty() {
        let wanted = "grant: needs domains and rights: (grant (domains NAME ..) (rights see ..))";
        return Err(Mistake::new(item, wanted));
    }
    Ok(grant)
}

fn rights(item: &Sxp) -> Result<Rights, Mistake> {
    let all = values(item, "rights", |word| match word {
        "all" => Ok(Rights::all()),
        word => Right::from_str(word).map(|right| Rights::from_iter([right])),
    })?;
    Ok(all.into_iter().fold(Rights::NONE, Rights::union))
}

fn limits(item: &Sxp) -> Result<Limits, Mistake> {
    const KEYS: [&str; 8] =
        ["domains", "memory", "vcpus", "disks", "bridges", "kernels", "files", "hosts"];
    let mut limits = Limits::default();
    let mut seen = Vec::new();
    for part in item.tail() {
        let Some(key) = part.head().and_then(|key| KEYS.into_iter().find(|known| *known == key))
        else {
            return Err(unknown(part, "limits", &KEYS));
        };
        if seen.contains(&key) {
            return Err(given_twice(part));
        }
        seen.push(key);
        match key {
            "domains" => limits.domains = Some(number(part, key, Unit::Plain)?),
            "memory" => limits.memory_mib = Some(number(part, key, Unit::Mebibytes)?),
            "vcpus" => limits.vcpus = Some(number(part, key, Unit::Plain)?),
            "disks" => limits.disks = values(part, key, place)?,
            "bridges" => limits.bridges = values(part, key, bridge)?,
            "kernels" => limits.kernels = values(part, key, directory)?,
            "files" => limits.files = values(part, key, directory)?,
            _ => limits.hosts = values(part, key, host)?,
        }
    }
    Ok(limits)
}

/// The beginning of the path of a disk.
fn place(text: &str) -> Result<String, String> {
    directory(text)
        .map(|_| text.to_owned())
        .map_err(|_| format!("{text:?} is not the beginning of a path, such as /dev/vg0/ann-"))
}

/// The name or address of a host.
fn host(text: &str) -> Result<String, String> {
    Destination::host(text)
        .map_err(|_| format!("{text:?} is not the name or the address of a host"))
}

fn bridge(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
        return Err(format!("{text:?} is not the name of a bridge"));
    }
    Ok(text.to_owned())
}

fn directory(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    let is_plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    if path.is_absolute() && path.components().all(is_plain) {
        Ok(path.to_owned())
    } else {
        Err(format!("{text:?} is not an absolute directory"))
    }
}

/// The only value of an item, a whole number.
fn number<T: WholeNumber>(item: &Sxp, key: &str, unit: Unit) -> Result<T, Mistake> {
    let numbers = values(item, key, |text| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits);
        number.ok_or_else(|| {
            if !is_whole_number(text) {
                return format!("{text:?} {}", unit.refusal(text));
            }
            let (least, most) = T::RANGE;
            format!("{text} is out of range, {least} to {most}")
        })
    })?;
    match <[T; 1]>::try_from(numbers) {
        Ok([number]) => Ok(number),
        Err(_) => Err(Mistake::new(item, format!("{key}: takes one number only"))),
    }
}

/// The values of an item, of which there must be one.
pub(super) fn values<T, E: Display>(
    item: &Sxp,
    key: &str,
    read: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, Mistake> {
    let read = |value: &Sxp| {
        let text = value.as_str();
        let text = text.ok_or_else(|| Mistake::new(value, format!("{key}: needs plain words")))?;
        read(text).map_err(|error| Mistake::new(value, format!("{key}: {error}")))
    };
    if item.tail().is_empty() {
        return Err(Mistake::new(item, format!("{key}: needs a value")));
    }
    item.tail().iter().map(read).collect()
}

/// An item with a key that is none of `known`.
pub(super) fn unknown(item: &Sxp, within: &str, known: &[&str]) -> Mistake {
    // What is no item is not shown: it could be a password.
    let Some(key) = item.head() else {
        let message = format!("{within}: a part of it is not of the form (key value)");
        return Mistake::new(item, message);
    };
    let shown = key.escape_debug();
    match nearest(key, known.iter().copied()) {
        Some(other) => Mistake::new(item, format!("{shown}: unknown, {other} is a key")),
        None => Mistake::new(item, format!("{shown}: unknown, use one of {}", known.join(", "))),
    }
}

/// A second item with the same key.
pub(super) fn given_twice(item: &Sxp) -> Mistake {
    let key = item.head().unwrap_or_default();
    Mistake::new(item, format!("{key}: given twice, put all values into one"))
}
