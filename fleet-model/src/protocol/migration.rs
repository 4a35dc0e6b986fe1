//! Migration: the source writes `moving` before it says go, the receiver writes itself as the owner
//! before it lets the domain run, and the source takes back by a transaction alone.

use super::flaw::Flaw;
use super::state::{Change, Domain, Host, Phase, State, Task};
use super::step::{Act, Name, Step};
use super::world::{Event, Next};

pub(crate) fn steps(next: &mut Next<'_>) {
    for host in next.world.hosts() {
        if next.state.node(host).is_idle() {
            leaves(next, host);
            returns(next, host);
            arrives(next, host);
        }
    }
}

/// The source sends the domain's memory, suspends it, and writes `moving`.
fn leaves(next: &mut Next<'_>, host: Host) {
    let world = next.world;
    let state = next.state;
    let owns = state.own.is(host, state.node(host).epoch, Phase::Running);
    if !world.may(Event::Migrations) || !owns || !state.keeps(host) {
        return;
    }
    for to in world.hosts().filter(|to| *to != host) {
        if state.node(to).is_free() {
            next.step(Step::On(host, Act::Suspends), |state| {
                state.node_mut(host).domain = Domain::Suspended;
                let receiver = state.node_mut(to);
                receiver.domain = Domain::Incoming;
                receiver.go = None;
                state.send(host, Change::Move { to });
            });
        }
    }
}

/// The source reads `own`, in doubt or because it heard nothing.
fn returns(next: &mut Next<'_>, host: Host) {
    let own = next.state.own;
    if next.state.node(host).domain != Domain::Suspended {
        return;
    }
    if own.host != host || own.phase == Phase::Halted {
        return next.step(Step::On(host, Act::Drops), |state| {
            state.node_mut(host).domain = Domain::Absent;
        });
    }
    if next.world.has(Flaw::ResumeUnwritten) {
        return next.step(Step::On(host, Act::Runs), |state| {
            state.node_mut(host).domain = Domain::Running;
        });
    }
    next.asks(host, Change::TakeBack);
}

/// The receiver has heard go.
fn arrives(next: &mut Next<'_>, host: Host) {
    let world = next.world;
    let node = next.state.node(host);
    if node.domain != Domain::Incoming {
        return;
    }
    let Some(current) = node.go else { return };
    let change = Change::Receive;
    if world.may(Event::Protected) && !world.has(Flaw::ReceiveUnregistered) {
        return next.registers(host, change);
    }
    next.step(Step::On(host, Act::Asks(Name(change))), |state| {
        let node = state.node_mut(host);
        node.go = None;
        if world.has(Flaw::ReceiveFirst) {
            node.domain = Domain::Running;
        }
        state.send_as(host, change, current);
    });
}

impl State {
    /// The source's go arrives with the revision that the source wrote, if the receiver is still
    /// there. A lost one is never heard.
    pub(crate) fn say_go(&mut self, to: Host, current: bool) {
        let node = self.node_mut(to);
        let waits = node.up && node.task == Task::Idle && node.domain == Domain::Incoming;
        node.go = waits.then_some(current);
    }
}
