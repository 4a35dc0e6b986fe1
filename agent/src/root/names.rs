//! The names of the files that a replacement makes.

use std::io;

/// What the name of a temporary file begins with, before 16 random digits.
const TEMPORARY: &str = ".xend-new-";

/// What stands between the name of a file and the time in the name of its backup.
const BACKUP: &str = ".bak.";

/// The longest name of a file, in bytes.
const MAX_NAME: usize = 255;

/// The earliest time of a backup, in seconds since 1970: a day of September 2001. A smaller number
/// is a person's, such as a date.
pub(super) const EARLIEST: u64 = 1_000_000_000;

/// The most digits of a time.
const MAX_DIGITS: usize = 20;

/// A new name of a temporary file.
pub(super) fn temporary() -> io::Result<String> {
    let random = u64::from_ne_bytes(crate::os::random()?);
    Ok(format!("{TEMPORARY}{random:016x}"))
}

/// The name of a backup of the file `name`; `time` is in seconds since 1970.
pub(super) fn backup(name: &str, time: u64) -> String {
    let mut room = MAX_NAME - BACKUP.len() - MAX_DIGITS;
    while !name.is_char_boundary(room.min(name.len())) {
        room -= 1;
    }
    let beginning = name.get(..room).unwrap_or(name);
    format!("{beginning}{BACKUP}{time}")
}

/// The time of a backup of the file `name`; `None` if it is the name of none.
pub(super) fn time_of_backup(backup_name: &str, name: &str) -> Option<u64> {
    let time = time(backup_name)?;
    (backup(name, time) == backup_name).then_some(time)
}

/// Whether it is the path of a temporary file.
pub(super) fn is_temporary(path: &str) -> bool {
    let digits = last(path).strip_prefix(TEMPORARY);
    digits.is_some_and(|digits| digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether it is the path of a backup.
pub(super) fn is_backup(path: &str) -> bool {
    time(last(path)).is_some()
}

/// The time at the end of the name of a backup.
fn time(backup_name: &str) -> Option<u64> {
    let (_, digits) = backup_name.rsplit_once(BACKUP)?;
    let time: u64 = digits.parse().ok()?;
    (time >= EARLIEST && time.to_string() == digits).then_some(time)
}

/// The last name of a path.
fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let name = temporary().unwrap();
        assert!(is_temporary(&name) && is_temporary(&format!("/etc/{name}")));
        assert!(!is_temporary("/etc/passwd") && !is_temporary(".xend-new-0123"));
        assert!(!is_temporary(&format!("/etc/{name}/passwd")));
        assert_eq!(backup("hosts", 1_700_000_000), "hosts.bak.1700000000");
        assert!(is_backup("/etc/hosts.bak.1700000000"));
        assert_eq!(time_of_backup("hosts.bak.1000000000", "hosts"), Some(EARLIEST));
        for none in ["", "hosts", "hosts.bak", "hosts.bak.", "hosts.bak.20240501"] {
            assert!(!is_backup(&format!("/etc/{none}")), "{none}");
            assert_eq!(time_of_backup(none, "hosts"), None, "{none}");
        }
        for none in ["hosts.bak.01000000000", "hosts.bak.+1000000000", "hosts.bak.999999999"] {
            assert!(!is_backup(none), "{none}");
            assert_eq!(time_of_backup(none, "hosts"), None, "{none}");
        }
        assert!(!is_backup("/etc/a.bak.1700000000/b"));
        assert_eq!(time_of_backup("host.bak.1700000000", "hosts"), None);
        let long = "\u{e4}".repeat(127);
        let kept = backup(&long, u64::MAX);
        assert!(kept.len() <= MAX_NAME);
        assert_eq!(time_of_backup(&kept, &long), Some(u64::MAX));
    }
}
