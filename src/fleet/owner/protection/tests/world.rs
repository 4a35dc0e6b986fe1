//! Two hosts with one protected domain for minutes, while everything fails that can.
//!
//! A domain runs on one host at most, and wherever it runs as a guarded one, the guard has it: a
//! taker believes that.

use super::*;
use crate::fleet::owner::testing::Random;
use proptest::prelude::*;
use tokio::runtime::Builder;

const HOSTS: usize = 2;

struct World {
    kv: MemoryKv,
    hosts: Vec<Host>,
    random: Random,
}

impl World {
    async fn new(seed: u64) -> Self {
        let kv = MemoryKv::default();
        let mut hosts = Vec::new();
        for number in 1..=HOSTS {
            hosts.push(Host::member(&kv, number).await);
        }
        hosts[0].define().await;
        protect(&kv).await;
        Self { kv, hosts, random: Random::new(seed) }
    }

    async fn owner(&self) -> Option<Own> {
        let entry = self.kv.get(&keys().own(WEB)).await.unwrap()?;
        Some(OwnRecord::decode(&entry.value).unwrap())
    }

    async fn check(&self) {
        let running = self.hosts.iter().filter(|host| host.machine.has(WEB)).count();
        assert!(running <= 1, "it runs twice");
        let Some(own) = self.owner().await.filter(|own| own.guarded) else { return };
        let host = self.hosts.iter().find(|host| host_name(host.number) == own.by.host).unwrap();
        let is_at_risk = host.epoch == own.by.epoch && host.machine.has(WEB);
        assert!(!is_at_risk || host.machine.guarded() == [WEB], "{own:?} is not guarded");
    }

    /// A host dies, and a taker has the other one start its domain.
    async fn die(&mut self, dead: usize) {
        let other = (dead + 1) % HOSTS;
        self.hosts[dead].part.abort();
        lock(&self.hosts[dead].machine.here).clear();
        lock(&self.hosts[dead].machine.guard).built.clear();
        let name = host_name(self.hosts[dead].number);
        let owner = self.owner().await;
        let is_its = owner.as_ref().is_some_and(|own| own.guarded && own.by.host == name);
        if let Some(own) = owner.filter(|_| is_its) {
            let epoch = own.by.epoch;
            let fence = FenceRecord::new(&host_name(9), FenceStep::Waited, UNIX_EPOCH, Uuid::nil());
            write(&self.kv, put(keys().fence(&name, epoch), &fence.encode())).await;
            let record = TakeoverRecord {
                from: name.to_string(),
                epoch,
                name: "web".to_owned(),
                to: Some(host_name(self.hosts[other].number).to_string()),
                failed: Vec::new(),
                op: Uuid::from_u128(u128::from(self.random.below(u64::MAX))),
            };
            write(&self.kv, put(keys().takeover(WEB), &record.encode())).await;
            self.random.pause(20_000).await;
        }
        self.hosts[dead] = self.hosts[dead].booted().await;
    }

    async fn step(&mut self) {
        let host = usize::from(self.random.below(3) == 0);
        let machine = self.hosts[host].machine.clone();
        let kv = self.hosts[host].kv.clone();
        match self.random.below(18) {
            0..=3 if !machine.has(WEB) && machine.is_here(WEB) => {
                machine.build(WEB).await.ok();
            }
            4 if machine.has(WEB) => machine.destroy(WEB).await,
            // The guest reboots.
            5 if machine.has(WEB) => {
                let owner = machine.owner();
                if owner.claim(WEB, &web()).await.is_err() {
                    machine.destroy(WEB).await;
                } else {
                    owner.run(WEB).await.unwrap();
                }
            }
            6 => write(&self.kv, Op::Delete { key: keys().policy(WEB) }).await,
            7 | 8 => protect(&self.kv).await,
            9 => kv.lose_answer(Lost::Happened),
            10 => kv.lose_answer(Lost::Never),
            11 => kv.lose_answer(Lost::Later),
            12 => kv.deliver(),
            13 => kv.set_link(Link::Refused),
            14 => kv.set_link(Link::Up),
            15 => self.hosts[host] = self.hosts[host].restarted().await,
            // etcd is silent for long.
            16 => {
                machine.end_guarded();
                if !machine.has(WEB) {
                    machine.sweep(WEB);
                }
            }
            17 if self.random.below(3) == 0 => self.die(host).await,
            _ => {}
        }
    }
}

/// Faults of all kinds for some minutes.
async fn minutes_of_faults(seed: u64) {
    let mut world = World::new(seed).await;
    for _ in 0..200 {
        world.step().await;
        world.check().await;
        world.random.pause(1_500).await;
        world.check().await;
    }
    // Then all is well, and what is protected can run.
    for host in &world.hosts {
        host.kv.set_link(Link::Up);
        host.kv.deliver();
    }
    protect(&world.kv).await;
    sleep(LATER).await;
    world.check().await;
    let running = world.hosts.iter().find(|host| host.machine.has(WEB));
    let has_it = running.or_else(|| world.hosts.iter().find(|host| host.machine.is_here(WEB)));
    let host = has_it.expect("its definition is somewhere");
    if !host.machine.has(WEB) {
        host.machine.build(WEB).await.unwrap();
    }
    let is_guarded = async || {
        let own = world.owner().await;
        let is_its = |own: Own| own.guarded && own.by.host == host_name(host.number);
        own.is_some_and(is_its) && host.machine.guarded() == [WEB]
    };
    for _ in 0..10 {
        if is_guarded().await {
            return;
        }
        sleep(LATER).await;
    }
    panic!("{:?} is not guarded", world.owner().await);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn what_runs_as_guarded_is_guarded(seed: u64) {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(minutes_of_faults(seed));
    }
}
