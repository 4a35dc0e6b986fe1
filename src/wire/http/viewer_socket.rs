//! A WebSocket to something of a guest that a client views and uses: its console or its screen.
//!
//! The daemon closes the connection with a code of RFC 6455: 1000 when the guest's side has closed,
//! since its domain is gone; 1001 when xend stops; 1008 when the caller may not use it any more;
//! 1002, 1007 and 1009 for what is no WebSocket, no UTF-8 or too long.

use super::context::Http;
use super::errors::{operation_failed, too_many_streams};
use super::request::RequestInfo;
use super::sessions::{Session, may_go_on};
use super::stream_permits::StreamPermits;
use crate::core::error::Error;
use crate::core::model::{DomainRef, Uuid};
use crate::core::rights::OpKind;
use crate::core::view::View;
use axum::extract::ws::close_code::{AWAY, INVALID, POLICY, PROTOCOL, SIZE};
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

/// The largest message of a client, in bytes.
const MAX_MESSAGE: usize = 64 << 10;

/// How often the daemon looks whether the caller may still use what is open.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How often the daemon asks whether the client is still there.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long a client may send nothing, not even the answers to the daemon's pings.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);

/// How long a client may take nothing of a message.
const SEND_LIMIT: Duration = Duration::from_secs(30);

/// How long a client may take for the daemon's last message, and its own.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// The guest's side of a connection.
pub(super) trait Viewed: Send + Sized + 'static {
    /// The name of the page, and of what is open, in messages.
    const NAME: &'static str;
    /// The same in the plural.
    const PLURAL: &'static str;
    /// What the caller needs the right to, as long as it is open.
    const KIND: OpKind;

    /// The places of this kind.
    fn permits(http: &Http) -> &StreamPermits;

    /// Opens it, for a caller who has the right.
    fn open(view: &View, domain: &DomainRef) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Waits for output, and passes on what the client has typed meanwhile, which is taken away
    /// from `typed`. Returns what to send, which is empty if something was passed on; as an error,
    /// the last message. May be cancelled.
    fn next(&mut self, typed: &mut Bytes)
    -> impl Future<Output = Result<Bytes, CloseFrame>> + Send;
}

/// Opens a viewer for a client that asks for a WebSocket.
pub(super) async fn open<V: Viewed>(
    http: &Http,
    request: &RequestInfo,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Response> {
    let failed = |error| operation_failed(request, V::NAME, &error);
    let view = http.view(&request.caller);
    let domain = DomainRef::new(request.name());
    let uuid = view.domain(&domain).await.map_err(failed)?.uuid;
    let user = request.caller.user().map(|user| user.name());
    let permit = V::permits(http)
        .acquire(user)
        .map_err(|error| too_many_streams(request, V::PLURAL, &error))?;
    let viewed = V::open(&view, &domain).await.map_err(failed)?;
    tracing::info!("{}: {} of {domain} opened", request.caller, V::NAME);
    let client = Viewer {
        view,
        uuid,
        session: request.session.clone(),
        stopping: http.stopping(),
        viewed,
        _permit: permit,
    };
    let upgrade = upgrade.max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE);
    Ok(upgrade.on_upgrade(|socket| client.serve(socket)))
}

/// A client that views something of a guest.
struct Viewer<V> {
    view: View,
    uuid: Uuid,
    /// The session of a user who has logged in on a page.
    session: Option<Arc<Session>>,
    stopping: CancellationToken,
    viewed: V,
    _permit: OwnedSemaphorePermit,
}

impl<V: Viewed> Viewer<V> {
    async fn serve(mut self, mut socket: WebSocket) {
        let close = self.talk(&mut socket).await;
        // Its place is free, and its guest's side closed, before the client has taken the message.
        drop(self);
        if let Some(close) = close {
            let end = async {
                socket.send(Message::Close(Some(close))).await?;
                // A connection that is closed while the client still types is reset, and the
                // message lost.
                while let Some(message) = socket.recv().await {
                    message?;
                }
                Ok::<_, axum::Error>(())
            };
            // The client may be gone, or read nothing.
            timeout(CLOSE_LIMIT, end).await.ok();
        }
    }

    /// Talks with the client until the end. Returns the last message; `None` if the client is gone.
    async fn talk(&mut self, socket: &mut WebSocket) -> Option<CloseFrame> {
        let mut checks = interval(CHECK_INTERVAL);
        let mut pings = interval(PING_INTERVAL);
        for ticks in [&mut checks, &mut pings] {
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        let mut heard = Instant::now();
        // What the client has typed, until the guest's side has room for it.
        let mut typed = Bytes::new();
        loop {
            let message = tokio::select! {
                () = self.stopping.cancelled() => return Some(close(AWAY, "xend stops".to_owned())),
                _ = checks.tick() => {
                    if !self.is_permitted() {
                        let reason = format!("You may not use this {} any more", V::NAME);
                        return Some(close(POLICY, reason));
                    }
                    if typed.is_empty() && heard.elapsed() > SILENCE_LIMIT {
                        return None;
                    }
                    continue;
                }
                _ = pings.tick() => Message::Ping(Bytes::new()),
                // A client that types faster than the guest reads is not read.
                received = socket.recv(), if typed.is_empty() => {
                    heard = Instant::now();
                    match received {
                        Some(Ok(Message::Binary(keys))) => typed = keys,
                        Some(Ok(Message::Text(keys))) => typed = keys.into(),
                        // Answers are sent by the next read, which ends after that of a Close.
                        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_))) => {}
                        Some(Err(error)) => return broken(error),
                        None => return None,
                    }
                    continue;
                }
                output = self.viewed.next(&mut typed) => match output {
                    Ok(output) if output.is_empty() => {
                        heard = Instant::now();
                        continue;
                    }
                    Ok(output) => Message::Binary(output),
                    Err(close) => return Some(close),
                },
            };
            if !send(socket, message, &self.stopping).await {
                return None;
            }
        }
    }

    /// Whether neither the session, nor the account, nor its right has ended. A domain that is gone
    /// closes what it has open by itself.
    fn is_permitted(&self) -> bool {
        let snapshot = self.view.snapshot();
        may_go_on(self.view.caller(), self.session.as_deref())
            && snapshot.by_uuid(&self.uuid).is_none_or(|domain| self.view.may_on(V::KIND, domain))
    }
}

/// Sends a message. Returns whether the client has taken it, which a stop does not wait for.
async fn send(socket: &mut WebSocket, message: Message, stopping: &CancellationToken) -> bool {
    tokio::select! {
        sent = timeout(SEND_LIMIT, socket.send(message)) => matches!(sent, Ok(Ok(()))),
        () = stopping.cancelled() => false,
    }
}

/// The last message to a client that breaks the protocol; `None` if its connection has broken off.
fn broken(error: axum::Error) -> Option<CloseFrame> {
    let (code, reason) = match error.into_inner().downcast_ref()? {
        tungstenite::Error::Capacity(_) => (SIZE, "A message has at most 64 KiB"),
        tungstenite::Error::Utf8(_) => (INVALID, "A text is not UTF-8"),
        tungstenite::Error::Protocol(_) => (PROTOCOL, "This is no WebSocket"),
        _ => return None,
    };
    Some(close(code, reason.to_owned()))
}

/// The daemon's last message.
pub(super) fn close(code: u16, reason: String) -> CloseFrame {
    CloseFrame { code, reason: reason.into() }
}
