//! Limits of accounts: how much, and from where.

use crate::core::model::{DomName, DomainConfig};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The limits of an account. An operator has none.
///
/// Places are what an account may name: nothing is allowed that is not listed. Numbers that are
/// `None` are unlimited.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// The number of domains.
    pub domains: Option<u32>,
    /// The memory of all domains together, in MiB.
    pub memory_mib: Option<u64>,
    /// The VCPUs of all domains together.
    pub vcpus: Option<u32>,
    /// The beginnings of paths that disks and media may have: `/srv/ann/`, `/dev/vg0/ann-`.
    pub disks: Vec<String>,
    /// The bridges that network interfaces may be on.
    pub bridges: Vec<String>,
    /// The directories of kernels and RAM disks.
    pub kernels: Vec<PathBuf>,
    /// The directories of files to save to, restore from and dump to.
    pub files: Vec<PathBuf>,
    /// The hosts to migrate to, as the user has to name them.
    pub hosts: Vec<String>,
}

impl Limits {
    /// Whether the path of a disk is in one of the places. Paths with `..` are in none.
    pub(crate) fn allows_disk(&self, path: &[u8]) -> bool {
        path.starts_with(b"/")
            && !path.split(|byte| *byte == b'/').any(|part| part == b"..")
            && self.disks.iter().any(|place| path.starts_with(place.as_bytes()))
    }

    /// Whether the path of a kernel is in one of the directories.
    pub(crate) fn allows_kernel(&self, path: &Path) -> bool {
        is_below(path, &self.kernels)
    }
}

/// Whether `path` is absolute, without `..`, and below one of the directories.
pub(crate) fn is_below(path: &Path, dirs: &[PathBuf]) -> bool {
    use std::path::Component::{Normal, RootDir};
    path.is_absolute()
        && path.components().all(|part| matches!(part, RootDir | Normal(_)))
        && dirs.iter().any(|dir| path != dir && path.starts_with(dir))
}

/// Resources of domains together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub domains: u32,
    /// In MiB.
    pub memory_mib: u64,
    pub vcpus: u32,
}

impl Usage {
    /// The resources of one domain: its largest memory, with that of shadow page tables.
    pub fn of(config: &DomainConfig) -> Self {
        Self {
            domains: 1,
            memory_mib: config.maxmem.max(config.memory).saturating_add(config.shadow_memory),
            vcpus: config.vcpus,
        }
    }

    /// The larger of each.
    #[must_use]
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            domains: self.domains.max(other.domains),
            memory_mib: self.memory_mib.max(other.memory_mib),
            vcpus: self.vcpus.max(other.vcpus),
        }
    }

    /// The sum of both.
    #[must_use]
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            domains: self.domains.saturating_add(other.domains),
            memory_mib: self.memory_mib.saturating_add(other.memory_mib),
            vcpus: self.vcpus.saturating_add(other.vcpus),
        }
    }

    /// What is too much, with the limit: `memory: 4096 MiB`; `None` if nothing is.
    pub(crate) fn beyond(self, limits: &Limits) -> Option<String> {
        if let Some(most) = limits.domains.filter(|most| self.domains > *most) {
            return Some(format!("{most} domains"));
        }
        if let Some(most) = limits.memory_mib.filter(|most| self.memory_mib > *most) {
            return Some(format!("{most} MiB of memory in all domains together"));
        }
        if let Some(most) = limits.vcpus.filter(|most| self.vcpus > *most) {
            return Some(format!("{most} VCPUs in all domains together"));
        }
        None
    }
}

/// The resources of changes that are under way, by the name of the domain: two changes at a time
/// cannot pass a limit that only one of them keeps.
#[derive(Debug, Default)]
pub(in crate::core) struct Claims(Mutex<HashMap<DomName, Vec<Usage>>>);

/// A change that is under way. Dropped at its end.
#[derive(Debug)]
pub(in crate::core) struct Claim {
    claims: Arc<Claims>,
    name: DomName,
    usage: Usage,
}

impl Claims {
    /// Claims the resources that the domain `name` will have, or tells the limit that they are
    /// beyond. `present` are the domains that there are, with their resources.
    pub(in crate::core) fn claim(
        self: &Arc<Self>,
        name: DomName,
        usage: Usage,
        present: impl Iterator<Item = (DomName, Usage)>,
        limits: &Limits,
    ) -> Result<Claim, String> {
        let mut claims = self.lock();
        let mut domains: HashMap<DomName, Usage> = HashMap::new();
        let claimed =
            claims.iter().flat_map(|(name, all)| all.iter().map(|usage| (name.clone(), *usage)));
        for (name, usage) in present.filter(|(present, _)| *present != name).chain(claimed) {
            let known = domains.entry(name).or_default();
            *known = known.max(usage);
        }
        let own = domains.entry(name.clone()).or_default();
        *own = own.max(usage);
        let total = domains.into_values().fold(Usage::default(), Usage::plus);
        if let Some(limit) = total.beyond(limits) {
            return Err(limit);
        }
        claims.entry(name.clone()).or_default().push(usage);
        drop(claims);
        Ok(Claim { claims: self.clone(), name, usage })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DomName, Vec<Usage>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut claims = self.claims.lock();
        if let Some(of_domain) = claims.get_mut(&self.name) {
            if let Some(own) = of_domain.iter().position(|usage| *usage == self.usage) {
                of_domain.swap_remove(own);
            }
            if of_domain.is_empty() {
                claims.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_in_places_without_tricks() {
        let limits = Limits {
            disks: vec!["/srv/ann/".into(), "/dev/vg0/ann-".into()],
            kernels: vec!["/boot/guests".into()],
            ..Limits::default()
        };
        for good in ["/srv/ann/a.img", "/dev/vg0/ann-root"] {
            assert!(limits.allows_disk(good.as_bytes()), "{good}");
        }
        for bad in ["", "/srv/ann/../bob/a", "srv/ann/a", "/srv/anna", "/dev/vg0/bob"] {
            assert!(!limits.allows_disk(bad.as_bytes()), "{bad}");
        }
        for (path, allowed) in [
            ("/boot/guests/vmlinuz", true),
            ("/boot/guests", false),
            ("/boot/guests2/vmlinuz", false),
            ("/boot/guests/../vmlinuz", false),
            ("guests/vmlinuz", false),
        ] {
            assert_eq!(limits.allows_kernel(Path::new(path)), allowed, "{path}");
        }
    }

    #[test]
    fn changes_at_the_same_time_share_a_limit() {
        let limits = Limits { domains: Some(2), memory_mib: Some(100), ..Limits::default() };
        let in_flight = Arc::new(Claims::default());
        let usage = |memory_mib| Usage { domains: 1, memory_mib, vcpus: 1 };
        let name = |name| DomName::new(name).unwrap();
        let present = || std::iter::once((name("a"), usage(30)));
        let first = in_flight.claim(name("b"), usage(50), present(), &limits).unwrap();
        let third = in_flight.claim(name("c"), usage(1), present(), &limits).unwrap_err();
        assert_eq!(third, "2 domains");
        let larger = in_flight.claim(name("a"), usage(51), present(), &limits).unwrap_err();
        assert_eq!(larger, "100 MiB of memory in all domains together");
        drop(in_flight.claim(name("a"), usage(50), present(), &limits).unwrap());
        drop(first);
        drop(in_flight.claim(name("c"), usage(70), present(), &limits).unwrap());
        assert!(in_flight.lock().is_empty());
    }
}
