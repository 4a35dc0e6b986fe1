//! Every command, as OpenStack's nova asks for them while an instance boots.

use crate::guest::Guest;
use crate::machine::{failure, success};
use serde_json::{Value, json};
use sha_crypt::{PasswordVerifier, ShaCrypt};
use std::fs;
use std::os::unix::fs::MetadataExt;
use xend_guest_protocol::command::has_feature;
use xend_guest_protocol::file::GuestFile;
use xend_guest_protocol::keys::{Digest, Private, Public, SharedKey};
use xend_guest_protocol::limits::{MAX_FILE_INJECT, max_host_value};
use xend_guest_protocol::password::Password;
use xend_guest_protocol::path::GuestPath;
use xend_xenstore::Nodes;

const KEYS: &str = "/root/.ssh/authorized_keys";

fn file(path: &str, contents: impl AsRef<[u8]>) -> GuestFile {
    GuestFile { path: GuestPath::new(path).unwrap(), contents: contents.as_ref().to_vec() }
}

fn key_exchange(guest: &mut Guest) -> SharedKey {
    let private = Private::from_random(&mut [7; 16]);
    let (code, theirs) = guest.ask("keyinit", private.public().to_string());
    assert_eq!(code, "D0");
    private.shared_with(Public::parse(&theirs).unwrap())
}

fn is_password(guest: &Guest, password: &str) -> bool {
    let shadow = guest.read("/etc/shadow");
    let hash = shadow.split(':').nth(1).unwrap();
    ShaCrypt::SHA512.verify_password(password.as_bytes(), hash).is_ok()
}

#[test]
fn an_instance_boots() {
    let Some(mut guest) = Guest::new() else { return };
    // The kernel has the name already, so that no program is needed to set it.
    guest.write("/proc/sys/kernel/hostname", "web1\n");
    guest.write_node("vm-data/hostname", "web1");
    // The host asks again and again from the beginning.
    let first = guest.put("version", "agent");
    guest.start();
    assert_eq!(guest.wait_for(&first).1, "1.39.1");

    let (code, features) = guest.ask("features", "");
    assert_eq!(code, "0");
    assert!(has_feature(&features, "file_inject"), "{features}");
    let key = "\n# The following ssh key was injected by Nova\nssh-rsa AAAA+/= a\"b\\c\u{e9}\n";
    assert_eq!(guest.ask("file_inject", file(KEYS, key).to_file_inject()), success());
    assert_eq!(guest.read(KEYS), key);
    let value = file(KEYS, "old,\n").to_injectfile().unwrap();
    assert_eq!(guest.ask("injectfile", value), success());
    assert_eq!(guest.read(KEYS), "old,\n");
    assert_eq!(fs::metadata(guest.path(KEYS)).unwrap().mode() & 0o777, 0o600);

    for (password, digest) in [("Secret1", Digest::Md5), ("S\u{e9}cret\"\\n2", Digest::Sha256)] {
        let key = key_exchange(&mut guest);
        let encrypted = key.encrypt(&Password::new(password).unwrap(), digest);
        assert_eq!(guest.ask("password", encrypted), success());
        assert!(is_password(&guest, password));
    }

    assert_eq!(guest.ask("resetnetwork", ""), success());
    assert_eq!(guest.read("/etc/hostname"), "web1\n");

    let (code, reason) = guest.ask("agentupdate", "http://192.0.2.1/agent.tar,0123");
    assert_eq!((code.as_str(), reason.contains("packages")), ("500", true), "{reason}");
    let activation = json!({"activation_key": "key", "profile": "guest", "domains": ["a"]});
    let unknown = "No such agent command 'kmsactivate'";
    assert_eq!(guest.ask("kmsactivate", activation), ("404".to_owned(), unknown.to_owned()));

    let log = guest.log();
    assert!(!log.contains("Secret") && !log.contains("AAAA"), "{log}");
    assert!(guest.litter().is_empty());
}

#[test]
fn a_public_key_may_be_a_number() {
    let Some(mut guest) = Guest::with("") else { return };
    let key = "{\"name\": \"keyinit\", \"value\": 10213771857304028832860390748511}";
    let (code, theirs) = guest.ask_text(key);
    assert_eq!(code, "D0");
    assert!(theirs.bytes().all(|byte| byte.is_ascii_digit()), "{theirs}");
}

