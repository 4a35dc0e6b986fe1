//! The daemon is killed at random moments of random operations, again and again.
//!
//! A model knows what was acknowledged. An operation that was under way when the daemon was killed
//! may have happened or not; after that, each domain must be in one of the states that it can have
//! got into, and no other.
//!
//! `XEND_SEED` plays one seed, `XEND_OPS` says how many operations a seed has.

use crate::http_support::{Daemon, Door, encoded, post, try_ask};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use xend::sxp::{Limits, Sxp, read_one};

const DOMAINS: usize = 8;

/// xorshift64*: as good as random here, and the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % n
    }
}

/// What a domain is, as far as the model goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Is {
    /// It is not there; it may be in a file that somebody saved it to.
    Nowhere,
    /// It is on the host and not defined.
    Running,
    /// It is on the host and defined.
    ManagedRunning,
    /// It is defined.
    Halted,
    /// It is defined, and its memory is in a file.
    Suspended,
}

use Is::{Halted, ManagedRunning, Nowhere, Running, Suspended};

/// What is asked of a domain.
#[derive(Debug, Clone, Copy)]
enum Ask {
    New,
    Delete,
    Create,
    Start,
    Destroy,
    Pause,
    Unpause,
    Memory,
    Vcpus,
    Attach,
    Detach,
    Suspend,
    Resume,
    Save,
    Restore,
    Rename,
}

const ASKS: [Ask; 16] = [
    Ask::New,
    Ask::Delete,
    Ask::Create,
    Ask::Start,
    Ask::Destroy,
    Ask::Pause,
    Ask::Unpause,
    Ask::Memory,
    Ask::Vcpus,
    Ask::Attach,
    Ask::Detach,
    Ask::Suspend,
    Ask::Resume,
    Ask::Save,
    Ask::Restore,
    Ask::Rename,
];

/// What becomes of a domain if it is done.
fn after(ask: Ask, is: Is) -> Is {
    match (ask, is) {
        (Ask::New, Nowhere)
        | (Ask::Destroy, ManagedRunning | Suspended)
        | (Ask::Save, ManagedRunning) => Halted,
        (Ask::New, Running)
        | (Ask::Start | Ask::Create | Ask::Restore, Halted)
        | (Ask::Resume, Suspended) => ManagedRunning,
        (Ask::Delete, Halted) | (Ask::Destroy | Ask::Save, Running) => Nowhere,
        (Ask::Create | Ask::Restore, Nowhere) => Running,
        (Ask::Suspend, ManagedRunning) => Suspended,
        (_, other) => other,
    }
}

struct Domain {
    name: String,
    uuid: String,
    /// What it can be: one thing, unless something was under way.
    can_be: BTreeSet<Is>,
}

impl Domain {
    fn new(number: usize) -> Self {
        Self {
            name: format!("dom{number}"),
            uuid: format!("11111111-2222-3333-4444-0000000000{number:02}"),
            can_be: [Nowhere].into(),
        }
    }

    fn request(&self, ask: Ask, dir: &Path) -> Vec<u8> {
        let config = format!(
            "(vm (name {}) (uuid {}) (memory 16) (maxmem 64) (vcpus 2) (image (linux (kernel /boot/vmlinuz))) \
             (device (vbd (uname phy:/dev/vg0/{}) (dev xvda) (mode w))))",
            self.name, self.uuid, self.name
        );
        let all = "/xend/domain".to_owned();
        let own = format!("/xend/domain/{}", self.uuid);
        let file = encoded(dir.join(format!("{}.save", self.name)).to_str().unwrap());
        let disk = encoded("(vbd (uname phy:/dev/vg0/more) (dev xvdb) (mode w))");
        let (target, form) = match ask {
            Ask::New => (all, format!("op=new&config={}", encoded(&config))),
            Ask::Create => (all, format!("op=create&config={}", encoded(&config))),
            Ask::Restore => (all, format!("op=restore&file={file}")),
            Ask::Delete => (own, "op=delete".into()),
            Ask::Start => (own, "op=start".into()),
            Ask::Destroy => (own, "op=destroy".into()),
            Ask::Pause => (own, "op=pause".into()),
            Ask::Unpause => (own, "op=unpause".into()),
            Ask::Memory => (own, "op=mem_target_set&target=24".into()),
            Ask::Vcpus => (own, "op=set_vcpus&vcpus=1".into()),
            Ask::Attach => (own, format!("op=device_create&config={disk}")),
            Ask::Detach => (own, "op=device_destroy&type=vbd&dev=xvdb".into()),
            Ask::Suspend => (own, "op=suspend".into()),
            Ask::Resume => (own, "op=resume".into()),
            Ask::Save => (own, format!("op=save&file={file}")),
            // To and fro: a name that changed is found by the UUID.
            Ask::Rename => (own, format!("op=rename&name={}", self.name)),
        };
        post(&target, &form)
    }

    /// Takes note of an answer, or of there having been none.
    fn heard(&mut self, ask: Ask, code: Option<u16>) {
        let done: BTreeSet<Is> = self.can_be.iter().map(|is| after(ask, *is)).collect();
        match code {
            Some(200..300) => self.can_be = done,
            // What was refused did not happen.
            Some(_) => {}
            None => self.can_be.extend(done),
        }
    }
}

