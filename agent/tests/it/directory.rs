//! The exchange over a directory, beside XenStore.

use crate::guest::Guest;
use crate::machine::{Machine, returncode_and_message, wait};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

fn with_directory() -> (Guest, PathBuf) {
    let guest = Guest::new();
    let directory = guest.outside("exchange");
    let path = directory.to_str().unwrap();
    guest.configure(&format!(
        "[[pair]]\nexchange = \"directory\"\npath = \"{path}\"\n[[pair]]\nexchange = \"xenstore\"\n"
    ));
    (guest, directory)
}

fn put(directory: &Path, id: &str, text: impl AsRef<[u8]>) {
    let new = directory.join("host").join(format!(".{id}"));
    fs::write(&new, text).unwrap();
    fs::rename(new, directory.join("host").join(id)).unwrap();
}

fn answer(directory: &Path, id: &str) -> (String, String) {
    let path = directory.join("guest").join(id);
    let text = wait(|| fs::read(&path).ok()).expect("a response");
    returncode_and_message(&text)
}

#[test]
fn several_exchanges_at_a_time() {
    let (mut guest, directory) = with_directory();
    guest.start();
    assert_eq!(guest.ask("version", "").0, "0");
    for round in 0..50 {
        let id = format!("request-{round}");
        put(&directory, &id, "{\"name\":\"version\"}");
        assert_eq!(answer(&directory, &id).1, "1.39.1");
        assert!(!directory.join("host").join(&id).exists());
        assert_eq!(guest.ask("version", "").0, "0");
    }
    let left = fs::read_dir(directory.join("guest")).unwrap().count();
    assert_eq!(left, 32);
}

#[test]
fn a_key_belongs_to_its_exchange() {
    let (mut guest, directory) = with_directory();
    guest.start();
    assert_eq!(guest.ask("keyinit", "5").0, "D0");
    put(&directory, "one", "{\"name\":\"password\",\"value\":\"AAAA\"}");
    assert_eq!(answer(&directory, "one").1, "Password without key exchange");
    assert_eq!(guest.ask("password", "AAAA").1, "Invalid password data received");
}

#[test]
fn what_waits_at_the_start_and_what_is_no_request() {
    let (mut guest, directory) = with_directory();
    fs::create_dir_all(directory.join("host/a directory")).unwrap();
    fs::write(directory.join("host").join(OsStr::from_bytes(b"no\xffutf8")), "{}").unwrap();
    for number in 0..130 {
        put(&directory, &format!("{number:03}"), "{\"name\":\"version\"}");
    }
    put(&directory, "long", vec![b' '; 100_000]);
    guest.start();
    assert_eq!(answer(&directory, "129").0, "0");
    assert_eq!(answer(&directory, "long").0, "500");
    assert_eq!(guest.ask("version", "").0, "0");
    let left: Vec<_> = fs::read_dir(directory.join("host"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn what_a_killed_agent_has_left_is_removed_and_is_no_request() {
    let (mut guest, directory) = with_directory();
    for name in ["host", "guest"] {
        fs::create_dir_all(directory.join(name)).unwrap();
    }
    let unfinished = directory.join("guest/.xend-new-0123456789abcdef");
    let others = [directory.join("guest/.xend-new-x"), directory.join("host/.xend-new-new")];
    for path in others.iter().chain([&unfinished]) {
        fs::write(path, "{\"name\":\"version\"}").unwrap();
    }
    guest.start();
    put(&directory, "one", "{\"name\":\"version\"}");
    assert_eq!(answer(&directory, "one").1, "1.39.1");
    assert!(!unfinished.exists());
    // What is not the agent's stays, and is neither answered nor taken for an old response.
    assert!(others.iter().all(|path| path.exists()));
    assert_eq!(guest.log().matches(": version: 0").count(), 1, "{}", guest.log());
    for round in 0..40 {
        put(&directory, &format!("{round}"), "{\"name\":\"version\"}");
        assert_eq!(answer(&directory, &format!("{round}")).0, "0");
    }
    assert!(others.iter().all(|path| path.exists()));
}

#[test]
fn a_directory_has_one_agent() {
    let (mut guest, directory) = with_directory();
    guest.start();
    assert_eq!(guest.ask("version", "").0, "0");
    let second = Machine::new();
    let path = directory.to_str().unwrap();
    second.configure(&format!("[[pair]]\nexchange = \"directory\"\npath = \"{path}\"\n"));
    let mut command = second.command(Path::new("/none"));
    assert_eq!(command.status().unwrap().code(), Some(1));
    let lock = directory.join(".xend-guest-agent.lock");
    let expected =
        format!("is already running, process {}: it holds {}", guest.pid(), lock.display());
    assert!(second.log().contains(&expected), "{}", second.log());
}
