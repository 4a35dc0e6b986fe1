//! The key exchange, and passwords in shadow.

use crate::guest::Guest;
use crate::machine::{SHADOW, failure, success};
use serde_json::{Value, json};
use sha_crypt::{PasswordVerifier, ShaCrypt};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use xend_guest_protocol::keys::{Digest, Private, Public, SharedKey};
use xend_guest_protocol::password::Password;

/// Agrees on a key, with the public key as text or as a number.
fn exchange(guest: &mut Guest, as_number: bool) -> SharedKey {
    let private = Private::from_random(&mut [7; 16]);
    let own = private.public().to_string();
    let value = if as_number { serde_json::from_str::<Value>(&own).unwrap() } else { own.into() };
    let (code, theirs) = guest.ask("keyinit", value);
    assert_eq!(code, "D0");
    private.shared_with(Public::parse(&theirs).unwrap())
}

fn encrypt(key: &SharedKey, password: &str, digest: Digest) -> String {
    key.encrypt(&Password::new(password).unwrap(), digest)
}

/// The hash of a user.
fn hash(guest: &Guest, user: &str) -> String {
    let text = guest.read("/etc/shadow");
    let line = text.lines().find(|line| line.starts_with(&format!("{user}:"))).unwrap();
    line.split(':').nth(1).unwrap().to_owned()
}

fn is_password(guest: &Guest, user: &str, password: &str) -> bool {
    ShaCrypt::SHA512.verify_password(password.as_bytes(), hash(guest, user).as_str()).is_ok()
}

#[test]
fn a_password_is_set_with_either_digest() {
    let mut guest = Guest::with("");
    for (digest, password, as_number) in
        [(Digest::Md5, "Secret1", false), (Digest::Sha256, "p\u{e4}ss \"\\ w\u{f6}rd:", false)]
    {
        let key = exchange(&mut guest, as_number);
        assert_eq!(guest.ask("password", encrypt(&key, password, digest)), success());
        assert!(is_password(&guest, "root", password));
        let unchanged: String = SHADOW.split_inclusive('\n').skip(1).collect();
        assert!(guest.read("/etc/shadow").ends_with(&unchanged));
    }
    assert!(guest.log().contains("password: 0") && !guest.log().contains("Secret1"));
    assert_eq!(guest.litter(), [""; 0].map(std::path::PathBuf::from));
}

#[test]
fn a_key_serves_one_attempt() {
    let mut guest = Guest::with("");
    let none = failure("Password without key exchange");
    assert_eq!(guest.ask("password", "AAAA"), none);
    let key = exchange(&mut guest, false);
    let encrypted = encrypt(&key, "Secret1", Digest::Md5);
    assert_eq!(guest.ask("password", encrypted.as_str()), success());
    assert_eq!(guest.ask("password", encrypted.as_str()), none);
    for (wrong, reason) in [
        ("not base64!", "Couldn't decode base64 data"),
        ("AAAAAAAAAAAAAAAAAAAAAA==", "Invalid password data received"),
        ("", "Invalid password data received"),
    ] {
        let key = exchange(&mut guest, false);
        assert_eq!(guest.ask("password", wrong), failure(reason), "{wrong}");
        let right = encrypt(&key, "Secret2", Digest::Md5);
        assert_eq!(guest.ask("password", right), none);
    }
    assert!(is_password(&guest, "root", "Secret1"));
}

#[test]
fn bad_public_keys_are_refused() {
    let mut guest = Guest::with("");
    let last = "162259276829213363391578010288126";
    for key in [json!("0"), json!("1"), json!(last), json!(1), json!("x"), json!(1.5), Value::Null]
    {
        assert_eq!(guest.ask("keyinit", key.clone()).0, "500", "{key}");
        assert_eq!(guest.ask("password", "AAAA"), failure("Password without key exchange"));
    }
}

#[test]
fn a_small_public_key_may_be_a_number() {
    let mut guest = Guest::with("");
    assert_eq!(guest.ask("keyinit", json!(10_213_771_857_304_028_832_u64)).0, "D0");
    let big = "{\"name\":\"keyinit\",\"value\":10213771857304028832860390748511}";
    let (code, message) = guest.ask_raw(big);
    assert!(code == "D0" || code == "500", "{message}");
}

