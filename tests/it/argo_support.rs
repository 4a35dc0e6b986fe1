//! The Argo protocol on a simulated host, and a client.

use crate::sim_support::{CountingEntropy, TestClock, config, engine_ports};
use async_trait::async_trait;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use xend::core::caller::{Caller, Via};
use xend::core::engine::{Engine, Settings};
use xend::core::model::{DomName, DomainConfig, DomainRef};
use xend::core::op::{Change, DomainOp};
use xend::core::ports::{LoginError, Logins};
use xend::core::rights::{Access, Account, Accounts, Credential, Right, User};
use xend::wire::argo::{Argo, ArgoOptions, DomainFiles};

/// Time limit that nothing reaches unless it fails, even on a busy machine.
pub(crate) const GENEROUS: Duration = Duration::from_secs(60);

/// Accounts whose passwords are their names.
struct NamesAsPasswords(Arc<Accounts>);

#[async_trait]
impl Logins for NamesAsPasswords {
    async fn log_in(&self, user: &str, password: &str, _: &Via) -> Result<Arc<User>, LoginError> {
        match user {
            "busy" => Err(LoginError::Busy),
            "broken" => Err(LoginError::Broken("a secret of the host".to_owned())),
            _ => {
                let user = self.0.get(user).filter(|user| user.name() == password);
                user.ok_or_else(|| LoginError::Refused("wrong".to_owned()))
            }
        }
    }

    fn by_uid(&self, uid: u32) -> Option<Arc<User>> {
        self.0.by_uid(uid)
    }

    fn anonymous(&self) -> Option<Arc<User>> {
        self.0.anonymous()
    }
}

/// An account with rights on some domains.
pub(crate) fn account(name: &str, domains: &[&str], rights: &[Right]) -> Account {
    let domains = domains.iter().map(|domain| domain.parse().unwrap());
    let access = Access::to(domains, rights.iter().copied().collect());
    Account::new(name, Credential::Hash(name.to_owned()), access)
}

/// The account of an operator.
pub(crate) fn operator(name: &str) -> Account {
    Account { access: Access::operator(), ..account(name, &[], &[]) }
}

/// A connection over TCP on which nobody has logged in.
pub(crate) fn nobody() -> Caller {
    let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
    Caller::nobody(Via::Tcp { peer: address(4711), local: address(20203), encrypted: false })
}

/// An engine with the protocol in front of it.
pub(crate) struct ArgoHost {
    pub(crate) engine: Engine,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) argo: Argo,
    pub(crate) stopping: CancellationToken,
    dir: TempDir,
}

impl ArgoHost {
    pub(crate) async fn new() -> Self {
        Self::with_options(|_| ()).await
    }

    /// A host whose options `change` changes.
    pub(crate) async fn with_options(change: impl FnOnce(&mut ArgoOptions)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("files")).unwrap();
        let accounts = Arc::new(Accounts::default());
        let entropy = Arc::new(CountingEntropy::default());
        let outside = engine_ports(dir.path(), TestClock::new(), entropy);
        let settings = Settings { accounts: accounts.clone(), ..Settings::default() };
        let engine = Engine::start(outside, settings).await.unwrap();
        let files = DomainFiles::new(dir.path().join("files"), Box::new(read_name));
        let mut options = ArgoOptions { domain_files: Some(files), ..ArgoOptions::default() };
        change(&mut options);
        let logins = Arc::new(NamesAsPasswords(accounts.clone()));
        let argo = Argo::new(engine.clone(), logins, options);
        Self { engine, accounts, argo, stopping: CancellationToken::new(), dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a configuration file of a domain.
    pub(crate) fn write_file(&self, stem: &str, domain: &str) -> PathBuf {
        let path = self.dir.path().join("files").join(format!("{stem}.cfg"));
        std::fs::write(&path, domain).unwrap();
        path
    }

    pub(crate) async fn change(&self, change: Change) {
        self.engine.execute(&Caller::internal(), change).await.unwrap();
    }

    pub(crate) async fn define(&self, name: &str, change: impl FnOnce(&mut DomainConfig)) {
        let mut config = config(name, 64);
        config.uuid = None;
        change(&mut config);
        self.change(Change::Define(Box::new(config))).await;
    }

    /// Defines and starts a domain.
    pub(crate) async fn run(&self, name: &str, change: impl FnOnce(&mut DomainConfig)) {
        self.define(name, change).await;
        let start = DomainOp::Start { paused: false };
        self.change(Change::Domain(DomainRef::new(name), start)).await;
    }

    /// The state of a domain, in a word; `None` if there is no such domain.
    pub(crate) async fn state(&self, name: &str) -> Option<&'static str> {
        let view = self.engine.view(&Caller::internal());
        let domain = view.domain(&DomainRef::new(name)).await.ok()?;
        Some(xend::shape::state_word(&domain))
    }

