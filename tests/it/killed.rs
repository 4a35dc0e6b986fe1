//! The daemon is killed again and again during random operations.
//!
//! A model knows which operations were acknowledged. One that was under way at the kill may have
//! happened or not: after the restart each domain must be in one of the possible states.
//!
//! `XEND_SEED` runs a single seed; `XEND_OPS` is the number of operations of a seed.

use crate::http_support::{Daemon, Listener, encoded, post, try_ask};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use xend::sxp::{Limits, Sxp, read_one};

const DOMAINS: usize = 8;

/// xorshift64*: random enough, and reproducible.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % n
    }
}

/// The state of a domain in the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum DomainState {
    /// Neither on the host nor defined, but perhaps in a saved file.
    Nowhere,
    /// On the host, not defined.
    Running,
    /// On the host and defined.
    ManagedRunning,
    /// Defined.
    Halted,
    /// Defined, with its memory in a file.
    Suspended,
}

use DomainState::{Halted, ManagedRunning, Nowhere, Running, Suspended};

/// An operation on a domain.
#[derive(Debug, Clone, Copy)]
enum Operation {
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

const OPERATIONS: [Operation; 16] = [
    Operation::New,
    Operation::Delete,
    Operation::Create,
    Operation::Start,
    Operation::Destroy,
    Operation::Pause,
    Operation::Unpause,
    Operation::Memory,
    Operation::Vcpus,
    Operation::Attach,
    Operation::Detach,
    Operation::Suspend,
    Operation::Resume,
    Operation::Save,
    Operation::Restore,
    Operation::Rename,
];

/// The state after a successful operation.
fn after(operation: Operation, state: DomainState) -> DomainState {
    match (operation, state) {
        (Operation::New, Nowhere)
        | (Operation::Destroy, ManagedRunning | Suspended)
        | (Operation::Save, ManagedRunning) => Halted,
        (Operation::New, Running)
        | (Operation::Start | Operation::Create | Operation::Restore, Halted)
        | (Operation::Resume, Suspended) => ManagedRunning,
        (Operation::Delete, Halted) | (Operation::Destroy | Operation::Save, Running) => Nowhere,
        (Operation::Create | Operation::Restore, Nowhere) => Running,
        (Operation::Suspend, ManagedRunning) => Suspended,
        (_, other) => other,
    }
}

struct Domain {
    name: String,
    uuid: String,
    /// Its possible states: one, unless an operation was under way at a kill.
    possible: BTreeSet<DomainState>,
}

impl Domain {
    fn new(number: usize) -> Self {
        Self {
            name: format!("dom{number}"),
            uuid: format!("11111111-2222-3333-4444-0000000000{number:02}"),
            possible: [Nowhere].into(),
        }
    }

    fn request(&self, operation: Operation, dir: &Path) -> Vec<u8> {
        let config = format!(
            "(vm (name {}) (uuid {}) (memory 16) (maxmem 64) (vcpus 2) \
             (image (linux (kernel /boot/vmlinuz))) \
             (device (vbd (uname phy:/dev/vg0/{}) (dev xvda) (mode w))))",
            self.name, self.uuid, self.name
        );
        let all = "/xend/domain".to_owned();
        let own = format!("/xend/domain/{}", self.uuid);
        let file = encoded(dir.join(format!("{}.save", self.name)).to_str().unwrap());
        let disk = encoded("(vbd (uname phy:/dev/vg0/more) (dev xvdb) (mode w))");
        let (target, form) = match operation {
            Operation::New => (all, format!("op=new&config={}", encoded(&config))),
            Operation::Create => (all, format!("op=create&config={}", encoded(&config))),
            Operation::Restore => (all, format!("op=restore&file={file}")),
            Operation::Delete => (own, "op=delete".into()),
            Operation::Start => (own, "op=start".into()),
            Operation::Destroy => (own, "op=destroy".into()),
            Operation::Pause => (own, "op=pause".into()),
            Operation::Unpause => (own, "op=unpause".into()),
            Operation::Memory => (own, "op=mem_target_set&target=24".into()),
            Operation::Vcpus => (own, "op=set_vcpus&vcpus=1".into()),
            Operation::Attach => (own, format!("op=device_create&config={disk}")),
            Operation::Detach => (own, "op=device_destroy&type=vbd&dev=xvdb".into()),
            Operation::Suspend => (own, "op=suspend".into()),
            Operation::Resume => (own, "op=resume".into()),
            Operation::Save => (own, format!("op=save&file={file}")),
            // The path has the UUID, which a rename does not change.
            Operation::Rename => (own, format!("op=rename&name={}", self.name)),
        };
        post(&target, &form)
    }

