//! cloud-init, which would write its own network configuration again when the guest starts.

use super::files::NewFile;
use crate::root::Root;

const DIRECTORY: &str = "/etc/cloud/cloud.cfg.d";

/// The file that keeps cloud-init from the network; none if cloud-init is not installed.
pub(super) fn files(root: &Root) -> Vec<NewFile> {
    if !root.exists(DIRECTORY) {
        return Vec::new();
    }
    let path = format!("{DIRECTORY}/99-disable-network-config.cfg");
    vec![NewFile::new(path, "network: {config: disabled}\n".to_owned())]
}
