//! Passwords in shadow: one line is changed under the lock that all programs take, all others stay
//! byte for byte.

use crate::os;
use crate::root::{Owner, Replace, Root, replaces_no_link, words};
use rustix::fs::{FileType, FlockOperation, fcntl_lock};
use rustix::io::Errno;
use sha_crypt::{PasswordHasher as _, ShaCrypt};
use std::fs::File;
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};
use xend_guest_protocol::password::Password;
use yescrypt::Yescrypt;

/// The file of a system.
pub const SHADOW: &str = "/etc/shadow";

/// The lock of lckpwdf(3), in the same directory.
const LOCK: &str = ".pwd.lock";

/// The journal of a file that is not the system's.
const JOURNAL: &str = ".xend-replacing";

/// How long lckpwdf(3) waits for the lock.
const LOCK_LIMIT: Duration = Duration::from_secs(15);

/// How often the lock is tried.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// The longest name of a user, in bytes.
const MAX_USER: usize = 256;

const SECONDS_OF_A_DAY: u64 = 86_400;

/// Where a shadow file is.
pub struct Shadow {
    root: Root,
    path: String,
}

impl Shadow {
    /// The shadow file of the system below `root`.
    pub fn of(root: &Root) -> Self {
        Self { root: root.clone(), path: SHADOW.to_owned() }
    }

    /// A file elsewhere: its path is not below a root, and the journal is beside it.
    pub fn at(path: &Path) -> Result<Self, String> {
        let absolute = std::path::absolute(path).map_err(|error| words(&error))?;
        let path = absolute.into_os_string().into_string();
        let path = path.map_err(|_| "The path of the shadow file is not UTF-8".to_owned())?;
        let root = Root::new("/").with_journal(&beside(&path, JOURNAL));
        Ok(Self { root, path })
    }

    /// Removes what a killed agent has left.
    pub fn recover(&self) -> io::Result<Option<String>> {
        self.root.recover()
    }

    /// Sets a user's password, which is usable from then on, and the day of the change.
    pub fn set_password(&self, user: &str, password: &Password) -> Result<(), String> {
        if !is_user_name(user) {
            return Err("The user's name is not valid".to_owned());
        }
        let _lock = self.lock()?;
        let failed = |error| format!("Couldn't change {}: {}", self.path, words(&error));
        // What a link leads to belongs to somebody else, who would still read the old file.
        if self.root.file_type(&self.path).map_err(failed)? == Some(FileType::Symlink) {
            return Err(replaces_no_link(&self.path));
        }
        let text = self.root.read(&self.path).map_err(failed)?;
        let text = text.ok_or_else(|| format!("There is no {}", self.path))?;
        let hash = hash(password, uses_yescrypt(&text))?;
        let today = os::unix_time() / SECONDS_OF_A_DAY;
        let changed = with_hash(&text, user, &hash, today)
            .ok_or_else(|| format!("There is no user '{user}' in {}", self.path))?;
        // A copy of the old file would keep old hashes.
        let how = Replace {
            new_mode: 0o600,
            new_owner: Owner::Agent,
            force_mode: false,
            keep_old: false,
            make_directories: false,
        };
        self.root.replace(&self.path, &changed, how).map_err(failed)?;
        Ok(())
    }

    /// Takes the lock, which ends with the file.
    fn lock(&self) -> Result<File, String> {
        let path = beside(&self.path, LOCK);
        let failed = |error| format!("Couldn't lock {path}: {}", words(&error));
        let file = self.root.open_lock(&path, false).map_err(failed)?;
        let end = Instant::now() + LOCK_LIMIT;
        loop {
            match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(Errno::AGAIN | Errno::ACCESS | Errno::INTR) if Instant::now() < end => {
                    sleep(LOCK_PAUSE);
                }
                Err(Errno::AGAIN | Errno::ACCESS | Errno::INTR) => {
                    return Err(format!("Another program keeps {path} locked"));
                }
                Err(error) => return Err(failed(error.into())),
            }
        }
    }
}

