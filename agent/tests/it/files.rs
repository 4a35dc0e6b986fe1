//! Files that the host puts.

use crate::guest::Guest;
use crate::machine::{failure, success};
use rustix::process::geteuid;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use xend_guest_protocol::file::GuestFile;
use xend_guest_protocol::path::GuestPath;

fn file(path: &str, contents: &[u8]) -> GuestFile {
    GuestFile { path: GuestPath::new(path).unwrap(), contents: contents.to_vec() }
}

fn put(guest: &mut Guest, path: &str, contents: &[u8]) -> (String, String) {
    guest.ask("file_inject", file(path, contents).to_file_inject())
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

/// The backups of a file of the guest, sorted by their names.
fn backups(guest: &Guest, path: &str) -> Vec<PathBuf> {
    let (directory, name) = path.rsplit_once('/').unwrap();
    let own = format!("/var/lib/xend-guest-agent/backups{directory}");
    let mut backups = Vec::new();
    for directory in [directory, &own] {
        let entries = fs::read_dir(guest.path(&format!("{directory}/"))).into_iter().flatten();
        let paths = entries.map(|entry| entry.unwrap().path());
        backups.extend(paths.filter(|path| {
            let (kept, _) = path.to_str().unwrap().rsplit_once(".bak.").unwrap_or_default();
            let kept = kept.rsplit('/').next().unwrap();
            !kept.is_empty() && name.starts_with(kept)
        }));
    }
    backups.sort();
    backups
}

#[test]
fn a_new_file_is_for_root_alone() {
    let mut guest = Guest::with("");
    let contents = b"a,b\n\0\xff";
    let value = file("/root/.ssh/authorized_keys", contents).to_injectfile().unwrap();
    assert_eq!(guest.ask("injectfile", value), success());
    let path = guest.path("/root/.ssh/authorized_keys");
    assert_eq!(fs::read(&path).unwrap(), contents);
    assert_eq!(mode(&path), 0o600);
    assert!(backups(&guest, "/root/.ssh/authorized_keys").is_empty());
    assert_eq!(mode(&guest.path("/root")), 0o755);
    assert_eq!(mode(&guest.path("/root/.ssh")), 0o700);
    assert_eq!(put(&mut guest, "/with,comma", b""), success());
    assert_eq!(fs::read(guest.path("/with,comma")).unwrap(), b"");
    assert!(guest.litter().is_empty());
}

#[test]
fn an_old_file_keeps_mode_and_owner_and_is_kept() {
    let mut guest = Guest::new();
    let path = guest.path("/etc/motd");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4751)).unwrap();
    if geteuid().is_root() {
        chown(&path, Some(1234), Some(5678)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o4751)).unwrap();
    }
    guest.start();
    assert_eq!(put(&mut guest, "/etc/motd", b"new"), success());
    assert_eq!(guest.read("/etc/motd"), "new");
    let kept = backups(&guest, "/etc/motd");
    assert_eq!(kept.len(), 1);
    assert_eq!(fs::read(&kept[0]).unwrap(), b"old");
    // A backup cannot be run.
    for (path, expected) in [(&path, 0o4751), (&kept[0], 0o640)] {
        assert_eq!(mode(path), expected);
        if geteuid().is_root() {
            let found = fs::metadata(path).unwrap();
            assert_eq!((found.uid(), found.gid()), (1234, 5678));
        }
    }
    // The same again changes nothing.
    let inode = fs::metadata(&path).unwrap().ino();
    assert_eq!(put(&mut guest, "/etc/motd", b"new"), success());
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
    assert_eq!(backups(&guest, "/etc/motd").len(), 1);
}

#[test]
fn the_first_backup_and_the_newest_ones_stay() {
    let mut guest = Guest::new();
    guest.write("/etc/cron.d/job", "0");
    guest.start();
    for number in 1..=12 {
        let text = number.to_string();
        assert_eq!(put(&mut guest, "/etc/cron.d/job", text.as_bytes()), success());
    }
    let kept = backups(&guest, "/etc/cron.d/job");
    let mut kept: Vec<u32> =
        kept.iter().map(|path| fs::read_to_string(path).unwrap().parse().unwrap()).collect();
    kept.sort_unstable();
    assert_eq!(kept, [0, 4, 5, 6, 7, 8, 9, 10, 11]);
    // Whoever reads all files of the directory reads none of them.
    assert_eq!(fs::read_dir(guest.path("/etc/cron.d")).unwrap().count(), 1);
    assert_eq!(mode(&guest.path("/var/lib/xend-guest-agent/backups")), 0o700);
}

