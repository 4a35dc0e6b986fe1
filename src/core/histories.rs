//! What each domain and the host use, minute by minute: rounds of samples and of devices, summed
//! up.

use super::device_io::{DeviceRates, DeviceRound};
use super::model::{Level, Resource, Usage, UsageOf, Uuid};
use super::samples::SampleRound;
use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::time::SystemTime;

/// A minute that is over: its number since 1970, and what was used in it.
pub(super) type Minute = (u32, Vec<(UsageOf, Usage)>);

/// Sums up rounds. It has a few sums for each domain on the host, and nothing of other domains.
#[derive(Default)]
pub(super) struct Recorder {
    minute: u32,
    host: Sums,
    domains: HashMap<Uuid, Sums>,
    /// The round of devices that was taken last.
    devices: Arc<DeviceRound>,
}

/// The sum, the count and the maximum of each resource.
#[derive(Debug, Clone, Copy, Default)]
struct Sums([(f32, f32, f32); Resource::ALL.len()]);

impl Sums {
    fn add(&mut self, resource: Resource, amount: f32) {
        let (sum, count, max) = &mut self.0[resource.index()];
        *sum += amount;
        *count += 1.0;
        *max = max.max(amount);
    }

    fn add_rates(&mut self, rates: DeviceRates) {
        self.add(Resource::DiskRead, rates.disk_read);
        self.add(Resource::DiskWritten, rates.disk_written);
        self.add(Resource::NetReceived, rates.net_received);
        self.add(Resource::NetSent, rates.net_sent);
    }

    fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        for resource in Resource::ALL {
            let (sum, count, max) = self.0[resource.index()];
            if count > 0.0 {
                // A sum of equal parts is rounded.
                usage = usage.with(resource, Level { mean: (sum / count).min(max), max });
            }
        }
        usage
    }
}

impl Recorder {
    /// Adds a round that was read in `minute`. Returns the minute that is over with it.
    pub(super) fn add(
        &mut self,
        minute: u32,
        round: &SampleRound,
        host_memory_kib: u64,
        devices: Arc<DeviceRound>,
    ) -> Option<Minute> {
        let over = (minute != self.minute).then(|| self.take(minute)).flatten();
        let mut host_cpu = 0.0;
        for (uuid, sample) in &round.domains {
            let sums = self.domains.entry(*uuid).or_default();
            sums.add(Resource::Cpu, sample.cpu);
            sums.add(Resource::Memory, to_f32(sample.memory_kib));
            host_cpu += sample.cpu;
        }
        self.host.add(Resource::Cpu, host_cpu);
        self.host.add(Resource::Memory, to_f32(host_memory_kib));
        self.add_devices(devices);
        over
    }

    /// Ends the minute, and begins this one.
    fn take(&mut self, minute: u32) -> Option<Minute> {
        let host = mem::take(&mut self.host).usage();
        let domains = mem::take(&mut self.domains);
        let number = mem::replace(&mut self.minute, minute);
        if host.is_empty() {
            return None;
        }
        let domains = domains.into_iter().map(|(uuid, sums)| (UsageOf::Domain(uuid), sums.usage()));
        Some((number, [(UsageOf::Host, host)].into_iter().chain(domains).collect()))
    }

    /// Adds the rates between the last round of devices and this one, if it is another one.
    fn add_devices(&mut self, devices: Arc<DeviceRound>) {
        if Arc::ptr_eq(&self.devices, &devices) {
            return;
        }
        let before = mem::replace(&mut self.devices, devices);
        let mut all = DeviceRates::default();
        let mut is_known = false;
        for (uuid, rates) in self.devices.rates_since(&before) {
            is_known = true;
            all = all + rates;
            if let Some(sums) = self.domains.get_mut(&uuid) {
                sums.add_rates(rates);
            }
        }
        if is_known {
            self.host.add_rates(all);
        }
    }
}

/// The number of a minute since 1970.
pub(super) fn minute_of(now: SystemTime) -> u32 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs() / 60).unwrap_or(u32::MAX)
}

/// A size for a chart: 24 bits of it are enough.
#[allow(clippy::cast_precision_loss, reason = "a chart and a mean need no more")]
fn to_f32(amount: u64) -> f32 {
    amount as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::device_io::fixtures::round_of;
    use crate::core::samples::Sample;
    use std::time::Duration;

    const ONE: Uuid = Uuid::from_u128(1);
    const TWO: Uuid = Uuid::from_u128(2);

    fn samples(cpu: &[(Uuid, f32)]) -> SampleRound {
        let sample = |(uuid, cpu): &(Uuid, f32)| (*uuid, Sample { cpu: *cpu, memory_kib: 1000 });
        SampleRound { number: 1, domains: cpu.iter().map(sample).collect() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_minute_has_means_and_maxima_of_domains_and_of_the_host() {
        let mut recorder = Recorder::default();
        let first = Arc::new(round_of(ONE, 1000, 50));
        tokio::time::advance(Duration::from_secs(10)).await;
        let second = Arc::new(round_of(ONE, 3000, 40));
        let mut add = |minute, cpu: &[(Uuid, f32)], devices: &Arc<DeviceRound>| {
            recorder.add(minute, &samples(cpu), 5000, devices.clone())
        };
        assert!(add(7, &[(ONE, 10.0), (TWO, 1.0)], &first).is_none());
        assert!(add(7, &[(ONE, 30.0)], &second).is_none());
        assert!(add(7, &[(ONE, 20.0)], &second).is_none());
        let (minute, usages) = add(8, &[(TWO, 5.0)], &second).unwrap();
        let of = |of| usages.iter().find(|(found, _)| *found == of).unwrap().1;
        let level = |mean, max| Some(Level { mean, max });
        assert_eq!((minute, usages.len()), (7, 3));
        let one = of(UsageOf::Domain(ONE));
        assert_eq!(one.of(Resource::Cpu), level(20.0, 30.0));
        assert_eq!(one.of(Resource::Memory), level(1000.0, 1000.0));
        assert_eq!(one.of(Resource::DiskRead), level(200.0, 200.0));
        assert_eq!(one.of(Resource::DiskWritten), level(0.0, 0.0), "a counter that went back");
        let two = of(UsageOf::Domain(TWO));
        assert_eq!((two.of(Resource::Cpu), two.of(Resource::NetSent)), (level(1.0, 1.0), None));
        let host = of(UsageOf::Host);
        assert_eq!(host.of(Resource::Cpu), level(61.0 / 3.0, 30.0));
        assert_eq!(host.of(Resource::DiskRead), level(200.0, 200.0));
        let (minute, usages) = add(20, &[], &second).unwrap();
        assert_eq!((minute, usages.len()), (8, 2), "a domain that is gone has no sums");
    }
}
