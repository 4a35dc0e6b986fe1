//! Files that the host puts.

use crate::guest::Guest;
use crate::machine::{failure, success};
use rustix::process::geteuid;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
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

/// The names beside a file that begin with its name and `.bak.`.
fn backups(path: &Path) -> Vec<String> {
    let start = format!("{}.bak.", path.file_name().unwrap().to_str().unwrap());
    let entries = fs::read_dir(path.parent().unwrap()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(&start)).collect()
}

#[test]
fn a_new_file_is_for_root_alone() {
    let mut guest = Guest::with("");
    let contents = b"a,b\n\0\xff";
    let value = file("/root/.ssh/authorized_keys", contents).to_injectfile().unwrap();
    assert_eq!(guest.ask("injectfile", value), success());
    let path = guest.path("/root/.ssh/authorized_keys");
    assert_eq!(fs::read(&path).unwrap(), contents);
    assert_eq!((mode(&path), backups(&path).len()), (0o600, 0));
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
    let kept = backups(&path);
    assert_eq!(kept.len(), 1);
    let kept = path.with_file_name(&kept[0]);
    assert_eq!(fs::read(&kept).unwrap(), b"old");
    for path in [&path, &kept] {
        assert_eq!(mode(path), 0o4751);
        if geteuid().is_root() {
            let found = fs::metadata(path).unwrap();
            assert_eq!((found.uid(), found.gid()), (1234, 5678));
        }
    }
    // The same again changes nothing.
    let inode = fs::metadata(&path).unwrap().ino();
    assert_eq!(put(&mut guest, "/etc/motd", b"new"), success());
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
    assert_eq!(backups(&path).len(), 1);
}

#[test]
fn the_backups_of_a_file_are_bounded() {
    let mut guest = Guest::new();
    guest.write("/etc/motd", "0");
    for time in 1..=20 {
        guest.write(&format!("/etc/motd.bak.{time}"), "");
    }
    guest.write("/etc/motd.bak.mine", "");
    guest.start();
    assert_eq!(put(&mut guest, "/etc/motd", b"1"), success());
    let mut kept = backups(&guest.path("/etc/motd"));
    kept.sort_by_key(|name| (name.len(), name.clone()));
    assert_eq!(kept.len(), 9);
    assert!(kept.contains(&"motd.bak.mine".to_owned()), "{kept:?}");
    assert!(!kept.contains(&"motd.bak.13".to_owned()), "{kept:?}");
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
    // The name of its backup is shorter.
    let all = fs::read_dir(guest.path("/")).unwrap().map(|entry| entry.unwrap().file_name());
    let kept: Vec<_> = all.filter(|name| name.to_string_lossy().contains(".bak.")).collect();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].to_string_lossy().starts_with(&"x".repeat(200)), "{kept:?}");
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
        let kept = backups(&guest.path(&path));
        assert!(fs::symlink_metadata(guest.path("/etc").join(&kept[0])).unwrap().is_symlink());
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
    assert!(guest.litter().is_empty() && backups(&guest.path("/etc/motd")).is_empty());
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