#[test]
fn backups_are_those_of_the_file_and_not_of_the_link_to_it() {
    let mut guest = Guest::new();
    guest.write("/run/file", "1");
    fs::create_dir_all(guest.path("/var")).unwrap();
    symlink("../run", guest.path("/var/run")).unwrap();
    guest.start();
    assert_eq!(put(&mut guest, "/var/run/file", b"2"), success());
    assert_eq!(put(&mut guest, "//run/./file", b"3"), success());
    assert_eq!(backups(&guest, "/run/file").len(), 2);
}

#[test]
fn a_file_that_cannot_be_kept_is_not_replaced() {
    let mut guest = Guest::new();
    guest.write("/etc/cron.d/job", "old");
    guest.write("/var/lib/xend-guest-agent/backups", "no directory");
    guest.start();
    let expected = "Couldn't write /etc/cron.d/job: The old file cannot be kept in \
                    /var/lib/xend-guest-agent/backups/etc/cron.d/: Not a directory";
    assert_eq!(put(&mut guest, "/etc/cron.d/job", b"new"), failure(expected));
    assert_eq!(guest.read("/etc/cron.d/job"), "old");
    assert!(guest.litter().is_empty());
    assert_eq!(put(&mut guest, "/etc/other", b"new"), success());
}

#[test]
fn what_is_put_below_a_home_directory_is_its_owners() {
    if !geteuid().is_root() {
        eprintln!("SKIPPED: only root can make files of other users");
        return;
    }
    let mut guest = Guest::new();
    fs::create_dir_all(guest.path("/home/web")).unwrap();
    chown(guest.path("/home/web"), Some(1000), Some(1001)).unwrap();
    guest.start();
    for path in ["/home/web/.ssh/authorized_keys", "/home/web/a/b/c", "/etc/new/file"] {
        assert_eq!(put(&mut guest, path, b"key"), success());
    }
    let found = |path: &str| {
        let found = fs::symlink_metadata(guest.path(path)).unwrap();
        (found.uid(), found.gid(), found.mode() & 0o7777)
    };
    assert_eq!(found("/home/web/.ssh"), (1000, 1001, 0o700));
    assert_eq!(found("/home/web/.ssh/authorized_keys"), (1000, 1001, 0o600));
    assert_eq!(found("/home/web/a"), (1000, 1001, 0o755));
    assert_eq!(found("/home/web/a/b"), (1000, 1001, 0o755));
    assert_eq!(found("/home/web/a/b/c"), (1000, 1001, 0o600));
    assert_eq!(found("/etc/new"), (0, 0, 0o755));
    assert_eq!(found("/etc/new/file"), (0, 0, 0o600));
    // What the agent remembers is not the owner's, whoever that is.
    chown(guest.path("/var/lib"), Some(1000), Some(1000)).unwrap();
    fs::remove_dir_all(guest.path("/var/lib/xend-guest-agent")).unwrap();
    for text in [b"old", b"new"] {
        assert_eq!(put(&mut guest, "/etc/cron.d/job", text), success());
    }
    assert_eq!(mode(&guest.path("/var/lib/xend-guest-agent/backups")), 0o700);
    let state = fs::metadata(guest.path("/var/lib/xend-guest-agent")).unwrap();
    assert_eq!(state.uid(), 0);
}

#[test]
fn the_agents_own_files_are_not_replaced() {
    let mut guest = Guest::new();
    // A link to it.
    let config = guest.path("/opt/named.conf");
    guest.write("/opt/agent.conf", "[plugins]\ndirectory = \"/opt/commands\"\n");
    guest.write("/var/lib/xend-guest-agent/network.json.old", "{}");
    symlink("../var/lib/xend-guest-agent", guest.path("/opt/state")).unwrap();
    symlink("/opt", guest.path("/link")).unwrap();
    symlink("agent.conf", guest.path("/opt/named.conf")).unwrap();
    let mut command = guest.command();
    command.arg("--config").arg(&config);
    guest.start_command(command);
    for path in [
        "/var/lib/xend-guest-agent/network.json",
        "/var/lib/xend-guest-agent/backups/etc/cron.d/motd.bak.1",
        "//var/./lib/xend-guest-agent",
        "/opt/state/replacing",
        "/run/xend-guest-agent.lock",
        "/etc/xend-guest-agent.conf",
        "/opt/agent.conf",
        "/opt/named.conf",
        "/link/agent.conf",
        "/link/named.conf",
        "/opt/commands/reboot",
        "/link/commands/deep/file",
    ] {
        let expected = format!("{path} is the agent's own, which is changed only inside the guest");
        assert_eq!(put(&mut guest, path, b"x"), failure(&expected));
    }
    assert!(!guest.path("/opt/commands").exists());
    assert!(!guest.path("/etc/xend-guest-agent.conf").exists());
    for path in ["/etc/xend-guest-agent.conf.d", "/opt/commands2/x", "/var/lib/xend-guest-agents"] {
        assert_eq!(put(&mut guest, path, b"x"), success());
    }
}