    /// Serves a listener, and returns its address.
    pub(crate) async fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let local = listener.local_addr().unwrap();
        let argo = self.argo.clone();
        let stopping = self.stopping.clone();
        tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                let argo = argo.clone();
                let caller = Caller::nobody(Via::Tcp { peer, local, encrypted: false });
                let stopping = stopping.clone();
                tokio::spawn(async move { argo.serve(stream, caller, stopping).await });
            }
        });
        local
    }

    /// A client over TCP.
    pub(crate) async fn connect(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.listen().await).await.unwrap())
    }

    /// A client of whom the listener knows who it is, over a pipe of `size` bytes.
    pub(crate) fn connect_as(
        &self,
        caller: Caller,
        size: usize,
    ) -> Client<tokio::io::DuplexStream> {
        let (client, server) = tokio::io::duplex(size);
        let argo = self.argo.clone();
        let stopping = self.stopping.clone();
        tokio::spawn(async move { argo.serve(server, caller, stopping).await });
        Client::new(client)
    }

    /// A client over TCP that has logged in.
    pub(crate) async fn log_in(&self, user: &str) -> Client<TcpStream> {
        let mut client = self.connect().await;
        assert_eq!(client.ask(&format!("auth {user} {user}")).await, "200 OK\n300 DONE\n");
        client
    }
}

/// Reads a file that has the name of a domain alone.
fn read_name(_: &str, text: &[u8]) -> Result<DomainConfig, String> {
    let text = String::from_utf8_lossy(text);
    let name = DomName::new(text.trim()).map_err(|invalid| invalid.to_string())?;
    Ok(DomainConfig { name, uuid: None, ..config("x", 64) })
}

/// A client of the protocol.
pub(crate) struct Client<S> {
    stream: BufReader<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).await.unwrap();
    }

    /// The next line of the server, with its end; empty at the end of the connection.
    pub(crate) async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line);
        tokio::time::timeout(GENEROUS, read).await.expect("a line in time").unwrap();
        line
    }

    /// The next answer: the lines up to 300 or 400.
    pub(crate) async fn answer(&mut self) -> String {
        let mut answer = String::new();
        loop {
            let line = self.line().await;
            let is_last = line.starts_with("300") || line.starts_with("400") || line.is_empty();
            answer += &line;
            if is_last {
                return answer;
            }
        }
    }

    /// Sends a line and returns the answer.
    pub(crate) async fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\n").as_bytes()).await;
        self.answer().await
    }

    /// The lines of output of a command that succeeds.
    pub(crate) async fn output(&mut self, line: &str) -> Vec<String> {
        let answer = self.ask(line).await;
        let lines: Vec<&str> = answer.lines().collect();
        match lines.as_slice() {
            ["200 OK", output @ .., "300 DONE" | "300 END"] => {
                output.iter().map(|line| (*line).to_owned()).collect()
            }
            _ => panic!("{line}: {answer}"),
        }
    }

    pub(crate) fn stream(&mut self) -> &mut S {
        self.stream.get_mut()
    }
}
