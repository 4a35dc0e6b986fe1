//! The crate's own server, with guests as [`Xenstored`] has them.
//!
//! [`Xenstored`]: crate::xenstored::Xenstored

use crate::daemon::Daemon;
use crate::xenstored::{directory_of, make_nodes};
use std::path::PathBuf;
use tempfile::TempDir;
use xend_xenstore::{Identity, Nodes, Server, Store};

pub(crate) struct InMemory {
    store: Store,
    server: Server,
    directory: TempDir,
}

impl InMemory {
    pub(crate) fn start() -> Self {
        let store = Store::new();
        let mut server = Server::start(store.clone()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        server.listen(&directory.path().join("socket"), Identity::Host).unwrap();
        Self { store, server, directory }
    }
}

impl Daemon for InMemory {
    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    fn guest_socket(&self, domid: u32) -> PathBuf {
        self.directory.path().join(domid.to_string())
    }

    fn introduce(&mut self, domid: u32) {
        self.store.introduce(domid).unwrap();
        let mut host = self.store.connect(Identity::Host).unwrap();
        host.transaction(|nodes| make_nodes(nodes, domid)).unwrap();
        let socket = self.guest_socket(domid);
        if !socket.exists() {
            self.server.listen(&socket, Identity::Guest(domid)).unwrap();
        }
    }

    fn shut_down(&mut self, domid: u32) {
        self.store.shut_down(domid).unwrap();
    }

    fn destroy(&mut self, domid: u32) {
        let mut host = self.store.connect(Identity::Host).unwrap();
        host.remove(&directory_of(domid)).unwrap();
        self.store.release(domid).unwrap();
    }
}