#[test]
fn requests_in_a_directory_are_not_put_through_xenstore() {
    let mut guest = Guest::new();
    let exchange = guest.path("/srv/exchange");
    let path = exchange.to_str().unwrap();
    guest.configure(&format!(
        "[[pair]]\nexchange = \"directory\"\npath = \"{path}\"\n[[pair]]\nexchange = \"xenstore\"\n"
    ));
    guest.start();
    let (code, reason) = put(&mut guest, "/srv/exchange/host/1", b"{\"name\":\"version\"}");
    assert_eq!((code.as_str(), reason.contains("is the agent's own")), ("500", true), "{reason}");
    assert_eq!(put(&mut guest, "/srv/exchange/vm-data/hostname", b"web1"), success());
}

#[test]
fn paths_that_are_none_are_refused() {
    let mut guest = Guest::with("");
    let encode = |text: &str| json!({"b64_path": base64(text.as_bytes()), "b64_file": ""});
    for path in ["", "etc/motd", "/etc/../motd", "/etc/..", "/", "/etc/", "/a\0b", "/a\nb", "/.."] {
        let (code, message) = guest.ask("file_inject", encode(path));
        assert_eq!(code, "500", "{path:?} {message}");
    }
    assert_eq!(put(&mut guest, "/etc", b""), failure("Couldn't write /etc: Is a directory"));
    assert_eq!(
        put(&mut guest, "/etc/shadow/x", b""),
        failure("Couldn't write /etc/shadow/x: Not a directory")
    );
    let name = "x".repeat(255);
    assert_eq!(put(&mut guest, &format!("/{name}"), b""), success());
    assert_eq!(put(&mut guest, &format!("/{name}"), b"new"), success());
    assert_eq!(backups(&guest, &format!("/{name}")).len(), 1);
    assert!(guest.litter().is_empty());
    let deep = put(&mut guest, &format!("/deep{}", "/x".repeat(300)), b"").1;
    assert!(deep.ends_with(": File name too long"), "{deep}");
    assert!(!guest.path("/deep").exists());
}

#[test]
fn what_is_no_file_is_not_replaced() {
    let mut guest = Guest::new();
    let fifo = guest.path("/etc/fifo");
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind, 0o600.into(), 0).unwrap();
    guest.start();
    let (code, message) = put(&mut guest, "/etc/fifo", b"");
    assert_eq!((code.as_str(), message.contains("not a regular file")), ("500", true), "{message}");
}

#[test]
fn values_that_are_none_are_answered() {
    let mut guest = Guest::with("");
    let no_base64 = "Error doing base64 decoding of data";
    assert_eq!(guest.ask("injectfile", "!"), failure(no_base64));
    assert_eq!(
        guest.ask("file_inject", json!({"b64_path": "L2E=", "b64_file": "!"})),
        failure(no_base64)
    );
    for value in [Value::Null, json!(1), json!(base64(b"/no-comma"))] {
        assert_eq!(guest.ask("injectfile", value).0, "500");
    }
    for value in [Value::Null, json!("L2E="), json!({"b64_path": "L2E="}), json!({"b64_file": ""})]
    {
        assert_eq!(guest.ask("file_inject", value).0, "500");
    }
    assert!(!guest.path("/a").exists());
}

#[test]
fn a_link_is_replaced_and_not_followed() {
    let mut guest = Guest::new();
    guest.write("/etc/target", "target");
    symlink("target", guest.path("/etc/link")).unwrap();
    symlink("/nowhere", guest.path("/etc/dangling")).unwrap();
    guest.start();
    for name in ["link", "dangling"] {
        let path = format!("/etc/{name}");
        assert_eq!(put(&mut guest, &path, b"new"), success());
        assert!(fs::symlink_metadata(guest.path(&path)).unwrap().is_file());
        assert_eq!(mode(&guest.path(&path)), 0o600);
        let kept = backups(&guest, &path);
        assert!(fs::symlink_metadata(&kept[0]).unwrap().is_symlink());
    }
    assert_eq!(guest.read("/etc/target"), "target");
}

#[test]
fn links_of_the_system_lead_to_places_below_the_root() {
    let mut guest = Guest::new();
    fs::create_dir_all(guest.path("/run/deep")).unwrap();
    fs::create_dir_all(guest.path("/var")).unwrap();
    symlink("/run", guest.path("/var/run")).unwrap();
    symlink("../../../../run/./deep/..", guest.path("/var/up")).unwrap();
    symlink("loop", guest.path("/var/loop")).unwrap();
    guest.start();
    assert_eq!(put(&mut guest, "/var/run/one", b"1"), success());
    assert_eq!(put(&mut guest, "/var/up/two", b"2"), success());
    assert_eq!((guest.read("/run/one"), guest.read("/run/two")), ("1".into(), "2".into()));
    let (code, message) = put(&mut guest, "/var/loop/x", b"");
    assert_eq!(code, "500");
    assert!(message.ends_with("Too many levels of symbolic links"), "{message}");
}

