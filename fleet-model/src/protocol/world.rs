//! The circumstances of a check, and the changes of a state that several parts make.

use super::flaw::Flaw;
use super::state::{
    Change, Domain, EPOCHS, Fence, Guard, HOSTS, Host, Node, Own, Phase, Request, State, Task,
};
use super::step::{Act, Name, Step};
use crate::ticks::{WAIT, WATCHDOG};

/// What may happen in a scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The domain is protected; hosts may be fenced, and it is restarted elsewhere.
    Protected,
    /// A user stops the domain and starts it anywhere.
    Stops,
    /// A user protects the running domain, or takes that back.
    Policies,
    /// The domain migrates.
    Migrations,
    /// A host is away and comes back.
    Absences,
    /// A guard that hears nothing destroys the domain, or the domain crashes, without a fence.
    Isolation,
    /// A machine boots again.
    Boots,
    /// A fenced host takes a new epoch without a reboot.
    NewEpochs,
    /// A person says that a host is dead, or a power switch makes it so.
    Confirmations,
}

/// A bounded world.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Hosts, 3 at most.
    pub hosts: u8,
    /// Whether the domain runs on the first host at the beginning.
    pub begins_running: bool,
    /// What may happen.
    pub events: &'static [Event],
    /// How many answers may be lost.
    pub losses: u8,
    /// How many restarts of daemons there may be.
    pub restarts: u8,
    /// How many fences may be declared.
    pub fences: u8,
    /// How many losses of power there may be.
    pub blackouts: u8,
    /// Whether it must stay possible to restart the domain.
    pub recovers: bool,
}

/// The rules by which the world runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) flaw: Option<Flaw>,
}

impl World {
    pub(crate) fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    pub(crate) fn may(&self, event: Event) -> bool {
        self.scenario.events.contains(&event)
    }

    pub(crate) fn hosts(&self) -> impl Iterator<Item = Host> + use<> {
        0..self.scenario.hosts
    }

    /// Ticks that a taker certainly waits.
    pub(crate) fn wait(&self) -> u8 {
        if self.has(Flaw::ShortWait) { WATCHDOG } else { WAIT }
    }
}

/// The steps from one state.
pub(crate) struct Next<'a> {
    pub(crate) world: &'a World,
    pub(crate) state: &'a State,
    pub(crate) found: &'a mut Vec<(Step, State)>,
}

impl Next<'_> {
    pub(crate) fn step(&mut self, step: Step, change: impl FnOnce(&mut State)) {
        let mut state = *self.state;
        change(&mut state);
        self.found.push((step, state));
    }

    /// The daemon sends a transaction.
    pub(crate) fn asks(&mut self, host: Host, change: Change) {
        self.step(Step::On(host, Act::Asks(Name(change))), |state| state.send(host, change));
    }

    /// The daemon asks the guard to guard the domain, and sends the transaction only then.
    pub(crate) fn registers(&mut self, host: Host, change: Change) {
        self.step(Step::On(host, Act::Registers(Name(change))), |state| {
            state.register(host, change);
        });
    }
}

impl State {
    /// The beginning.
    pub(crate) fn new(world: &World) -> Self {
        let scenario = &world.scenario;
        let mut state = Self {
            own: Own::HALTED,
            fences: [[Fence::Absent; EPOCHS]; HOSTS],
            away: [[false; EPOCHS]; HOSTS],
            hosts: [Node::on(0, None); HOSTS],
            promised: false,
            fenced_got: false,
            losses: scenario.losses,
            restarts: scenario.restarts,
            blackouts: scenario.blackouts,
            fences_left: scenario.fences,
        };
        if scenario.begins_running {
            let guarded = world.may(Event::Protected);
            state.own = Own { host: 0, epoch: 0, phase: Phase::Running, guarded };
            state.promised = guarded;
            state.hosts[0].domain = Domain::Running;
            state.hosts[0].guard.registered = guarded;
            state.hosts[0].deadline = guarded.then_some(WATCHDOG);
        }
        state
    }

    /// Sends a transaction that compares what a read finds now.
    pub(crate) fn send(&mut self, host: Host, change: Change) {
        self.send_as(host, change, true);
    }

    pub(crate) fn send_as(&mut self, host: Host, change: Change, current: bool) {
        let node = self.node_mut(host);
        node.request = Some(Request { change, epoch: node.epoch, current, answer: None });
        node.task = Task::Wait;
    }

    /// Asks the guard to guard the domain, then sends the transaction.
    pub(crate) fn register(&mut self, host: Host, change: Change) {
        let node = self.node_mut(host);
        if !node.guard.registered {
            node.guard.epoch = node.epoch;
        }
        node.guard.asked = true;
        node.task = Task::Register(change);
    }

    /// The guard lets the domain and the timer go.
    pub(crate) fn let_go(&mut self, host: Host) {
        let node = self.node_mut(host);
        node.guard = Guard { epoch: node.guard.epoch, ..Guard::IDLE };
        node.deadline = None;
    }
}
