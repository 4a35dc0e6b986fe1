//! The description of the host.

use super::settings::SimSettings;
use crate::backend::uname::uname;
use crate::core::model::{HostInfo, Topology};

/// Xen's version: major, minor and the rest.
pub(super) const VERSION: (u32, u32, &str) = (4, 17, ".0");

/// The revision that Xen was built from.
pub(super) const CHANGESET: &str = "unavailable";

/// How Xen was built: the compiler, and by whom, where and when.
pub(super) const COMPILED: [&str; 4] =
    ["gcc (Debian 12.2.0-14) 12.2.0", "root", "localdomain", "Wed Dec 14 08:20:31 UTC 2022"];

/// Xen's command line.
pub(super) fn commandline(settings: &SimSettings) -> String {
    format!(
        "dom0_mem={}M dom0_max_vcpus={} sched={}",
        settings.dom0_memory_mib, settings.dom0_vcpus, settings.scheduler
    )
}

pub(super) fn host_info(settings: &SimSettings) -> HostInfo {
    let (xen_major, xen_minor, xen_extra) = VERSION;
    HostInfo {
        is_simulated: true,
        uname: uname(),
        topology: Topology {
            cpus: settings.cpus,
            nodes: 1,
            cores_per_socket: settings.cpus,
            threads_per_core: 1,
            khz: 2_400_000,
        },
        hw_caps: "bfebfbff:77faf3ff:2c100800:00000121:0000000f:009c6fbf:00000000:00000100"
            .to_owned(),
        virt_caps: "hvm".to_owned(),
        total_memory: settings.memory_mib,
        xen_major,
        xen_minor,
        xen_extra: xen_extra.to_owned(),
        // As in real Xen, the list ends with a space, which old clients expect.
        xen_caps: "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ".to_owned(),
        scheduler: settings.scheduler,
        pagesize: 4096,
        platform_params: "virt_start=0xffff800000000000".to_owned(),
        changeset: CHANGESET.to_owned(),
        commandline: commandline(settings),
        compiled: COMPILED.map(str::to_owned),
    }
}
