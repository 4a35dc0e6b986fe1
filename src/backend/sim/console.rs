//! A guest's console that is open.

use super::handle::Sim;
use super::host::Host;
use super::lock::lock;
use super::terminal::Terminal;
use crate::core::error::Error;
use crate::core::model::{DomId, ShutdownReason};
use crate::core::ports::OpenConsole;
use std::io;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::sleep;

/// How late the output of a guest may be.
const INTERVAL: Duration = Duration::from_millis(20);

/// The size of the buffers between a guest and the one who has its console open, in bytes.
const BUFFER: usize = 16 << 10;

impl Sim {
    /// Opens the console of a guest.
    pub(super) fn open_terminal(&self, domid: DomId) -> Result<OpenConsole, Error> {
        let terminal = self.host().terminal(domid)?;
        let printed = lock(&terminal);
        let recent = printed.text();
        let sent = printed.total();
        drop(printed);
        let (guest, stream) = tokio::io::duplex(BUFFER);
        let line = Line { host: Arc::downgrade(self.host()), domid, terminal, sent };
        // The task ends with the stream, the domain or the host.
        drop(tokio::spawn(line.serve(guest)));
        Ok(OpenConsole { recent, stream: Box::new(stream) })
    }
}

/// The line between a guest and the one who has its console open.
struct Line {
    host: Weak<Host>,
    domid: DomId,
    terminal: Arc<Mutex<Terminal>>,
    /// How much of what the guest has printed was sent, in bytes.
    sent: u64,
}

impl Line {
    async fn serve(mut self, mut stream: DuplexStream) {
        let mut keys = [0; 256];
        loop {
            tokio::select! {
                () = sleep(INTERVAL) => {}
                read = stream.read(&mut keys) => match read {
                    Ok(count @ 1..) => lock(&self.terminal).type_keys(&keys[..count]),
                    Ok(0) | Err(_) => return,
                },
            }
            let host = self.host.upgrade();
            let Some(Ok(stop)) = host.map(|host| host.use_terminal(self.domid)) else { return };
            if let Some(reason) = stop {
                self.stop_guest(reason).await;
            }
            if self.send_output(&mut stream).await.is_err() {
                return;
            }
        }
    }

    /// The guest begins to shut down, as if it had been asked to.
    async fn stop_guest(&self, reason: ShutdownReason) {
        let Some(host) = self.host.upgrade() else { return };
        let domid = self.domid;
        let stopped = tokio::task::spawn_blocking(move || {
            host.change(domid, |record, now| {
                record.advance(now, &host.settings);
                record.guest.request_shutdown(reason);
                Ok(())
            })
        });
        if let Ok(Err(error)) = stopped.await {
            tracing::debug!(%domid, %error, "A simulated guest could not stop");
        }
    }

    async fn send_output(&mut self, stream: &mut DuplexStream) -> io::Result<()> {
        let new = {
            let terminal = lock(&self.terminal);
            let new = terminal.printed_after(self.sent);
            self.sent = terminal.total();
            new
        };
        stream.write_all(&new).await
    }
}
