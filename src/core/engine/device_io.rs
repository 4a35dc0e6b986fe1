//! Reading what devices move, domain after domain, beside everything else.

use crate::core::context::Core;
use crate::core::device_io::{DeviceRound, HISTORY_INTERVAL, ROUND_INTERVAL};
use crate::core::error::Error;
use crate::core::model::DomId;
use std::sync::Arc;
use tokio::time::Instant;

impl Core {
    /// Reads rounds for ever: as long as somebody wants them, and now and then for the histories.
    pub(super) async fn follow_device_io(self: Arc<Self>) {
        loop {
            let _ = tokio::time::timeout(HISTORY_INTERVAL, self.device_io.is_wanted()).await;
            let round = self.read_device_io().await;
            self.device_io.publish(round);
            tokio::time::sleep(ROUND_INTERVAL).await;
        }
    }

    /// One round. Domains that cannot be read are left out, and so are all others once the
    /// hypervisor does not answer.
    async fn read_device_io(&self) -> DeviceRound {
        let mut round = DeviceRound::begun_at(Instant::now());
        let snapshot = self.snapshot();
        for facts in snapshot.domains().filter_map(|view| view.facts.as_ref()) {
            if facts.domid == DomId::ZERO {
                continue;
            }
            match self.hypervisor.devices(facts.domid).await {
                Ok(devices) => round.add(facts.uuid, facts.domid, &devices),
                Err(Error::Timeout { .. }) => break,
                // It has gone meanwhile.
                Err(_) => {}
            }
        }
        round
    }
}
