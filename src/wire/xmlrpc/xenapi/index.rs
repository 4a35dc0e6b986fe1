//! The index of VMs' objects: looking up one object costs the same with 10 or 10,000 VMs.
//!
//! An index is kept between calls and follows the snapshot's configurations: a change of one VM's
//! configuration costs that VM, and new figures cost nothing. It says which VM an object belongs
//! to; the object itself comes from the call's own snapshot.

use crate::core::model::{CompleteConfig, Device, DomainConfig, Text, Uuid};
use crate::core::snapshot::Snapshot;
use crate::wire::xmlrpc::object_ids::derived_uuid;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync, RedBlackTreeSetSync};
use std::collections::HashSet;
use std::iter::successors;
use std::ops::Bound;
use std::sync::Arc;

/// Names of a VM's objects with UUIDs that follow from the VM's.
pub(crate) const METRICS: &str = "metrics";
pub(crate) const GUEST_METRICS: &str = "guest_metrics";

/// The UUID of the VDI of a disk that is no image of the inventory.
pub(crate) fn implied_vdi(host: Uuid, uname: &Text) -> Uuid {
    derived_uuid(host, &format!("VDI {uname}"))
}

/// The VMs that use each key, such as a bridge or a VDI. Copies share their structure.
#[derive(Clone)]
struct Users<K: Ord + Clone>(RedBlackTreeSetSync<(K, Uuid)>);

impl<K: Ord + Clone> Users<K> {
    fn new() -> Self {
        Self(RedBlackTreeSetSync::new_sync())
    }

    fn of(&self, key: K) -> impl Iterator<Item = Uuid> {
        let range = (key.clone(), Uuid::nil())..=(key, Uuid::max());
        self.0.range(range).map(|(_, vm)| *vm)
    }

    /// All keys that some VM uses, each once.
    fn keys(&self) -> impl Iterator<Item = &K> {
        let next = move |(key, _): &&(K, Uuid)| {
            let after = Bound::Excluded((key.clone(), Uuid::max()));
            self.0.range((after, Bound::Unbounded)).next()
        };
        successors(self.0.first(), next).map(|(key, _)| key)
    }

    fn insert(&mut self, key: K, vm: Uuid) {
        self.0.insert_mut((key, vm));
    }

    fn remove(&mut self, key: K, vm: Uuid) {
        self.0.remove_mut(&(key, vm));
    }
}

/// The objects of all VMs in the snapshots of one scope, by their UUIDs and names.
#[derive(Clone)]
pub(crate) struct VmIndex {
    host: Uuid,
    /// The last change of configurations in the snapshot that it was brought up to.
    generation: u64,
    /// The configurations that are in the index, by VM.
    indexed: HashTrieMapSync<Uuid, Vec<Arc<CompleteConfig>>>,
    /// The VMs of metrics and of guest metrics, with which of both it is.
    metrics: HashTrieMapSync<Uuid, (Uuid, &'static str)>,
    devices: Users<Uuid>,
    /// By the VDI that a disk's configuration names.
    vdis: Users<Uuid>,
    /// By the `uname` of a disk.
    unames: Users<Text>,
    /// The `uname`s of disks, by the UUIDs of their implied VDIs.
    implied_vdis: RedBlackTreeMapSync<Uuid, Text>,
    /// By the bridge of an interface; `None` for the default bridge.
    bridges: Users<Option<Text>>,
}

impl VmIndex {
    /// An empty index, on the host with this UUID.
    pub(crate) fn new(host: Uuid) -> Self {
        Self {
            host,
            generation: 0,
            indexed: HashTrieMapSync::new_sync(),
            metrics: HashTrieMapSync::new_sync(),
            devices: Users::new(),
            vdis: Users::new(),
            unames: Users::new(),
            implied_vdis: RedBlackTreeMapSync::new_sync(),
            bridges: Users::new(),
        }
    }

    /// The VM that these are the metrics or the guest metrics of, and the name of which of both.
    pub(crate) fn vm_of_metrics(&self, metrics: Uuid) -> Option<(Uuid, &'static str)> {
        self.metrics.get(&metrics).copied()
    }

