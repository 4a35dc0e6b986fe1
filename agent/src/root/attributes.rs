//! The extended attributes that a replaced file keeps.
//!
//! They are those that say whose a file is and who may use it, and those that people and programs
//! have given it: the access list, the labels of SELinux and Smack, `user.*` and `trusted.*`. Not
//! kept are those that vouch for the old content: capabilities, which the kernel takes away when a
//! file is written, and the hashes and signatures of IMA and EVM.

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;

const ACCESS_LIST: &str = "system.posix_acl_access";

const CAPABILITIES: &str = "security.capability";

/// The most bytes of an attribute, and of the names of all attributes of a file: Linux's bounds.
const MAX_LENGTH: usize = 64 << 10;

/// Gives a new file the attributes of the old one.
pub(super) fn copy(old: &OwnedFd, new: &OwnedFd) -> io::Result<()> {
    let names = names(old)?;
    // The directory may have given one to the new file.
    if !names.iter().any(|name| name == ACCESS_LIST) {
        remove(new, ACCESS_LIST)?;
    }
    for name in names.iter().filter(|name| is_kept(name)) {
        let mut value = vec![0; MAX_LENGTH];
        let length = match fgetxattr(old, name.as_str(), &mut value[..]) {
            Ok(length) => length,
            // It is gone by now, or a name without a value.
            Err(Errno::NODATA | Errno::OPNOTSUPP) => continue,
            Err(error) => return Err(error.into()),
        };
        value.truncate(length);
        match fsetxattr(new, name.as_str(), &value, XattrFlags::empty()) {
            Ok(()) | Err(Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Whether a file has capabilities, with which whoever runs it can do more than before.
pub(super) fn has_capabilities(file: &OwnedFd) -> bool {
    let mut value = [0; 64];
    !matches!(fgetxattr(file, CAPABILITIES, &mut value[..]), Err(Errno::NODATA | Errno::OPNOTSUPP))
}

fn is_kept(name: &str) -> bool {
    let is_label = name == "security.selinux" || name.starts_with("security.SMACK64");
    // overlayfs's own tell where it has the old file's content.
    let is_roots = name.starts_with("trusted.") && !name.starts_with("trusted.overlay.");
    name == ACCESS_LIST || is_label || is_roots || name.starts_with("user.")
}

/// The names of a file's attributes that are UTF-8.
fn names(file: &OwnedFd) -> io::Result<Vec<String>> {
    let mut list = vec![0; MAX_LENGTH];
    let length = match flistxattr(file, &mut list[..]) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => 0,
        Err(error) => return Err(error.into()),
    };
    list.truncate(length);
    let names = list.split(|&byte: &u8| byte == 0).filter(|name| !name.is_empty());
    Ok(names.filter_map(|name| String::from_utf8(name.to_vec()).ok()).collect())
}

fn remove(file: &OwnedFd, name: &str) -> io::Result<()> {
    match fremovexattr(file, name) {
        Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_vouches_for_the_old_content_is_not_kept() {
        let kept = [
            "user.origin",
            "trusted.backup",
            "security.selinux",
            "security.SMACK64",
            "system.posix_acl_access",
        ];
        let lost = [
            "security.capability",
            "security.ima",
            "security.evm",
            "trusted.overlay.origin",
            "system.nfs4_acl",
            "usera",
        ];
        assert!(kept.into_iter().all(is_kept) && !lost.into_iter().any(is_kept));
    }
}
