//! A guest in a directory: its files, its interfaces, and programs that only say that they ran.

use crate::files::{self, Files};
use crate::vm_data::VmData;
use std::cell::RefCell;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tempfile::{TempDir, tempdir, tempdir_in};
use xend_guest_agent::command::{Command, Context, Session};
use xend_guest_agent::commands::resetnetwork::ResetNetwork;
use xend_guest_agent::network::kernel::{Kernel, Wanted};
use xend_guest_agent::network::rollback;
use xend_guest_agent::root::Root;
use xend_guest_agent::runner::{Finished, Program, Runner};
use xend_guest_agent::system::System;
use xend_guest_protocol::response::Response;

/// A kind of guest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// Its directory in `tests/golden`.
    pub(crate) name: &'static str,
    /// The programs that it has.
    pub(crate) programs: &'static [&'static str],
    /// What programs print, by the beginning of their command line.
    pub(crate) prints: &'static [(&'static str, &'static str)],
    /// The command lines that fail, by their beginning.
    pub(crate) fails: &'static [&'static str],
    /// The command that makes the new network take effect, by its beginning.
    pub(crate) applies: &'static str,
}

const DEVICES: &str = "eth0:connected\neth1:disconnected\nlo:unmanaged\n";

/// All kinds of guests.
pub(crate) const KINDS: [Kind; 9] = [
    Kind {
        name: "netplan",
        programs: &["netplan", "networkctl", "systemctl"],
        prints: &[],
        fails: &[],
        applies: "netplan apply",
    },
    Kind {
        name: "network-manager",
        programs: &["nmcli", "systemctl"],
        prints: &[("nmcli -t", DEVICES)],
        fails: &[],
        applies: "nmcli connection up id xend-eth0",
    },
    Kind {
        name: "networkd",
        programs: &["networkctl", "systemctl", "nmcli"],
        prints: &[],
        fails: &["nmcli", "systemctl is-active --quiet systemd-resolved"],
        applies: "networkctl re",
    },
    Kind {
        name: "ifupdown",
        programs: &["ifup", "ifdown", "ip", "systemctl"],
        prints: &[],
        fails: &["systemctl"],
        applies: "ifup eth0",
    },
    Kind {
        name: "ifupdown-sourced",
        programs: &["ifup", "ifdown", "ip", "resolvconf"],
        prints: &[],
        fails: &[],
        applies: "ifup eth0",
    },
    Kind {
        name: "alpine",
        programs: &["ifup", "ifdown", "ip", "rc-service"],
        prints: &[],
        fails: &[],
        applies: "ifup eth0",
    },
    Kind {
        name: "ifcfg",
        programs: &["ifup", "ifdown", "ip"],
        prints: &[],
        fails: &["ifdown"],
        applies: "ifup eth0",
    },
    Kind {
        name: "suse",
        programs: &["wicked", "ifup", "netconfig"],
        prints: &[],
        fails: &["netconfig"],
        applies: "wicked ifreload eth0",
    },
    Kind {
        name: "gentoo",
        programs: &["rc-service"],
        prints: &[],
        fails: &[],
        applies: "rc-service net.eth0 start",
    },
];

impl Kind {
    /// The kind of this name.
    pub(crate) fn named(name: &str) -> Self {
        KINDS.into_iter().find(|kind| kind.name == name).unwrap()
    }

    /// Its directory in `tests/golden`.
    pub(crate) fn directory(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(self.name)
    }
}

/// What happens when programs run and addresses are asked for. Shared with the runner.
#[derive(Debug, Default)]
pub(crate) struct Behaviour {
    /// The command lines of all programs that ran.
    pub(crate) ran: Vec<String>,
    /// Command lines that fail with this status, by their beginning, beside those of the kind.
    pub(crate) fails: Vec<(String, i32)>,
    /// Command lines that take so long, by their beginning.
    pub(crate) takes: Vec<(String, Duration)>,
    /// Whether addresses come after programs have run.
    pub(crate) addresses: Come,
    /// The errno with which the kernel refuses another host name.
    pub(crate) hostname_error: Option<i32>,
    /// How long programs have run, and addresses been waited for: time passes in no other way.
    pub(crate) elapsed: Duration,
}

