//! The places that a listener has for connections, and who leaves when they are all taken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::activity::Activity;

/// How long a connection waits for a place before it is turned away.
const WAIT_FOR_A_PLACE: Duration = Duration::from_secs(2);
/// How often it looks for somebody who could leave while it waits.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The places of one listener.
///
/// Each listener has its own, so that a crowd on TCP never locks out the administrator on the unix
/// socket. When all are taken, the connection that has kept us waiting longest makes room for a new
/// one; connections whose requests are being worked on stay.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    free: Arc<Semaphore>,
    guests: Arc<Mutex<Guests>>,
}

#[derive(Debug, Default)]
struct Guests {
    next: u64,
    by_number: HashMap<u64, Guest>,
}

#[derive(Debug)]
struct Guest {
    activity: Arc<Activity>,
    leave: CancellationToken,
}

/// A place taken; free again when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    number: u64,
    guests: Arc<Mutex<Guests>>,
    /// What the connection is doing.
    pub(super) activity: Arc<Activity>,
    /// Cancelled when the connection should make room for another.
    pub(super) leave: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    pub(super) fn new(count: usize) -> Self {
        let free = Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self { free, guests: Arc::default() }
    }

    /// A place, at the latest after [`WAIT_FOR_A_PLACE`]; `None` if everybody is busy for that
    /// long.
    pub(super) async fn take(&self) -> Option<Slot> {
        let permit = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => tokio::time::timeout(WAIT_FOR_A_PLACE, self.make_room()).await.ok()??,
        };
        let (activity, leave) = (Arc::new(Activity::new()), CancellationToken::new());
        let mut guests = lock(&self.guests);
        let number = guests.next;
        guests.next += 1;
        guests
            .by_number
            .insert(number, Guest { activity: Arc::clone(&activity), leave: leave.clone() });
        Some(Slot { number, guests: Arc::clone(&self.guests), activity, leave, _permit: permit })
    }

    async fn make_room(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            self.ask_the_idlest_to_leave();
            let place = Arc::clone(&self.free).acquire_owned();
            if let Ok(permit) = tokio::time::timeout(LOOK_AGAIN, place).await {
                return permit.ok();
            }
        }
    }

    fn ask_the_idlest_to_leave(&self) {
        let now = Instant::now();
        let guests = lock(&self.guests);
        let candidates = guests.by_number.values().filter(|guest| !guest.leave.is_cancelled());
        let idlest = candidates
            .filter_map(|guest| Some((guest.activity.waiting(now)?, guest)))
            .max_by_key(|(waiting, _)| *waiting);
        if let Some((_, guest)) = idlest {
            guest.leave.cancel();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        lock(&self.guests).by_number.remove(&self.number);
    }
}

fn lock(guests: &Mutex<Guests>) -> std::sync::MutexGuard<'_, Guests> {
    guests.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_idlest_makes_room_and_the_busy_stay() {
        let slots = Slots::new(2);
        let first = slots.take().await.unwrap();
        let second = slots.take().await.unwrap();
        first.activity.received();
        let (third, ()) = tokio::join!(slots.take(), async {
            second.leave.cancelled().await;
            drop(second);
        });
        assert!(!first.leave.is_cancelled());

        let third = third.unwrap();
        third.activity.received();
        assert!(slots.take().await.is_none(), "nobody can leave");
        drop(first);
        assert!(slots.take().await.is_some());
    }
}
