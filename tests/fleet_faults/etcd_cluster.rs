//! Three servers of etcd.

use crate::ports::free_port;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::timeout;

pub(crate) const SERVERS: usize = 3;

/// The servers, with their data in a directory.
pub(crate) struct EtcdCluster {
    dir: PathBuf,
    pub(crate) ports: [u16; SERVERS],
    peers: [u16; SERVERS],
    children: [Mutex<Option<Child>>; SERVERS],
}

impl EtcdCluster {
    pub(crate) fn start(dir: &Path) -> Self {
        let ports = [(); SERVERS].map(|()| free_port());
        let peers = [(); SERVERS].map(|()| free_port());
        let children = [(); SERVERS].map(|()| Mutex::new(None));
        let cluster = Self { dir: dir.to_owned(), ports, peers, children };
        (0..SERVERS).for_each(|server| cluster.start_server(server));
        cluster
    }

    fn child(&self, server: usize) -> MutexGuard<'_, Option<Child>> {
        self.children[server].lock().unwrap()
    }

    fn log(&self, server: usize) -> File {
        let log = self.dir.join(format!("etcd{server}.log"));
        OpenOptions::new().create(true).append(true).open(log).unwrap()
    }

    /// Starts a server that does not run.
    pub(crate) fn start_server(&self, server: usize) {
        let mut child = self.child(server);
        let has_ended = |child: &mut Child| child.try_wait().unwrap().is_some();
        if !child.as_mut().is_none_or(has_ended) {
            return;
        }
        let client = format!("http://127.0.0.1:{}", self.ports[server]);
        let peer = |server: usize| format!("http://127.0.0.1:{}", self.peers[server]);
        let all: Vec<_> = (0..SERVERS).map(|one| format!("etcd{one}={}", peer(one))).collect();
        let mut command = Command::new("etcd");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ETCD_") {
                command.env_remove(name);
            }
        }
        command.args([
            "--name",
            &format!("etcd{server}"),
            "--logger",
            "zap",
            "--log-level",
            "warn",
        ]);
        command.arg("--data-dir").arg(self.dir.join(format!("etcd{server}")));
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer(server)]);
        command.args(["--initial-advertise-peer-urls", &peer(server)]);
        command.args(["--initial-cluster", &all.join(",")]);
        command.stdin(Stdio::null()).stdout(self.log(server)).stderr(self.log(server));
        *child = Some(command.spawn().unwrap());
    }

    pub(crate) fn signal(&self, server: usize, signal: Signal) {
        if let Some(child) = &*self.child(server) {
            kill_process(Pid::from_child(child), signal).ok();
        }
    }

    /// Ends a server at once.
    pub(crate) fn kill(&self, server: usize) {
        if let Some(child) = &mut *self.child(server) {
            child.kill().ok();
            child.wait().ok();
        }
    }

    /// The server that leads the others, if one does.
    pub(crate) async fn leader(&self) -> Option<usize> {
        for (server, port) in self.ports.iter().enumerate() {
            let ask = async {
                let url = format!("127.0.0.1:{port}");
                let mut client = etcd_client::Client::connect([url], None).await.ok()?;
                let status = client.status().await.ok()?;
                Some(status.header()?.member_id() == status.leader())
            };
            if timeout(Duration::from_secs(2), ask).await == Ok(Some(true)) {
                return Some(server);
            }
        }
        None
    }
}

impl Drop for EtcdCluster {
    fn drop(&mut self) {
        (0..SERVERS).for_each(|server| self.kill(server));
    }
}
