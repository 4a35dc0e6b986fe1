//! The fleet under test.

use crate::etcd_cluster::EtcdCluster;
use crate::machine::Machine;
use crate::proxy::Links;
use crate::random::Random;
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const HOSTS: usize = 5;
/// The hosts that watch for hosts that die.
const TAKERS: [&str; 3] = ["xen1", "xen2", "xen3"];
/// The domains that run, with the policy of those that are protected.
const DOMAINS: [(&str, Option<&str>); 10] = [
    ("db1", Some("always")),
    ("db2", Some("always")),
    ("db3", Some("always")),
    ("db4", Some("always")),
    ("web1", Some("best-effort")),
    ("web2", Some("best-effort")),
    ("old1", None),
    ("old2", None),
    ("old3", None),
    ("old4", None),
];
/// Time limit that nothing reaches unless it fails, even on a busy machine.
pub(crate) const GENEROUS: Duration = Duration::from_secs(300);
/// How long a change without an answer may still come.
const LATE: u64 = 60_000_000_000;

/// All that runs.
pub(crate) struct Fleet {
    pub(crate) machines: Vec<Machine>,
    pub(crate) etcd: EtcdCluster,
    pub(crate) runtime: Runtime,
    pub(crate) domains: Vec<Domain>,
    pub(crate) seed: u64,
    began: Instant,
    is_over: AtomicBool,
    tally: Mutex<BTreeMap<String, usize>>,
}

/// A domain that is started, stopped and moved.
pub(crate) struct Domain {
    pub(crate) name: &'static str,
    pub(crate) policy: Option<&'static str>,
    /// Until when a client may have stopped it, as [`now`] counts.
    stopped_until: Mutex<u64>,
}

/// The nanoseconds of the clock that histories have.
pub(crate) fn now() -> u64 {
    let now = Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap();
    u64::try_from(now.as_nanos()).unwrap()
}

/// Waits for a condition; tells whether it has come within the limit.
pub(crate) fn wait_for(limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while !is_so() {
        if began.elapsed() > limit {
            return false;
        }
        thread::sleep(Duration::from_millis(500));
    }
    true
}

impl Domain {
    pub(crate) fn uuid(&self) -> String {
        let number = DOMAINS.iter().position(|(name, _)| *name == self.name).unwrap();
        format!("11111111-0000-0000-0000-{number:012}")
    }

    pub(crate) fn config(&self) -> String {
        format!(
            "(vm (name {}) (uuid {}) (memory 64) (image (linux (kernel /boot/vmlinuz))))",
            self.name,
            self.uuid()
        )
    }

    /// Some are left alone by clients that stop domains.
    pub(crate) fn may_be_stopped(&self) -> bool {
        !["db1", "db2", "web1"].contains(&self.name)
    }

    /// A client has tried to stop it.
    pub(crate) fn note_stop(&self, is_answered: bool) {
        let until = if is_answered { now() } else { now() + LATE };
        let mut stopped = self.stopped_until.lock().unwrap();
        *stopped = until.max(*stopped);
    }

    pub(crate) fn stopped_until(&self) -> u64 {
        *self.stopped_until.lock().unwrap()
    }
}

impl Fleet {
    /// Starts all of it, with its files in a directory.
    pub(crate) fn new(dir: &Path, seed: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let etcd = EtcdCluster::start(dir);
        let machine = |number: usize| {
            let links = Links::new(runtime.handle(), &etcd.ports);
            Machine::new(&format!("xen{number}"), links)
        };
        let machines = (1..=HOSTS).map(machine).collect();
        let domain = |(name, policy)| Domain { name, policy, stopped_until: Mutex::default() };
        Self {
            machines,
            etcd,
            runtime,
            domains: DOMAINS.map(domain).into_iter().collect(),
            seed,
            began: Instant::now(),
            is_over: AtomicBool::new(false),
            tally: Mutex::default(),
        }
    }

    pub(crate) fn random(&self, number: u64) -> Random {
        Random::new(self.seed, number)
    }

    pub(crate) fn say(&self, text: &str) {
        println!("{:7.1} s  {text}", self.began.elapsed().as_secs_f64());
    }

    pub(crate) fn count(&self, what: &str) {
        *self.tally.lock().unwrap().entry(what.to_owned()).or_default() += 1;
    }

    pub(crate) fn tally(&self) -> BTreeMap<String, usize> {
        self.tally.lock().unwrap().clone()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Clients end.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Waits, but not beyond the end. Tells whether that is still to come.
    pub(crate) fn pause(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        while !self.is_over() && Instant::now() < until {
            thread::sleep(Duration::from_millis(50).min(limit));
        }
        !self.is_over()
    }

    /// Makes the hosts a fleet, and has all domains run in it.
    pub(crate) fn set_up(&self) {
        let first = &self.machines[0].host;
        assert!(
            wait_for(GENEROUS, || first.fleet(&["init"]).status == Some(0)),
            "no fleet: {:?}",
            first.fleet(&["init"])
        );
        for machine in &self.machines[1..] {
            let token = first.fleet(&["token"]).ok();
            machine.host.fleet(&["join", token.trim()]).ok();
        }
        let all_alive = || self.alive() == Some(HOSTS);
        assert!(wait_for(GENEROUS, all_alive), "not all hosts are alive");
        first.fleet(&[&["takers"], TAKERS.as_slice()].concat()).ok();
        for (number, domain) in self.domains.iter().enumerate() {
            let machine = &self.machines[number % HOSTS];
            let form = format!("op=new&config={}", domain.config());
            let answer = machine.post("/xend/domain", &form, GENEROUS);
            assert!(matches!(answer, Some((200..300, _))), "{}: {answer:?}", domain.name);
            if let Some(policy) = domain.policy {
                let set = first.fleet(&["policy", domain.name, policy]);
                assert_eq!(set.status, Some(0), "{set:?}");
            }
            let target = format!("/xend/domain/{}", domain.name);
            let mut last = None;
            let is_started = wait_for(Duration::from_secs(60), || {
                last = machine.post(&target, "op=start", GENEROUS);
                matches!(last, Some((200..300, _)))
            });
            assert!(is_started, "{}: {last:?}", domain.name);
        }
    }

    /// The number of hosts that are alive.
    pub(crate) fn alive(&self) -> Option<usize> {
        let status = self.machines[0].host.fleet(&["status", "--json"]).out;
        let status: serde_json::Value = serde_json::from_str(&status).ok()?;
        let members = status["members"].as_array()?.iter();
        Some(members.filter(|member| member["is_alive"] == true).count())
    }
}