/// What the daemon says of a domain.
fn seen(daemon: &Daemon, domain: &Domain) -> Is {
    // One that was being destroyed when the daemon was killed is on its way out.
    daemon.until("it has gone", |daemon| {
        let state =
            daemon.domain(&domain.uuid).and_then(|d| Some(d.value("state")?.as_str()?.to_owned()));
        !state.unwrap_or_default().contains('d')
    });
    let Some(shown) = daemon.domain(&domain.uuid) else { return Nowhere };
    assert_eq!(shown.value("name").unwrap().as_str(), Some(domain.name.as_str()));
    let stored =
        daemon.dir.path().join(format!("state/domains/{}/config.sxp", domain.uuid)).exists();
    let status = shown.value("status").unwrap().as_str().unwrap().to_owned();
    match (shown.value("domid").is_some(), stored, status.as_str()) {
        (true, true, _) => ManagedRunning,
        (true, false, _) => Running,
        (false, true, "3") => Suspended,
        (false, true, _) => Halted,
        (false, false, _) => panic!("{} is neither on the host nor stored", domain.name),
    }
}

/// After a restart: everything is as it was acknowledged, and nothing is damaged.
fn check(daemon: &Daemon, domains: &mut [Domain], what: &str) {
    let all: Vec<Is> = domains.iter().map(|domain| seen(daemon, domain)).collect();
    let list = daemon.get("/xend/domain?state=all").sxp();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for name in list.as_list().unwrap() {
        *names.entry(name.as_str().unwrap().to_owned()).or_default() += 1;
    }
    for (domain, is) in domains.iter_mut().zip(all) {
        let listed = names.remove(&domain.name).unwrap_or(0);
        assert_eq!(
            listed,
            usize::from(is != Nowhere),
            "{what}: {} is listed {listed} times",
            domain.name
        );
        assert!(
            domain.can_be.contains(&is),
            "{what}: {} is {is:?}, it can only be {:?}\n{}",
            domain.name,
            domain.can_be,
            daemon.log()
        );
        domain.can_be = [is].into();
    }
    assert_eq!(names.into_keys().collect::<Vec<_>>(), ["Domain-0"], "{what}");
    let state = daemon.dir.path().join("state");
    for file in files(&state) {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(
            !name.contains("damaged") && !name.starts_with(".new-"),
            "{what}: {}",
            file.display()
        );
        if name == "config.sxp" {
            let tree: Sxp = read_one(&std::fs::read(&file).unwrap(), &Limits::default()).unwrap();
            assert_eq!(tree.head(), Some("domain"), "{what}");
        }
    }
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Several domains at a time are asked for something, and in the midst of it the daemon is killed.
fn round(
    random: &mut Random,
    daemon: Daemon,
    domains: &mut [Domain],
    what: &str,
) -> (Daemon, usize) {
    let pid = daemon.pid();
    let tcp = daemon.tcp;
    let files = daemon.dir.path().to_owned();
    let mut plans: Vec<Vec<Ask>> = Vec::new();
    for _ in domains.iter() {
        plans.push((0..random.below(6)).map(|_| ASKS[random.below(ASKS.len())]).collect());
    }
    let asked = plans.iter().map(Vec::len).sum();
    let delay = Duration::from_micros(u64::try_from(random.below(60_000)).unwrap());
    std::thread::scope(|scope| {
        for (domain, plan) in domains.iter_mut().zip(plans) {
            let files = &files;
            scope.spawn(move || {
                for ask in plan {
                    let answer = try_ask_or_refused(tcp, &domain.request(ask, files));
                    domain.heard(ask, answer);
                    if answer.is_none() {
                        return;
                    }
                }
            });
        }
        std::thread::sleep(delay);
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    });
    let daemon = daemon.restarted();
    check(&daemon, domains, what);
    (daemon, asked)
}

/// The status, or none if the daemon has gone.
fn try_ask_or_refused(tcp: std::net::SocketAddr, request: &[u8]) -> Option<u16> {
    std::net::TcpStream::connect(tcp).ok()?;
    let answer = std::panic::catch_unwind(|| try_ask(&Door::Tcp(tcp), request)).ok()??;
    // One that broke off is none.
    let length: usize = answer.header("content-length")?.parse().ok()?;
    (answer.body.len() >= length).then_some(answer.code)
}

#[test]
fn nothing_that_was_acknowledged_is_lost() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds: Vec<u64> = number("XEND_SEED").map_or_else(|| vec![1, 2, 3], |seed| vec![seed]);
    let operations = usize::try_from(number("XEND_OPS").unwrap_or(1000)).unwrap();
    std::thread::scope(|scope| {
        for seed in seeds {
            scope.spawn(move || {
                let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
                let mut domains: Vec<Domain> = (0..DOMAINS).map(Domain::new).collect();
                let mut daemon = Daemon::start(&[]);
                let mut asked = 0;
                let mut rounds = 0;
                while asked < operations {
                    let what = format!("XEND_SEED={seed}, round {rounds}");
                    let count;
                    (daemon, count) = round(&mut random, daemon, &mut domains, &what);
                    asked += count;
                    rounds += 1;
                }
                println!("seed {seed}: {asked} operations, killed {rounds} times");
            });
        }
    });
}
