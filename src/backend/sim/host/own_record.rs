//! The host's own record, which says to which run of the machine the domains belong.

use crate::backend::sim::host_record::{HostRecord, SimPool};
use crate::backend::sim::settings::SimSettings;
use crate::backend::sim::state_dir::StateDir;
use crate::core::model::{CpuSet, PoolFacts};
use std::io;

/// The record, and whether it is on the disk.
pub(super) struct OwnRecord {
    record: HostRecord,
    is_stored: bool,
}

impl OwnRecord {
    /// The record for this run of the machine. Domains of an earlier run are removed.
    pub(super) fn open(
        state_dir: &StateDir,
        boot: String,
        settings: &SimSettings,
    ) -> io::Result<Self> {
        let stored = state_dir.host_record()?;
        let mut known = stored.clone();
        if known.as_ref().is_some_and(|record| record.boot != boot) {
            state_dir.clear()?;
            known = None;
        }
        let next_domid = known.as_ref().map_or(1, |record| record.next_domid);
        let next_domid = next_domid.max(state_dir.highest_domid()?.saturating_add(1)).max(1);
        let first =
            SimPool { name: PoolFacts::FIRST.to_owned(), cpus: CpuSet::first(settings.cpus) };
        let pools = known.map(|record| record.pools).filter(|pools| !pools.is_empty());
        let record = HostRecord { boot, next_domid, pools: pools.unwrap_or_else(|| vec![first]) };
        Ok(Self { is_stored: stored.as_ref() == Some(&record), record })
    }

    /// The next record, which is not on the disk yet.
    pub(super) fn changed(record: HostRecord) -> Self {
        Self { record, is_stored: false }
    }

    pub(super) fn record(&self) -> &HostRecord {
        &self.record
    }

    /// Writes the record, unless it is on the disk already. Blocks.
    pub(super) fn store(&mut self, state_dir: &StateDir) -> io::Result<()> {
        if !self.is_stored {
            state_dir.write_host_record(&self.record)?;
            self.is_stored = true;
        }
        Ok(())
    }
}

/// Says what the start could not write. The host is served without: it is written with the next
/// change, or the next start makes it again.
pub(super) fn log_not_written(state_dir: &StateDir, what: &str, error: io::Error) {
    let error = state_dir.not_written(error);
    tracing::error!("{what} is not written: {error}: changes fail until there is room");
}
