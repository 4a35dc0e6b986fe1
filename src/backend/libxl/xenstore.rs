//! Nodes of domains in XenStore. libxl has calls for most of what it writes itself; this is for
//! what the host and the guest tell each other, and for the states of consoles, devices and
//! backends.

use crate::core::error::Error;
use crate::core::model::{DomId, Invalid, StorePath, XenstoreData};
use crate::core::ports::TreeLimits;
use std::time::Duration;
use xend_xenstore::{
    Access, Client, Error as StoreError, Nodes, Permission, SharedClient, Transaction,
};

/// The most nodes of a device, or devices of a domain, that are read.
const MAX_CHILDREN: usize = 256;

/// A connection to XenStore for all threads.
pub(super) struct XenStore(SharedClient);

impl XenStore {
    /// `hypervisor_limit` is how long callers wait. A call ends before: it waits a quarter of that
    /// for other calls, and another quarter for XenStore.
    pub(super) fn new(hypervisor_limit: Duration) -> Self {
        Self(SharedClient::new(hypervisor_limit / 4))
    }

    #[cfg(test)]
    pub(super) fn over(client: SharedClient) -> Self {
        Self(client)
    }

    /// Works with nodes of any domain. All of the work must be possible twice.
    pub(super) fn with_client<T>(
        &self,
        work: impl FnMut(&mut Client) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.0.call(work)
    }

    /// The value of a node; `None` if there is no such node.
    pub(super) fn read(&self, domid: DomId, path: &StorePath) -> Result<Option<Vec<u8>>, Error> {
        self.call(domid, |client| {
            let value = client.read_if_exists(&below(domid, path))?;
            Ok((value.is_some() || is_there(client, domid)?).then_some(value))
        })
    }

    /// The nodes below a node, each before those below it.
    pub(super) fn read_tree(
        &self,
        domid: DomId,
        path: &StorePath,
        limits: TreeLimits,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let top = directory(domid);
        self.call(domid, |client| {
            if !is_there(client, domid)? {
                return Ok(None);
            }
            let mut nodes = Vec::new();
            // Paths to list, with the number of levels that may be read below them.
            let mut to_list = vec![(path.as_str().to_owned(), limits.depth)];
            while let Some((parent, depth)) = to_list.pop() {
                let children = client.directory_if_exists(&format!("{top}/{parent}"))?;
                for name in children.unwrap_or_default() {
                    if nodes.len() >= limits.nodes {
                        return Ok(Some(nodes));
                    }
                    let node = format!("{parent}/{name}");
                    let Some(value) = client.read_if_exists(&format!("{top}/{node}"))? else {
                        continue;
                    };
                    if depth > 1 {
                        to_list.push((node.clone(), depth - 1));
                    }
                    nodes.push((node, value));
                }
            }
            Ok(Some(nodes))
        })
    }

    /// The value of a node as text; `None` if it cannot be read.
    pub(super) fn text(&self, domid: DomId, path: &str) -> Option<String> {
        let value = self.read(domid, &StorePath::new(path).ok()?).ok()??;
        Some(String::from_utf8_lossy(&value).into_owned())
    }

    /// The nodes directly below a node as texts, by their names.
    pub(super) fn children(
        &self,
        domid: DomId,
        path: &str,
    ) -> Result<Vec<(String, String)>, Error> {
        let limits = TreeLimits { depth: 1, nodes: MAX_CHILDREN };
        let nodes = self.read_tree(domid, &StorePath::new(path)?, limits)?;
        let name = |node: &str| node.rsplit('/').next().unwrap_or_default().to_owned();
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        Ok(nodes.iter().map(|(node, value)| (name(node), text(value))).collect())
    }