#[test]
fn failures_are_told() {
    let Some(mut guest) = Guest::with("") else { return };
    let no_key = failure("Password without key exchange");
    assert_eq!(guest.ask("password", "AAAA"), no_key);
    key_exchange(&mut guest);
    assert_eq!(guest.ask("password", "AAAA"), failure("Invalid password data received"));
    assert_eq!(guest.ask("password", "AAAA"), no_key);
    for key in ["0", "1", "162259276829213363391578010288126", "x"] {
        assert_eq!(guest.ask("keyinit", key).0, "500", "{key}");
    }
    assert_eq!(guest.ask("injectfile", "!"), failure("Error doing base64 decoding of data"));
    // A path with what a response cannot hold: "/a\b", whose last part is a directory.
    fs::create_dir_all(guest.path("/a\\\"\u{e9}")).unwrap();
    let value = file("/a\\\"\u{e9}", "").to_file_inject();
    assert_eq!(guest.ask("file_inject", value), failure("Couldn't write /a/'?: Is a directory"));
    let settings = "{\"mac\":\"00:16:3e:11:22:33\",\"ips\":[{\"ip\":\"203.0.113.10\",\"netmask\":\
        \"255.255.255.0\",\"enabled\":\"1\"}]}";
    guest.write_node("vm-data/networking/00163E112233", settings);
    let (code, reason) = guest.ask("resetnetwork", "");
    assert_eq!(code, "500");
    assert!(reason.starts_with("Unknown interface MAC "), "{reason}");
}

#[test]
fn a_network_that_does_not_come_is_taken_back() {
    let Some(mut guest) = Guest::new() else { return };
    // systemd-networkd rules the interface, but there is no program that makes it read its files.
    guest.write("/sys/class/net/enX0/address", "00:16:3e:11:22:33\n");
    guest.write("/sys/class/net/enX0/ifindex", "2\n");
    guest.write("/run/systemd/netif/links/2", "ADMIN_STATE=configured\n");
    guest.write("/etc/hosts", "127.0.0.1 localhost\n");
    guest.write("/proc/sys/kernel/hostname", "web1\n");
    guest.start();
    guest.write_node("vm-data/hostname", "web1");
    let settings = "{\"label\":\"public\",\"mac\":\"00:16:3e:11:22:33\",\"gateway\":\"203.0.113.1\",\
        \"ips\":[{\"ip\":\"203.0.113.10\",\"netmask\":\"255.255.255.0\",\"enabled\":\"1\"}]}";
    guest.write_node("vm-data/networking/00163E112233", settings);
    let (code, reason) = guest.ask("resetnetwork", "");
    assert_eq!(code, "500", "{reason}");
    assert!(!guest.path("/etc/hostname").exists());
    assert_eq!(guest.read("/etc/hosts"), "127.0.0.1 localhost\n");
    let networkd = guest.path("/etc/systemd/network");
    assert!(!networkd.exists() || fs::read_dir(networkd).unwrap().count() == 0);
    assert!(guest.litter().is_empty());
    guest.check();
}

#[test]
fn the_longest_request_is_carried_out() {
    let Some(mut guest) = Guest::with("") else { return };
    // Base64 grows by steps of four characters, and all of it must be below the limit.
    let path = "/etc/long";
    let path_length = file(path, "").to_file_inject()["b64_path"].as_str().unwrap().len();
    let contents = vec![0xff; (MAX_FILE_INJECT - path_length) / 4 * 3];
    assert_eq!(guest.ask("file_inject", file(path, &contents).to_file_inject()), success());
    assert_eq!(fs::read(guest.path(path)).unwrap(), contents);

    // As long as a message can be at all.
    let node = format!("{}/data/host/00000000-0000-4000-8000-000000000000", crate::guest::HOME);
    let longest = max_host_value(&node);
    assert_eq!(longest, 4033);
    let request = |length: usize| {
        let frame = "{\"name\":\"version\",\"value\":\"\"}".len();
        format!("{{\"name\":\"version\",\"value\":\"{}\"}}", "x".repeat(length - frame))
    };
    assert_eq!(guest.ask_raw(request(longest)).1, "1.39.1");
    let too_long = request(longest + 1);
    assert!(guest.host.write(&node, too_long.as_bytes()).is_err());
    guest.check();
    // Whatever the bytes are.
    assert_eq!(guest.ask_raw(vec![b'['; longest]).0, "500");
    assert_eq!(guest.ask_raw(vec![b'\\'; longest]).0, "500");
    assert_eq!(guest.ask_raw(vec![0; longest]).0, "500");
}

#[test]
fn values_of_every_kind_are_answered() {
    let Some(mut guest) = Guest::with("") else { return };
    let values = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(1e300),
        json!([[{}]]),
        json!({"b64_path": 1, "b64_file": null}),
        json!({"user": [], "password": ""}),
        json!("\u{0}\u{7f}\u{10ffff}\n"),
        json!("None"),
    ];
    let commands =
        ["agentupdate", "file_inject", "injectfile", "keyinit", "password", "kmsactivate", ""];
    for command in commands {
        for value in &values {
            let (code, _) = guest.ask(command, value.clone());
            assert!(["500", "404"].contains(&code.as_str()), "{command} {value}");
        }
    }
    guest.write("/proc/sys/kernel/hostname", "web1\n");
    guest.write_node("vm-data/hostname", "web1");
    for command in ["version", "features", "resetnetwork"] {
        for value in &values {
            assert_eq!(guest.ask(command, value.clone()).0, "0", "{command} {value}");
        }
    }
}
