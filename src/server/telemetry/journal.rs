//! Whether standard error is the journal of systemd.

use std::os::fd::AsFd;

/// Whether systemd, which names the device and the inode of its journal in the variable
/// `JOURNAL_STREAM`, means this file by it. The variable is inherited, and standard error may have
/// been redirected since.
pub(super) fn is_journal(stream: Option<&str>, file: impl AsFd) -> bool {
    let named = stream.and_then(|stream| stream.split_once(':'));
    let Some((device, inode)) = named else { return false };
    let Ok(stat) = rustix::fs::fstat(file) else { return false };
    device.parse() == Ok(stat.st_dev) && inode.parse() == Ok(stat.st_ino)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn the_journal_is_told_by_device_and_inode() {
        let file = tempfile::tempfile().unwrap();
        let meta = file.metadata().unwrap();
        let stream = format!("{}:{}", meta.dev(), meta.ino());
        assert!(is_journal(Some(&stream), &file));
        assert!(!is_journal(Some(&stream), File::open("/dev/null").unwrap()));
        for other in [None, Some(""), Some("8"), Some("a:b"), Some("8:99999999999999999999999")] {
            assert!(!is_journal(other, &file), "{other:?}");
        }
    }
}