    /// Writes a node of a domain that is there.
    pub(super) fn write(&self, domid: DomId, path: &StorePath, value: &[u8]) -> Result<(), Error> {
        let node = below(domid, path);
        let write = |nodes: &mut Transaction<'_>| {
            if nodes.read_if_exists(&name(domid))?.is_none() {
                return Ok(None);
            }
            if path.starts_with(XenstoreData::TOP) {
                make_readable(nodes, domid, path)?;
            }
            nodes.write(&node, value).map(Some)
        };
        let written = self.0.call(|client| client.transaction(write));
        if let Err(StoreError::TooLong { length, limit }) = written {
            let reason = format!("{path}: {length} bytes with the path are too many");
            return Err(Invalid::new(format!("{reason}, XenStore takes {limit}")).into());
        }
        of_domain(domid, written)
    }

    /// Removes a node and all below it.
    pub(super) fn remove(&self, domid: DomId, path: &StorePath) -> Result<(), Error> {
        self.call(domid, |client| {
            if !is_there(client, domid)? {
                return Ok(None);
            }
            match client.remove(&below(domid, path)) {
                Err(error) if !error.is_not_found() => Err(error),
                _ => Ok(Some(())),
            }
        })
    }

    /// Works with the connection. `None` is the answer about a domain that is not there.
    fn call<T>(
        &self,
        domid: DomId,
        work: impl FnMut(&mut Client) -> Result<Option<T>, StoreError>,
    ) -> Result<T, Error> {
        of_domain(domid, self.0.call(work))
    }
}

fn of_domain<T>(domid: DomId, answer: Result<Option<T>, StoreError>) -> Result<T, Error> {
    match answer {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(Error::Gone(domid.to_string())),
        Err(error @ StoreError::Open(_)) => Err(Error::backend("XenStore cannot be opened", error)),
        Err(error) if error.is_timeout() => Err(Error::backend("XenStore does not answer", error)),
        Err(error) => Err(Error::backend("XenStore failed", error)),
    }
}

/// Sees to it that the guest can read the nodes down to this one and not change them, and that no
/// other guest can. They are made if they are not there.
fn make_readable(
    nodes: &mut Transaction<'_>,
    domid: DomId,
    path: &StorePath,
) -> Result<(), StoreError> {
    let wanted =
        [Permission::new(Access::None, DomId::ZERO.0), Permission::new(Access::Read, domid.0)];
    let mut node = directory(domid);
    for name in path.as_str().split('/') {
        node = format!("{node}/{name}");
        let is_right = match nodes.permissions(&node) {
            Ok(permissions) => permissions == wanted,
            Err(error) if error.is_not_found() => {
                nodes.mkdir(&node)?;
                false
            }
            Err(error) => return Err(error),
        };
        if !is_right {
            nodes.set_permissions(&node, &wanted)?;
        }
    }
    Ok(())
}

/// A domain that has a name is there.
fn is_there(client: &mut Client, domid: DomId) -> Result<bool, StoreError> {
    client.read_if_exists(&name(domid)).map(|name| name.is_some())
}

fn name(domid: DomId) -> String {
    format!("{}/name", directory(domid))
}

fn below(domid: DomId, path: &StorePath) -> String {
    format!("{}/{path}", directory(domid))
}

