//! The life cycle of the daemon: ready, reloading, stopping, ended.
//!
//! Each stage of stopping has a time limit, and a signal ends the stage early. So no request, task
//! or hypervisor call keeps the process running.

use super::serve::Server;
use sd_notify::NotifyState;
use std::future::Future;
use std::io;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

/// Time limit of the requests in flight when the daemon stops.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// Time limit of calls that block a thread, after everything else has ended.
const BLOCKING_CALLS_DEADLINE: Duration = Duration::from_secs(5);

/// The signals that the daemon handles. As long as this exists, none of them ends the process.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Installs the handlers.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next SIGTERM or SIGINT.
    pub async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Runs a daemon to its end on a runtime of its own.
///
/// A call that never returns, of libxl for instance, blocks its thread for ever. Such threads are
/// abandoned after `BLOCKING_CALLS_DEADLINE`, and end with the process.
pub fn block_on<T>(daemon: impl Future<Output = T>) -> io::Result<T> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let output = runtime.block_on(daemon);
    let started = Instant::now();
    runtime.shutdown_timeout(BLOCKING_CALLS_DEADLINE);
    if started.elapsed() >= BLOCKING_CALLS_DEADLINE {
        let limit = BLOCKING_CALLS_DEADLINE.as_secs();
        tracing::warn!("Abandoned calls that did not return within {limit} s of the end");
    }
    Ok(output)
}

/// Runs until SIGTERM or SIGINT, then drains `server`; a second signal or [`DRAIN_DEADLINE`] closes
/// the connections that are left. Each SIGHUP calls `reload`, which SIGTERM interrupts.
pub async fn supervise(server: &Server, signals: &mut Signals, reload: impl AsyncFn()) {
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
                tokio::select! {
                    () = reload() => notify(&[NotifyState::Ready]),
                    () = signals.stop() => break,
                }
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
        () = sleep(DRAIN_DEADLINE) => {
            let limit = DRAIN_DEADLINE.as_secs();
            tracing::warn!("Requests take longer than {limit} s: closing all connections");
        }
    }
    server.abort();
    server.drained().await;
}

/// Waits for the last stage of stopping, which a further signal ends early.
pub async fn finish(stage: impl Future<Output = ()>, signals: &mut Signals) {
    tokio::select! {
        () = stage => {}
        () = signals.stop() => {
            tracing::warn!("Further signal: ending without waiting for operations on domains");
        }
    }
}

/// Notifies the service manager, if there is one.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("Cannot notify the service manager: {error}");
    }
}
