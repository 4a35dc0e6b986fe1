//! The screen of a guest over a WebSocket: `GET /xend/domain/NAME/screen` with an upgrade.
//!
//! Binary messages of both sides are the bytes of RFB (RFC 6143), cut anywhere, as noVNC and
//! websockify have them. To the client, the daemon is an RFB server without a password
//! (`rfb_greeting.rs`): it has logged in to the guest's screen itself, and passes on what follows.
//!
//! Beside the codes of `viewer_socket.rs`, the daemon closes with 1002 for a client that speaks
//! something else than RFB.

use super::context::Http;
use super::rfb_greeting::Greeting;
use super::stream_permits::StreamPermits;
use super::viewer_socket::{Viewed, close};
use crate::core::error::Error;
use crate::core::model::DomainRef;
use crate::core::ports::GuestStream;
use crate::core::rights::OpKind;
use crate::core::view::View;
use axum::extract::ws::CloseFrame;
use axum::extract::ws::close_code::{NORMAL, PROTOCOL};
use bytes::{Bytes, BytesMut};
use std::future::pending;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};

/// The most bytes of a message of the daemon.
const MAX_MESSAGE: usize = 64 << 10;

/// The screen of a guest, for one client.
pub(super) struct ScreenViewer {
    greeting: Greeting,
    output: ReadHalf<Box<dyn GuestStream>>,
    input: WriteHalf<Box<dyn GuestStream>>,
    buffer: BytesMut,
}

impl Viewed for ScreenViewer {
    const NAME: &'static str = "screen";
    const PLURAL: &'static str = "screens";
    const KIND: OpKind = OpKind::UseScreen;

    fn permits(http: &Http) -> &StreamPermits {
        http.screen_permits()
    }

    async fn open(view: &View, domain: &DomainRef) -> Result<Self, Error> {
        let (output, input) = tokio::io::split(view.open_screen(domain).await?);
        Ok(Self { greeting: Greeting::default(), output, input, buffer: BytesMut::new() })
    }

    async fn next(&mut self, typed: &mut Bytes) -> Result<Bytes, CloseFrame> {
        if !self.greeting.is_over() {
            let said = self.greeting.answer(typed);
            let said = said.map_err(|error| close(PROTOCOL, error.to_string()))?;
            // Once all is said, the daemon waits for the client.
            return if said.is_empty() && !self.greeting.is_over() {
                pending().await
            } else {
                Ok(said)
            };
        }
        self.buffer.reserve(MAX_MESSAGE);
        tokio::select! {
            read = self.output.read_buf(&mut self.buffer) => match read {
                Ok(1..) => Ok(self.buffer.split().freeze()),
                Ok(0) | Err(_) => Err(closed()),
            },
            written = self.input.write_buf(typed), if !typed.is_empty() => match written {
                Ok(1..) => Ok(Bytes::new()),
                Ok(0) | Err(_) => Err(closed()),
            },
        }
    }
}

fn closed() -> CloseFrame {
    close(NORMAL, "The screen is closed: the domain is gone".to_owned())
}
