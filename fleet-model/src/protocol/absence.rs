//! A host that is away on purpose: nobody fences it, and its guard keeps no timer.

use super::flaw::Flaw;
use super::state::{Change, Domain, Guard, Host, State};
use super::step::{Act, Name, Step};
use super::world::{Event, Next};

pub(crate) fn steps(next: &mut Next<'_>) {
    if !next.world.may(Event::Absences) {
        return;
    }
    for host in next.world.hosts() {
        if next.state.hosts[usize::from(host)].is_idle() {
            goes(next, host);
            comes_back(next, host);
        }
    }
}

fn goes(next: &mut Next<'_>, host: Host) {
    let (world, state) = (next.world, next.state);
    let node = &state.hosts[usize::from(host)];
    let guards = node.guard.registered && !node.guard.away && node.domain == Domain::Running;
    if guards && state.own.host == host {
        let change = Change::SetAway;
        next.step(Step::On(host, Act::Asks(Name(change))), |state| {
            state.promised = false;
            if world.has(Flaw::AwayUnanswered) {
                state.leave(host);
            }
            state.send(host, change);
        });
    }
}

fn comes_back(next: &mut Next<'_>, host: Host) {
    let (world, state) = (next.world, next.state);
    let node = &state.hosts[usize::from(host)];
    let change = Change::ClearAway;
    if node.guard.away && !world.has(Flaw::BackUnset) {
        next.step(Step::On(host, Act::Registers(Name(change))), |state| {
            state.register(host, change);
        });
    } else if state.away[usize::from(host)][usize::from(node.epoch)] {
        next.step(Step::On(host, Act::Asks(Name(change))), |state| state.send(host, change));
    }
}

impl State {
    /// The guard lets the timer go, and keeps the domain in mind.
    pub(crate) fn leave(&mut self, host: Host) {
        let node = &mut self.hosts[usize::from(host)];
        node.guard = Guard { epoch: node.guard.epoch, registered: true, away: true, ..Guard::IDLE };
        node.deadline = None;
    }
}
