//! Waiting for a long call for as long as it gets on.

use super::error::Error;
use super::transfer::Transfer;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// How often a long call is looked at.
pub(super) const TICK: Duration = Duration::from_millis(500);

/// Waits for `work`, and gives it up when nothing of `transfer` has changed for `limit`. `tick` is
/// called meanwhile.
///
/// # Errors
/// Those of `work`; [`Error::Stalled`] with the stage that stood still.
pub(super) async fn while_it_gets_on<T>(
    what: &'static str,
    limit: Duration,
    transfer: &Transfer,
    work: impl Future<Output = Result<T, Error>>,
    mut tick: impl FnMut(),
) -> Result<T, Error> {
    let mut work = pin!(work);
    let mut ticks = tokio::time::interval_at(Instant::now() + TICK, TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = transfer.pulse();
    let mut moved = Instant::now();
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = ticks.tick() => {}
        }
        let now = transfer.pulse();
        if now != last {
            last = now;
            moved = Instant::now();
        } else if moved.elapsed() > limit {
            // It may go on all the same, and nobody waits for it any more.
            transfer.cancel();
            return Err(Error::Stalled {
                what,
                limit,
                stage: transfer.stage(),
                detail: transfer.detail(),
            });
        }
        tick();
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
        work: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        while_it_gets_on("Restoring", LIMIT, transfer, work, || ()).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_may_take_any_time_while_something_of_it_changes() {
        let transfer = Arc::new(Transfer::default());
        let moving = transfer.clone();
        let work = async move {
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
        wait(&transfer, work).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_stage_that_stands_still_is_named() {
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
