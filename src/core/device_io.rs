//! The bytes that disks and network interfaces of domains have moved.
//!
//! The hypervisor counts them for each device, and no sweep reads them. They are read in rounds:
//! every ten seconds as long as somebody asks for them, otherwise once a minute.

use super::model::{BlockClass, DeviceFacts, DomId, Uuid};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The pause between two rounds.
pub(super) const ROUND_INTERVAL: Duration = Duration::from_secs(10);

/// The time without a reader after which a round is read for the histories of use. They have one
/// round in each minute, or two.
pub(super) const HISTORY_INTERVAL: Duration = Duration::from_secs(45);

/// Rounds after the last reader: for five minutes. Monitors read every minute or oftener.
const ROUNDS_AFTER_READ: u32 = 30;

/// What one device has moved since it was attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceBytes {
    /// Whether it is a block device; otherwise it is a network interface.
    pub is_block: bool,
    /// By which the guest knows it.
    pub number: u32,
    /// Bytes that the guest has read or received.
    pub into_guest: u64,
    /// Bytes that the guest has written or sent.
    pub out_of_guest: u64,
}

/// The devices of all domains on the host, as one round has read them.
#[derive(Debug, Clone, Default)]
pub struct DeviceRound {
    /// `None` before the first round.
    begun: Option<Instant>,
    domains: HashMap<Uuid, (DomId, Vec<DeviceBytes>)>,
}

/// What the devices of a domain move, in bytes a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct DeviceRates {
    pub(super) disk_read: f32,
    pub(super) disk_written: f32,
    pub(super) net_received: f32,
    pub(super) net_sent: f32,
}

impl Add for DeviceRates {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            disk_read: self.disk_read + other.disk_read,
            disk_written: self.disk_written + other.disk_written,
            net_received: self.net_received + other.net_received,
            net_sent: self.net_sent + other.net_sent,
        }
    }
}

impl DeviceRound {
    pub(super) fn begun_at(now: Instant) -> Self {
        Self { begun: Some(now), domains: HashMap::new() }
    }

    /// The rates of all domains that both rounds have. A device that was attached since counts from
    /// the next round on, and so does a counter that went back.
    pub(super) fn rates_since(&self, before: &Self) -> impl Iterator<Item = (Uuid, DeviceRates)> {
        let seconds = self.begun.zip(before.begun).map(|(now, then)| now.duration_since(then));
        let seconds = seconds.unwrap_or_default().as_secs_f32();
        let both = self.domains.iter().filter_map(move |(uuid, (domid, now))| {
            let (of, then) = before.domains.get(uuid)?;
            (of == domid && seconds > 0.0).then_some((uuid, now, then))
        });
        both.map(move |(uuid, now, then)| (*uuid, rates(now, then, seconds)))
    }

    /// The devices of a domain. There are none before the first round with it.
    pub fn of(&self, uuid: &Uuid, domid: DomId) -> &[DeviceBytes] {
        // A domain that was built again counts anew.
        let known = self.domains.get(uuid).filter(|(of, _)| *of == domid);
        known.map_or(&[], |(_, devices)| devices)
    }

    pub(super) fn add(&mut self, uuid: Uuid, domid: DomId, devices: &[DeviceFacts]) {
        let bytes = devices.iter().filter_map(DeviceBytes::of).collect();
        self.domains.insert(uuid, (domid, bytes));
    }
}

/// What devices have moved between two rounds, this many seconds apart.
fn rates(now: &[DeviceBytes], then: &[DeviceBytes], seconds: f32) -> DeviceRates {
    let mut rates = DeviceRates::default();
    for device in now {
        let is_same =
            |old: &&DeviceBytes| (old.is_block, old.number) == (device.is_block, device.number);
        let Some(old) = then.iter().find(is_same) else { continue };
        let rate = |now: u64, then: u64| to_f32(now.saturating_sub(then)) / seconds;
        let into_guest = rate(device.into_guest, old.into_guest);
        let out_of_guest = rate(device.out_of_guest, old.out_of_guest);
        if device.is_block {
            rates.disk_read += into_guest;
            rates.disk_written += out_of_guest;
        } else {
            rates.net_received += into_guest;
            rates.net_sent += out_of_guest;
        }
    }
    rates
}

