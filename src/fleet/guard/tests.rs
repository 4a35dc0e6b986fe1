//! The guard's process without a machine: a store in memory, and Tokio's time.

use super::clients::talk;
use super::driver::{GuardHandle, drive};
use super::fence::FenceReader;
use super::ports::{BootClock, Destroyer, GuardPorts, Watchdog};
use crate::core::fleet::HostName;
use crate::core::guard::Timer;
use crate::core::model::Uuid;
use crate::fleet::keys::Keys;
use crate::fleet::kv::{Kv as _, Op, Txn};
use crate::fleet::memory::{Link, MemoryKv};
use crate::fleet::records::HostRecord;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

const BOOT: Uuid = Uuid::from_u128(5);
const HOST: Uuid = Uuid::from_u128(6);
const WEB: &str = "00000000-0000-0000-0000-000000000abc";

/// What has become of the machine.
#[derive(Debug, Default)]
struct Machine {
    timers: [Option<u32>; 2],
    destroyed: Vec<Uuid>,
    is_broken: bool,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Machine>>);

impl Watchdog for Shared {
    fn set(&mut self, timer: Timer, seconds: u32) -> io::Result<()> {
        let mut machine = self.0.lock().unwrap();
        if machine.is_broken {
            return Err(io::Error::other("broken"));
        }
        machine.timers[usize::from(timer == Timer::Second)] = Some(seconds);
        Ok(())
    }

    fn disarm(&mut self) -> io::Result<()> {
        self.0.lock().unwrap().timers = [None; 2];
        Ok(())
    }
}

impl Destroyer for Shared {
    fn destroy(&self, domains: &[Uuid]) -> Vec<Uuid> {
        self.0.lock().unwrap().destroyed.extend(domains);
        domains.to_vec()
    }
}

struct Ticking(Instant);

impl BootClock for Ticking {
    fn now(&self) -> Duration {
        self.0.elapsed() + Duration::from_secs(1_000)
    }
}

struct Guarded {
    /// The guard's way to the store.
    kv: Arc<MemoryKv>,
    keys: Keys,
    host: HostName,
    machine: Shared,
    handle: GuardHandle,
}

impl Guarded {
    /// A guard of the host xen1, in its third epoch.
    async fn start(no_watchdog: Option<&str>) -> Self {
        let kv = Arc::new(MemoryKv::default());
        let keys = Keys::new("lab".parse().unwrap());
        let host: HostName = "xen1".parse().unwrap();
        let machine = Shared(Arc::default());
        let reader = FenceReader {
            kv: Arc::clone(&kv) as _,
            keys: keys.clone(),
            host: host.clone(),
            uuid: HOST,
            boot_id: BOOT,
        };
        let watchdog: Result<Box<dyn Watchdog>, String> = match no_watchdog {
            Some(reason) => Err(reason.to_owned()),
            None => Ok(Box::new(machine.clone())),
        };
        let ports = GuardPorts {
            watchdog,
            destroyer: Arc::new(machine.clone()),
            clock: Arc::new(Ticking(Instant::now())),
        };
        let (handle, driver) = drive(ports, reader, CancellationToken::new());
        tokio::spawn(driver);
        let guarded = Self { kv, keys, host, machine, handle };
        guarded.put_host(3, BOOT).await;
        guarded
    }

    async fn put_host(&self, epoch: u64, boot_id: Uuid) {
        let joining = HostRecord::joining(HOST, UNIX_EPOCH);
        let record = HostRecord { epoch, boot_id: Some(boot_id), ..joining };
        self.put(self.keys.host(&self.host), record.encode()).await;
    }

    async fn fence(&self, epoch: u64) {
        self.put(self.keys.fence(&self.host, epoch), b"{}".to_vec()).await;
    }

    async fn put(&self, key: String, value: Vec<u8>) {
        let ops = vec![Op::put(key, value)];
        self.kv.another_client().commit(Txn { compares: vec![], ops }).await.unwrap();
    }