    /// The VM that an object belongs to: a VM itself, its metrics or one of its devices.
    pub(crate) fn vm_of_object(&self, object: Uuid, vms: &Snapshot) -> Option<Uuid> {
        if vms.by_uuid(&object).is_some() {
            return Some(object);
        }
        let has_it = |vm: &Uuid| {
            let mut devices = vms.by_uuid(vm).into_iter().flat_map(|view| {
                view.configs().flat_map(|config| config.devices.iter().map(Device::uuid))
            });
            devices.any(|device| device == Some(object))
        };
        let metrics = self.vm_of_metrics(object);
        metrics
            .map(|(vm, _)| vm)
            .filter(|vm| vms.by_uuid(vm).is_some())
            .or_else(|| self.vms_with_device(object).find(has_it))
    }

    /// The VMs with a device of this UUID; more than one if clients gave it twice.
    pub(crate) fn vms_with_device(&self, device: Uuid) -> impl Iterator<Item = Uuid> {
        self.devices.of(device)
    }

    /// The VMs with a disk whose configuration names this VDI.
    pub(crate) fn vms_with_vdi(&self, vdi: Uuid) -> impl Iterator<Item = Uuid> {
        self.vdis.of(vdi)
    }

    /// The VMs with a disk of this `uname`.
    pub(crate) fn vms_with_uname(&self, uname: &Text) -> impl Iterator<Item = Uuid> {
        self.unames.of(uname.clone())
    }

    /// The `uname`s of all VMs' disks.
    pub(crate) fn unames(&self) -> impl Iterator<Item = &Text> {
        self.unames.keys()
    }

    /// The `uname` behind the implied VDI of a disk.
    pub(crate) fn uname_of_implied_vdi(&self, vdi: Uuid) -> Option<&Text> {
        self.implied_vdis.get(&vdi)
    }

    /// The implied VDIs of all VMs' disks with their `uname`s, sorted by UUID.
    pub(crate) fn implied_vdis(&self) -> impl Iterator<Item = (Uuid, &Text)> {
        self.implied_vdis.iter().map(|(vdi, uname)| (*vdi, uname))
    }

    /// The VMs with an interface on this bridge; `None` for the default bridge.
    pub(crate) fn vms_on_bridge(&self, bridge: Option<Text>) -> impl Iterator<Item = Uuid> {
        self.bridges.of(bridge)
    }

    /// The bridges that some interface names.
    pub(crate) fn bridges(&self) -> impl Iterator<Item = &Text> {
        self.bridges.keys().filter_map(Option::as_ref)
    }

    /// Whether a snapshot has configurations that are not in the index yet.
    pub(crate) fn is_older_than(&self, snapshot: &Snapshot) -> bool {
        self.generation < snapshot.config_changes.number()
    }

    /// Brings the index up to a snapshot. Returns the number of VMs whose configuration changed.
    pub(crate) fn update(&mut self, snapshot: &Snapshot) -> usize {
        let changed = snapshot.config_changes.since(self.generation);
        let changed = changed.map(Iterator::collect::<HashSet<Uuid>>);
        let changed = changed.unwrap_or_else(|| {
            *self = Self::new(self.host);
            snapshot.domains().map(|view| view.uuid).collect()
        });
        for vm in &changed {
            self.update_vm(*vm, snapshot);
        }
        self.generation = snapshot.config_changes.number();
        changed.len()
    }

    fn update_vm(&mut self, vm: Uuid, snapshot: &Snapshot) {
        for config in self.indexed.get(&vm).cloned().unwrap_or_default() {
            self.remove(vm, &config);
        }
        let Some(view) = snapshot.by_uuid(&vm) else {
            // Most changes are those of VMs that a user does not see.
            if self.indexed.remove_mut(&vm) {
                for name in [METRICS, GUEST_METRICS] {
                    self.metrics.remove_mut(&derived_uuid(vm, name));
                }
            }
            return;
        };
        if !self.indexed.contains_key(&vm) {
            for name in [METRICS, GUEST_METRICS] {
                self.metrics.insert_mut(derived_uuid(vm, name), (vm, name));
            }
        }
        let configs: Vec<Arc<CompleteConfig>> = view.configs().cloned().collect();
        for config in &configs {
            self.insert(vm, config);
        }
        self.indexed.insert_mut(vm, configs);
    }

