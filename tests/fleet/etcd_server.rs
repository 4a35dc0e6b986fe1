//! A real etcd of a test's own.

use crate::GENEROUS;
use crate::ports::free_port;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use xend::fleet::{Etcd, EtcdSettings, Kv};

/// How often a server is started on other ports, if something else has taken them.
const STARTS: usize = 5;

/// A server of etcd, with its data in a directory of its own.
pub(crate) struct EtcdServer {
    child: Child,
    pub(crate) dir: TempDir,
    pub(crate) port: u16,
    scheme: &'static str,
}

impl EtcdServer {
    /// Starts a server; `None` where there is no etcd, which is said.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with("http", &[])
    }

    /// The same with further options, in which `DIR` is `files`.
    pub(crate) fn start_in(files: &Path, scheme: &'static str, options: &[&str]) -> Option<Self> {
        let files = files.to_str().unwrap();
        let options: Vec<_> = options.iter().map(|option| option.replace("DIR", files)).collect();
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        Self::start_with(scheme, &options)
    }

    fn start_with(scheme: &'static str, options: &[&str]) -> Option<Self> {
        if Command::new("etcd").arg("--version").output().is_err() {
            eprintln!("SKIPPED: this test needs etcd (Debian: etcd-server)");
            return None;
        }
        for _ in 0..STARTS {
            let dir = tempfile::tempdir().unwrap();
            let (port, peer) = (free_port(), free_port());
            let data = dir.path().join("data");
            let peer = format!("http://127.0.0.1:{peer}");
            let client = format!("{scheme}://127.0.0.1:{port}");
            let mut command = Command::new("etcd");
            for (name, _) in std::env::vars_os() {
                if name.to_string_lossy().starts_with("ETCD_") {
                    command.env_remove(name);
                }
            }
            command.args(["--name", "a", "--logger", "zap", "--log-level", "error"]);
            command.arg("--data-dir").arg(data);
            command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
            command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
            command.args(["--initial-cluster", &format!("a={peer}")]);
            command.args(options).stdin(Stdio::null()).stdout(Stdio::null());
            let child = command.stderr(Stdio::null()).spawn().unwrap();
            let mut server = Self { child, dir, port, scheme };
            if server.is_ready() {
                return Some(server);
            }
        }
        panic!("etcd does not start");
    }

    /// Waits until it listens, and tells whether it does.
    fn is_ready(&mut self) -> bool {
        let began = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            assert!(began.elapsed() < GENEROUS, "etcd is not ready");
            thread::sleep(Duration::from_millis(20));
        }
        false
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    /// How it is reached without TLS and users, whatever its version.
    pub(crate) fn settings(&self) -> EtcdSettings {
        settings(&[&self.url()])
    }

    pub(crate) fn client(&self) -> Arc<dyn Kv> {
        Arc::new(Etcd::new(self.settings()))
    }

    /// Another library's client, for what a fleet never does.
    pub(crate) async fn administrator(&self) -> etcd_client::Client {
        etcd_client::Client::connect([self.url()], None).await.unwrap()
    }

    /// The process runs no more, and its connections stay.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
        // Its threads run on for a moment.
        let pid = Pid::from_child(&self.child);
        let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(status.stopped());
    }

    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Settings without TLS and users, for any version.
pub(crate) fn settings(urls: &[&str]) -> EtcdSettings {
    EtcdSettings {
        endpoints: urls.iter().map(|url| url.parse().unwrap()).collect(),
        ca: None,
        certificate: None,
        login: None,
        allows_old: true,
    }
}
