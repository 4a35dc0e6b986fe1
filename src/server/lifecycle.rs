//! The life of the daemon as its service manager sees it: ready, reloading, stopping.

use std::io;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Server;

/// How long requests in flight may take once the daemon is asked to stop.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// The signals that the daemon obeys. From the moment this exists, none of them ends the process by
/// itself.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Takes the signals over.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Runs until SIGTERM or SIGINT, then drains `server`; a second signal or [`DRAIN_DEADLINE`] cuts
/// that short. Each SIGHUP calls `reload`.
pub async fn supervise(server: &Server, mut signals: Signals, mut reload: impl FnMut()) {
    notify(&[NotifyState::Ready]);
    loop {
        tokio::select! {
            _ = signals.hangup.recv() => {
                tracing::info!("Reloading the configuration");
                // systemd ignores RELOADING without the time.
                match NotifyState::monotonic_usec_now() {
                    Ok(now) => notify(&[NotifyState::Reloading, now]),
                    Err(_) => notify(&[NotifyState::Reloading]),
                }
                reload();
                notify(&[NotifyState::Ready]);
            }
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
        }
    }
    notify(&[NotifyState::Stopping]);
    tracing::info!("Stopping: finishing the requests in flight");
    server.stop();
    tokio::select! {
        () = server.drained() => {}
        () = signals.stop() => tracing::warn!("Second signal: closing all connections"),
        () = tokio::time::sleep(DRAIN_DEADLINE) => tracing::warn!("Some requests take too long: closing them"),
    }
    server.abort();
    server.drained().await;
    tracing::info!("Stopped");
}

/// Lets the process open as many files as the system allows: each connection needs one, and the
/// limit that most systems start with is there for programs that use `select`.
pub fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::debug!("Cannot raise the limit of open files: {error}");
    }
}

/// Tells the service manager, if there is one.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("Cannot notify the service manager: {error}");
    }
}
