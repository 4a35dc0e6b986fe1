//! Whether the host can serve.

use crate::core::context::Core;
use crate::core::health::{STORE_RECHECK, StoreNews};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tracing::{info, warn};

/// How old the figures of all domains may be: a sweep begins every three seconds.
const SWEPT_WITHIN: Duration = Duration::from_secs(15);

impl Core {
    /// Why the host cannot serve; nothing if it can. Waits for a check of the store for a moment,
    /// and for nothing else.
    pub(in crate::core) async fn reasons_against_service(self: &Arc<Self>) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.ending.is_cancelled() {
            reasons.push("Xend is shutting down".to_owned());
        }
        if let Some(reason) = self.hypervisor_error() {
            reasons.push(format!("The hypervisor does not answer: {reason}"));
        }
        self.check_store();
        reasons.extend(self.health.store_error().await);
        reasons
    }

    /// Why the hypervisor cannot be asked, by its last answers; `None` if it can.
    pub(in crate::core) fn hypervisor_error(&self) -> Option<String> {
        let late = || match self.snapshot().swept().map(|swept| swept.elapsed()) {
            Some(age) if age <= SWEPT_WITHIN => None,
            Some(age) => Some(format!("the figures of domains are {} s old", age.as_secs())),
            None => Some("there are no figures of domains".to_owned()),
        };
        self.health.sweep_error().or_else(late)
    }

    /// Has the store checked in the background, unless that was done a moment ago. A store that
    /// cannot be written is checked until it can be again: the log has the beginning and the end.
    pub(in crate::core) fn check_store(self: &Arc<Self>) {
        if self.health.begin_store_check() {
            self.begin_store_check();
        }
    }

    /// The same after a change that may have failed because of the store.
    pub(in crate::core) fn check_store_after_failure(self: &Arc<Self>) {
        if self.health.begin_store_check_after_failure() {
            self.begin_store_check();
        }
    }

    fn begin_store_check(self: &Arc<Self>) {
        let core = self.clone();
        self.spawn_background(async move {
            if core.finish_store_check().await != StoreNews::Fails {
                return;
            }
            while core.health.store_is_writable() == Some(false) {
                sleep(STORE_RECHECK).await;
                if core.health.begin_store_check() {
                    core.finish_store_check().await;
                }
            }
        });
    }

    /// Checks the store, and logs what is new.
    async fn finish_store_check(&self) -> StoreNews {
        let checked = self.store.check().await;
        let news = self.health.record_store(&checked);
        match (&checked, news) {
            (Err(error), StoreNews::Fails) => {
                warn!("{error}: changes fail until that is mended");
            }
            (Ok(()), StoreNews::IsWell) => info!("The state directory can be written again"),
            _ => {}
        }
        news
    }
}
