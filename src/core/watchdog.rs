//! Long hypervisor calls: they may take any time, as long as they make progress.

use super::error::Error;
use super::transfer::Transfer;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// Interval between two checks for progress.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Waits for `call` until `transfer` has shown no progress for `limit`. Calls `on_check` at every
/// check meanwhile.
///
/// # Errors
/// Those of `call`; [`Error::Stalled`] with the stage that made no progress.
pub(super) async fn wait_while_progressing<T>(
    what: &'static str,
    limit: Duration,
    transfer: &Transfer,
    call: impl Future<Output = Result<T, Error>>,
    mut on_check: impl FnMut(),
) -> Result<T, Error> {
    let mut call = pin!(call);
    let mut checks = tokio::time::interval_at(Instant::now() + CHECK_INTERVAL, CHECK_INTERVAL);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = transfer.counters();
    let mut last_change = Instant::now();
    loop {
        tokio::select! {
            biased;
            result = &mut call => return result,
            _ = checks.tick() => {}
        }
        let counters = transfer.counters();
        if counters != last {
            last = counters;
            last_change = Instant::now();
        } else if last_change.elapsed() > limit {
            // The call may go on in the hypervisor, but nobody waits for it any more.
            transfer.cancel();
            return Err(Error::Stalled {
                what,
                limit,
                stage: transfer.stage(),
                detail: transfer.detail(),
            });
        }
        on_check();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::transfer::Stage;
    use std::sync::Arc;

    const LIMIT: Duration = Duration::from_secs(120);

    async fn wait(
        transfer: &Transfer,
        call: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        wait_while_progressing("Restoring", LIMIT, transfer, call, || ()).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_may_take_any_time_while_it_makes_progress() {
        let transfer = Arc::new(Transfer::default());
        let moving = transfer.clone();
        let call = async move {
            for round in 0..100_u64 {
                tokio::time::sleep(Duration::from_secs(100)).await;
                if round % 2 == 0 {
                    moving.advance(1);
                } else {
                    moving.observe(Stage::Memory, format!("{round} KiB"));
                }
            }
            Ok(())
        };
        wait(&transfer, call).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_error_names_the_stage_without_progress() {
        for (stage, name) in [
            (Stage::Memory, "moving its memory"),
            (Stage::DeviceModel, "starting its device model"),
            (Stage::Devices, "connecting its devices"),
            (Stage::Freeing, "freeing its memory"),
        ] {
            let transfer = Transfer::default();
            transfer.observe(stage, "seen".to_owned());
            let began = Instant::now();
            let error = wait(&transfer, std::future::pending()).await.unwrap_err();
            assert!(began.elapsed() < LIMIT + Duration::from_secs(2));
            assert_eq!(
                error.to_string(),
                format!("Restoring made no progress for 120 s while {name} (seen)")
            );
            assert!(transfer.is_cancelled());
        }
    }
}
