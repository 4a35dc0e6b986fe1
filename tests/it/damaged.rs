//! Every file that the daemon reads from its state directory, damaged in every way: the daemon
//! starts, names the file in its log, and serves the rest.

use crate::http_support::{Daemon, encoded, guest};
use crate::xenapi_support::{Client, as_text, record, text};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Signal, geteuid};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const WEB: &str = "11111111-2222-3333-4444-000000000001";
const DB: &str = "11111111-2222-3333-4444-000000000002";
const SUSPENDED: &str = "11111111-2222-3333-4444-000000000003";
const GONE: &str = "11111111-2222-3333-4444-000000000009";

/// What stands in the place of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    Empty,
    Garbage,
    Directory,
    LinkToNowhere,
    LinkToItself,
    Pipe,
    /// Larger than the machine.
    Huge,
    /// Of a daemon that is not root: root reads everything.
    Unreadable,
}

impl Damage {
    const ALL: [Self; 8] = [
        Self::Empty,
        Self::Garbage,
        Self::Directory,
        Self::LinkToNowhere,
        Self::LinkToItself,
        Self::Pipe,
        Self::Huge,
        Self::Unreadable,
    ];

    fn apply(self, path: &Path) {
        if self == Self::Unreadable {
            return fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap();
        }
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
        match self {
            Self::Empty => fs::write(path, "").unwrap(),
            Self::Garbage => fs::write(path, b"\xff\0((garbage").unwrap(),
            Self::Directory => {
                fs::create_dir(path).unwrap();
                fs::write(path.join("in it"), "").unwrap();
            }
            Self::LinkToNowhere => symlink("/nonexistent/file", path).unwrap(),
            Self::LinkToItself => symlink(path.file_name().unwrap(), path).unwrap(),
            Self::Pipe => {
                mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
            }
            Self::Huge => File::create(path).unwrap().set_len(1 << 40).unwrap(),
            Self::Unreadable => {}
        }
    }
}

/// How much of a file counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// What it says.
    Text,
    /// Any text will do, of a size that can be read.
    AnyText,
    /// Whether it has any bytes; the rest is read when the domain is resumed.
    SomeBytes,
    /// That it is a file.
    File,
    /// It is a directory.
    Directory,
}

impl Reads {
    /// Whether the damage shows at the start.
    fn shows(self, damage: Damage) -> bool {
        use Damage::{Directory, Empty, Garbage, Huge, LinkToItself, LinkToNowhere, Pipe};
        match self {
            Self::Text => true,
            Self::AnyText => !matches!(damage, Empty | Garbage),
            Self::SomeBytes => {
                matches!(damage, Empty | Directory | LinkToItself | LinkToNowhere | Pipe)
            }
            Self::File => !matches!(damage, Empty | Garbage | Huge),
            Self::Directory => damage != Directory,
        }
    }
}

/// Every file below the state directory, what of it is read, and the domains that go with it.
fn files(vdi: &str) -> Vec<(String, Reads, &'static [&'static str])> {
    const ALL: &[&str] = &["web", "db", "suspended"];
    let of = |uuid: &str, file: &str| format!("domains/{uuid}/{file}");
    vec![
        ("lock".into(), Reads::File, &[]),
        ("host-uuid".into(), Reads::Text, &[]),
        ("host-uuid.copy".into(), Reads::Text, &[]),
        ("vnets.sxp".into(), Reads::Text, &[]),
        (of(WEB, "config.sxp"), Reads::Text, &["web"]),
        (format!("domains/{WEB}"), Reads::Directory, &["web"]),
        (of(SUSPENDED, "config.sxp"), Reads::Text, &["suspended"]),
        (of(SUSPENDED, "checkpoint.chk"), Reads::SomeBytes, &[]),
        ("domains".into(), Reads::Directory, ALL),
        (format!("moves/{GONE}.sxp"), Reads::Text, &[]),
        (format!("moves/{GONE}.arrival"), Reads::Text, &[]),
        ("moves".into(), Reads::Directory, &[]),
        (format!("objects/{vdi}.sxp"), Reads::Text, &[]),
        ("objects".into(), Reads::Directory, &[]),
        ("dump".into(), Reads::Directory, &[]),
        // Its files are read when somebody asks for them: `http_history.rs`.
        ("history".into(), Reads::Directory, &[]),
        ("storage".into(), Reads::Directory, &[]),
        ("sim/lock".into(), Reads::File, &[]),
        ("sim/host.sxp".into(), Reads::Text, &[]),
        ("sim/dmesg".into(), Reads::AnyText, &[]),
        ("sim/domains/0.sxp".into(), Reads::Text, &[]),
        ("sim/domains/1.sxp".into(), Reads::Text, &["run"]),
        ("sim/domains".into(), Reads::Directory, &["run"]),
        ("sim".into(), Reads::Directory, &["run"]),
    ]
}

