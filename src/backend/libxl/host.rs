//! The host, as libxl tells of it.

use super::facts;
use crate::core::error::Error;
use crate::core::model::{HostInfo, Topology};
use serde_json::Value;

/// Xen's page in KiB.
pub(super) const PAGE_KIB: u64 = 4;

/// What does not change while the host is up, from libxl's version and physical information.
pub(super) fn host_info(
    version: &Value,
    physical: &Value,
    scheduler: &str,
) -> Result<HostInfo, Error> {
    let uname = rustix::system::uname();
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let number = |value: &Value, key: &str| value[key].as_u64().unwrap_or(0);
    let small = |value: &Value, key: &str| u32::try_from(number(value, key)).unwrap_or(0);
    let capable = |key: &str| physical[key].as_bool().unwrap_or(false);
    let words = physical["hw_cap"].as_array().map(Vec::as_slice).unwrap_or_default();
    let hw_caps: Vec<String> =
        words.iter().map(|w| format!("{:08x}", w.as_u64().unwrap_or(0))).collect();
    let capabilities = [("cap_hvm", "hvm"), ("cap_hvm_directio", "hvm_directio")]
        .into_iter()
        .filter(|(key, _)| capable(key));
    Ok(HostInfo {
        uname: [
            uname.sysname(),
            uname.nodename(),
            uname.release(),
            uname.version(),
            uname.machine(),
        ]
        .map(|part| part.to_string_lossy().into_owned()),
        topology: Topology {
            cpus: small(physical, "nr_cpus").max(1),
            nodes: small(physical, "nr_nodes").max(1),
            cores_per_socket: small(physical, "cores_per_socket").max(1),
            threads_per_core: small(physical, "threads_per_core").max(1),
            khz: number(physical, "cpu_khz"),
        },
        hw_caps: hw_caps.join(":"),
        virt_caps: capabilities.map(|(_, word)| word).collect::<Vec<_>>().join(" "),
        total_memory: number(physical, "total_pages") * PAGE_KIB / 1024,
        xen_major: small(version, "xen_version_major"),
        xen_minor: small(version, "xen_version_minor"),
        xen_extra: text(version, "xen_version_extra"),
        xen_caps: text(version, "capabilities"),
        scheduler: facts::scheduler(scheduler)?,
        pagesize: number(version, "pagesize"),
        platform_params: format!("virt_start={:#x}", number(version, "virt_start")),
        changeset: text(version, "changeset"),
        commandline: text(version, "commandline"),
        compiled: ["compiler", "compile_by", "compile_domain", "compile_date"]
            .map(|key| text(version, key)),
    })
}
