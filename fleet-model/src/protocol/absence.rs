//! A host that is away on purpose: nobody fences it, and its guard keeps no timer.

use super::flaw::Flaw;
use super::state::{Change, Guard, Host, State};
use super::step::{Act, Name, Step};
use super::world::{Event, Next};

pub(crate) fn steps(next: &mut Next<'_>) {
    if !next.world.may(Event::Absences) {
        return;
    }
    for host in next.world.hosts() {
        if next.state.node(host).is_idle() {
            goes(next, host);
            comes_back(next, host);
        }
    }
}

fn goes(next: &mut Next<'_>, host: Host) {
    let world = next.world;
    if next.state.node(host).guard.registered && next.state.keeps(host) {
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
    let node = next.state.node(host);
    if node.guard.away && !next.world.has(Flaw::BackUnset) {
        next.registers(host, Change::ClearAway);
    } else if next.state.is_away(host, node.epoch) {
        next.asks(host, Change::ClearAway);
    }
}

impl State {
    /// The guard lets the timer go, and keeps the domain in mind.
    pub(crate) fn leave(&mut self, host: Host) {
        let node = self.node_mut(host);
        node.guard = Guard { epoch: node.guard.epoch, registered: true, away: true, ..Guard::IDLE };
        node.deadline = None;
    }
}
