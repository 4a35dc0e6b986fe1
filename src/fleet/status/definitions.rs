//! What is wrong with the definitions of a fleet, and with the key that seals their passwords.

use super::{FleetStatus, Problem};
use crate::fleet::definition_records::{ClashKind, ClashRecord, OrphanRecord};
use crate::fleet::key_file::KeyFile;
use crate::fleet::keys::Keys;
use crate::fleet::kv::Entry;
use std::collections::BTreeMap;

/// The most problems of one kind that are told one by one.
const MAX_TOLD: usize = 20;

impl FleetStatus {
    /// Says which definitions need a person.
    pub(super) fn judge_definitions(
        &mut self,
        keys: &Keys,
        homes: &[Entry],
        orphans: &[Entry],
        clashes: &[Entry],
    ) {
        let orphans = orphans.iter().filter_map(|entry| orphan(keys, entry));
        let clashes = clashes.iter().filter_map(|entry| clash(keys, entry));
        let mut problems = told(orphans.collect());
        problems.extend(told(clashes.collect()));
        // What a host has left behind that has gone from the fleet.
        let mut strangers: BTreeMap<String, usize> = BTreeMap::new();
        for entry in homes {
            let Some((host, _)) = keys.parse_any_home(&entry.key) else { continue };
            if !self.members.iter().any(|member| member.name == host.as_str()) {
                *strangers.entry(host.to_string()).or_default() += 1;
            }
        }
        problems.extend(strangers.into_iter().map(|(host, count)| {
            Problem::new(
                format!("{host} is not in the fleet, which has definitions of it ({count})"),
                format!("xend fleet forget {host}, or xend fleet leave there"),
            )
        }));
        self.problems.extend(problems);
    }

    /// Says what keeps this host from sealing passwords. `id` is that of the fleet's key.
    pub(super) async fn judge_key(&mut self, id: Option<&[u8]>, key_file: &KeyFile) {
        if id.is_none() {
            self.problems.push(Problem::new(
                "The fleet has no key, and takes no definitions with passwords: an older xend has made it",
                "xend fleet token on one host; copy its key file to the others, with mode 600",
            ));
            return;
        }
        let shown = key_file.path().display();
        let reason = match key_file.read().await {
            Ok(Some(key)) if id == Some(key.id().as_bytes()) => return,
            Ok(Some(_)) => format!("{shown} is another one"),
            Ok(None) => format!("{shown} is missing"),
            Err(reason) => reason,
        };
        self.problems.push(Problem::new(
            format!(
                "This host has not the fleet's key, and cannot define domains with passwords: {reason}"
            ),
            "copy the file from another host, with mode 600",
        ));
    }
}

fn orphan(keys: &Keys, entry: &Entry) -> Option<Problem> {
    let domain = keys.parse_orphan(&entry.key)?;
    let record = OrphanRecord::decode(&entry.value).ok()?;
    let last = record.host.map_or_else(String::new, |host| format!(", last on {host},"));
    let name = printable(&record.name);
    Some(Problem::new(
        format!("{name} ({domain}){last} is defined in the fleet and on no host"),
        format!(
            "see that it runs nowhere, and type xend fleet adopt {domain} on the host that is to have it"
        ),
    ))
}

fn clash(keys: &Keys, entry: &Entry) -> Option<Problem> {
    let (host, domain) = keys.parse_clash(&entry.key)?;
    let ClashRecord { name, kind, reason } = ClashRecord::decode(&entry.value).ok()?;
    let advice = match kind {
        ClashKind::Name => format!("xm rename on {host}, or where the other one is"),
        ClashKind::Uuid => format!("xm delete on {host}, or where the other one is"),
        ClashKind::Other => format!("look for {domain} in journalctl -u xend on {host}"),
    };
    let what = format!("{} ({domain}) on {host} is not the fleet's: {reason}", printable(&name));
    Some(Problem::new(what, advice))
}

/// A name as a terminal can show it. Another toolstack may have given it any characters.
pub(super) fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// The first problems of a kind, and how many more there are.
pub(super) fn told(mut problems: Vec<Problem>) -> Vec<Problem> {
    let more = problems.len().saturating_sub(MAX_TOLD);
    problems.truncate(MAX_TOLD);
    if more > 0 {
        let what = format!("There are {more} more of these");
        problems.push(Problem::new(what, "deal with the others first"));
    }
    problems
}
