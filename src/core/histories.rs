//! What each domain and the host use, minute by minute: rounds of samples and of devices, summed
//! up.

use super::device_io::{DeviceRates, DeviceRound, to_f32};
use super::model::{Level, Resource, Sums, Usage, UsageOf, Uuid};
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

fn add_amount(sums: &mut Sums, resource: Resource, amount: f32) {
    sums.add(resource, Level { mean: amount, max: amount });
}

fn add_rates(sums: &mut Sums, rates: DeviceRates) {
    add_amount(sums, Resource::DiskRead, rates.disk_read);
    add_amount(sums, Resource::DiskWritten, rates.disk_written);
    add_amount(sums, Resource::NetReceived, rates.net_received);
    add_amount(sums, Resource::NetSent, rates.net_sent);
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
            add_amount(sums, Resource::Cpu, sample.cpu);
            add_amount(sums, Resource::Memory, to_f32(sample.memory_kib));
            host_cpu += sample.cpu;
        }
        add_amount(&mut self.host, Resource::Cpu, host_cpu);
        add_amount(&mut self.host, Resource::Memory, to_f32(host_memory_kib));
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
                add_rates(sums, rates);
            }
        }
        if is_known {
            add_rates(&mut self.host, all);
        }
    }
}

/// The number of a minute since 1970.
pub(super) fn minute_of(now: SystemTime) -> u32 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs() / 60).unwrap_or(u32::MAX)
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
