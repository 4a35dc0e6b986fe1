//! Connections.

use super::answer::Refusal;
use super::context::{Argo, ArgoOptions};
use super::line::LineReader;
use super::session::{Reply, Session};
use super::table::COMMANDS;
use crate::core::caller::Caller;
use crate::core::engine::Engine;
use crate::core::ports::Logins;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

/// How much is read at a time, in bytes. A small piece: thousands of connections may be idle.
const CHUNK: usize = 1024;

/// How much of what the client still sends is read after the last answer, in bytes. A connection
/// that is closed with unread bytes is reset, and the client would lose the answer.
const MAX_DRAINED: usize = 64 << 10;

/// How long the client may take to close its side, and to take an answer when the connection is to
/// end.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

impl Argo {
    /// The protocol in front of `engine`, with the accounts behind `logins`.
    pub fn new(engine: Engine, logins: Arc<dyn Logins>, options: ArgoOptions) -> Self {
        let signatures = COMMANDS.iter().map(|command| &command.signature).collect();
        Self::with_commands(engine, logins, options, signatures)
    }

    /// Serves a connection until the client leaves, is idle or slow, or the daemon stops. `caller`
    /// is the caller whom the listener knows, [`Caller::nobody`] in most cases.
    ///
    /// Lines that the client sends ahead are answered in their order, each answer whole before the
    /// next line is read.
    pub async fn serve<S>(&self, stream: S, caller: Caller, stopping: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let write_limit = self.options().write_limit;
        let mut connection = Connection { stream, write_limit, stopping: stopping.clone() };
        let mut session = Session::new(self.clone(), caller);
        let mut lines = LineReader::default();
        let mut chunk = [0; CHUNK];
        let mut deadline = Instant::now() + session.idle_limit();
        loop {
            let read = tokio::select! {
                biased;
                () = stopping.cancelled() => {
                    return connection.finish(session.farewell(Refusal::Stopping)).await;
                }
                read = timeout_at(deadline, connection.stream.read(&mut chunk)) => read,
            };
            let mut input = match read {
                Err(_) => return connection.finish(session.farewell(Refusal::Idle)).await,
                Ok(Ok(0) | Err(_)) => return,
                Ok(Ok(count)) => chunk.get(..count).unwrap_or_default(),
            };
            while let Some(line) = lines.next(&mut input) {
                let Some(reply) = session.answer(line).await else { continue };
                if reply.is_last {
                    return connection.finish(reply).await;
                }
                if !connection.send(&reply).await {
                    return;
                }
                deadline = Instant::now() + session.idle_limit();
                if stopping.is_cancelled() {
                    break;
                }
            }
        }
    }
}

struct Connection<S> {
    stream: S,
    write_limit: Duration,
    stopping: CancellationToken,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Sends an answer. Returns whether the client took it in time: it has less when the connection
    /// is to end.
    async fn send(&mut self, reply: &Reply) -> bool {
        let sent = async {
            self.stream.write_all(&reply.text).await?;
            self.stream.flush().await
        };
        let stopped = async {
            self.stopping.cancelled().await;
            sleep(DRAIN_LIMIT).await;
        };
        tokio::select! {
            sent = timeout(self.write_limit, sent) => matches!(sent, Ok(Ok(()))),
            () = stopped => false,
        }
    }

    /// Sends the last answer and closes the connection.
    async fn finish(mut self, reply: Reply) {
        if !self.send(&reply).await {
            return;
        }
        let mut stream = self.stream;
        let drained = async {
            stream.shutdown().await?;
            let mut rest = stream.take(MAX_DRAINED as u64);
            tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
        };
        // The client may have closed the connection already.
        let _ = timeout(DRAIN_LIMIT, drained).await;
    }
}
