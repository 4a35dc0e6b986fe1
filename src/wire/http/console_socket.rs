//! The console of a guest over a WebSocket: `GET /xend/domain/NAME/console` with an upgrade.
//!
//! Messages of the daemon are the guest's output, in bytes, from the end of the earlier output on.
//! Messages of the client are typed, whether they are binary (as `xm console` and the pages send
//! them) or text (as `websocat` does). Any number of viewers may watch a console, and all of them
//! may type.
//!
//! The daemon closes the connection with a code of RFC 6455: 1000 when the console has closed,
//! since its domain is gone; 1001 when xend stops; 1008 when the caller may not use the console any
//! more; 1013 for a client that does not keep up with the output, which may come back; 1002, 1007
//! and 1009 for what is no WebSocket, no UTF-8 or too long.

use super::context::Http;
use super::errors::too_many_streams;
use super::request::RequestInfo;
use super::sessions::Session;
use crate::core::consoles::{ConsoleEnd, ConsoleViewer};
use crate::core::model::{DomainRef, Uuid};
use crate::core::rights::OpKind;
use crate::core::view::View;
use axum::extract::ws::close_code::{AGAIN, AWAY, INVALID, NORMAL, POLICY, PROTOCOL, SIZE};
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

/// How often the daemon looks whether the caller may still use the console.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How often the daemon asks whether the client is still there.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long a client may send nothing, not even the answers to the daemon's pings.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);

/// How long a client may take nothing of a message.
const SEND_LIMIT: Duration = Duration::from_secs(30);

/// How long a client may take for the daemon's last message.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Opens the console for a client that asks for a WebSocket.
pub(super) async fn open(
    http: &Http,
    request: &RequestInfo,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Response> {
    let failed = |error| super::errors::operation_failed(request, "console", &error);
    let view = http.view(&request.caller);
    let domain = DomainRef::new(request.name());
    let uuid = view.domain(&domain).await.map_err(failed)?.uuid;
    let user = request.caller.user().map(|user| user.name());
    let permit = http
        .console_permits()
        .acquire(user)
        .map_err(|error| too_many_streams(request, "consoles", &error))?;
    let viewer = view.open_console(&domain).await.map_err(failed)?;
    tracing::info!("{}: console of {domain} opened", request.caller);
    let session = ConsoleSession {
        view,
        uuid,
        session: request.session.clone(),
        stopping: http.stopping(),
        viewer,
        _permit: permit,
    };
    let upgrade = upgrade.max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE);
    Ok(upgrade.on_upgrade(|socket| session.serve(socket)))
}

/// A console that a client uses.
struct ConsoleSession {
    view: View,
    uuid: Uuid,
    /// The session of a user who has logged in on a page.
    session: Option<Arc<Session>>,
    stopping: CancellationToken,
    viewer: ConsoleViewer,
    _permit: OwnedSemaphorePermit,
}

impl ConsoleSession {
    async fn serve(mut self, mut socket: WebSocket) {
        if let Some(close) = self.talk(&mut socket).await {
            // The client may be gone, or read nothing.
            timeout(CLOSE_LIMIT, socket.send(Message::Close(Some(close)))).await.ok();
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
        let mut typed: Option<Bytes> = None;
        let recent = std::mem::take(&mut self.viewer.recent);
        if !recent.is_empty() && !self.send(socket, Message::Binary(recent)).await {
            return None;
        }
        loop {
            let message = tokio::select! {
                () = self.stopping.cancelled() => return Some(close(AWAY, "xend stops")),
                _ = checks.tick() => {
                    if !self.is_permitted() {
                        let reason = "You may not use this console any more";
                        return Some(close(POLICY, reason));
                    }
                    if typed.is_none() && heard.elapsed() > SILENCE_LIMIT {
                        return None;
                    }
                    continue;
                }
                _ = pings.tick() => Message::Ping(Bytes::new()),
                output = self.viewer.output.next() => match output {
                    Ok(output) => Message::Binary(output),
                    Err(end) => return Some(closed(end)),
                },
                room = self.viewer.keyboard.ready(), if typed.is_some() => match room {
                    Ok(room) => {
                        room.enter(typed.take().unwrap_or_default());
                        heard = Instant::now();
                        continue;
                    }
                    Err(end) => return Some(closed(end)),
                },
                // A client that types faster than the guest reads is not read.
                received = socket.recv(), if typed.is_none() => {
                    heard = Instant::now();
                    match received {
                        Some(Ok(Message::Binary(keys))) => typed = Some(keys),
                        Some(Ok(Message::Text(keys))) => typed = Some(keys.into()),
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                        // The answer is sent by the next read, which then ends.
                        Some(Ok(Message::Close(_))) => {}
                        Some(Err(error)) => return broken(error),
                        None => return None,
                    }
                    continue;
                }
            };
            if !self.send(socket, message).await {
                return None;
            }
        }
    }

    /// Sends a message. Returns whether the client has taken it, which a stop does not wait for.
    async fn send(&self, socket: &mut WebSocket, message: Message) -> bool {
        tokio::select! {
            sent = timeout(SEND_LIMIT, socket.send(message)) => matches!(sent, Ok(Ok(()))),
            () = self.stopping.cancelled() => false,
        }
    }

    /// Whether neither the session, nor the account, nor its right to the console has ended. A
    /// domain that is gone closes its console by itself.
    fn is_permitted(&self) -> bool {
        let user = self.view.caller().user();
        let snapshot = self.view.snapshot();
        user.is_none_or(|user| !user.is_revoked())
            && self.session.as_ref().is_none_or(|session| session.is_alive())
            && snapshot
                .by_uuid(&self.uuid)
                .is_none_or(|domain| self.view.may_on(OpKind::UseConsole, domain))
    }
}

/// The last message to a client that breaks the protocol; `None` if its connection has broken off.
fn broken(error: axum::Error) -> Option<CloseFrame> {
    let error = error.into_inner();
    match error.downcast_ref()? {
        tungstenite::Error::Capacity(_) => Some(close(SIZE, "A message has at most 64 KiB")),
        tungstenite::Error::Utf8(_) => Some(close(INVALID, "A text is not UTF-8")),
        tungstenite::Error::Protocol(_) => Some(close(PROTOCOL, "This is no WebSocket")),
        _ => None,
    }
}

fn closed(end: ConsoleEnd) -> CloseFrame {
    match end {
        ConsoleEnd::Closed => close(NORMAL, "The console is closed: the domain is gone"),
        ConsoleEnd::TooSlow => close(AGAIN, "Output was lost: the client is too slow, reconnect"),
    }
}

fn close(code: u16, reason: &'static str) -> CloseFrame {
    CloseFrame { code, reason: reason.into() }
}