/// Whether addresses come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Come {
    /// They are there once a program was run that makes the network take effect.
    #[default]
    WhenApplied,
    /// They are there before anything was done.
    Already,
    /// They never come.
    Never,
    /// The agent dies while it waits for them.
    Killed,
}

/// A guest in a directory.
pub(crate) struct Guest {
    pub(crate) kind: Kind,
    pub(crate) behaviour: Rc<RefCell<Behaviour>>,
    root: TempDir,
}

impl Guest {
    /// A guest with two interfaces, `eth0` and `eth1`, and the files of its kind.
    pub(crate) fn new(kind: Kind) -> Self {
        // In memory where possible: the agent waits for the disk after each file.
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() { tempdir_in(memory) } else { tempdir() }.unwrap();
        files::write(root.path(), &files::read(&kind.directory().join("before")));
        let guest = Self { kind, behaviour: Rc::default(), root };
        guest.add_interface("eth0", 2, "00:16:3e:11:22:33");
        guest.add_interface("eth1", 3, "00:16:3e:44:55:66");
        guest.write("/sys/class/net/lo/address", "00:00:00:00:00:00\n");
        guest.write("/proc/sys/kernel/hostname", "image\n");
        guest.write("/proc/sys/kernel/random/boot_id", "5fb06bd0-0bb0-4ffb-85f1-d6edd65f3e03\n");
        match kind.name {
            "networkd" => {
                guest.write("/run/systemd/netif/links/2", "# systemd\nADMIN_STATE=configured\n");
            }
            "gentoo" => {
                guest.write("/etc/init.d/net.eth0", "");
                guest.write("/etc/init.d/net.eth1", "");
            }
            _ => {}
        }
        guest
    }

    fn add_interface(&self, name: &str, index: u32, mac: &str) {
        self.write(&format!("/sys/class/net/{name}/address"), &format!("{mac}\n"));
        self.write(&format!("/sys/class/net/{name}/ifindex"), &format!("{index}\n"));
        self.write(&format!("/sys/class/net/{name}/device/nodename"), "device/vif/0\n");
    }

    /// Where a file of the guest is.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    /// Writes a file of the guest.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Reads a file of the guest.
    pub(crate) fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path(path)).ok()
    }

    /// The permissions of a file.
    pub(crate) fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.path(path)).unwrap().permissions().mode() & 0o7777
    }

    /// The guest's directory.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// All configuration, and what the agent remembers.
    pub(crate) fn files(&self) -> Files {
        let mut files = files::read(self.root.path());
        files.retain(|path, _| path.starts_with("/etc/") || path.starts_with("/var/"));
        files.retain(|path, _| !is_backup(path));
        files
    }

    /// What files were before they were replaced.
    pub(crate) fn backups(&self) -> Vec<String> {
        let files = files::read(self.root.path()).into_iter();
        files.filter(|(path, _)| is_backup(path)).map(|(_, content)| content).collect()
    }

    /// Makes programs whose command line begins so fail with this status.
    pub(crate) fn fail(&self, beginning: &str, status: i32) {
        self.behaviour.borrow_mut().fails.push((beginning.to_owned(), status));
    }

    /// Makes programs whose command line begins so take this long: they are killed if their limit
    /// is shorter.
    pub(crate) fn slow_down(&self, beginning: &str, time: Duration) {
        self.behaviour.borrow_mut().takes.push((beginning.to_owned(), time));
    }

    /// Makes programs whose command line begins so run without end.
    pub(crate) fn hang(&self, beginning: &str) {
        self.slow_down(beginning, Duration::MAX);
    }

    /// Whether addresses come.
    pub(crate) fn let_addresses_come(&self, come: Come) {
        self.behaviour.borrow_mut().addresses = come;
    }

    /// The command lines since the last call.
    pub(crate) fn take_ran(&self) -> Vec<String> {
        std::mem::take(&mut self.behaviour.borrow_mut().ran)
    }

    /// What an agent does when it starts after another one was killed.
    pub(crate) fn recover(&self) -> bool {
        rollback::recover(&self.system(), &self.kernel()).unwrap()
    }

    fn system(&self) -> System {
        let behaviour = Rc::clone(&self.behaviour);
        let runner = FakeRunner { kind: self.kind, behaviour };
        System { root: Root::new(self.root.path()), runner: Box::new(runner), shadow: None }
    }

    fn kernel(&self) -> FakeKernel {
        let behaviour = Rc::clone(&self.behaviour);
        FakeKernel { kind: self.kind, behaviour, start: Instant::now() }
    }

    /// Runs the command `resetnetwork`.
    pub(crate) fn reset(&self, data: &VmData) -> Response {
        let system = self.system();
        let mut data = data.clone();
        let mut context = Context {
            system: &system,
            data: &mut data,
            session: &mut Session::default(),
            features: &Vec::new,
            now: Instant::now(),
        };
        ResetNetwork::new(Box::new(self.kernel())).run(&mut context, None)
    }
}

