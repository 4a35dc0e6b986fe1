//! A body that passes from one host of the fleet to another, as it arrives: bounded in size, and in
//! the time that each part may take.

use bytes::Bytes;
use http_body::{Body, Frame};
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// How long the next part of a body may take to arrive.
pub(super) const PAUSE: Duration = Duration::from_secs(30);

/// An error of a body.
pub(super) type BodyError = Box<dyn Error + Send + Sync>;

/// A body is longer than it may be.
#[derive(Debug, thiserror::Error)]
#[error("the body is too long")]
pub(super) struct TooLong;

/// Whether a body ended because it was too long.
pub(super) fn is_too_long(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<TooLong>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A body that passes. Its length is said by a header alone: it is never in memory as a whole.
pub(super) struct PeerBody<B> {
    inner: B,
    /// How many bytes may still come.
    room: usize,
    late: Pin<Box<Sleep>>,
    is_waiting: bool,
}

impl<B> PeerBody<B> {
    /// The body, as far as it has `most` bytes.
    pub(super) fn new(inner: B, most: usize) -> Self {
        Self { inner, room: most, late: Box::pin(sleep(PAUSE)), is_waiting: false }
    }
}

impl<B> Body for PeerBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) else {
            if !this.is_waiting {
                this.is_waiting = true;
                this.late.set(sleep(PAUSE));
            }
            ready!(this.late.as_mut().poll(cx));
            return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())));
        };
        this.is_waiting = false;
        let frame = frame.map(|frame| {
            let frame = frame.map_err(Into::into)?;
            let length = frame.data_ref().map_or(0, Bytes::len);
            this.room = this.room.checked_sub(length).ok_or(TooLong)?;
            Ok(frame)
        });
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt as _, Full, StreamBody};

    #[tokio::test(start_paused = true)]
    async fn a_body_is_bounded_in_size_and_in_time() {
        let whole = PeerBody::new(Full::new(Bytes::from_static(b"12345")), 5);
        assert_eq!(whole.collect().await.unwrap().to_bytes(), "12345");
        let long = PeerBody::new(Full::new(Bytes::from_static(b"12345")), 4);
        assert!(long.collect().await.unwrap_err().is::<TooLong>());
        let never = StreamBody::new(futures_util::stream::pending::<io::Result<Frame<Bytes>>>());
        let late = PeerBody::new(never, 1).collect().await.unwrap_err();
        assert!(crate::long_body::is_too_slow(&*late), "{late}");
    }
}