fn directory(domid: DomId) -> String {
    format!("/local/domain/{domid}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;
    use tempfile::TempDir;
    use xend_xenstore::{Connection, Identity, Server, Store};

    const GUEST: DomId = DomId(5);
    const LIMIT: Duration = Duration::from_secs(10);

    /// A XenStore with a guest, as a toolstack leaves it.
    struct Host {
        nodes: Connection,
        store: Store,
        xenstore: XenStore,
        _server: Server,
        _directory: TempDir,
    }

    fn socket() -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("host");
        (directory, socket)
    }

    fn host() -> Host {
        let (directory, socket) = socket();
        let store = Store::new();
        store.introduce(GUEST.0).unwrap();
        let mut nodes = store.connect(Identity::Host).unwrap();
        nodes.write("/local/domain/5/name", b"web1").unwrap();
        let mut server = Server::start(store.clone()).unwrap();
        server.listen(&socket, Identity::Host).unwrap();
        let xenstore = XenStore(SharedClient::at(&socket, LIMIT));
        Host { nodes, store, xenstore, _server: server, _directory: directory }
    }

    fn path(text: &str) -> StorePath {
        StorePath::new(text).unwrap()
    }

    #[test]
    fn what_the_host_writes_is_the_guests_to_read() {
        let mut host = host();
        let Host { nodes, store, xenstore, .. } = &mut host;
        // A toolstack of another kind has left these to the guest, and to everybody.
        nodes.write("/local/domain/5/vm-data/networking", b"").unwrap();
        let wrong = [Permission::new(Access::Read, GUEST.0)];
        for node in ["vm-data", "vm-data/networking"] {
            nodes.set_permissions(&format!("/local/domain/5/{node}"), &wrong).unwrap();
        }
        xenstore.write(GUEST, &path("vm-data/networking/00163E000005"), b"{}").unwrap();
        xenstore.write(GUEST, &path("vm-data/hostname"), b"web1").unwrap();
        let right = [Permission::new(Access::None, 0), Permission::new(Access::Read, GUEST.0)];
        for node in
            ["vm-data", "vm-data/networking", "vm-data/networking/00163E000005", "vm-data/hostname"]
        {
            let found = nodes.permissions(&format!("/local/domain/5/{node}")).unwrap();
            assert_eq!(found, right, "{node}");
        }
        let mut guest = store.connect(Identity::Guest(GUEST.0)).unwrap();
        assert_eq!(guest.read("vm-data/hostname").unwrap(), b"web1");
        assert!(guest.write("vm-data/hostname", b"x").unwrap_err().is_access());
        store.introduce(6).unwrap();
        let mut other = store.connect(Identity::Guest(6)).unwrap();
        assert!(other.read("/local/domain/5/vm-data/hostname").unwrap_err().is_access());
    }

    #[test]
    fn nodes_are_read_within_limits() {
        let mut host = host();
        let Host { nodes, xenstore, .. } = &mut host;
        for n in 0..300 {
            nodes.write(&format!("/local/domain/5/device/vfb/0/n{n}"), b"\xff").unwrap();
        }
        let read = |limits| xenstore.read_tree(GUEST, &path("device"), limits).unwrap().len();
        assert_eq!(read(TreeLimits { depth: 9, nodes: 999 }), 302);
        assert_eq!(read(TreeLimits { depth: 2, nodes: 999 }), 2);
        assert_eq!(read(TreeLimits { depth: 9, nodes: 50 }), 50);
        assert_eq!(read(TreeLimits { depth: 9, nodes: 0 }), 0);
        let children = xenstore.children(GUEST, "device/vfb/0").unwrap();
        assert_eq!(children.len(), MAX_CHILDREN);
        assert!(children.iter().all(|(name, text)| name.starts_with('n') && text == "\u{fffd}"));
        assert_eq!(xenstore.children(GUEST, "console").unwrap(), []);
        assert_eq!(xenstore.text(GUEST, "name").as_deref(), Some("web1"));
        assert_eq!(xenstore.text(GUEST, "console/port"), None);
    }

    #[test]
    fn a_domain_that_is_not_there_is_gone() {
        let host = host();
        let xenstore = &host.xenstore;
        let gone = DomId(7);
        let node = path("data/x");
        let answers = [
            xenstore.read(gone, &node).map(drop),
            xenstore.children(gone, "data").map(drop),
            xenstore.write(gone, &node, b""),
            xenstore.remove(gone, &node),
        ];
        for answer in answers {
            assert!(matches!(answer, Err(Error::Gone(_))), "{answer:?}");
        }
        assert_eq!(xenstore.read(GUEST, &node).unwrap(), None);
        xenstore.remove(GUEST, &node).unwrap();
        xenstore.write(GUEST, &node, b"1").unwrap();
        assert_eq!(xenstore.read(GUEST, &node).unwrap().as_deref(), Some(b"1".as_slice()));
        let long = xenstore.write(GUEST, &node, &[b'x'; 4090]).unwrap_err();
        assert!(matches!(long, Error::Invalid(_)), "{long}");
    }

    #[test]
    fn a_daemon_that_does_not_answer_is_told() {
        let (_directory, socket) = socket();
        let _listener = UnixListener::bind(&socket).unwrap();
        let xenstore = XenStore(SharedClient::at(&socket, Duration::from_millis(50)));
        let error = xenstore.read(GUEST, &path("data/x")).unwrap_err();
        assert_eq!(error.to_string(), "XenStore does not answer");
    }
}