    fn insert(&mut self, vm: Uuid, config: &DomainConfig) {
        for device in &config.devices {
            if let Some(uuid) = device.uuid() {
                self.devices.insert(uuid, vm);
            }
            match device {
                Device::Block(block) => {
                    if let Some(vdi) = block.vdi {
                        self.vdis.insert(vdi, vm);
                    }
                    if !block.uname.is_empty() {
                        let vdi = implied_vdi(self.host, &block.uname);
                        self.implied_vdis.insert_mut(vdi, block.uname.clone());
                        self.unames.insert(block.uname.clone(), vm);
                    }
                }
                Device::Vif(vif) => self.bridges.insert(vif.bridge.clone(), vm),
                _ => {}
            }
        }
    }

    fn remove(&mut self, vm: Uuid, config: &DomainConfig) {
        for device in &config.devices {
            if let Some(uuid) = device.uuid() {
                self.devices.remove(uuid, vm);
            }
            match device {
                Device::Block(block) => {
                    if let Some(vdi) = block.vdi {
                        self.vdis.remove(vdi, vm);
                    }
                    self.unames.remove(block.uname.clone(), vm);
                    if self.unames.of(block.uname.clone()).next().is_none() {
                        self.implied_vdis.remove_mut(&implied_vdi(self.host, &block.uname));
                    }
                }
                Device::Vif(vif) => self.bridges.remove(vif.bridge.clone(), vm),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomName, Vif};
    use crate::core::snapshot::fixtures::{running, snapshot, with_domains};

    const HOST: Uuid = Uuid::from_u128(0xb05);

    fn device(number: u32) -> Uuid {
        Uuid::from_u128(0xd0_0000 + u128::from(number))
    }

    /// A VM with one interface.
    fn config(number: u32, bridge: &str) -> DomainConfig {
        let mut config = DomainConfig::new(DomName::adopted(&format!("d{number}")), 64);
        let bridge = Some(bridge.into());
        let uuid = Some(device(number));
        config.devices.push(Device::Vif(Vif { bridge, uuid, ..Vif::default() }));
        config
    }

    #[test]
    fn an_index_costs_what_has_changed() {
        for count in [10_u32, 1_000] {
            let vms = (1..=count).map(|number| running(number, config(number, "br0")));
            let first = with_domains(snapshot(&[]), vms);
            let mut index = VmIndex::new(HOST);
            assert_eq!(index.update(&first), count as usize);
            assert_eq!(index.update(&first), 0);
            let second = with_domains(first, [running(7, config(7, "br1"))]);
            assert_eq!(index.update(&second), 1, "of {count}");
            let on = |bridge: &str| index.vms_on_bridge(Some(bridge.into())).count();
            assert_eq!((on("br0"), on("br1")), (count as usize - 1, 1));
            assert_eq!(index.bridges().collect::<Vec<_>>(), ["br0", "br1"]);
        }
    }

    #[test]
    fn an_index_that_is_too_old_is_built_anew() {
        let mut index = VmIndex::new(HOST);
        let mut vms = with_domains(snapshot(&[]), [running(1, config(1, "br0"))]);
        index.update(&vms);
        for _ in 0..5_000 {
            vms = with_domains(vms, [running(2, config(2, "br1"))]);
        }
        assert_eq!(index.update(&vms), 2);
        let second = Uuid::from_u128(2);
        assert_eq!(index.vms_with_device(device(2)).collect::<Vec<_>>(), [second]);
        assert_eq!(index.vm_of_metrics(derived_uuid(second, METRICS)), Some((second, METRICS)));
    }

    #[test]
    fn a_vm_that_has_gone_leaves_nothing_behind() {
        let mut index = VmIndex::new(HOST);
        let one = with_domains(snapshot(&[]), [running(1, config(1, "br0"))]);
        index.update(&one);
        index.update_vm(Uuid::from_u128(1), &snapshot(&[]));
        assert!(index.indexed.is_empty() && index.metrics.is_empty());
        assert!(index.devices.0.is_empty() && index.bridges.0.is_empty());
    }
}
