//! Fences: they are declared, and waited for.

use super::Watch;
use crate::core::model::Uuid;
use crate::core::ownership::Boot;
use crate::fleet::kv::{Committed, Compare, Kv as _, Op, Txn};
use crate::fleet::member::Unwritten;
use crate::fleet::protection_records::{FenceRecord, FenceStep};
use tracing::{debug, warn};

impl Watch<'_> {
    /// Fences a boot, unless its host is heard of, is away, or has another record meanwhile.
    pub(super) async fn declare(&self, Boot { host, epoch }: &Boot) -> Result<(), Unwritten> {
        let Some(record) = self.seat.kv.get(&self.keys().host(host)).await? else { return Ok(()) };
        let key = self.keys().fence(host, *epoch);
        let mut compares = self.compares();
        compares.extend([
            Compare::Absent(key.clone()),
            Compare::Absent(self.keys().away(host, *epoch)),
            Compare::Absent(self.keys().alive(host)),
            Compare::Modified(record.key, record.modified),
        ]);
        match self.put_fence(compares, key, FenceStep::Declared).await? {
            Committed::Yes(_) => warn!(
                %host,
                epoch,
                "A host of the fleet is silent and is fenced: its guarded domains are started \
                 elsewhere when they have ended there"
            ),
            Committed::No => debug!(%host, epoch, "A silent host was not fenced"),
        }
        Ok(())
    }

    /// Says that the wait is over for the fence that a change has declared.
    pub(super) async fn end_wait(
        &self,
        Boot { host, epoch }: &Boot,
        op: Uuid,
    ) -> Result<(), Unwritten> {
        let key = self.keys().fence(host, *epoch);
        let Some(found) = self.seat.kv.get(&key).await? else { return Ok(()) };
        match FenceRecord::decode(&found.value) {
            Ok(fence) if fence.step == FenceStep::Declared && fence.op == op => {}
            Ok(_) | Err(_) => return Ok(()),
        }
        let mut compares = self.compares();
        compares.push(Compare::Modified(key.clone(), found.modified));
        if let Committed::Yes(_) = self.put_fence(compares, key, FenceStep::Waited).await? {
            warn!(%host, epoch, "The guarded domains of a fenced host have ended there");
        }
        Ok(())
    }

    async fn put_fence(
        &self,
        compares: Vec<Compare>,
        key: String,
        step: FenceStep,
    ) -> Result<Committed, Unwritten> {
        let op = self.engine.new_uuid();
        let record = FenceRecord::new(&self.own.host, step, self.engine.now(), op);
        let ops = vec![Op::put(key, record.encode())];
        self.seat.commit(Txn { compares, ops }).await
    }
}
