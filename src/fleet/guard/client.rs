//! The guard, as the daemon of its host asks it.

use super::guarded_here::GuardedHere;
use super::lines::{self, Reply, Request};
use crate::core::guard::{MAX_DOMAINS, REGISTER_LIMIT};
use crate::core::model::Uuid;
use async_trait::async_trait;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long an answer may take that waits for nothing.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// The longest answer in bytes: a status with all domains that a guard takes.
const MAX_ANSWER: u64 = 64 * (MAX_DOMAINS as u64 + 2);

/// What a daemon asks the guard of its host.
#[async_trait]
pub trait GuardPort: Send + Sync + 'static {
    /// Has a domain guarded that is about to be built, or to be built again. Returns the epoch
    /// under which it is.
    async fn register(&self, domain: Uuid) -> Result<u64, GuardFailure>;

    /// The build of a domain is over.
    async fn built(&self, domain: Uuid) -> Result<(), GuardFailure>;

    /// A domain need not be guarded any more: a transaction has said so in etcd.
    async fn release(&self, domain: Uuid) -> Result<(), GuardFailure>;

    /// etcd has acknowledged that the host is away: no timer is set any more.
    async fn away(&self) -> Result<(), GuardFailure>;

    /// The host is about to be back: a timer is set again.
    async fn back(&self) -> Result<(), GuardFailure>;

    /// What the guard has.
    async fn status(&self) -> Result<GuardedHere, GuardFailure>;
}

/// The guard did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum GuardFailure {
    #[error("the guard of this host does not answer ({0}): start xend guard")]
    Silent(#[source] io::Error),
    #[error("the guard of this host refuses: {0}")]
    Refused(String),
}

/// The guard behind a socket.
#[derive(Debug)]
pub struct GuardClient {
    socket: PathBuf,
}

impl GuardClient {
    /// The guard that listens at a socket, or will.
    pub const fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// The answer to a request, with the end of its last line.
    async fn ask(&self, request: Request, limit: Duration) -> Result<Reply, GuardFailure> {
        let talk = async {
            let mut stream = BufReader::new(UnixStream::connect(&self.socket).await?);
            stream.write_all(lines::request(request).as_bytes()).await?;
            let mut bounded = stream.take(MAX_ANSWER);
            let mut answer = String::new();
            bounded.read_line(&mut answer).await?;
            for _ in 0..lines::lines_after(&answer) {
                bounded.read_line(&mut answer).await?;
            }
            let strange = || io::Error::other("its answer makes no sense");
            lines::parse_answer(&answer).ok_or_else(strange)
        };
        let late = || io::Error::new(io::ErrorKind::TimedOut, "it takes too long");
        let reply = timeout(limit, talk).await.unwrap_or_else(|_| Err(late()));
        match reply.map_err(GuardFailure::Silent)? {
            Reply::Refused(reason) => Err(GuardFailure::Refused(reason)),
            reply => Ok(reply),
        }
    }

    async fn order(&self, request: Request, limit: Duration) -> Result<(), GuardFailure> {
        match self.ask(request, limit).await? {
            Reply::Done => Ok(()),
            _ => Err(strange()),
        }
    }
}

fn strange() -> GuardFailure {
    GuardFailure::Silent(io::Error::other("it answers something else"))
}

#[async_trait]
impl GuardPort for GuardClient {
    async fn register(&self, domain: Uuid) -> Result<u64, GuardFailure> {
        match self.ask(Request::Register(domain), REGISTER_LIMIT + ANSWER_LIMIT).await? {
            Reply::Guarded(epoch) => Ok(epoch),
            _ => Err(strange()),
        }
    }

    async fn built(&self, domain: Uuid) -> Result<(), GuardFailure> {
        self.order(Request::Built(domain), ANSWER_LIMIT).await
    }

    async fn release(&self, domain: Uuid) -> Result<(), GuardFailure> {
        self.order(Request::Release(domain), ANSWER_LIMIT).await
    }

    async fn away(&self) -> Result<(), GuardFailure> {
        self.order(Request::Away, ANSWER_LIMIT).await
    }

    async fn back(&self) -> Result<(), GuardFailure> {
        self.order(Request::Back, REGISTER_LIMIT + ANSWER_LIMIT).await
    }

    async fn status(&self) -> Result<GuardedHere, GuardFailure> {
        match self.ask(Request::Status, ANSWER_LIMIT).await? {
            Reply::Status(guarded) => Ok(guarded),
            _ => Err(strange()),
        }
    }
}
