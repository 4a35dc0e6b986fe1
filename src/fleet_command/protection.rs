//! The commands about domains that are started elsewhere when their host dies.

use crate::cli::RestartWord;
use crate::core::fleet::HostName;
use crate::core::ports::Clock as _;
use crate::fleet::{
    Candidate, ConfirmedDead, DomainPolicy, Guarding, JoinError, PolicyRecord, Restart, SilentHost,
    Upgrade,
};
use crate::os::{OsEntropy, SystemClock};
use std::fmt::Write as _;
use std::time::Duration;

/// How long a command waits until a domain is guarded.
const GUARDING: Duration = Duration::from_secs(10);

/// Prints the takers, or sets them.
pub(super) async fn takers(
    candidate: &Candidate<'_>,
    hosts: &[HostName],
) -> Result<String, JoinError> {
    let takers = if hosts.is_empty() {
        candidate.takers().await?
    } else {
        candidate.set_takers(hosts).await?
    };
    let mut text = match takers.as_slice() {
        [] => "No host watches for hosts that die: no domain can be protected.\n".to_owned(),
        [one] => format!("{one} watches for hosts that die.\n"),
        several => format!("{} watch for hosts that die.\n", listed(several)),
    };
    if takers.len() < 2 {
        text += "A domain can be protected when two do: xend fleet takers HOST HOST\n";
    }
    Ok(text)
}

/// Prints policies, or sets one. Tells whether its domain is guarded as it says, too.
pub(super) async fn policy(
    candidate: &Candidate<'_>,
    domain: Option<&str>,
    restart: Option<RestartWord>,
    priority: u8,
) -> Result<(String, bool), JoinError> {
    let Some(domain) = domain else {
        let policies = candidate.policies().await?;
        let text = if policies.is_empty() {
            "No domain is protected.\n".to_owned()
        } else {
            policies.iter().map(policy_line).collect()
        };
        return Ok((text, true));
    };
    let Some(restart) = restart else {
        return Ok((policy_line(&candidate.policy(domain).await?), true));
    };
    let restart = match restart {
        RestartWord::None => None,
        RestartWord::BestEffort => Some(Restart::BestEffort),
        RestartWord::Always => Some(Restart::Always),
    };
    let policy = restart.map(|restart| PolicyRecord { restart, priority });
    let set = candidate.set_policy(domain, policy).await?;
    let guarding = candidate.until_guarded(set.domain, policy.is_some(), GUARDING).await?;
    let is_well = !matches!(guarding, Guarding::NotYet { .. });
    let text = policy_line(&set) + &of_guarding(&set, &guarding);
    Ok((text, is_well))
}

fn policy_line(DomainPolicy { domain, name, policy }: &DomainPolicy) -> String {
    match policy {
        None => format!("{name} ({domain}) none\n"),
        Some(PolicyRecord { restart, priority }) => {
            format!("{name} ({domain}) {}, priority {priority}\n", restart.word())
        }
    }
}

fn of_guarding(DomainPolicy { name, policy, .. }: &DomainPolicy, guarding: &Guarding) -> String {
    match (guarding, policy) {
        (Guarding::Halted, None) => String::new(),
        (Guarding::Halted, Some(_)) => {
            format!("{name} does not run: it is guarded when it does.\n")
        }
        (Guarding::AsWanted { host }, Some(_)) => format!("{host} guards it.\n"),
        (Guarding::AsWanted { host }, None) => format!("{host} does not guard it.\n"),
        (Guarding::NotYet { host }, Some(_)) => format!(
            "{host} does not guard it yet, so that it is not started elsewhere: look for \"guard\" in \
             journalctl -u xend on {host}, and see systemctl status xend-guard there; xend fleet \
             status tells whether it does.\n"
        ),
        (Guarding::NotYet { host }, None) => {
            format!("{host} still guards it: look for \"guard\" in journalctl -u xend on {host}.\n")
        }
    }
}

/// Lets the takers try again.
pub(super) async fn retry(candidate: &Candidate<'_>, domain: &str) -> Result<String, JoinError> {
    let DomainPolicy { name, .. } = candidate.retry(domain).await?;
    Ok(format!("It is tried again to start {name}: xend fleet status tells what comes of it.\n"))
}

/// Says that a host is dead.
pub(super) async fn confirm_dead(
    candidate: &Candidate<'_>,
    silent: &SilentHost,
) -> Result<String, JoinError> {
    let name = &silent.name;
    let now = SystemClock.now();
    let ConfirmedDead { guarded, definitions } =
        candidate.confirm_dead(silent, now, &OsEntropy).await?;
    let mut text = format!("{name} counts as dead until it boots: its domains are free.");
    if definitions > 0 {
        write!(
            text,
            " Its definitions ({definitions}) wait for a host: xend fleet status lists them."
        )
        .ok();
    }
    if guarded > 0 {
        write!(text, " Its protected domains ({guarded}) are started elsewhere.").ok();
    }
    text.push('\n');
    Ok(text)
}

/// What is asked before a host counts as dead.
pub(super) fn to_confirm(SilentHost { name, domains, .. }: &SilentHost) -> String {
    format!(
        "{name} is silent. If it is only cut off, its domains ({domains}) still run there, and can \
         be started a second time elsewhere, which damages their disks. See that {name} is off.\n\
         Is {name} dead? [y/N] "
    )
}

/// Raises the schema.
pub(super) async fn upgrade(candidate: &Candidate<'_>) -> Result<String, JoinError> {
    let Upgrade { from, to, held_by } = candidate.upgrade().await?;
    let mut text = if from == to {
        format!("The fleet has schema {to}: nothing is raised.")
    } else {
        format!("The fleet has schema {to}, and had {from}.")
    };
    if held_by.is_empty() {
        text += " This xend speaks no higher one.";
    } else {
        let hosts = listed(&held_by);
        write!(text, " Before it can be raised, xend is to be updated and run on {hosts}.").ok();
    }
    text.push('\n');
    Ok(text)
}

fn listed(hosts: &[HostName]) -> String {
    hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ")
}