/// Whether it can be a user's name, as shadow's own programs want it. Lines with other names are no
/// users': `+` and `-name` are about those of NIS.
fn is_user_name(name: &str) -> bool {
    let starts = |byte: u8| byte.is_ascii_alphanumeric() || b"_.".contains(&byte);
    let follows = |byte: u8| starts(byte) || byte == b'-';
    // Samba's accounts of machines end so.
    let bytes = name.strip_suffix('$').unwrap_or(name).as_bytes();
    name.len() <= MAX_USER
        && bytes.first().copied().is_some_and(starts)
        && bytes.iter().copied().all(follows)
        && !bytes.iter().all(u8::is_ascii_digit)
        && !matches!(name, "." | "..")
}

/// Another name in the directory of a file.
fn beside(path: &str, name: &str) -> String {
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    format!("{directory}/{name}")
}

/// Whether a password of the system is hashed by yescrypt, so that it knows it. Those that are
/// locked begin with `!`, or `!!`.
fn uses_yescrypt(text: &[u8]) -> bool {
    let mut hashes = text
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.split(|&byte| byte == b':').nth(1));
    hashes.any(|hash| {
        let unlocked = hash.iter().position(|&byte| byte != b'!');
        unlocked.and_then(|at| hash.get(at..)).is_some_and(|hash| hash.starts_with(b"$y$"))
    })
}

/// Hashes by yescrypt, else by SHA-512, which every crypt(3) knows, with the usual costs.
fn hash(password: &Password, yescrypt: bool) -> Result<String, String> {
    let failed = "The password cannot be hashed";
    let password = password.as_str().as_bytes();
    let hash = if yescrypt {
        let salt = os::random::<16>().map_err(|error| words(&error))?;
        Yescrypt::default().hash_password_with_salt(password, &salt).map(|hash| hash.to_string())
    } else {
        // 16 characters are the most that count.
        let salt = os::random::<12>().map_err(|error| words(&error))?;
        ShaCrypt::SHA512.hash_password_with_salt(password, &salt).map(|hash| hash.to_string())
    };
    hash.map_err(|_| failed.to_owned())
}

