//! Three hosts that start, stop and send one domain for minutes, while everything fails that can.
//!
//! A domain runs on one host at most, and never goes on from a memory that is older than its last
//! run.

use super::*;
use crate::fleet::owner::testing::{Random, lock};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Mutex;
use tokio::runtime::Builder;

/// What a hypervisor has of the domain: it outlives the daemon.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Here {
    Absent,
    Built,
    Running,
    /// It was sent.
    Suspended,
    /// It has come, and is paused.
    Arrived(Uuid),
}

/// What a host has stored of a migration to it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Arrival {
    Arriving,
    Undecided,
    Taken,
    Refused,
}

/// What outlives the daemon of a host.
#[derive(Debug, Clone, Copy)]
struct Machine {
    here: Here,
    /// How often the domain had run when the memory was written that is here.
    memory: usize,
    /// A migration from here whose outcome is not known.
    handed_over: Option<Uuid>,
    /// The word of the other host that it hands a domain over: it goes with a connection.
    go: Option<Uuid>,
}

struct World {
    kv: MemoryKv,
    machines: Mutex<[Machine; 3]>,
    /// By migration, with the host to which the domain was sent.
    arrivals: Mutex<BTreeMap<Uuid, (usize, Arrival)>>,
    /// How often the domain has begun to run.
    starts: Mutex<usize>,
    moves: Mutex<usize>,
    random: Random,
}

impl World {
    fn new(seed: u64) -> Arc<Self> {
        let machine = Machine { here: Here::Absent, memory: 0, handed_over: None, go: None };
        Arc::new(Self {
            kv: MemoryKv::default(),
            machines: Mutex::new([machine; 3]),
            arrivals: Mutex::default(),
            starts: Mutex::default(),
            moves: Mutex::default(),
            random: Random::new(seed),
        })
    }

    fn machine(&self, host: usize) -> Machine {
        lock(&self.machines)[host]
    }

    fn set(&self, host: usize, here: Here) {
        let mut machines = lock(&self.machines);
        let mut starts = lock(&self.starts);
        let before = machines[host].here;
        machines[host].here = here;
        if here == Here::Running {
            if matches!(before, Here::Suspended | Here::Arrived(_)) {
                assert_eq!(machines[host].memory, *starts, "it has run elsewhere since");
            }
            *starts += 1;
            machines[host].memory = *starts;
        }
        let running = machines.iter().filter(|machine| machine.here == Here::Running).count();
        assert!(running <= 1, "{machines:?}");
    }

    fn arrival(&self, id: Uuid) -> Arrival {
        lock(&self.arrivals)[&id].1
    }

    fn note(&self, id: Uuid, arrival: Arrival) {
        lock(&self.arrivals).get_mut(&id).unwrap().1 = arrival;
    }

    /// A migration to a host that is undecided.
    fn undecided(&self, host: usize) -> Option<Uuid> {
        let arrivals = lock(&self.arrivals);
        let mut undecided =
            arrivals.iter().filter(|(_, arrival)| **arrival == (host, Arrival::Undecided));
        undecided.next().map(|(id, _)| *id)
    }

    /// What the daemon of a host does, until it is killed.
    async fn drive(self: Arc<Self>, host: usize, owner: Arc<Owner>) {
        loop {
            self.random.pause(3_000).await;
            let machine = self.machine(host);
            match machine.here {
                Here::Suspended | Here::Absent if machine.handed_over.is_some() => {
                    self.ask(host, &owner).await;
                }
                Here::Suspended => panic!("a suspended domain was sent"),
                Here::Absent => self.start(host, &owner).await,
                // It was adopted.
                Here::Built => self.set(host, Here::Running),
                Here::Running => match self.random.below(4) {
                    0 => {
                        // The guest reboots.
                        self.set(host, Here::Built);
                        owner.claim(DOMAIN, &name_of(DOMAIN)).await.unwrap();
                        owner.run(DOMAIN).await.unwrap();
                        self.set(host, Here::Running);
                    }
                    1 | 2 => self.send(host, &owner).await,
                    _ => self.stop(host, &owner).await,
                },
                Here::Arrived(id) => self.receive(host, id, &owner).await,
            }
        }
    }

