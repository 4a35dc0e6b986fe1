//! Facts of VMs that were fetched for one call and serve others: those of one sweep. They are as
//! old as the figures of the snapshot, and those of a VM that has changed are fetched again.

use super::fetched::{DeviceTable, PoolTable};
use super::version::Version;
use crate::core::model::{Uuid, VcpuFacts};
use crate::core::snapshot::DomainView;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// The facts that callers of one scope share.
#[derive(Default)]
pub(crate) struct KeptFacts {
    pub(crate) vcpus: FactsOfVms<[VcpuFacts]>,
    pub(crate) devices: FactsOfVms<DeviceTable>,
    pools: Mutex<Option<(Version, Arc<PoolTable>)>>,
}

impl KeptFacts {
    /// The CPU pools, if they were fetched for a view of the host that is at least as new.
    pub(crate) fn pools(&self, version: &Version) -> Option<Arc<PoolTable>> {
        let kept = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.as_ref().filter(|(known, _)| known.is_at_least(version));
        known.map(|(_, pools)| pools.clone())
    }

    pub(crate) fn keep_pools(&self, version: Version, pools: Arc<PoolTable>) {
        let mut kept = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some((version, pools));
    }
}

/// Facts of one kind: of each VM that is on the host at most one list.
pub(crate) struct FactsOfVms<T: ?Sized>(Mutex<OfSweep<T>>);

struct OfSweep<T: ?Sized> {
    swept: Option<Instant>,
    by_vm: HashMap<Uuid, (Arc<DomainView>, Arc<T>)>,
}

impl<T: ?Sized> Default for FactsOfVms<T> {
    fn default() -> Self {
        Self(Mutex::new(OfSweep { swept: None, by_vm: HashMap::new() }))
    }
}

impl<T: ?Sized> FactsOfVms<T> {
    fn lock(&self) -> MutexGuard<'_, OfSweep<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The facts of a VM that were fetched since a sweep, and since the VM changed.
    pub(crate) fn get(&self, swept: Option<Instant>, vm: &Arc<DomainView>) -> Option<Arc<T>> {
        let kept = self.lock();
        let (view, facts) = kept.by_vm.get(&vm.uuid).filter(|_| kept.swept == swept)?;
        Arc::ptr_eq(view, vm).then(|| facts.clone())
    }

    /// Keeps facts of a VM. Those of an earlier sweep go.
    pub(crate) fn keep(&self, swept: Option<Instant>, vm: &Arc<DomainView>, facts: Arc<T>) {
        let mut kept = self.lock();
        if kept.swept < swept {
            *kept = OfSweep { swept, by_vm: HashMap::new() };
        }
        if kept.swept == swept {
            kept.by_vm.insert(vm.uuid, (vm.clone(), facts));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomName, DomainConfig};
    use crate::core::snapshot::fixtures::running;
    use std::time::Duration;

    #[test]
    fn facts_serve_until_the_next_sweep_or_change() {
        let facts = FactsOfVms::<[u8]>::default();
        let vm = |number| running(number, DomainConfig::new(DomName::adopted("a"), 64));
        let first = vm(1);
        let swept = Some(Instant::now());
        let later = swept.map(|swept| swept + Duration::from_secs(1));
        facts.keep(swept, &first, Arc::new([7]));
        assert_eq!(facts.get(swept, &first).as_deref(), Some(&[7][..]));
        assert_eq!(facts.get(later, &first), None);
        assert_eq!(facts.get(swept, &vm(1)), None, "it has changed");
        facts.keep(later, &vm(2), Arc::new([8]));
        facts.keep(swept, &first, Arc::new([9]));
        assert_eq!(facts.get(swept, &first), None);
        assert_eq!(facts.lock().by_vm.len(), 1, "those of earlier sweeps are gone");
    }
}
