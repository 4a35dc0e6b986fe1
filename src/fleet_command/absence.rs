//! `xend fleet away`: this host is away on purpose, or back.

use super::daemon::{Daemon, DaemonError, Unasked};
use crate::core::fleet::HostName;
use std::time::Duration;

/// How long the daemon may take: it waits for etcd, and for its guard.
const LIMIT: Duration = Duration::from_secs(60);

/// Why the host is not away, or not back.
#[derive(Debug, thiserror::Error)]
pub enum AbsenceError {
    /// The daemon is not asked.
    #[error(transparent)]
    Daemon(#[from] Unasked),
    /// The daemon does not do it.
    #[error("{0}")]
    Refused(String),
}

/// Asks the daemon to have its host away for so many minutes, or back.
pub(super) async fn change(
    host: &HostName,
    daemon: &Daemon,
    minutes: Option<u32>,
) -> Result<String, AbsenceError> {
    match minutes {
        Some(minutes) => begin(host, daemon, minutes).await,
        None => end(host, daemon).await,
    }
}

async fn begin(host: &HostName, daemon: &Daemon, minutes: u32) -> Result<String, AbsenceError> {
    ask(host, daemon, format!("op=away&minutes={minutes}")).await?;
    let unit = if minutes == 1 { "minute" } else { "minutes" };
    Ok(format!(
        "{host} is away for {minutes} {unit}: it is not taken for dead, and gets no new domains. xend \
         fleet away --end ends that.\n"
    ))
}

async fn end(host: &HostName, daemon: &Daemon) -> Result<String, AbsenceError> {
    ask(host, daemon, "op=back".to_owned()).await?;
    Ok(format!("{host} is back.\n"))
}

async fn ask(host: &HostName, daemon: &Daemon, form: String) -> Result<(), AbsenceError> {
    // A daemon of another host refuses it.
    let answer = daemon.post(&format!("/xend/host/{host}/node"), form, LIMIT).await?;
    if answer.is_success() {
        return Ok(());
    }
    let reason = answer.reason();
    let shown: String = reason.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    Err(if shown.is_empty() {
        daemon.error(DaemonError::Strange("it says no".to_owned())).into()
    } else {
        AbsenceError::Refused(shown)
    })
}