    /// Updates the model by the status of an answer, or its absence.
    fn record(&mut self, operation: Operation, code: Option<u16>) {
        let done: BTreeSet<DomainState> =
            self.possible.iter().map(|state| after(operation, *state)).collect();
        match code {
            Some(200..300) => self.possible = done,
            // A refused operation changes nothing.
            Some(_) => {}
            None => self.possible.extend(done),
        }
    }
}

/// The state of a domain according to the daemon.
fn observe(daemon: &Daemon, domain: &Domain) -> DomainState {
    // A destroy that the kill interrupted is completed after the restart.
    daemon.until("the destroy completes", |daemon| {
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

/// Checks after a restart that each domain is in a possible state and that no file is damaged.
fn check(daemon: &Daemon, domains: &mut [Domain], what: &str) {
    let states: Vec<DomainState> = domains.iter().map(|domain| observe(daemon, domain)).collect();
    let list = daemon.get("/xend/domain?state=all").sxp();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for name in list.as_list().unwrap() {
        *names.entry(name.as_str().unwrap().to_owned()).or_default() += 1;
    }
    for (domain, state) in domains.iter_mut().zip(states) {
        let listed = names.remove(&domain.name).unwrap_or(0);
        assert_eq!(
            listed,
            usize::from(state != Nowhere),
            "{what}: {} is listed {listed} times",
            domain.name
        );
        assert!(
            domain.possible.contains(&state),
            "{what}: {} is {state:?}, not one of {:?}\n{}",
            domain.name,
            domain.possible,
            daemon.log()
        );
        domain.possible = [state].into();
    }
    assert_eq!(names.into_keys().collect::<Vec<_>>(), ["Domain-0"], "{what}");
    let state = daemon.dir.path().join("state");
    for file in files(&state) {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(!name.contains("damaged"), "{what}: {}", file.display());
        if name == "config.sxp" {
            let tree: Sxp = read_one(&std::fs::read(&file).unwrap(), &Limits::default()).unwrap();
            assert_eq!(tree.head(), Some("domain"), "{what}");
        }
    }
    nothing_is_left_unfinished(daemon, &state);
}

/// A file that the killed daemon left stays; one that this daemon is writing is gone in a moment.
fn nothing_is_left_unfinished(daemon: &Daemon, dir: &Path) {
    let seen = unfinished(dir);
    daemon.until(&format!("{seen:?} are finished"), |_| !seen.iter().any(|file| file.exists()));
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Runs operations on several domains at a time and kills the daemon meanwhile.
fn round(
    random: &mut Random,
    daemon: Daemon,
    domains: &mut [Domain],
    what: &str,
) -> (Daemon, usize) {
    let pid = daemon.pid();
    let tcp = daemon.tcp;
    let files = daemon.dir.path().to_owned();
    let mut plans: Vec<Vec<Operation>> = Vec::new();
    for _ in domains.iter() {
        plans.push(
            (0..random.below(6)).map(|_| OPERATIONS[random.below(OPERATIONS.len())]).collect(),
        );
    }
    let executed = plans.iter().map(Vec::len).sum();
    let delay = Duration::from_micros(u64::try_from(random.below(60_000)).unwrap());
    std::thread::scope(|scope| {
        for (domain, plan) in domains.iter_mut().zip(plans) {
            let files = &files;
            scope.spawn(move || {
                for operation in plan {
                    let answer = status_of(tcp, &domain.request(operation, files));
                    domain.record(operation, answer);
                    if answer.is_none() {
                        return;
                    }
                }
            });
        }
        std::thread::sleep(delay);
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    });
    let daemon = daemon.restarted();
    check(&daemon, domains, what);
    (daemon, executed)
}

/// The status of the answer; `None` if the daemon was killed.
fn status_of(tcp: SocketAddr, request: &[u8]) -> Option<u16> {
    TcpStream::connect(tcp).ok()?;
    let answer = std::panic::catch_unwind(|| try_ask(&Listener::Tcp(tcp), request)).ok()??;
    // An incomplete answer counts as none.
    let length: usize = answer.header("content-length")?.parse().ok()?;
    (answer.body.len() >= length).then_some(answer.code)
}

#[test]
fn acknowledged_operations_survive_kills() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds: Vec<u64> = number("XEND_SEED").map_or_else(|| vec![1, 2, 3], |seed| vec![seed]);
    let operations = usize::try_from(number("XEND_OPS").unwrap_or(1000)).unwrap();
    std::thread::scope(|scope| {
        for seed in seeds {
            scope.spawn(move || {
                let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
                let mut domains: Vec<Domain> = (0..DOMAINS).map(Domain::new).collect();
                let mut daemon = Daemon::start(&[]);
                let mut executed = 0;
                let mut rounds = 0;
                while executed < operations {
                    let what = format!("XEND_SEED={seed}, round {rounds}");
                    let count;
                    (daemon, count) = round(&mut random, daemon, &mut domains, &what);
                    executed += count;
                    rounds += 1;
                }
                println!("seed {seed}: {executed} operations, killed {rounds} times");
            });
        }
    });
}

/// The unfinished files in a directory.
fn unfinished(dir: &Path) -> Vec<PathBuf> {
    files(dir).into_iter().filter(|file| file.to_string_lossy().contains("/.new-")).collect()
}

#[test]
fn an_unfinished_save_is_removed_at_the_next_start() {
    let target = tempfile::tempdir().unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("state/dump")).unwrap();
    for left in ["state/.new-left", "state/dump/.new-left"] {
        std::fs::write(dir.path().join(left), "half").unwrap();
    }
    let daemon = Daemon::start_in(dir, &[]);
    nothing_is_left_unfinished(&daemon, daemon.dir.path());

    // Another program's file stays.
    std::fs::write(target.path().join(".new-other"), "half").unwrap();
    let config = "(vm (name saveslow) (memory 256) (image (linux (kernel /k))))";
    assert_eq!(daemon.create(config).code, 201);
    assert_eq!(daemon.post("/xend/domain/saveslow", "op=unpause").code, 200);
    let file = target.path().join("saved");
    let request = post("/xend/domain/saveslow", &format!("op=save&file={}", file.display()));
    let tcp = daemon.tcp;
    let daemon = std::thread::scope(|scope| {
        scope.spawn(|| status_of(tcp, &request));
        daemon.until("the save is recorded", |daemon| {
            let moves = files(&daemon.dir.path().join("state/moves"));
            moves.iter().any(|file| file.extension().is_some_and(|ending| ending == "sxp"))
        });
        assert_eq!(unfinished(target.path()).len(), 2);
        daemon.killed_and_restarted()
    });
    assert_eq!(unfinished(target.path()), [target.path().join(".new-other")]);
    assert!(!file.exists());
    daemon.until("the domain runs on", |daemon| {
        !daemon.value("saveslow", "state").contains(['s', 'd', 'c'])
    });
    assert!(daemon.log().contains("Removed a file that a killed xend left unfinished"));
}
