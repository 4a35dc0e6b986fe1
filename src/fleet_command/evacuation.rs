//! `xend fleet evacuate`: all domains that are on this host go to others of the fleet.

use super::daemon::{Answer, Daemon, DaemonError, Unasked};
use crate::core::error::Error;
use crate::core::fleet::HostName;
use crate::core::placement::{HostRoom, Leaving, Move, Plan, Stay, evacuate};
use crate::core::ports::Fleet as _;
use crate::fleet::{FleetReader, Keys, Kv};
use crate::shape;
use crate::sxp::{Limits, Sxp, read_one};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

/// How long the daemon may take to list its domains.
const LIST_LIMIT: Duration = Duration::from_secs(60);
/// How long a migration may take, as of requests between hosts.
const MOVE_LIMIT: Duration = Duration::from_secs(3600);
/// The most characters that are shown of a name or of an error.
const MAX_SHOWN: usize = 500;

/// Why nothing is moved.
#[derive(Debug, thiserror::Error)]
pub enum EvacuationError {
    /// The daemon does not tell its domains.
    #[error(transparent)]
    Daemon(#[from] Unasked),
    /// etcd does not tell the hosts of the fleet.
    #[error(transparent)]
    Fleet(#[from] Error),
    /// The host is in no fleet, as far as etcd knows.
    #[error("The host {0} is not in the fleet: xend fleet join")]
    NotMember(HostName),
}

/// What is to be said at the end.
pub(super) struct Evacuated {
    pub(super) text: String,
    /// Whether no domain stays.
    pub(super) is_whole: bool,
}

/// The domains of this host.
struct Here {
    /// Those on the host, without Domain-0.
    present: Vec<Leaving>,
    /// Those that cannot be moved, with the reason.
    fixed: Vec<String>,
    /// The number of definitions of domains that are not on the host.
    halted: usize,
}

/// Moves all domains of the host `own` to others, or prints only where they would go.
pub(super) async fn run(
    kv: Arc<dyn Kv>,
    keys: Keys,
    own: &HostName,
    daemon: &Daemon,
    is_dry: bool,
) -> Result<Evacuated, EvacuationError> {
    let fleet = FleetReader::new(kv, keys, own.clone()).view().await?;
    if !fleet.members.contains_key(own) {
        return Err(EvacuationError::NotMember(own.clone()));
    }
    let Here { present, fixed, halted } = here(daemon).await?;
    let mut rooms = HostRoom::all(&fleet);
    rooms.retain(|room| room.name != *own);
    let Plan { moves, staying } = evacuate(&present, &rooms);
    let mut text = String::new();
    for Stay { domain, reason } in &staying {
        writeln!(text, "{} stays: {reason}", named(domain)).ok();
    }
    for reason in &fixed {
        writeln!(text, "Not moved: {}", shown(reason)).ok();
    }
    if is_dry {
        let lines = moves.iter().map(|Move { domain, to }| format!("{} -> {to}\n", named(domain)));
        let text = lines.collect::<String>() + &text + &of_definitions(own, halted);
        return Ok(Evacuated { text, is_whole: staying.is_empty() && fixed.is_empty() });
    }
    for Move { domain, to } in &moves {
        say(&format!("{} -> {to}: ", named(domain)));
        let path = format!("/xend/host/{own}/domain/{}", domain.uuid);
        let form = format!("op=migrate&live=1&destination={to}");
        match daemon.post(&path, form, MOVE_LIMIT).await {
            Ok(answer) if answer.is_success() => say("moved\n"),
            Ok(answer) => say(&format!("failed: {}\n", shown(&answer.reason()))),
            // It may still be under way, and the next one would begin beside it.
            Err(error) => {
                say(&format!("unknown\n{text}"));
                return Err(error.into());
            }
        }
    }
    let left = here(daemon).await.inspect_err(|_| say(&text))?;
    let count = left.present.len() + left.fixed.len();
    if count == 0 {
        writeln!(text, "No domain is left that runs on {own}.").ok();
    } else {
        let names = left.present.iter().map(|domain| shown(domain.name.as_str()));
        let names: Vec<_> = names.chain(left.fixed.iter().map(|one| shown(one))).collect();
        writeln!(text, "Still on {own}: {}.", names.join(", ")).ok();
    }
    text += &of_definitions(own, left.halted);
    Ok(Evacuated { text, is_whole: count == 0 })
}

/// What becomes of definitions.
fn of_definitions(own: &HostName, halted: usize) -> String {
    if halted == 0 {
        return String::new();
    }
    format!("Definitions of domains that do not run ({halted}) stay: they are of {own}.\n")
}

fn named(domain: &Leaving) -> String {
    format!("{} ({} MiB)", shown(domain.name.as_str()), domain.wanted.memory_mib)
}

/// A text for a terminal.
fn shown(text: &str) -> String {
    let printable = |c: char| if c.is_control() { '?' } else { c };
    text.chars().map(printable).take(MAX_SHOWN).collect()
}

/// Prints at once: a move takes long. What cannot be printed does not keep domains from moving.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
}

/// Asks the daemon for its domains.
async fn here(daemon: &Daemon) -> Result<Here, EvacuationError> {
    let answer = daemon.get("/xend/domain?detail=1&state=all", LIST_LIMIT).await?;
    let strange = |reason: String| daemon.error(DaemonError::Strange(shown(&reason)));
    if !answer.is_success() {
        return Err(strange(answer.reason()).into());
    }
    let Answer { body, .. } = answer;
    let list = read_one(&body, &Limits::STORED).map_err(|error| strange(error.to_string()))?;
    let domains = list.as_list().ok_or_else(|| strange("it sends no list of domains".into()))?;
    let mut here = Here { present: Vec::new(), fixed: Vec::new(), halted: 0 };
    for domain in domains {
        match domain.value("domid").and_then(Sxp::as_str) {
            // Domain-0 is the host.
            Some("0") => {}
            Some(_) => match leaving(domain) {
                Ok(leaving) => here.present.push(leaving),
                Err(reason) => here.fixed.push(reason),
            },
            None => here.halted += 1,
        }
    }
    Ok(here)
}

fn leaving(domain: &Sxp) -> Result<Leaving, String> {
    let name = domain.value("name").and_then(Sxp::as_str).unwrap_or("A domain");
    let state = domain.value("state").and_then(Sxp::as_str).unwrap_or_default();
    if state.contains(['p', 's', 'c', 'd']) {
        return Err(format!("{name}: its state is {state}, and only running domains migrate"));
    }
    let config = shape::read_stored(domain).map_err(|error| format!("{name}: {error}"))?;
    Leaving::of(&config).map_err(|invalid| format!("{name}: {invalid}"))
}
