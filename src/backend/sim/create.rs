//! Building a domain.

use super::devices;
use super::host::Host;
use super::record::Record;
use crate::core::backend::check_affinity;
use crate::core::error::Error;
use crate::core::model::{
    Backend, Device, DomId, DomainConfig, DomainFacts, Invalid, MAX_VCPUS, Text,
};
use std::str;
use std::sync::Arc;

/// Refuses a configuration that this host cannot build.
pub(super) fn check(host: &Host, config: &DomainConfig) -> Result<(), Error> {
    check_restored(host, config)?;
    check_files(config)
}

/// Refuses a configuration that this host cannot restore: the files of the image are not needed.
pub(super) fn check_restored(host: &Host, config: &DomainConfig) -> Result<(), Error> {
    if !(1..=MAX_VCPUS).contains(&config.vcpus) || config.cpus.len() != config.vcpus as usize {
        return Err(invalid(format!("vcpus: {} is out of range, 1 to {MAX_VCPUS}", config.vcpus)));
    }
    if config.cpu_weight == 0 {
        return Err(invalid("cpu_weight: 0 is out of range, 1 to 65535"));
    }
    let pools = host.host_record().pools;
    if !config.pool_name.is_empty()
        && !pools.iter().any(|pool| config.pool_name == pool.name.as_str())
    {
        return Err(invalid(format!("unknown pool {}", config.pool_name)));
    }
    check_affinity(&config.cpus, host.settings.cpus)?;
    check_backends(host, &config.devices)
}

/// Refuses files whose names say that they do not exist.
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

/// Refuses devices whose backend is not the name or domid of a running domain.
pub(super) fn check_backends<'a>(
    host: &Host,
    devices: impl IntoIterator<Item = &'a Device>,
) -> Result<(), Error> {
    let mut foreign = devices::backends(devices).filter(|backend| !backend.is_dom0()).peekable();
    if foreign.peek().is_none() {
        return Ok(());
    }
    let now = host.now();
    let records = host.existing_records();
    let running = |record: &Record| record.dying.is_none() && record.guest.stopped(now).is_none();
    let running: Vec<_> = records.iter().filter(|record| running(record)).collect();
    for Backend(name) in foreign {
        let domid = str::from_utf8(name).ok().and_then(|text| text.parse().ok()).map(DomId);
        let is_backend = |record: &Record| {
            record.name.as_str().as_bytes() == name.as_slice() || Some(record.domid) == domid
        };
        if !running.iter().any(|record| is_backend(record)) {
            return Err(invalid(format!("Cannot configure device for unknown backend {name}")));
        }
    }
    Ok(())
}

fn invalid(reason: impl Into<String>) -> Error {
    Invalid::new(reason).into()
}

/// Memory that has been taken for a domain. It is freed when this is dropped.
pub(super) struct Reservation {
    host: Arc<Host>,
    kib: u64,
}

impl Reservation {
    pub(super) fn new(host: &Arc<Host>, kib: u64) -> Result<Self, Error> {
        host.take_memory(kib)?;
        Ok(Self { host: Arc::clone(host), kib })
    }

    /// Adds the domain that has the memory.
    pub(super) fn build(mut self, record: Record) -> Result<NewDomain, Error> {
        let facts = self.host.add(record)?;
        self.kib = 0;
        Ok(NewDomain { host: Arc::clone(&self.host), domid: Some(facts.domid), facts })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.host.free_memory(self.kib);
    }
}

/// A domain that has just been built. It is removed when this is dropped: the caller that wanted
/// the domain has stopped waiting.
pub(super) struct NewDomain {
    host: Arc<Host>,
    domid: Option<DomId>,
    facts: DomainFacts,
}

impl NewDomain {
    /// Keeps the domain.
    pub(super) fn keep(mut self) -> DomainFacts {
        self.domid = None;
        self.facts.clone()
    }
}

impl Drop for NewDomain {
    fn drop(&mut self) {
        if let Some(domid) = self.domid {
            self.host.remove(domid);
        }
    }
}
