//! What clients ask for all the time.

use crate::definitions::{Answer, Change, Definition};
use crate::fleet::{Domain, Fleet};
use crate::machine::Machine;
use crate::random::Random;
use serde_json::Value;
use std::time::Duration;

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts, stops and moves domains until the end.
pub(crate) fn operate(fleet: &Fleet, number: u64) {
    let mut random = fleet.random(100 + number);
    while fleet.pause(Duration::from_millis(*random.pick(&[50, 300, 1_000, 2_000]))) {
        let domain = random.pick(&fleet.domains);
        let machine = random.pick(&fleet.machines);
        operate_once(fleet, domain, machine, &mut random);
    }
}

fn operate_once(fleet: &Fleet, domain: &Domain, machine: &Machine, random: &mut Random) {
    let own = format!("/xend/domain/{}", domain.name);
    let (what, target, form) = match random.below(10) {
        0..=2 => ("start", own, "op=start".to_owned()),
        3..=5 => {
            let to = &random.pick(&fleet.machines).name;
            ("migrate", own, format!("op=migrate&destination={to}&live=1"))
        }
        6 => {
            // A second one under its UUID.
            let form = format!("op=create&config={}", domain.config());
            ("create", "/xend/domain".to_owned(), form)
        }
        7 => ("unpause", own, "op=unpause".to_owned()),
        _ if !domain.may_be_stopped() => ("reset", own, "op=reset".to_owned()),
        8 => ("shutdown", own, "op=shutdown&reason=poweroff".to_owned()),
        _ => ("destroy", own, "op=destroy".to_owned()),
    };
    let answer = machine.post(&target, &form, PATIENCE);
    if ["shutdown", "destroy"].contains(&what) {
        // A guest takes a moment to shut down.
        let is_over = what == "destroy" && answer.is_some();
        domain.note_stop(is_over);
    }
    count(fleet, what, answer.as_ref());
}

fn count(fleet: &Fleet, what: &str, answer: Option<&(u16, String)>) {
    let came_of_it = match answer {
        Some((200..300, _)) => "done",
        Some(_) => "refused",
        None => "no answer",
    };
    fleet.count(&format!("{what}: {came_of_it}"));
}

/// A definition that is made, renamed and deleted by one client.
pub(crate) struct Changed {
    uuid: String,
    pub(crate) changes: Vec<(Change, Answer)>,
}

/// Changes some definitions until the end.
pub(crate) fn define(fleet: &Fleet, number: u64) -> Vec<Changed> {
    let mut random = fleet.random(200 + number);
    let uuid = |one: u64| format!("22222222-0000-0000-{number:04}-{one:012}");
    let changed = |one| Changed { uuid: uuid(one), changes: Vec::new() };
    let mut all: Vec<_> = (0..4).map(changed).collect();
    while fleet.pause(Duration::from_millis(*random.pick(&[100, 500, 2_000]))) {
        let at = random.below(all.len());
        change(fleet, &mut all[at], &mut random);
    }
    all
}

fn change(fleet: &Fleet, changed: &mut Changed, random: &mut Random) {
    // What it is now, as far as one can see.
    let found = fleet.machines.iter().find_map(|machine| {
        let found = changed.found_on(machine)?.into_iter().next()?;
        Some((machine, found))
    });
    let serial = changed.changes.len();
    let name = format!("d{}{serial}", changed.uuid.replace('-', ""));
    let (change, machine, target, form) = match found {
        None => {
            let machine = random.pick(&fleet.machines);
            let memory = 64 + serial as u64;
            let form = format!(
                "op=new&config=(vm (name {name}) (uuid {}) (memory {memory}) \
                 (image (linux (kernel /boot/vmlinuz))))",
                changed.uuid
            );
            let change = Change::Define(Definition { name, memory });
            (change, machine, "/xend/domain".to_owned(), form)
        }
        Some((machine, found)) => {
            let target = format!("/xend/domain/{}", found.name);
            if random.percent(60) {
                let form = format!("op=rename&name={name}");
                (Change::Rename(name), machine, target, form)
            } else {
                (Change::Delete, machine, target, "op=delete".to_owned())
            }
        }
    };
    let answer = machine.post(&target, &form, PATIENCE);
    let what = match change {
        Change::Define(_) => "define",
        Change::Rename(_) => "rename",
        Change::Delete => "delete",
    };
    count(fleet, what, answer.as_ref());
    let answer = match answer {
        Some((200..300, _)) => Answer::Done,
        Some((400..500, _)) => Answer::Refused,
        Some(_) | None => Answer::None,
    };
    changed.changes.push((change, answer));
}

impl Changed {
    /// Its definitions on a host; `None` if the host does not say.
    pub(crate) fn found_on(&self, machine: &Machine) -> Option<Vec<Definition>> {
        let own = machine.domains()?.into_iter().filter(|domain| domain["uuid"] == *self.uuid);
        let definition = |domain: Value| {
            let name = domain["name"].as_str()?.to_owned();
            Some(Definition { name, memory: domain["memory_mib"].as_u64()? })
        };
        own.map(definition).collect()
    }

    /// Its definitions on all hosts.
    pub(crate) fn found(&self, fleet: &Fleet) -> Option<Vec<Definition>> {
        let found: Option<Vec<_>> = fleet.machines.iter().map(|one| self.found_on(one)).collect();
        found.map(|found| found.into_iter().flatten().collect())
    }

    pub(crate) fn uuid(&self) -> &str {
        &self.uuid
    }
}