/// A state directory with something of everything, and the UUID of its disk image.
fn prepared() -> (TempDir, String) {
    let client = Client::new();
    let daemon = &client.daemon;
    assert_eq!(daemon.create(&guest("run", "")).code, 201);
    for (name, uuid) in [("web", WEB), ("db", DB), ("suspended", SUSPENDED)] {
        let config = encoded(&guest(name, &format!("(uuid {uuid})")));
        assert_eq!(daemon.post("/xend/domain", &format!("op=new&config={config}")).code, 200);
    }
    for op in ["start", "suspend"] {
        let done = daemon.post("/xend/domain/suspended", &format!("op={op}"));
        assert!(done.code < 300, "{op}: {}", done.text());
    }
    let vnet = encoded("(vnet (id 1) (vnetif v1))");
    let made = daemon.post("/xend/vnet", &format!("op=create&config={vnet}"));
    assert!(made.code < 300, "{}", made.text());
    let vdi = record(&[
        ("name_label", text("disk")),
        ("SR", client.sr()),
        ("virtual_size", text("4096")),
        ("type", text("user")),
    ]);
    let vdi = client.call("VDI.create", &[vdi]).unwrap();
    let Client { daemon, .. } = client;
    let (status, dir) = daemon.end(Signal::TERM);
    assert!(status.success());
    let moves = dir.path().join("state/moves");
    fs::write(moves.join(format!("{GONE}.sxp")), "(saving)").unwrap();
    fs::write(moves.join(format!("{GONE}.arrival")), format!("(taken (domain {GONE}))")).unwrap();
    (dir, as_text(&vdi).to_owned())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The files that were set aside in the place of `path`.
fn set_aside(path: &Path) -> Vec<PathBuf> {
    let prefix = format!("{}.damaged-", path.file_name().unwrap().to_str().unwrap());
    let entries = fs::read_dir(path.parent().unwrap()).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|one| one.file_name().unwrap().to_str().unwrap().starts_with(&prefix)).collect()
}

#[test]
fn no_damaged_file_prevents_the_start() {
    let (original, vdi) = prepared();
    let original = original.path().join("state");
    let identity = fs::read(original.join("host-uuid")).unwrap();
    for damage in Damage::ALL {
        if damage == Damage::Unreadable && geteuid().is_root() {
            println!("Skipped: root can read every file");
            continue;
        }
        for (file, reads, domains) in files(&vdi) {
            let what = format!("{file}: {damage:?}");
            if damage == Damage::Unreadable && reads == Reads::Directory {
                // Its owner opens it again.
                continue;
            }
            let dir = tempfile::tempdir().unwrap();
            let state = dir.path().join("state");
            copy(&original, &state);
            let path = state.join(&file);
            damage.apply(&path);
            let daemon = Daemon::start_in(dir, &[]);
            for name in ["Domain-0", "run", "web", "db", "suspended"] {
                let is_there = !domains.contains(&name);
                let found = daemon.get(&format!("/xend/domain/{name}")).code;
                let expected = if is_there { 200 } else { 404 };
                assert_eq!(found, expected, "{what}: {name}: {}", daemon.log());
            }
            let log = daemon.log();
            let is_named = log.contains("A damaged file is set aside: ")
                && log.contains(path.to_str().unwrap());
            assert_eq!(is_named, reads.shows(damage), "{what}: {log}");
            assert_eq!(set_aside(&path).len(), usize::from(is_named), "{what}");
            assert_eq!(fs::read(state.join("host-uuid")).unwrap(), identity, "{what}");
            // Everything can be made again.
            assert_eq!(daemon.create(&guest("new", "")).code, 201, "{what}");
            let config = encoded(&guest("again", &format!("(uuid {GONE})")));
            let defined = daemon.post("/xend/domain", &format!("op=new&config={config}"));
            assert_eq!(defined.code, 200, "{what}: {}", defined.text());
            drop(daemon);
        }
    }
}

