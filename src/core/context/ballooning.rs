//! Memory for new domains: Domain-0 gives it if the host has too little free.

use crate::core::context::Core;
use crate::core::model::{DomId, DomainConfig, GuestKind};
use crate::core::op::DomainOp;
use crate::core::reservations::Reservation;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};

/// Poll interval while Domain-0 gives memory.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How long Domain-0 may give no memory before it is not waited for any more. xend waited about as
/// long.
const STALL_LIMIT: Duration = Duration::from_secs(10);

/// Memory that Xen needs for a guest beside the guest's own, in MiB.
const OVERHEAD_MIB: u64 = 4;

/// The same for an HVM guest, whose device model needs memory, too.
const HVM_OVERHEAD_MIB: u64 = 12;

impl Core {
    /// Reserves memory for a domain that is to be built, and has Domain-0 give what is missing. If
    /// Domain-0 cannot or must not, the hypervisor will refuse the domain.
    pub(in crate::core) async fn reserve_memory(&self, config: &DomainConfig) -> Reservation {
        let (reservation, wanted) = self.reservations.reserve(needed_mib(config));
        if !self.policy().dom0_ballooning || self.free_mib().await.is_none_or(|free| free >= wanted)
        {
            return reservation;
        }
        let _lock = self.ballooning.lock().await;
        if let Some(free) = self.free_mib().await.filter(|free| *free < wanted) {
            self.balloon_dom0(config, free, wanted).await;
        }
        reservation
    }

    /// Asks Domain-0 for the missing memory, and waits until it has given it.
    async fn balloon_dom0(&self, config: &DomainConfig, free: u64, wanted: u64) {
        let Some(dom0) = self.snapshot().by_domid(DomId::ZERO).cloned() else { return };
        let current =
            dom0.facts.as_ref().map_or(0, |facts| facts.memory_kib / 1024).min(dom0.config.memory);
        let target = current
            .checked_sub(wanted - free)
            .filter(|left| *left >= self.policy().dom0_min_mem_mib);
        let Some(target) = target else { return };
        info!(domain = %config.name, from = current, to = target, "Domain-0 gives memory");
        if let Err(error) = self.request(&dom0, DomainOp::SetMemory(target)).await {
            warn!(domain = %config.name, %error, "Domain-0 could not be asked for memory");
            return;
        }
        let mut most = free;
        let mut last_change = Instant::now();
        while most < wanted && last_change.elapsed() < STALL_LIMIT {
            tokio::time::sleep(POLL_INTERVAL).await;
            let Some(free) = self.free_mib().await else { return };
            if free > most {
                most = free;
                last_change = Instant::now();
            }
        }
    }

    async fn free_mib(&self) -> Option<u64> {
        self.hypervisor.figures().await.ok().map(|figures| figures.free_memory)
    }
}

/// About the memory of the host that a domain will take, in MiB.
fn needed_mib(config: &DomainConfig) -> u64 {
    let kind = config.image.as_ref().map_or(GuestKind::Pv, |image| image.kind);
    // libxl's default: a MiB a VCPU, and 8 KiB a MiB.
    let shadow =
        || (u64::from(config.vcpus) + config.maxmem.div_ceil(128)).max(config.shadow_memory);
    let overhead = match kind {
        GuestKind::Pv => OVERHEAD_MIB,
        GuestKind::Pvh => OVERHEAD_MIB + shadow(),
        GuestKind::Hvm => HVM_OVERHEAD_MIB + shadow(),
    };
    config.memory.saturating_add(overhead)
}