/// An amount for a chart: 24 bits of it are enough.
#[allow(clippy::cast_precision_loss, reason = "a chart and a mean need no more")]
pub(super) fn to_f32(amount: u64) -> f32 {
    amount as f32
}

impl DeviceBytes {
    /// `None` for a device that moves no bytes, or whose bytes are not counted.
    fn of(facts: &DeviceFacts) -> Option<Self> {
        let is_block = BlockClass::includes(&facts.class);
        let (into_guest, out_of_guest) = facts.io.filter(|_| is_block || facts.class == "vif")?;
        Some(Self { is_block, number: facts.number, into_guest, out_of_guest })
    }
}

/// The latest round.
#[derive(Debug, Default)]
pub(super) struct DeviceIo {
    last: ArcSwap<DeviceRound>,
    rounds_left: AtomicU32,
    wanted: Notify,
}

impl DeviceIo {
    /// The latest round, for a reader who may come again.
    pub(super) fn latest(&self) -> Arc<DeviceRound> {
        self.rounds_left.store(ROUNDS_AFTER_READ, Ordering::Relaxed);
        self.wanted.notify_one();
        self.last()
    }

    /// The latest round, however old it is.
    pub(super) fn last(&self) -> Arc<DeviceRound> {
        self.last.load_full()
    }

    /// Waits until another round is wanted.
    pub(super) async fn is_wanted(&self) {
        let one_less = |left: u32| left.checked_sub(1);
        let order = Ordering::Relaxed;
        while self.rounds_left.fetch_update(order, order, one_less).is_err() {
            self.wanted.notified().await;
        }
    }

    pub(super) fn publish(&self, round: DeviceRound) {
        self.last.store(Arc::new(round));
    }
}

#[cfg(test)]
pub(super) mod fixtures {
    use super::*;

    /// A round of now, with a disk of one domain.
    pub(in crate::core) fn round_of(uuid: Uuid, read: u64, written: u64) -> DeviceRound {
        let mut round = DeviceRound::begun_at(Instant::now());
        let class = "vbd".to_owned();
        let io = Some((read, written));
        let disk = DeviceFacts { class, number: 7, nodes: Vec::new(), io };
        round.add(uuid, DomId(3), &[disk]);
        round
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    #[test]
    fn only_devices_that_move_bytes_are_counted() {
        let device = |class: &str, io| DeviceFacts {
            class: class.to_owned(),
            number: 7,
            nodes: Vec::new(),
            io,
        };
        let devices = [
            device("tap2", Some((1, 2))),
            device("vif", Some((3, 4))),
            device("vif", None),
            device("vfb", Some((5, 6))),
        ];
        let mut round = DeviceRound::default();
        let uuid = Uuid::from_u128(1);
        round.add(uuid, DomId(3), &devices);
        let bytes = |is_block, into_guest, out_of_guest| DeviceBytes {
            is_block,
            number: 7,
            into_guest,
            out_of_guest,
        };
        assert_eq!(round.of(&uuid, DomId(3)), [bytes(true, 1, 2), bytes(false, 3, 4)]);
        assert!(round.of(&uuid, DomId(4)).is_empty(), "it was built again");
        assert!(round.of(&Uuid::from_u128(2), DomId(3)).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn rounds_end_some_time_after_the_last_reader() {
        let io = DeviceIo::default();
        let is_wanted = async || timeout(ROUND_INTERVAL, io.is_wanted()).await.is_ok();
        assert!(!is_wanted().await, "nobody has read");
        io.latest();
        for _ in 0..ROUNDS_AFTER_READ {
            assert!(is_wanted().await);
        }
        assert!(!is_wanted().await);
        io.latest();
        assert!(is_wanted().await);
    }
}
