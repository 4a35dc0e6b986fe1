//! Connections of the daemon.

use super::driver::GuardHandle;
use super::lines::{self, MAX_LINE};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::BufReader;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::warn;

/// The most connections at a time.
pub const MAX_CLIENTS: usize = 16;
/// How long a client may say nothing.
const IDLE_LIMIT: Duration = Duration::from_secs(60);
/// How long a client may take to read an answer.
const WRITE_LIMIT: Duration = Duration::from_secs(5);
/// How long it waits when no connection can be accepted, such as for want of open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves the clients of a socket for ever: those of root and of this process's own user.
pub async fn serve(listener: UnixListener, guard: GuardHandle) {
    let places = Arc::new(Semaphore::new(MAX_CLIENTS));
    let own = rustix::process::geteuid().as_raw();
    loop {
        // The next client waits in the socket's own queue.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!("No connection can be accepted: {error}");
                sleep(PAUSE).await;
                continue;
            }
        };
        let guard = guard.clone();
        tokio::spawn(async move {
            // Whoever hangs up or is too slow asks again.
            let served = if may_ask(&stream, own) {
                talk(stream, &guard).await
            } else {
                refuse(stream).await
            };
            served.ok();
            drop(place);
        });
    }
}

fn may_ask(stream: &UnixStream, own: u32) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
}

async fn refuse(mut stream: UnixStream) -> io::Result<()> {
    let line = lines::refused("not-allowed", "only root and the guard's own user may ask");
    timeout(WRITE_LIMIT, stream.write_all(line.as_bytes())).await?
}

/// Answers line by line, until the client hangs up or says what makes no sense.
pub(super) async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    guard: &GuardHandle,
) -> io::Result<()> {
    let mut stream = BufReader::with_capacity(MAX_LINE, stream);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut stream).take(MAX_LINE as u64);
        timeout(IDLE_LIMIT, bounded.read_until(b'\n', &mut line)).await??;
        let Some(text) = line.strip_suffix(b"\n") else {
            if line.len() < MAX_LINE {
                return Ok(());
            }
            let reason = format!("a line has {MAX_LINE} bytes at most");
            return write(&mut stream, &lines::refused("mistake", &reason)).await;
        };
        let answer = match lines::parse(text) {
            Ok(request) => guard.ask(request).await,
            Err(reason) => Some(lines::refused("mistake", reason)),
        };
        let Some(answer) = answer else { return Ok(()) };
        write(&mut stream, &answer).await?;
    }
}

async fn write(
    stream: &mut BufReader<impl AsyncWrite + AsyncRead + Unpin>,
    text: &str,
) -> io::Result<()> {
    timeout(WRITE_LIMIT, stream.write_all(text.as_bytes())).await?
}
