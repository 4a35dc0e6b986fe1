//! CPU and memory use of domains in the last minutes: a ring of samples for each domain.

use super::model::{DomId, Uuid};
use super::snapshot::Snapshot;
use arc_swap::ArcSwap;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Interval between two rounds of samples.
pub const SAMPLE_INTERVAL: Duration = Duration::from_secs(3);
/// Samples kept of each domain.
pub const MAX_SAMPLES: usize = 100;
/// The time that the samples of a domain cover: five minutes.
pub const SAMPLES_SPAN: Duration =
    Duration::from_secs(SAMPLE_INTERVAL.as_secs() * MAX_SAMPLES as u64);

/// CPU and memory use of a domain between two rounds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sample {
    /// Percent of one CPU: a domain with two busy VCPUs uses 200.
    pub cpu: f32,
    pub memory_kib: u64,
}

/// The samples of one round.
#[derive(Debug, Clone, Default)]
pub struct SampleRound {
    /// Rounds are counted from 1; 0 is before the first.
    pub number: u64,
    /// A sample of each domain on the host.
    pub domains: HashMap<Uuid, Sample>,
}

/// The rings of all domains.
#[derive(Default)]
pub struct Samples {
    last: ArcSwap<SampleRound>,
    rings: Mutex<Rings>,
    rounds: watch::Sender<u64>,
}

#[derive(Default)]
struct Rings {
    /// The time of the last round.
    read: Option<Instant>,
    /// The domid and CPU time of each domain at that time.
    times: HashMap<Uuid, (DomId, Duration)>,
    samples: HashMap<Uuid, VecDeque<Sample>>,
}

impl Samples {
    /// The number of the latest round, as it grows.
    pub fn rounds(&self) -> watch::Receiver<u64> {
        self.rounds.subscribe()
    }

    /// The latest round.
    pub fn last(&self) -> Arc<SampleRound> {
        self.last.load_full()
    }

    /// The samples of a domain, the oldest first, [`MAX_SAMPLES`] at most.
    pub fn of(&self, uuid: &Uuid) -> Vec<Sample> {
        let rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        rings.samples.get(uuid).map(|ring| ring.iter().copied().collect()).unwrap_or_default()
    }

    /// Takes a round of samples. Does nothing if there was no sweep since the last round.
    pub(super) fn take(&self, snapshot: &Snapshot) {
        let Some(swept) = snapshot.swept() else { return };
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        let since = rings.read;
        if since.is_some_and(|since| since >= swept) {
            return;
        }
        let mut times = HashMap::new();
        let mut domains = HashMap::new();
        for facts in snapshot.domains().filter_map(|view| view.facts.as_ref()) {
            let known = rings.times.get(&facts.uuid).filter(|(domid, _)| *domid == facts.domid);
            let used = known.zip(since).map(|((_, cpu_time), since)| {
                let used = facts.cpu_time.saturating_sub(*cpu_time).as_secs_f32();
                used * 100.0 / swept.duration_since(since).as_secs_f32()
            });
            times.insert(facts.uuid, (facts.domid, facts.cpu_time));
            let sample = Sample { cpu: used.unwrap_or(0.0), memory_kib: facts.memory_kib };
            domains.insert(facts.uuid, sample);
            let ring = rings.samples.entry(facts.uuid).or_default();
            if used.is_some() {
                if ring.len() == MAX_SAMPLES {
                    ring.pop_front();
                }
                ring.push_back(sample);
            }
        }
        rings.samples.retain(|uuid, _| domains.contains_key(uuid));
        rings.read = Some(swept);
        rings.times = times;
        let number = self.last.load().number + 1;
        self.last.store(Arc::new(SampleRound { number, domains }));
        self.rounds.send_replace(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::snapshot::fixtures::{facts, snapshot};

    #[tokio::test(start_paused = true)]
    async fn a_sample_is_the_use_between_two_rounds() {
        let samples = Samples::default();
        let uuid = Uuid::from_u128(1);
        let at = |seconds| snapshot(&[facts(1, Duration::from_secs_f64(seconds))]);
        samples.take(&at(10.0));
        assert!(samples.of(&uuid).is_empty(), "no sample before the second round");
        tokio::time::advance(SAMPLE_INTERVAL).await;
        let second = at(11.5);
        samples.take(&second);
        samples.take(&second);
        assert_eq!(samples.of(&uuid), [Sample { cpu: 50.0, memory_kib: 65_536 }]);
        assert_eq!(samples.last().number, 2);
        for _ in 0..MAX_SAMPLES {
            tokio::time::advance(SAMPLE_INTERVAL).await;
            samples.take(&at(11.5));
        }
        assert_eq!(samples.of(&uuid).len(), MAX_SAMPLES);
        assert!(samples.of(&uuid).iter().all(|sample| sample.cpu == 0.0));
        tokio::time::advance(SAMPLE_INTERVAL).await;
        samples.take(&snapshot(&[]));
        assert!(samples.of(&uuid).is_empty(), "a domain that is gone has no samples");
    }
}
