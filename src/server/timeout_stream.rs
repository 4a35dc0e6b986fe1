//! A stream that ends when its client is too slow.
//!
//! One time limit covers silent clients, requests that arrive in small pieces, connections that
//! nobody uses, and clients that do not take their response: it counts whenever the daemon waits
//! for the client.

use super::activity::{Activity, Phase};
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_util::sync::DropGuard;

/// A stream whose reads and writes fail at the client's deadline.
#[derive(Debug)]
pub(super) struct TimeoutStream<S> {
    stream: S,
    activity: Arc<Activity>,
    timeout: Duration,
    read_timer: Timer,
    write_timer: Timer,
    /// Since when the client takes no bytes.
    stalled_since: Option<Instant>,
    /// Says that the stream is closed.
    _closed: DropGuard,
}

impl<S> TimeoutStream<S> {
    /// The stream of a client; `closed` is dropped with it.
    pub(super) fn new(
        stream: S,
        activity: Arc<Activity>,
        timeout: Duration,
        closed: DropGuard,
    ) -> Self {
        Self {
            stream,
            activity,
            timeout,
            read_timer: Timer::default(),
            write_timer: Timer::default(),
            stalled_since: None,
            _closed: closed,
        }
    }

    /// Records the progress of a write, or fails it at the deadline.
    fn after_write(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if result.is_ready() {
            self.stalled_since = None;
            self.activity.bytes_written();
            return result;
        }
        let since = *self.stalled_since.get_or_insert_with(Instant::now);
        ready!(self.write_timer.poll(cx, since + self.timeout));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TimeoutStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        if let Poll::Ready(result) = Pin::new(&mut this.stream).poll_read(cx, buf) {
            if buf.filled().len() > before {
                this.activity.bytes_read();
            }
            return Poll::Ready(result);
        }
        loop {
            let Some(deadline) = this.activity.deadline(this.timeout) else {
                return Poll::Pending;
            };
            ready!(this.read_timer.poll(cx, deadline));
            // A write may have moved the deadline while the timer was polled.
            let deadline = this.activity.deadline(this.timeout);
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                break;
            }
        }
        match this.activity.phase() {
            // Between requests, the end of the stream is a normal end of the connection.
            Phase::Idle => Poll::Ready(Ok(())),
            Phase::Receiving | Phase::Handling | Phase::Upgraded => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimeoutStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.after_write(cx, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.after_write(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// A timer for a deadline that usually moves to later.
///
/// The timer is reset only when it fires too early or would fire too late, so moving the deadline
/// with every request costs nothing.
#[derive(Debug, Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready once `deadline` has passed.
    fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let deadline = tokio::time::Instant::from_std(deadline);
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}
