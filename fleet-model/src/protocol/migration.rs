//! Migration: the source writes `moving` before it says go, the receiver writes itself as the owner
//! before it lets the domain run, and the source takes back by a transaction alone.

use super::flaw::Flaw;
use super::state::{Change, Domain, Host, Phase, State, Task};
use super::step::{Act, Name, Step};
use super::world::{Event, Next};

pub(crate) fn steps(next: &mut Next<'_>) {
    for host in next.world.hosts() {
        if next.state.hosts[usize::from(host)].is_idle() {
            leaves(next, host);
            returns(next, host);
            arrives(next, host);
        }
    }
}

/// The source sends the domain's memory, suspends it, and writes `moving`.
fn leaves(next: &mut Next<'_>, host: Host) {
    let (world, state, at) = (next.world, next.state, usize::from(host));
    let node = &state.hosts[at];
    let owns = state.own.is(host, node.epoch, Phase::Running);
    if !world.may(Event::Migrations) || !owns || node.domain != Domain::Running || node.guard.away {
        return;
    }
    for to in world.hosts().filter(|to| *to != host) {
        let receiver = &state.hosts[usize::from(to)];
        if receiver.is_idle() && receiver.domain == Domain::Absent && !receiver.guard.away {
            next.step(Step::On(host, Act::Suspends), |state| {
                state.hosts[at].domain = Domain::Suspended;
                state.hosts[usize::from(to)].domain = Domain::Incoming;
                state.hosts[usize::from(to)].go = None;
                state.send(host, Change::Move { to });
            });
        }
    }
}

/// The source reads `own`, in doubt or because it heard nothing.
fn returns(next: &mut Next<'_>, host: Host) {
    let (state, at) = (next.state, usize::from(host));
    if state.hosts[at].domain != Domain::Suspended {
        return;
    }
    if state.own.host != host || state.own.phase == Phase::Halted {
        return next.step(Step::On(host, Act::Drops), |state| {
            state.hosts[at].domain = Domain::Absent;
        });
    }
    if next.world.has(Flaw::ResumeUnwritten) {
        return next.step(Step::On(host, Act::Runs), |state| {
            state.hosts[at].domain = Domain::Running;
        });
    }
    let change = Change::TakeBack;
    next.step(Step::On(host, Act::Asks(Name(change))), |state| state.send(host, change));
}

/// The receiver has heard go.
fn arrives(next: &mut Next<'_>, host: Host) {
    let (world, at) = (next.world, usize::from(host));
    let node = &next.state.hosts[at];
    let (Domain::Incoming, Some(current)) = (node.domain, node.go) else { return };
    let change = Change::Receive;
    if world.may(Event::Protected) && !world.has(Flaw::ReceiveUnregistered) {
        return next.step(Step::On(host, Act::Registers(Name(change))), |state| {
            state.register(host, change);
        });
    }
    next.step(Step::On(host, Act::Asks(Name(change))), |state| {
        state.hosts[at].go = None;
        if world.has(Flaw::ReceiveFirst) {
            state.hosts[at].domain = Domain::Running;
        }
        state.send_as(host, change, current);
    });
}

impl State {
    /// The source's go arrives with the revision that the source wrote, if the receiver is still
    /// there. A lost one is never heard.
    pub(crate) fn say_go(&mut self, to: Host, current: bool) {
        let node = &mut self.hosts[usize::from(to)];
        let waits = node.up && node.task == Task::Idle && node.domain == Domain::Incoming;
        node.go = waits.then_some(current);
    }
}