#[test]
fn links_of_other_users_are_not_followed() {
    if !geteuid().is_root() {
        eprintln!("SKIPPED: only root can make files of other users");
        return;
    }
    let mut guest = Guest::new();
    // A user leads to /etc: by a link of their own, and by one of root's in a directory of theirs.
    for (home, owner_of_link) in [("/home/web", 1000), ("/home/db", 0)] {
        fs::create_dir_all(guest.path(home)).unwrap();
        chown(guest.path(home), Some(1000), Some(1000)).unwrap();
        let link = guest.path(home).join(".ssh");
        symlink("/etc", &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(owner_of_link), None).unwrap();
    }
    fs::create_dir_all(guest.path("/shared")).unwrap();
    fs::set_permissions(guest.path("/shared"), fs::Permissions::from_mode(0o777)).unwrap();
    symlink("/etc", guest.path("/shared/link")).unwrap();
    guest.start();
    for path in ["/home/web/.ssh/shadow", "/home/db/.ssh/shadow", "/shared/link/shadow"] {
        let (code, message) = put(&mut guest, path, b"");
        assert_eq!(code, "500");
        assert!(message.ends_with("Too many levels of symbolic links"), "{message}");
    }
    assert_eq!(guest.read("/etc/shadow"), crate::machine::SHADOW);
    // A directory of theirs is one like any other.
    fs::create_dir_all(guest.path("/home/ok/.ssh")).unwrap();
    chown(guest.path("/home/ok"), Some(1000), Some(1000)).unwrap();
    assert_eq!(put(&mut guest, "/home/ok/.ssh/authorized_keys", b"key"), success());
}

#[test]
fn labels_and_access_lists_are_kept() {
    let mut guest = Guest::new();
    guest.write("/etc/motd", "old");
    let path = guest.path("/etc/motd");
    let label = b"system_u:object_r:etc_t:s0\0";
    let flags = rustix::fs::XattrFlags::empty();
    if let Err(error) = rustix::fs::setxattr(&path, "security.selinux", label, flags) {
        eprintln!("SKIPPED: labels cannot be set here: {error}");
        return;
    }
    guest.start();
    assert_eq!(put(&mut guest, "/etc/motd", b"new"), success());
    let mut found = vec![0; 256];
    let length = rustix::fs::getxattr(&path, "security.selinux", &mut found[..]).unwrap();
    assert_eq!(&found[..length], label);
}

#[test]
fn an_immutable_file_is_told() {
    let mut guest = Guest::new();
    guest.write("/etc/motd", "old");
    let open = || fs::File::open(guest.path("/etc/motd")).unwrap();
    let file = open();
    let flags = rustix::fs::ioctl_getflags(&file);
    let immutable = flags
        .and_then(|flags| rustix::fs::ioctl_setflags(&file, flags | rustix::fs::IFlags::IMMUTABLE));
    if let Err(error) = immutable {
        eprintln!("SKIPPED: files cannot be made immutable here: {error}");
        return;
    }
    guest.start();
    let answer = put(&mut guest, "/etc/motd", b"new");
    let flags = flags.unwrap() & !rustix::fs::IFlags::IMMUTABLE;
    rustix::fs::ioctl_setflags(&file, flags).unwrap();
    assert_eq!(answer, failure("Couldn't write /etc/motd: Operation not permitted"));
    assert_eq!(guest.read("/etc/motd"), "old");
    assert!(guest.litter().is_empty() && backups(&guest, "/etc/motd").is_empty());
}

#[test]
fn a_file_system_for_reading_only_is_told() {
    let mut guest = Guest::new();
    fs::create_dir(guest.path("/ro")).unwrap();
    let target = guest.path("/ro");
    let mount = |args: &[&str]| {
        let status = std::process::Command::new("mount").args(args).arg(&target).output();
        status.is_ok_and(|output| output.status.success())
    };
    if !mount(&["-t", "tmpfs", "-o", "ro", "none"]) {
        eprintln!("SKIPPED: nothing can be mounted here");
        return;
    }
    guest.start();
    let answer = put(&mut guest, "/ro/file", b"new");
    let umounted = std::process::Command::new("umount").arg(&target).status().unwrap();
    assert!(umounted.success());
    assert_eq!(answer, failure("Couldn't write /ro/file: Read-only file system"));
}

fn base64(bytes: &[u8]) -> String {
    // The library encodes contents of files: so this is its encoder without another dependency.
    let value = file("/x", bytes).to_file_inject();
    value["b64_file"].as_str().unwrap().to_owned()
}