#[test]
fn other_users_can_be_named() {
    let mut guest = Guest::with("");
    let key = exchange(&mut guest, false);
    let password = encrypt(&key, "Secret3", Digest::Sha256);
    assert_eq!(guest.ask("password", json!({"user": "web", "password": password})), success());
    assert!(is_password(&guest, "web", "Secret3"));
    assert_eq!(hash(&guest, "root"), "*");
    let key = exchange(&mut guest, false);
    let password = encrypt(&key, "Secret4", Digest::Sha256);
    let (code, message) = guest.ask("password", json!({"user": "nobody", "password": password}));
    assert_eq!((code.as_str(), message.contains("no user 'nobody'")), ("500", true), "{message}");
    for user in ["", "web:x", "root\nweb"] {
        let key = exchange(&mut guest, false);
        let password = encrypt(&key, "Secret4", Digest::Sha256);
        assert_eq!(guest.ask("password", json!({"user": user, "password": password})).0, "500");
    }
}

#[test]
fn lines_about_users_of_nis_are_no_users() {
    let mut guest = Guest::new();
    let text = format!("{SHADOW}+@admins::::::::\n-web:*:1::::::\n+::::::::\n-::::::::\n");
    guest.write("/etc/shadow", &text);
    guest.start();
    for user in ["+", "-", "+@admins", "-web", "+web"] {
        let key = exchange(&mut guest, false);
        let password = encrypt(&key, "Secret4", Digest::Sha256);
        let answer = guest.ask("password", json!({"user": user, "password": password}));
        assert_eq!(answer, failure("The user's name is not valid"), "{user}");
    }
    assert_eq!(guest.read("/etc/shadow"), text);
}

#[test]
fn shadow_keeps_owner_mode_and_lines() {
    let mut guest = Guest::new();
    let path = guest.path("/etc/shadow");
    let strange = "# a comment\nroot:$6$a$b:1:0:99999:7:::\n\n+@netgroup\nweb:x:1";
    fs::write(&path, strange).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        chown(&path, Some(0), Some(42)).unwrap();
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    guest.start();
    let key = exchange(&mut guest, false);
    assert_eq!(guest.ask("password", encrypt(&key, "Secret5", Digest::Md5)), success());
    let text = guest.read("/etc/shadow");
    assert!(text.starts_with("# a comment\nroot:$6$rounds=5000$"), "{text}");
    assert!(text.ends_with(":0:99999:7:::\n\n+@netgroup\nweb:x:1"), "{text}");
    let found = fs::metadata(&path).unwrap();
    assert_eq!(found.mode() & 0o7777, 0o640);
    if is_root {
        assert_eq!((found.uid(), found.gid()), (0, 42));
    }
}

#[test]
fn yescrypt_is_used_where_the_system_uses_it() {
    let mut guest = Guest::new();
    guest.write("/etc/shadow", "root:*:1::::::\nweb:$y$j9T$abc$def:1::::::\n");
    guest.start();
    let key = exchange(&mut guest, false);
    assert_eq!(guest.ask("password", encrypt(&key, "Secret6", Digest::Md5)), success());
    let hash = hash(&guest, "root");
    assert!(hash.starts_with("$y$j9T$"), "{hash}");
    assert!(yescrypt::Yescrypt::default().verify_password(b"Secret6", hash.as_str()).is_ok());
}

#[test]
fn the_lock_of_other_programs_is_waited_for() {
    let mut guest = Guest::new();
    guest.write("/etc/.pwd.lock", "");
    let lock = fs::File::options().write(true).open(guest.path("/etc/.pwd.lock")).unwrap();
    let exclusive = rustix::fs::FlockOperation::NonBlockingLockExclusive;
    rustix::fs::fcntl_lock(&lock, exclusive).unwrap();
    guest.start();
    let key = exchange(&mut guest, false);
    let id = guest.put_request("password", encrypt(&key, "Secret7", Digest::Md5));
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(hash(&guest, "root"), "*");
    drop(lock);
    let response = guest.wait_for(&id);
    assert_eq!(crate::machine::returncode_and_message(&response), success());
    assert!(is_password(&guest, "root", "Secret7"));
}

#[test]
fn a_shadow_file_elsewhere() {
    let mut guest = Guest::new();
    let shadow = guest.outside("shadow");
    fs::write(&shadow, SHADOW).unwrap();
    let mut command = guest.command();
    command.arg("--shadow").arg(&shadow);
    guest.start_command(command);
    let key = exchange(&mut guest, false);
    assert_eq!(guest.ask("password", encrypt(&key, "Secret8", Digest::Md5)), success());
    assert_eq!(guest.read("/etc/shadow"), SHADOW);
    assert!(fs::read_to_string(shadow).unwrap().starts_with("root:$6$"));
}

#[test]
fn a_guest_without_shadow() {
    let mut guest = Guest::new();
    fs::remove_file(guest.path("/etc/shadow")).unwrap();
    guest.start();
    let key = exchange(&mut guest, false);
    let answer = guest.ask("password", encrypt(&key, "Secret9", Digest::Md5));
    assert_eq!(answer, failure("There is no /etc/shadow"));
}
