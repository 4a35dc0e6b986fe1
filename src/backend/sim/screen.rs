//! A guest's screen: a small RFB server (RFC 6143), which all viewers share.

mod messages;
mod pixels;
pub(super) mod scene;

use super::facts;
use super::handle::Sim;
use crate::backend::rfb_login::{Challenge, NONE, VNC_AUTHENTICATION, log_in, response};
use crate::core::backend::no_screen;
use crate::core::error::Error;
use crate::core::model::{DomId, Password};
use crate::core::ports::GuestStream;
use bytes::{Buf as _, BytesMut};
use messages::{MAX_MESSAGE, Message, decode};
use pixels::PixelFormat;
use scene::{Area, HEIGHT, Scene, Screen, WIDTH};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_util::sync::CancellationToken;

/// The size of the buffers between a guest and a viewer, in bytes.
const BUFFER: usize = 64 << 10;

/// The encoding of pixels as they are.
const RAW: i32 = 0;

impl Sim {
    /// Connects to the screen of a guest.
    pub(super) async fn connect_to_screen(
        &self,
        domid: DomId,
    ) -> Result<Box<dyn GuestStream>, Error> {
        let record = self.host().required_record(domid)?;
        if record.vnc_port.is_none() {
            return Err(no_screen());
        }
        let password = facts::vnc_password(&record, &self.host().settings);
        let (screen, destroyed) = self.host().screen(domid)?;
        let (guest, mut viewer) = tokio::io::duplex(BUFFER);
        let challenge = self.host().screen_challenge();
        let name = record.name.to_string();
        let server = Server { screen, name, password: password.clone(), challenge };
        // The task ends with the stream, or the domain.
        drop(tokio::spawn(server.run(guest, destroyed)));
        log_in(&mut viewer, password.as_ref())
            .await
            .map_err(|error| Error::backend("The screen cannot be opened", error))?;
        Ok(Box::new(viewer))
    }
}

/// The server of a viewer.
struct Server {
    screen: Arc<Screen>,
    /// The name of the desktop.
    name: String,
    password: Option<Password>,
    challenge: Challenge,
}

impl Server {
    async fn run(self, mut stream: DuplexStream, destroyed: CancellationToken) {
        let served = async {
            self.greet(&mut stream).await?;
            self.serve(&mut stream).await
        };
        tokio::select! {
            ended = served => {
                if let Err(error) = ended {
                    tracing::debug!(domain = self.name, %error, "A viewer of a simulated screen is gone");
                }
            }
            () = destroyed.cancelled() => {}
        }
    }

    /// The handshake, up to `ServerInit`.
    async fn greet(&self, stream: &mut DuplexStream) -> io::Result<()> {
        stream.write_all(b"RFB 003.008\n").await?;
        stream.read_exact(&mut [0; 12]).await?;
        let security = if self.password.is_some() { VNC_AUTHENTICATION } else { NONE };
        stream.write_all(&[1, security]).await?;
        if stream.read_u8().await? != security {
            return Err(io::Error::other("The viewer takes another security type"));
        }
        if let Some(password) = &self.password {
            stream.write_all(self.challenge.as_flattened()).await?;
            let mut answer = Challenge::default();
            stream.read_exact(answer.as_flattened_mut()).await?;
            if answer != response(password, self.challenge) {
                let reason = "Authentication failed";
                stream.write_u32(1).await?;
                write_text(stream, reason).await?;
                return Err(io::Error::other(reason));
            }
        }
        stream.write_u32(0).await?;
        // ClientInit: all viewers share the screen, whatever they ask for.
        stream.read_u8().await?;
        stream.write_u16(WIDTH).await?;
        stream.write_u16(HEIGHT).await?;
        stream.write_all(&PixelFormat::OWN.encode()).await?;
        write_text(stream, &self.name).await
    }

    async fn serve(&self, stream: &mut DuplexStream) -> io::Result<()> {
        let mut scene = self.screen.subscribe();
        let mut viewer = Viewer { format: PixelFormat::OWN, seen: None, is_waiting: false };
        let mut received = BytesMut::new();
        loop {
            tokio::select! {
                changed = scene.changed(), if viewer.is_waiting => {
                    changed.map_err(io::Error::other)?;
                }
                count = stream.read_buf(&mut received) => {
                    if count? == 0 {
                        return Ok(());
                    }
                }
            }
            while let Some((message, length)) = decode(&received).map_err(io::Error::other)? {
                received.advance(length);
                match message {
                    Message::Key { is_down: true } => self.screen.send_modify(Scene::press_key),
                    Message::Pointer { buttons, x, y } => {
                        self.screen.send_modify(|scene| scene.point(x, y, buttons));
                    }
                    Message::SetPixelFormat(format) => viewer.format = format,
                    Message::UpdateRequest { is_incremental: true, .. } => viewer.is_waiting = true,
                    Message::UpdateRequest { is_incremental: false, area } => {
                        let now = *scene.borrow_and_update();
                        stream.write_all(&viewer.part(now, area)).await?;
                    }
                    Message::Key { is_down: false } | Message::Ignored => {}
                }
            }
            let now = *scene.borrow_and_update();
            stream.write_all(&viewer.changes(now)).await?;
            debug_assert!(received.len() < MAX_MESSAGE, "what is left is a part of a message");
        }
    }
}

/// What a viewer has seen, and waits for.
struct Viewer {
    format: PixelFormat,
    /// What it has of the whole screen.
    seen: Option<Scene>,
    /// It waits for a change.
    is_waiting: bool,
}

impl Viewer {
    /// The update with a part of the screen. One without rectangles answers a request for what is
    /// not on the screen.
    fn part(&mut self, now: Scene, area: Area) -> Vec<u8> {
        let area = area.on_screen();
        if area == Some(Area::SCREEN) {
            self.seen = Some(now);
        }
        self.update(now, area.as_slice())
    }

    /// The update that a viewer waits for, of the whole screen, whichever part it has asked for:
    /// nothing if it does not wait, or sees all already.
    fn changes(&mut self, now: Scene) -> Vec<u8> {
        let areas = match self.seen {
            _ if !self.is_waiting => return Vec::new(),
            Some(seen) => now.changes_since(seen),
            None => vec![Area::SCREEN],
        };
        if areas.is_empty() {
            return Vec::new();
        }
        self.is_waiting = false;
        self.seen = Some(now);
        self.update(now, &areas)
    }

    /// The message `FramebufferUpdate`.
    fn update(&self, now: Scene, areas: &[Area]) -> Vec<u8> {
        let mut update = vec![0, 0];
        update.extend(u16::try_from(areas.len()).unwrap_or_default().to_be_bytes());
        for area in areas {
            for number in [area.x, area.y, area.width, area.height] {
                update.extend(number.to_be_bytes());
            }
            update.extend(RAW.to_be_bytes());
            now.draw(*area, self.format, &mut update);
        }
        update
    }
}

/// Sends a text with its length.
async fn write_text(stream: &mut DuplexStream, text: &str) -> io::Result<()> {
    stream.write_u32(u32::try_from(text.len()).map_err(io::Error::other)?).await?;
    stream.write_all(text.as_bytes()).await
}

#[cfg(test)]
mod tests;
