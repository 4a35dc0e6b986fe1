//! Whether this machine is a Domain-0 of Xen.

use std::fs;
use std::path::Path;

/// The UUID of Domain-0.
const DOMAIN0: &str = "00000000-0000-0000-0000-000000000000";

/// Whether this machine runs on Xen and controls it.
pub fn is_domain0() -> bool {
    is_domain0_below(Path::new("/"))
}

/// xenfs says that Domain-0 has the control interface. Where it is not mounted, Domain-0 is the
/// domain on Xen whose UUID is zero.
fn is_domain0_below(root: &Path) -> bool {
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    read("proc/xen/capabilities").contains("control_d")
        || (read("sys/hypervisor/type").trim() == "xen"
            && read("sys/hypervisor/uuid").trim() == DOMAIN0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domain_0_is_told_from_guests_and_other_machines() {
        let guest = "596a5d21-71f4-8fb2-e068-e2386a5c413e";
        for (files, expected) in [
            (&[][..], false),
            (&[("proc/xen/capabilities", "control_d\n")][..], true),
            (&[("proc/xen/capabilities", "")], false),
            (&[("sys/hypervisor/type", "xen\n"), ("sys/hypervisor/uuid", DOMAIN0)], true),
            (&[("sys/hypervisor/type", "xen\n"), ("sys/hypervisor/uuid", guest)], false),
            (&[("sys/hypervisor/type", "xen\n")], false),
        ] {
            let root = tempfile::tempdir().unwrap();
            for (path, text) in files {
                let path = root.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            assert_eq!(is_domain0_below(root.path()), expected, "{files:?}");
        }
    }
}