    async fn start(&self, host: usize, owner: &Owner) {
        if owner.claim(DOMAIN, &name_of(DOMAIN)).await.is_ok() {
            self.set(host, Here::Built);
            self.random.pause(2_000).await;
            if owner.run(DOMAIN).await.is_ok() {
                self.set(host, Here::Running);
            } else {
                self.stop(host, owner).await;
            }
        }
    }

    async fn stop(&self, host: usize, owner: &Owner) {
        self.set(host, Here::Absent);
        owner.release(DOMAIN);
        owner.released(DOMAIN).await;
    }

    async fn send(&self, host: usize, owner: &Owner) {
        let to = (host + 1 + usize::from(self.random.below(2) == 0)) % 3;
        if owner.check().await.is_err() || self.machine(to).here != Here::Absent {
            return;
        }
        if self.machine(to).handed_over.is_some() || self.undecided(to).is_some() {
            return;
        }
        let id = Uuid::from_u128(u128::from(self.random.below(u64::MAX)));
        {
            let mut machines = lock(&self.machines);
            machines[to].here = Here::Arrived(id);
            machines[to].memory = machines[host].memory;
            machines[host].here = Here::Suspended;
            machines[host].handed_over = Some(id);
        }
        lock(&self.arrivals).insert(id, (to, Arrival::Arriving));
        if owner.hand_over(DOMAIN, &handover(id)).await.is_err() {
            self.settle(id);
            lock(&self.machines)[host].handed_over = None;
            return self.set(host, Here::Running);
        }
        let mut machines = lock(&self.machines);
        if machines[to].here == Here::Arrived(id) {
            machines[to].go = Some(id);
        }
    }

    /// Ends a migration to a host that was not handed over to it.
    fn settle(&self, id: Uuid) -> Arrival {
        let mut arrivals = lock(&self.arrivals);
        let (_, arrival) = arrivals.get_mut(&id).unwrap();
        if *arrival == Arrival::Arriving {
            *arrival = Arrival::Refused;
        }
        *arrival
    }

    /// Asks the other host which of the two has the domain.
    async fn ask(&self, host: usize, owner: &Owner) {
        let machine = self.machine(host);
        let id = machine.handed_over.unwrap();
        match self.settle(id) {
            Arrival::Arriving | Arrival::Undecided => return,
            Arrival::Taken => {
                self.stop(host, owner).await;
                *lock(&self.moves) += 1;
            }
            Arrival::Refused if machine.here == Here::Absent => owner.release(DOMAIN),
            Arrival::Refused => match owner.take_back(DOMAIN, true).await {
                Ok(true) => self.set(host, Here::Running),
                Ok(false) => self.stop(host, owner).await,
                Err(_) => return,
            },
        }
        lock(&self.machines)[host].handed_over = None;
    }

    /// Goes on with a domain that has come.
    async fn receive(&self, host: usize, id: Uuid, owner: &Owner) {
        match self.arrival(id) {
            Arrival::Arriving if self.machine(host).go == Some(id) => {
                self.note(id, Arrival::Undecided);
            }
            Arrival::Arriving => {}
            Arrival::Undecided => match ask_for(owner, id).await {
                Ok(Leave::Granted) => {
                    self.random.pause(2_000).await;
                    self.note(id, Arrival::Taken);
                    self.set(host, Here::Running);
                }
                Ok(Leave::Refused(_)) => {
                    self.note(id, Arrival::Refused);
                    self.stop(host, owner).await;
                }
                Err(_) => {}
            },
            // It was adopted.
            Arrival::Taken => self.set(host, Here::Running),
            Arrival::Refused => self.stop(host, owner).await,
        }
    }

    /// The machine of a host loses its power.
    fn lose_power(&self, host: usize) {
        lock(&self.machines)[host].here = Here::Absent;
    }

