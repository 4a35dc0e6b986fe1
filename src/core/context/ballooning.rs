//! Memory for domains that are built, which Domain-0 gives if the host has too little that is free.

use super::Core;
use crate::core::model::{DomId, DomainConfig, GuestKind};
use crate::core::op::DomainOp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};

/// How often it is looked whether Domain-0 has given what it was asked for.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How long Domain-0 may take without giving anything. xend had about as much patience.
const PATIENCE: Duration = Duration::from_secs(10);

/// What Xen needs for a guest beside its memory, in MiB.
const OVERHEAD_MIB: u64 = 4;

/// The same for an HVM guest, whose device model has pages of it.
const HVM_OVERHEAD_MIB: u64 = 12;

/// Memory that domains which are being built are about to take, in MiB.
#[derive(Debug, Default)]
pub(in crate::core) struct Promised {
    mib: Arc<AtomicU64>,
    asking: tokio::sync::Mutex<()>,
}

/// Memory that is promised to one domain. Dropped when that has it, or does not need it any more.
pub(in crate::core) struct Room {
    promised: Arc<AtomicU64>,
    mib: u64,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.promised.fetch_sub(self.mib, Ordering::Relaxed);
    }
}

impl Core {
    /// Has Domain-0 give what is missing for a domain that is about to be built. If it cannot, or
    /// must not, the hypervisor refuses the domain by itself.
    pub(in crate::core) async fn make_room(&self, config: &DomainConfig) -> Room {
        let mib = needed_mib(config);
        let others = self.promised.mib.fetch_add(mib, Ordering::Relaxed);
        let room = Room { promised: Arc::clone(&self.promised.mib), mib };
        let wanted = others.saturating_add(mib);
        if !self.policy().dom0_ballooning || self.free_mib().await.is_none_or(|free| free >= wanted)
        {
            return room;
        }
        let _turn = self.promised.asking.lock().await;
        if let Some(free) = self.free_mib().await.filter(|free| *free < wanted) {
            self.balloon_dom0(config, free, wanted).await;
        }
        room
    }

    /// Asks Domain-0 for the difference, and waits until it has given it.
    async fn balloon_dom0(&self, config: &DomainConfig, free: u64, wanted: u64) {
        let Some(dom0) = self.board.current().by_domid(DomId::ZERO).cloned() else { return };
        let has =
            dom0.facts.as_ref().map_or(0, |facts| facts.memory_kib / 1024).min(dom0.config.memory);
        let target =
            has.checked_sub(wanted - free).filter(|left| *left >= self.policy().dom0_min_mem_mib);
        let Some(target) = target else { return };
        info!(domain = %config.name, from = has, to = target, "Domain-0 gives memory");
        if let Err(error) = self.ask(&dom0, DomainOp::SetMemory(target)).await {
            warn!(domain = %config.name, %error, "Domain-0 could not be asked for memory");
            return;
        }
        let (mut most, mut since) = (free, Instant::now());
        while most < wanted && since.elapsed() < PATIENCE {
            tokio::time::sleep(LOOK_AGAIN).await;
            let Some(free) = self.free_mib().await else { return };
            if free > most {
                (most, since) = (free, Instant::now());
            }
        }
    }

    async fn free_mib(&self) -> Option<u64> {
        let figures = self.limited("Reading the host", self.hypervisor.figures()).await;
        figures.ok().map(|figures| figures.free_memory)
    }
}

/// About what a domain takes of the host's memory, in MiB.
fn needed_mib(config: &DomainConfig) -> u64 {
    let kind = config.image.as_ref().map_or(GuestKind::Pv, |image| image.kind);
    // What libxl gives a guest without a number of its own: a MiB a VCPU, and 8 KiB a MiB.
    let shadow =
        || (u64::from(config.vcpus) + config.maxmem.div_ceil(128)).max(config.shadow_memory);
    let overhead = match kind {
        GuestKind::Pv => OVERHEAD_MIB,
        GuestKind::Pvh => OVERHEAD_MIB + shadow(),
        GuestKind::Hvm => HVM_OVERHEAD_MIB + shadow(),
    };
    config.memory.saturating_add(overhead)
}
