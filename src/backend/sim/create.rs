//! Building a domain: what it must be like, and what becomes of it if nobody wants it any more.

use super::devices;
use super::host::Host;
use crate::core::error::Error;
use crate::core::model::{
    Backend, CpuSet, Device, DomId, DomainConfig, DomainFacts, Invalid, MAX_VCPUS, Text,
};
use std::sync::Arc;

/// Refuses what this host cannot build.
pub(super) fn check(host: &Host, config: &DomainConfig) -> Result<(), Error> {
    check_restored(host, config)?;
    check_files(config)
}

/// Refuses what this host cannot build of a domain that has booted already: its kernel is in its
/// memory.
pub(super) fn check_restored(host: &Host, config: &DomainConfig) -> Result<(), Error> {
    config.check()?;
    if !(1..=MAX_VCPUS).contains(&config.vcpus) || config.cpus.len() != config.vcpus as usize {
        return Err(invalid(format!("vcpus: {} is out of range, 1 to {MAX_VCPUS}", config.vcpus)));
    }
    if config.cpu_weight == 0 {
        return Err(invalid("cpu_weight: 0 is out of range, 1 to 65535"));
    }
    let pools = host.numbers().pools;
    if !config.pool_name.is_empty()
        && !pools.iter().any(|pool| config.pool_name == pool.name.as_str())
    {
        return Err(invalid(format!("unknown pool {}", config.pool_name)));
    }
    check_affinity(&config.cpus, host.settings.cpus)?;
    check_backends(host, &config.devices)
}

/// Every CPU that is named must be there.
pub(super) fn check_affinity(affinity: &[CpuSet], cpus: u32) -> Result<(), Error> {
    let absent = affinity.iter().flat_map(CpuSet::iter).find(|cpu| *cpu >= cpus);
    absent.map_or(Ok(()), |cpu| {
        Err(invalid(format!("cpus: CPU {cpu} is not there, this host has 0 to {}", cpus - 1)))
    })
}

/// Every file is there unless it is called otherwise.
fn check_files(config: &DomainConfig) -> Result<(), Error> {
    let Some(image) = &config.image else { return Ok(()) };
    let files = [
        ("Kernel image", Some(&image.kernel)),
        ("Initial RAM disk", image.ramdisk.as_ref()),
        ("Loader", image.loader.as_ref()),
        ("Device model", image.device_model.as_ref()),
    ];
    let missing = files
        .into_iter()
        .find_map(|(what, path)| path.filter(|p| is_missing(p)).map(|path| (what, path)));
    missing.map_or(Ok(()), |(what, path)| Err(Error::Missing { what, path: path.to_string() }))
}

fn is_missing(path: &Text) -> bool {
    String::from_utf8_lossy(path).contains("nosuch")
}

/// Whoever is to serve a device must be there.
pub(super) fn check_backends<'a>(
    host: &Host,
    devices: impl IntoIterator<Item = &'a Device>,
) -> Result<(), Error> {
    let mut foreign = devices::backends(devices).filter(|backend| !backend.is_dom0()).peekable();
    if foreign.peek().is_none() {
        return Ok(());
    }
    let now = host.now();
    let running: Vec<_> = host
        .records()
        .into_iter()
        .filter(|record| record.dying.is_none() && record.life.stopped(now).is_none())
        .collect();
    for Backend(wanted) in foreign {
        let domid = std::str::from_utf8(wanted).ok().and_then(|text| text.parse().ok()).map(DomId);
        if !running.iter().any(|record| {
            record.name.as_str().as_bytes() == wanted.as_slice() || Some(record.domid) == domid
        }) {
            return Err(invalid(format!("Cannot configure device for unknown backend {wanted}")));
        }
    }
    Ok(())
}

fn invalid(reason: impl Into<String>) -> Error {
    Invalid::new(reason).into()
}

/// Memory that has been set aside. It is given back when this is dropped.
pub(super) struct Reservation {
    host: Arc<Host>,
    kib: u64,
}

impl Reservation {
    /// Memory that the host has counted as used.
    pub(super) fn new(host: Arc<Host>, kib: u64) -> Self {
        Self { host, kib }
    }

    /// Leaves it to a domain.
    pub(super) fn hand_over(mut self) {
        self.kib = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.host.give_back(self.kib);
    }
}

/// A domain that has been built and that nobody knows of yet. If nobody claims it, it is taken away
/// again: whoever wanted it has stopped waiting.
pub(super) struct Built {
    host: Arc<Host>,
    domid: Option<DomId>,
    facts: DomainFacts,
}

impl Built {
    /// A domain that the host has.
    pub(super) fn new(host: Arc<Host>, facts: DomainFacts) -> Self {
        Self { host, domid: Some(facts.domid), facts }
    }

    /// Keeps the domain.
    pub(super) fn claim(mut self) -> DomainFacts {
        self.domid = None;
        self.facts.clone()
    }
}

impl Drop for Built {
    fn drop(&mut self) {
        if let Some(domid) = self.domid {
            self.host.forget(domid);
        }
    }
}