fn is_backup(path: &str) -> bool {
    path.contains(".bak.")
}

struct FakeRunner {
    kind: Kind,
    behaviour: Rc<RefCell<Behaviour>>,
}

impl Runner for FakeRunner {
    fn has(&self, program: &str) -> bool {
        self.kind.programs.contains(&program)
    }

    fn run(&self, program: &Program<'_>) -> io::Result<Finished> {
        if !self.has(program.program) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let line = [&[program.program], program.args].concat().join(" ");
        let mut behaviour = self.behaviour.borrow_mut();
        behaviour.ran.push(line.clone());
        let time = behaviour.takes.iter().find(|(beginning, _)| line.starts_with(beginning));
        let time = time.map(|(_, time)| *time).unwrap_or_default();
        behaviour.elapsed += time.min(program.limit);
        if time >= program.limit {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let failure = behaviour.fails.iter().find(|(beginning, _)| line.starts_with(beginning));
        let of_kind = self.kind.fails.iter().any(|beginning| line.starts_with(beginning));
        let status = failure.map_or(i32::from(of_kind), |(_, status)| *status);
        let prints = self.kind.prints.iter().find(|(beginning, _)| line.starts_with(beginning));
        let stdout = prints.map(|(_, text)| text.as_bytes().to_vec()).unwrap_or_default();
        Ok(Finished { status: Some(status), stdout, stderr: Vec::new() })
    }
}

struct FakeKernel {
    kind: Kind,
    behaviour: Rc<RefCell<Behaviour>>,
    start: Instant,
}

impl Kernel for FakeKernel {
    fn missing(&self, wanted: &[Wanted], limit: Duration) -> io::Result<Vec<Wanted>> {
        let mut behaviour = self.behaviour.borrow_mut();
        let is_applied = behaviour.ran.iter().any(|line| line.starts_with(self.kind.applies));
        let are_there = match behaviour.addresses {
            Come::Already => true,
            Come::WhenApplied => is_applied,
            Come::Never => false,
            Come::Killed if limit.is_zero() => false,
            Come::Killed => resume_unwind(Box::new("killed")),
        };
        if are_there {
            return Ok(Vec::new());
        }
        behaviour.elapsed += limit;
        Ok(wanted.to_vec())
    }

    fn set_hostname(&self, root: &Root, name: &str) -> io::Result<()> {
        if let Some(errno) = self.behaviour.borrow().hostname_error {
            return Err(io::Error::from_raw_os_error(errno));
        }
        fs::write(root.path("/proc/sys/kernel/hostname"), format!("{name}\n"))
    }

    fn now(&self) -> Instant {
        self.start + self.behaviour.borrow().elapsed
    }
}
