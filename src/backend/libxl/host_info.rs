//! The description of the host.

use super::sched;
use crate::backend::uname::uname;
use crate::core::error::Error;
use crate::core::model::{HostInfo, Topology};
use serde_json::Value;

/// Xen's page in KiB.
pub(super) const PAGE_KIB: u64 = 4;

/// Reads a `libxl_version_info`, a `libxl_physinfo` and the name of a scheduler.
pub(super) fn host_info(
    version: &Value,
    physinfo: &Value,
    scheduler: &str,
) -> Result<HostInfo, Error> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let number = |value: &Value, key: &str| value[key].as_u64().unwrap_or(0);
    let small = |value: &Value, key: &str| u32::try_from(number(value, key)).unwrap_or(0);
    let hw_caps = physinfo["hw_cap"].as_array().map(Vec::as_slice).unwrap_or_default();
    let hw_caps: Vec<String> =
        hw_caps.iter().map(|word| format!("{:08x}", word.as_u64().unwrap_or(0))).collect();
    let virt_caps = [("cap_hvm", "hvm"), ("cap_hvm_directio", "hvm_directio")]
        .into_iter()
        .filter(|(key, _)| physinfo[key].as_bool().unwrap_or(false))
        .map(|(_, word)| word);
    Ok(HostInfo {
        is_simulated: false,
        uname: uname(),
        topology: Topology {
            cpus: small(physinfo, "nr_cpus").max(1),
            nodes: small(physinfo, "nr_nodes").max(1),
            cores_per_socket: small(physinfo, "cores_per_socket").max(1),
            threads_per_core: small(physinfo, "threads_per_core").max(1),
            khz: number(physinfo, "cpu_khz"),
        },
        hw_caps: hw_caps.join(":"),
        virt_caps: virt_caps.collect::<Vec<_>>().join(" "),
        total_memory: number(physinfo, "total_pages") * PAGE_KIB / 1024,
        xen_major: small(version, "xen_version_major"),
        xen_minor: small(version, "xen_version_minor"),
        xen_extra: text(version, "xen_version_extra"),
        xen_caps: text(version, "capabilities"),
        scheduler: sched::scheduler(scheduler)?,
        pagesize: number(version, "pagesize"),
        platform_params: format!("virt_start={:#x}", number(version, "virt_start")),
        changeset: text(version, "changeset"),
        commandline: text(version, "commandline"),
        compiled: ["compiler", "compile_by", "compile_domain", "compile_date"]
            .map(|key| text(version, key)),
    })
}