#[test]
fn a_host_of_damaged_files_starts() {
    let (dir, vdi) = prepared();
    let state = dir.path().join("state");
    let mut damages =
        Damage::ALL.into_iter().filter(|damage| *damage != Damage::Unreadable).cycle();
    let mut broken = 0;
    for (file, reads, _) in files(&vdi) {
        let path = state.join(file);
        if reads != Reads::Directory && path.exists() {
            damages.next().unwrap().apply(&path);
            broken += 1;
        }
    }
    assert!(broken > 10);
    let daemon = Daemon::start_in(dir, &[]);
    assert_eq!(daemon.get("/xend/domain/db").code, 200, "{}", daemon.log());
    let log = daemon.log();
    assert!(log.contains("The host's UUID is lost"), "{log}");
    // The next start has nothing to complain of.
    let (_, dir) = daemon.end(Signal::TERM);
    fs::write(dir.path().join("stderr"), "").unwrap();
    let daemon = Daemon::start_in(dir, &[]);
    assert!(!daemon.log().contains("damaged"), "{}", daemon.log());
}

#[test]
fn a_storage_that_is_no_directory_is_made_anew_or_refused_in_words() {
    for damage in [Damage::Empty, Damage::LinkToNowhere, Damage::LinkToItself] {
        let dir = tempfile::tempdir().unwrap();
        let [state, socket] = ["state", "xen-api"].map(|name| dir.path().join(name));
        let storage = state.join("storage");
        fs::create_dir_all(&storage).unwrap();
        damage.apply(&storage);
        let daemon = Daemon::start_in(dir, &["--xen-api", socket.to_str().unwrap()]);
        let client = Client::of(daemon, socket);
        assert_eq!(set_aside(&storage).len(), 1, "{}", client.daemon.log());
        client.call("SR.get_all_records", &[]).unwrap();

        // A path of the operator's own stays as it is.
        let dir = tempfile::tempdir().unwrap();
        let [storage, socket, config] =
            ["images", "xen-api", "config.sxp"].map(|name| dir.path().join(name));
        fs::create_dir(&storage).unwrap();
        damage.apply(&storage);
        fs::write(&config, format!("(xend-storage-path {})", storage.display())).unwrap();
        let options = ["--xen-api", socket.to_str().unwrap()];
        let client = Client::of(Daemon::start_with_config(dir, &config, &options), socket);
        assert!(set_aside(&storage).is_empty() && fs::symlink_metadata(&storage).is_ok());
        let log = client.daemon.log();
        assert!(log.contains("The directory of disk images cannot be used: mount or "), "{log}");
        let disk = record(&[
            ("name_label", text("disk")),
            ("SR", client.sr()),
            ("virtual_size", text("4096")),
            ("type", text("user")),
        ]);
        for (method, params, code) in [
            ("SR.get_all_records", vec![], "OPERATION_NOT_ALLOWED"),
            ("VDI.create", vec![disk], "VDI_ERROR"),
        ] {
            let refused = client.call(method, &params).unwrap_err();
            assert_eq!(refused[0], code, "{damage:?}: {refused:?}");
            assert!(refused[1].contains(storage.to_str().unwrap()), "{damage:?}: {refused:?}");
            assert!(refused[1].contains("change xend-storage-path"), "{damage:?}: {refused:?}");
        }
    }
}

#[test]
fn no_damaged_file_of_the_configuration_prevents_the_start() {
    for damage in Damage::ALL {
        if damage == Damage::Unreadable && geteuid().is_root() {
            println!("Skipped: root can read every file");
            continue;
        }
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let [users, log, config] = ["users.sxp", "xend.log", "config.sxp"].map(at);
        for file in [&users, &log] {
            fs::write(file, "").unwrap();
            damage.apply(file);
        }
        let text = format!("(xend-users-file {}) (logfile {})", users.display(), log.display());
        fs::write(&config, text).unwrap();
        let daemon = Daemon::start_with_config(dir, &config, &[]);
        assert_eq!(daemon.get("/xend/domain/0").code, 200, "{damage:?}: {}", daemon.log());
        let is_usable = matches!(damage, Damage::Empty | Damage::Garbage | Damage::Huge);
        let text = daemon.log();
        assert_eq!(text.contains("The log goes to standard error"), !is_usable, "{text}");
        // An operator's file stays where it is.
        assert!(set_aside(&users).is_empty() && fs::symlink_metadata(&users).is_ok());
    }
}
