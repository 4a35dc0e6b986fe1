//! The console of a guest over a WebSocket: `GET /xend/domain/NAME/console` with an upgrade.
//!
//! Messages of the daemon are the guest's output, in bytes, from the end of the earlier output on.
//! Messages of the client are typed, whether they are binary (as `xm console` and the pages send
//! them) or text (as `websocat` does). Any number of viewers may watch a console, and all of them
//! may type.
//!
//! Beside the codes of `viewer_socket.rs`, the daemon closes with 1013 for a client that does not
//! keep up with the output, which may come back.

use super::context::Http;
use super::stream_permits::StreamPermits;
use super::viewer_socket::{Viewed, close};
use crate::core::consoles::{ConsoleEnd, ConsoleViewer};
use crate::core::error::Error;
use crate::core::model::DomainRef;
use crate::core::rights::OpKind;
use crate::core::view::View;
use axum::extract::ws::CloseFrame;
use axum::extract::ws::close_code::{AGAIN, NORMAL};
use bytes::Bytes;
use std::mem;

impl Viewed for ConsoleViewer {
    const NAME: &'static str = "console";
    const PLURAL: &'static str = "consoles";
    const KIND: OpKind = OpKind::UseConsole;

    fn permits(http: &Http) -> &StreamPermits {
        http.console_permits()
    }

    async fn open(view: &View, domain: &DomainRef) -> Result<Self, Error> {
        view.open_console(domain).await
    }

    async fn next(&mut self, typed: &mut Bytes) -> Result<Bytes, CloseFrame> {
        if !self.recent.is_empty() {
            return Ok(mem::take(&mut self.recent));
        }
        tokio::select! {
            output = self.output.next() => output.map_err(closed),
            room = self.keyboard.ready(), if !typed.is_empty() => {
                room.map_err(closed)?.enter(mem::take(typed));
                Ok(Bytes::new())
            }
        }
    }
}

fn closed(end: ConsoleEnd) -> CloseFrame {
    let (code, reason) = match end {
        ConsoleEnd::Closed => (NORMAL, "The console is closed: the domain is gone"),
        ConsoleEnd::TooSlow => (AGAIN, "Output was lost: the client is too slow, reconnect"),
    };
    close(code, reason.to_owned())
}