    /// A daemon that has just started, on what is here.
    fn daemon(self: &Arc<Self>, mut host: Host) -> (Host, JoinHandle<()>) {
        let number = host.number;
        lock(&self.machines)[number].go = None;
        let machine = self.machine(number);
        let mut given_up = None;
        match machine.here {
            Here::Absent if machine.handed_over.is_some() => host.owner.doubt(DOMAIN),
            // It was lost with the power.
            Here::Absent => {
                given_up = self.undecided(number);
                if given_up.is_some() {
                    host.owner.doubt(DOMAIN);
                }
            }
            Here::Suspended => {
                host.owner.hold(DOMAIN, &name_of(DOMAIN));
                host.owner.doubt(DOMAIN);
            }
            Here::Arrived(id) => match self.settle(id) {
                Arrival::Arriving | Arrival::Refused => self.set(number, Here::Absent),
                Arrival::Undecided => host.owner.doubt(DOMAIN),
                Arrival::Taken => host.owner.hold(DOMAIN, &name_of(DOMAIN)),
            },
            Here::Built | Here::Running => host.owner.hold(DOMAIN, &name_of(DOMAIN)),
        }
        host.begin();
        let world = self.clone();
        let owner = host.owner.clone();
        let driver = tokio::spawn(async move {
            if let Some(id) = given_up {
                let keys = keys();
                while owner.renounce(arrived(DOMAIN, id, Some(keys.cluster()))).await.is_err() {
                    world.random.pause(2_000).await;
                }
                world.note(id, Arrival::Refused);
                owner.release(DOMAIN);
            }
            world.drive(number, owner).await;
        });
        (host, driver)
    }
}

async fn ask_for(owner: &Owner, id: Uuid) -> Result<Leave, Error> {
    let keys = keys();
    owner.receive(arrived(DOMAIN, id, Some(keys.cluster())), &name_of(DOMAIN), None).await
}

/// Faults of all kinds for some minutes. Returns how often the domain was started and moved.
async fn minutes_of_faults(seed: u64) -> (usize, usize) {
    let world = World::new(seed);
    let mut daemons: Vec<_> =
        (0..3).map(|number| Some(world.daemon(Host::new(&world.kv, number)))).collect();
    for _ in 0..300 {
        world.random.pause(2_000).await;
        let number =
            usize::from(world.random.below(3) == 0) + usize::from(world.random.below(2) == 0);
        let (host, driver) = daemons[number].take().unwrap();
        // What broke a rule has failed in its task.
        assert!(!driver.is_finished());
        let (mut host, mut driver) = (host, driver);
        match world.random.below(13) {
            0 | 1 => host.kv.lose_answer(Lost::Happened),
            2 => host.kv.lose_answer(Lost::Never),
            3 | 4 => host.kv.lose_answer(Lost::Later),
            5 => host.kv.deliver(),
            6 => host.kv.set_link(Link::Refused),
            7 => host.kv.set_link(Link::Silent),
            8 | 9 => host.kv.set_link(Link::Up),
            kill @ (10 | 11) => {
                driver.abort();
                driver.await.ok();
                if kill == 11 && world.random.below(3) == 0 {
                    world.lose_power(number);
                }
                (host, driver) = world.daemon(host.restarted());
            }
            _ => {
                let leader = world.kv.another_client();
                write(&leader, put(keys().host(&host_name(number)), b"changed")).await;
            }
        }
        daemons[number] = Some((host, driver));
    }
    // Then all is well, and goes on.
    for (host, _) in daemons.iter().flatten() {
        host.kv.set_link(Link::Up);
        host.kv.deliver();
    }
    let before = *lock(&world.starts);
    sleep(Duration::from_secs(180)).await;
    assert!(daemons.iter().flatten().all(|(_, driver)| !driver.is_finished()));
    let after = *lock(&world.starts);
    let shown = shown(&world.kv, DOMAIN).await;
    assert!(after > before, "no host can have it any more: {shown} {:?}", world.machines);
    (after, *lock(&world.moves))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_domain_never_runs_on_two_hosts(seed: u64) {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let (starts, moves) = runtime.unwrap().block_on(minutes_of_faults(seed));
        prop_assert!(starts > 5, "{} starts and {} moves", starts, moves);
    }
}