/// The text with another hash and day in the user's lines; `None` if it has none.
fn with_hash(text: &[u8], user: &str, hash: &str, day: u64) -> Option<Vec<u8>> {
    // Day 0 would force the user to change the password: the clock was never set.
    let day = if day == 0 { String::new() } else { day.to_string() };
    let mut is_there = false;
    let mut changed = Vec::with_capacity(text.len() + hash.len());
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let rest = line.strip_prefix(user.as_bytes()).and_then(|rest| rest.strip_prefix(b":"));
        let Some(rest) = rest else {
            changed.extend_from_slice(line);
            continue;
        };
        is_there = true;
        let end: &[u8] = if rest.ends_with(b"\n") { b"\n" } else { b"" };
        let rest = rest.strip_suffix(b"\n").unwrap_or(rest);
        // The old hash, the old day, and what follows.
        let mut fields = rest.splitn(3, |&byte| byte == b':').skip(2);
        changed.extend_from_slice(format!("{user}:{hash}:{day}:").as_bytes());
        // A line that was cut short gets the fields that shadow(5) wants.
        changed.extend_from_slice(fields.next().unwrap_or(b":::::"));
        changed.extend_from_slice(end);
    }
    is_there.then_some(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::process::{Command, Stdio};

    fn password(text: &str) -> Password {
        Password::new(text).unwrap()
    }

    /// crypt(3) of the system, through perl.
    fn crypt(password: &str, hash: &str) -> Option<String> {
        let mut perl = Command::new("perl");
        perl.args(["-e", "print crypt($ARGV[0], $ARGV[1])", password, hash]).stdin(Stdio::null());
        let output = perl.output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok().filter(|text| !text.is_empty())
    }

    #[test]
    fn hashes_are_those_of_the_system() {
        for (yescrypt, start) in [(false, "$6$rounds=5000$"), (true, "$y$j9T$")] {
            let secret = "p\u{e4}ss w\u{f6}rd $HOME";
            let hash = hash(&password(secret), yescrypt).unwrap();
            assert!(hash.starts_with(start), "{hash}");
            match crypt(secret, &hash) {
                Some(theirs) => assert_eq!(theirs, hash),
                None => eprintln!("SKIPPED: perl's crypt does not know {start}"),
            }
        }
    }

    #[test]
    fn one_line_changes() {
        let text = b"root:*:19000:0:99999:7:::\nrooty:!:1::::::\n\xff:x\nweb:$6$old:1:2:3:4:5:6:";
        let changed = with_hash(text, "root", "H", 20_000).unwrap();
        let expected =
            b"root:H:20000:0:99999:7:::\nrooty:!:1::::::\n\xff:x\nweb:$6$old:1:2:3:4:5:6:";
        assert_eq!(changed, expected);
        let changed = with_hash(text, "web", "H", 20_000).unwrap();
        assert!(changed.ends_with(b"\n\xff:x\nweb:H:20000:2:3:4:5:6:"));
        assert_eq!(with_hash(b"root:", "root", "H", 1).unwrap(), b"root:H:1::::::");
        assert_eq!(with_hash(b"root:*:1:0:::::", "root", "H", 0).unwrap(), b"root:H::0:::::");
        assert_eq!(with_hash(text, "nobody", "H", 1), None);
        assert_eq!(with_hash(text, "oot", "H", 1), None);
    }

    #[test]
    fn names_of_users_are_told_from_others() {
        for name in ["root", "_apt", "systemd-network", "J.Doe_2", "pc1$", "3com", ".a", "a-"] {
            assert!(is_user_name(name), "{name}");
        }
        let long = "a".repeat(MAX_USER + 1);
        for name in [
            "",
            "+",
            "-",
            "+root",
            "-root",
            "+@admins",
            "-@admins",
            "@admins",
            "a:b",
            "a\nb",
            "a b",
            "a/b",
            "a+b",
            "a$b",
            "a$$",
            "$",
            ".",
            "..",
            "0",
            "123",
            "0$",
            "r\u{f6}\u{f6}t",
            "a\0",
            "*",
            &long,
        ] {
            assert!(!is_user_name(name), "{name}");
        }
    }

    #[test]
    fn lines_about_users_of_nis_stay() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shadow");
        let text = "root:*:1::::::\n-root:*:1::::::\n+@admins::::::::\n+::::::::\n-:*:1::::::\n";
        fs::write(&path, text).unwrap();
        let shadow = Shadow::at(&path).unwrap();
        for user in ["+", "-", "+@admins", "-root", "+root", "*", "root:*"] {
            let error = shadow.set_password(user, &password("x")).unwrap_err();
            assert_eq!(error, "The user's name is not valid", "{user}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        shadow.set_password("root", &password("x")).unwrap();
        let changed = fs::read_to_string(&path).unwrap();
        assert!(changed.starts_with("root:$6$"), "{changed}");
        assert_eq!(changed.split_once('\n').unwrap().1, text.split_once('\n').unwrap().1);
    }

    #[test]
    fn the_system_decides_on_the_algorithm() {
        assert!(uses_yescrypt(b"root:*::\nweb:$y$j9T$a$b:1\n"));
        assert!(uses_yescrypt(b"root:!$y$j9T$a$b:1\n"));
        assert!(uses_yescrypt(b"root:!!$y$j9T$a$b:1\n"));
        assert!(!uses_yescrypt(b"root:!!:1\n"));
        assert!(!uses_yescrypt(b"root:$6$a$b:1:$y$\n"));
    }

    #[test]
    fn the_file_keeps_its_mode_and_no_old_hash_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shadow");
        fs::write(&path, "root:*:1:0:99999:7:::\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let shadow = Shadow::at(&path).unwrap();
        shadow.set_password("root", &password("one")).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("root:$6$") && text.ends_with(":0:99999:7:::\n"), "{text}");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        let mut names: Vec<_> =
            fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [LOCK, "shadow"]);
        for user in ["", "a:b", "a\nb", "nobody"] {
            assert!(shadow.set_password(user, &password("two")).is_err(), "{user}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn a_link_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shadow");
        let target = directory.path().join("target");
        fs::write(&target, "root:*:1:0:99999:7:::\n").unwrap();
        symlink("target", &path).unwrap();
        let error = Shadow::at(&path).unwrap().set_password("root", &password("x")).unwrap_err();
        let expected = "/shadow is a symbolic link, which is not replaced: put a file there";
        assert!(error.ends_with(expected), "{error}");
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), "root:*:1:0:99999:7:::\n");
    }

    #[test]
    fn a_missing_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let shadow = Shadow::at(&directory.path().join("none")).unwrap();
        let error = shadow.set_password("root", &password("x")).unwrap_err();
        assert!(error.starts_with("There is no /") && error.ends_with("/none"), "{error}");
    }
}
