//! The names of the files that stand beside a file when it is replaced.

use std::io;

/// What the name of a temporary file begins with, before 16 random digits.
const TEMPORARY: &str = ".xend-new-";

/// What stands between a file's name and the time in the name of its backup.
const BACKUP: &str = ".bak.";

/// A new name of a temporary file.
pub(super) fn temporary() -> io::Result<String> {
    let random = u64::from_ne_bytes(crate::os::random()?);
    Ok(format!("{TEMPORARY}{random:016x}"))
}

/// The most bytes of a file's name in the name of its backup, which has at most 255 bytes with the
/// longest time. Files whose longer names begin alike share their backups.
const MAX_NAME: usize = 255 - BACKUP.len() - 20;

/// The name of a file's backup; `time` is in seconds since 1970.
pub(super) fn backup(name: &str, time: u64) -> String {
    format!("{}{BACKUP}{time}", shortened(name))
}

fn shortened(name: &str) -> &str {
    let end = (0..=MAX_NAME.min(name.len())).rev().find(|&end| name.is_char_boundary(end));
    end.and_then(|end| name.get(..end)).unwrap_or_default()
}

/// The time of a backup of the file `name`; `None` if `entry` is none.
pub(super) fn time_of_backup(name: &str, entry: &str) -> Option<u64> {
    let digits = entry.strip_prefix(shortened(name))?.strip_prefix(BACKUP)?;
    let time = digits.parse().ok()?;
    (backup(name, time) == entry).then_some(time)
}

/// Whether it is the path of a temporary file.
pub(super) fn is_temporary(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let digits = name.strip_prefix(TEMPORARY);
    digits.is_some_and(|digits| digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether it is the path of a backup.
pub(super) fn is_backup(path: &str) -> bool {
    let entry = path.rsplit('/').next().unwrap_or_default();
    let parts = entry.rsplit_once(BACKUP);
    parts.is_some_and(|(name, _)| time_of_backup(name, entry).is_some())
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
        assert!(is_backup("/etc/hosts.bak.1700000000") && !is_backup("/etc/hosts.bak.07"));
        assert!(!is_backup("/etc/hosts") && !is_backup("/etc/hosts.bak."));
        assert_eq!(time_of_backup("hosts", "hosts.bak.12"), Some(12));
        assert_eq!(time_of_backup("host", "hosts.bak.12"), None);
        let long = "\u{e4}".repeat(127);
        let short = backup(&long, u64::MAX);
        assert!(short.len() <= 255 && is_backup(&format!("/etc/{short}")), "{short}");
        assert_eq!(time_of_backup(&long, &short), Some(u64::MAX));
    }
}