    /// What a client is answered, which says these lines and hangs up.
    async fn say(&self, lines: &str) -> String {
        let (mut client, server) = duplex(1 << 16);
        let handle = self.handle.clone();
        let talking = tokio::spawn(async move { talk(server, &handle).await });
        client.write_all(lines.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answers = String::new();
        client.read_to_string(&mut answers).await.unwrap();
        talking.await.unwrap().unwrap();
        answers
    }

    fn timers(&self) -> [Option<u32>; 2] {
        self.machine.0.lock().unwrap().timers
    }

    fn destroyed(&self) -> Vec<String> {
        let machine = self.machine.0.lock().unwrap();
        machine.destroyed.iter().map(Uuid::to_string).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_domain_is_registered_built_and_released() {
    let guarded = Guarded::start(None).await;
    assert_eq!(guarded.say(&format!("register {WEB}\n")).await, "guarded 3\n");
    assert_eq!(guarded.timers(), [Some(30), None]);
    assert_eq!(guarded.say(&format!("built {WEB}\nstatus\n")).await.lines().count(), 3);
    sleep(Duration::from_secs(60)).await;
    let status = guarded.say("status\n").await;
    assert!(status.starts_with("status guarding epoch 3 age "), "{status}");
    assert!(
        status.ends_with(&format!(" watchdog yes domains 1\ndomain {WEB} built\n")),
        "{status}"
    );
    assert_eq!(guarded.say(&format!("release {WEB}\n")).await, "ok\n");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(guarded.timers(), [None, None]);
    assert_eq!(guarded.destroyed(), [] as [String; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_fence_ends_what_is_guarded() {
    let guarded = Guarded::start(None).await;
    // That of another epoch says nothing of this one.
    guarded.fence(2).await;
    let lines = format!("register {WEB}\nbuilt {WEB}\n");
    assert_eq!(guarded.say(&lines).await, "guarded 3\nok\n");
    sleep(Duration::from_secs(10)).await;
    assert!(guarded.destroyed().is_empty());
    guarded.fence(3).await;
    sleep(Duration::from_secs(3)).await;
    assert_eq!(guarded.destroyed(), [WEB]);
    assert_eq!(guarded.timers(), [None, None]);
    assert!(guarded.say(&lines).await.starts_with("refused fenced this boot"));
}

#[tokio::test(start_paused = true)]
async fn without_etcd_what_is_guarded_ends_within_twenty_seconds() {
    for link in [Link::Refused, Link::Silent, Link::Forbidden] {
        let guarded = Guarded::start(None).await;
        guarded.say(&format!("register {WEB}\nbuilt {WEB}\n")).await;
        guarded.kv.set_link(link);
        sleep(Duration::from_secs(17)).await;
        assert!(guarded.destroyed().is_empty(), "{link:?}");
        sleep(Duration::from_secs(4)).await;
        assert_eq!(guarded.destroyed(), [WEB], "{link:?}");
        assert!(guarded.say(&format!("register {WEB}\n")).await.starts_with("refused silent "));
        guarded.kv.set_link(Link::Up);
        assert_eq!(guarded.say(&format!("register {WEB}\n")).await, "guarded 3\n");
    }
}

#[tokio::test(start_paused = true)]
async fn an_etcd_that_is_away_for_a_moment_changes_nothing() {
    let guarded = Guarded::start(None).await;
    guarded.say(&format!("register {WEB}\nbuilt {WEB}\n")).await;
    for _ in 0..5 {
        guarded.kv.set_link(Link::Silent);
        sleep(Duration::from_secs(12)).await;
        guarded.kv.set_link(Link::Up);
        sleep(Duration::from_secs(4)).await;
    }
    assert!(guarded.destroyed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_this_boots_epoch_counts() {
    let guarded = Guarded::start(None).await;
    guarded.put_host(2, Uuid::from_u128(99)).await;
    let answer = guarded.say(&format!("register {WEB}\n")).await;
    assert!(answer.starts_with("refused no-epoch "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_host_without_a_watchdog_guards_nothing_and_says_why() {
    let guarded = Guarded::start(Some("there is none")).await;
    let answer = guarded.say(&format!("register {WEB}\n")).await;
    assert_eq!(answer, "refused no-watchdog there is none\n");
    assert!(guarded.say("status\n").await.contains("watchdog no domains 0"));
    let guarded = Guarded::start(None).await;
    guarded.machine.0.lock().unwrap().is_broken = true;
    let answer = guarded.say(&format!("register {WEB}\n")).await;
    let reason = "the hypervisor's watchdog cannot be set: broken";
    assert_eq!(answer, format!("refused no-watchdog {reason}\n"));
}

#[tokio::test(start_paused = true)]
async fn a_host_goes_away_and_comes_back() {
    let guarded = Guarded::start(None).await;
    guarded.say(&format!("register {WEB}\nbuilt {WEB}\n")).await;
    assert_eq!(guarded.say("away\n").await, "ok\n");
    assert_eq!(guarded.timers(), [None, None]);
    guarded.kv.set_link(Link::Refused);
    sleep(Duration::from_secs(100)).await;
    assert!(guarded.say("back\n").await.starts_with("refused silent "));
    guarded.kv.set_link(Link::Up);
    assert_eq!(guarded.say("back\n").await, "ok\n");
    assert_ne!(guarded.timers(), [None, None]);
    assert!(guarded.destroyed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_said_and_a_long_line_ends_the_connection() {
    let guarded = Guarded::start(None).await;
    let answers = guarded.say("what\nregister 7\nstatus\n").await;
    let lines: Vec<_> = answers.lines().collect();
    assert!(lines[0].starts_with("refused mistake register, built"), "{answers}");
    assert!(lines[1].starts_with("refused mistake the UUID"), "{answers}");
    assert!(lines[2].starts_with("status idle"), "{answers}");
    let long = format!("{}\nstatus\n", "x".repeat(64));
    assert_eq!(guarded.say(&long).await, "refused mistake a line has 64 bytes at most\n");
    // Half a line is no request.
    assert_eq!(guarded.say("status").await, "");
}
