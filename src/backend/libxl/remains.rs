//! What a toolstack leaves of a domain that Xen has no more.
//!
//! A domain that is destroyed in the hypervisor alone is gone at once if no backend maps its pages.
//! libxl destroys no domain that is gone, and takes no device from it. Its backends would stay,
//! with the loop devices of its disks: the next domain with such a disk would be refused.

use super::xenstore::XenStore;
use std::io;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use xend_xenstore::{Client, Error, Nodes as _};

/// Where Domain-0's backends are.
const BACKENDS: &str = "/local/domain/0/backend";
/// How long a hotplug script may take: libxl's own limit.
const SCRIPT_LIMIT: Duration = Duration::from_secs(40);
/// How often it is asked whether a script has ended.
const SCRIPT_PERIOD: Duration = Duration::from_millis(20);

/// Clears away what is left of a domain that is gone. What fails is logged: nobody waits for it.
pub(super) fn clear_away(xenstore: &XenStore, domid: u32) {
    let mut found = false;
    let cleared = xenstore.with_client(|client| disks(client, domid)).and_then(|disks| {
        found = !disks.is_empty();
        for (path, script) in disks {
            if let Err(error) = run(&script, &path) {
                tracing::warn!(domid, "{script} has not removed a disk: {error}");
            }
        }
        xenstore.with_client(|client| remove_nodes(client, domid))
    });
    match cleared {
        Ok(nodes) if found || nodes => {
            tracing::info!(domid, "What was left of a destroyed domain is cleared away");
        }
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(domid, "What is left of a destroyed domain stays: {error}");
        }
    }
}

/// The backends of disks that have a script, and the scripts. Interfaces go with their nodes.
fn disks(client: &mut Client, domid: u32) -> Result<Vec<(String, String)>, Error> {
    let top = format!("{BACKENDS}/vbd/{domid}");
    let mut found = Vec::new();
    for device in client.directory_if_exists(&top)?.unwrap_or_default() {
        let path = format!("{top}/{device}");
        if let Some(script) = client.read_if_exists(&format!("{path}/script"))? {
            found.push((path, String::from_utf8_lossy(&script).into_owned()));
        }
    }
    Ok(found)
}

/// Removes the nodes, and tells whether there were any.
fn remove_nodes(client: &mut Client, domid: u32) -> Result<bool, Error> {
    let mut found = false;
    let kinds = client.directory_if_exists(BACKENDS)?.unwrap_or_default();
    let backends = kinds.iter().map(|kind| format!("{BACKENDS}/{kind}/{domid}"));
    for path in backends.chain([format!("/libxl/{domid}"), format!("/local/domain/{domid}")]) {
        match client.remove(&path) {
            Ok(()) => found = true,
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Runs a hotplug script as libxl does when a disk is removed.
fn run(script: &str, backend: &str) -> io::Result<()> {
    let mut child = Command::new(script)
        .arg("remove")
        .env("script", script)
        .env("XENBUS_TYPE", "vbd")
        .env("XENBUS_PATH", backend)
        .env("XENBUS_BASE_PATH", "backend")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return if status.success() {
                Ok(())
            } else {
                Err(io::Error::other(status.to_string()))
            };
        }
        if began.elapsed() > SCRIPT_LIMIT {
            child.kill()?;
            child.wait()?;
            return Err(io::ErrorKind::TimedOut.into());
        }
        sleep(SCRIPT_PERIOD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use xend_xenstore::{Identity, Server, SharedClient, Store};

    #[test]
    fn disks_are_removed_by_their_scripts_and_no_node_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("block");
        let log = dir.path().join("log");
        let text = format!("#!/bin/sh\necho $1 $XENBUS_PATH >>{}\n", log.display());
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
        let store = Store::new();
        let mut nodes = store.connect(Identity::Host).unwrap();
        for domid in [5, 50] {
            let vbd = format!("{BACKENDS}/vbd/{domid}/51712");
            nodes.write(&format!("{vbd}/script"), script.to_str().unwrap().as_bytes()).unwrap();
            for node in ["local/domain/0/backend/vif", "local/domain", "libxl"] {
                nodes.write(&format!("/{node}/{domid}/name"), b"x").unwrap();
            }
        }
        let mut server = Server::start(store.clone()).unwrap();
        let socket = dir.path().join("socket");
        server.listen(&socket, Identity::Host).unwrap();
        let xenstore = XenStore::over(SharedClient::at(&socket, Duration::from_secs(10)));
        // The second time there is nothing left.
        clear_away(&xenstore, 5);
        clear_away(&xenstore, 5);
        assert_eq!(fs::read_to_string(log).unwrap(), format!("remove {BACKENDS}/vbd/5/51712\n"));
        for top in ["local/domain/0/backend/vbd", "local/domain/0/backend/vif", "libxl"] {
            assert_eq!(nodes.directory(&format!("/{top}")).unwrap(), ["50"], "{top}");
        }
        assert_eq!(nodes.directory("/local/domain").unwrap(), ["0", "50"]);
    }
}
