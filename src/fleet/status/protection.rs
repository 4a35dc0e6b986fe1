//! What is wrong with the protection of domains whose hosts die.

use super::definitions::{printable, told};
use super::protected::{Protection, last_boots};
use super::{FleetStatus, Problem};
use crate::core::fleet::HostName;
use crate::core::ownership::{Boot, Own, Phase};
use crate::core::taker::are_too_many;
use crate::fleet::keys::Keys;
use crate::fleet::kv::Entry;
use crate::fleet::protection_records::FenceStep;
use std::collections::{BTreeMap, BTreeSet};

/// The hosts of a fleet, as far as it matters here.
struct Hosts<'a> {
    /// With their last boots.
    records: BTreeMap<HostName, Boot>,
    alive: &'a BTreeSet<HostName>,
}

impl FleetStatus {
    /// Says what keeps protected domains from being started elsewhere, and which are.
    pub(super) fn judge_protection(
        &mut self,
        keys: &Keys,
        hosts: &[Entry],
        alive: &BTreeSet<HostName>,
        protection: &Protection,
    ) {
        self.takers = protection.takers.iter().map(ToString::to_string).collect();
        self.protected = protection.protected.len();
        let hosts = Hosts { records: last_boots(keys, hosts), alive };
        self.problems.extend(of_takers(protection, &hosts));
        self.problems.extend(told(of_unguarded(protection)));
        self.problems.extend(of_silence(protection, &hosts));
        self.problems.extend(told(of_fences(protection, &hosts)));
        self.problems.extend(told(of_takeovers(protection)));
    }
}

fn of_takers(protection: &Protection, hosts: &Hosts<'_>) -> Option<Problem> {
    let alive = protection.takers.iter().filter(|host| hosts.alive.contains(*host)).count();
    let protected = protection.protected.len().max(protection.guarded().count());
    (protected > 0 && alive < 2).then(|| {
        Problem::new(
            format!(
                "Domains are protected ({protected}), and of the hosts that watch for hosts that die, \
                 {alive} of {} are alive",
                protection.takers.len()
            ),
            "xend fleet takers HOST HOST with hosts that are alive, or see to the others",
        )
    })
}

fn of_unguarded(protection: &Protection) -> Vec<Problem> {
    let runs = protection.owners.iter().filter(|(_, own)| own.phase == Phase::Running);
    let unguarded =
        runs.filter(|(domain, own)| protection.protected.contains(*domain) && !own.guarded);
    unguarded
        .map(|(domain, own)| {
            let host = &own.by.host;
            let name = own.name.as_ref().map_or_else(|| domain.to_string(), ToString::to_string);
            let what = format!(
                "{} ({domain}) is protected and runs on {host}, which does not guard it: it is not \
                 started elsewhere",
                printable(&name)
            );
            let advice = format!(
                "look for \"guard\" in journalctl -u xend on {host}, and see systemctl status \
                 xend-guard there"
            );
            Problem::new(what, advice)
        })
        .collect()
}

/// More hosts are silent than die at once.
fn of_silence(protection: &Protection, hosts: &Hosts<'_>) -> Option<Problem> {
    let is_suspect = |boot: &&Boot| {
        let is_known = protection.has_ended(boot) || protection.aways.contains_key(*boot);
        !hosts.alive.contains(&boot.host) && !is_known
    };
    let suspects: Vec<&Boot> = hosts.records.values().filter(is_suspect).collect();
    let waits = |own: &Own| suspects.iter().any(|boot| boot.host == own.by.host);
    let is_alarm = are_too_many(suspects.len(), hosts.records.len());
    (is_alarm && protection.guarded().any(waits)).then(|| {
        Problem::new(
            format!(
                "{} of {} hosts are silent, more than die at once: none is fenced, and none of their \
                 protected domains is started elsewhere",
                suspects.len(),
                hosts.records.len()
            ),
            "bring them back; for each that is off, xend fleet confirm-dead HOST",
        )
    })
}

fn of_fences(protection: &Protection, hosts: &Hosts<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (boot, fence) in &protection.fences {
        let Boot { host, epoch } = boot;
        let is_last = hosts.records.get(host) == Some(boot);
        let guarded = protection.guarded().filter(|own| own.by == *boot).count();
        // It has booted since, and nothing is left of that boot.
        if !is_last && guarded == 0 {
            continue;
        }
        let is_alive = is_last && hosts.alive.contains(host);
        let by = fence.as_ref().map_or("a later version", |fence| &fence.by);
        let step = fence.as_ref().map(|fence| fence.step);
        let what = match step {
            _ if is_alive => {
                format!("{host} has been fenced by {by}, and is alive: it gets no domains")
            }
            Some(FenceStep::Declared) => format!(
                "{host} is silent and has been fenced by {by}: takers wait until its protected \
                 domains ({guarded}) have ended"
            ),
            Some(FenceStep::Waited) if guarded == 0 => {
                format!("{host} is silent and has been fenced by {by}")
            }
            Some(FenceStep::Waited | FenceStep::Confirmed) if guarded > 0 => {
                format!("Protected domains of {host} ({guarded}) are to be started elsewhere")
            }
            // That it is silent is told already.
            Some(FenceStep::Waited | FenceStep::Confirmed) => continue,
            None => format!("The fence of {host} in its boot {epoch} makes no sense"),
        };
        let advice = match step {
            _ if is_alive => format!("boot {host}"),
            Some(FenceStep::Declared) => "wait a minute".to_owned(),
            Some(FenceStep::Waited) if guarded == 0 => format!(
                "boot {host}; if it stays off, xend fleet confirm-dead {host} lets others have its \
                 other domains"
            ),
            Some(_) => "wait a minute; below is what could not be started".to_owned(),
            None => "update xend on this host".to_owned(),
        };
        problems.push(Problem::new(what, advice));
    }
    problems
}

fn of_takeovers(protection: &Protection) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (domain, takeover) in &protection.takeovers {
        let name = printable(&takeover.name);
        let from = &takeover.from;
        let owner = protection.owners.get(domain).map(|own| &own.by);
        let has_failed = |to: &String| takeover.failed.iter().any(|tried| tried.host == *to);
        let failed = || {
            let tries =
                takeover.failed.iter().map(|tried| format!("{}: {}", tried.host, tried.reason));
            let tries: Vec<_> = tries.collect();
            if tries.is_empty() { "no host fits".to_owned() } else { tries.join("; ") }
        };
        match &takeover.to {
            Some(to) if !has_failed(to) => problems.push(Problem::new(
                format!("{name} ({domain}), protected, has ended with {from}: {to} is to start it"),
                format!("wait a minute; look for {domain} in journalctl -u xend on {to}"),
            )),
            Some(_) if owner.is_some() && owner == takeover.from().as_ref() => {
                problems.push(Problem::new(
                    format!(
                        "{name} ({domain}), protected, has ended with {from} and could not be \
                         started yet: {}",
                        failed()
                    ),
                    "wait a minute: another host tries it",
                ));
            }
            Some(_) | None => problems.push(Problem::new(
                format!(
                    "{name} ({domain}), protected, has ended with {from} and could not be started: {}",
                    failed()
                ),
                format!("make room for it on a host, and xend fleet retry {domain}"),
            )),
        }
    }
    problems
}
