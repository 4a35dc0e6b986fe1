//! The daemon of one host: start, stop, policies, answers.

use super::flaw::Flaw;
use super::state::{Change, Domain, Host, Own, Phase, State, Task};
use super::step::{Act, Name, Step};
use super::world::{Event, Next, World};

pub(crate) fn steps(next: &mut Next<'_>) {
    for host in next.world.hosts() {
        let node = next.state.node(host);
        if !node.up {
            continue;
        }
        match node.task {
            Task::Idle => {
                starts(next, host);
                users(next, host);
                tidies(next, host);
            }
            Task::Register(change) => registers(next, host, change),
            Task::Wait => answers(next, host),
            Task::Doubt(change) => doubts(next, host, change),
            Task::Build => builds(next, host),
            Task::Unpause => unpauses(next, host),
            Task::Halt => halts(next, host),
        }
    }
}

/// Starts the domain: for a user, or because it is this host's and is not there.
fn starts(next: &mut Next<'_>, host: Host) {
    let world = next.world;
    let own = next.state.own;
    let node = next.state.node(host);
    let halted = own.phase == Phase::Halted;
    if !node.is_free() || !(halted || own.host == host) {
        return;
    }
    let in_place = own.is(host, node.epoch, Phase::Running);
    if in_place && world.has(Flaw::RestartUnregistered) {
        return next.step(Step::On(host, Act::Restarts), |state| state.run(world, host));
    }
    if halted && world.has(Flaw::RunBeforeClaim) {
        return next.step(Step::On(host, Act::Runs), |state| {
            state.run(world, host);
            state.send(host, Change::Run);
        });
    }
    claims(next, host);
}

/// Claims the domain, guarded first if it is protected.
pub(crate) fn claims(next: &mut Next<'_>, host: Host) {
    if next.world.may(Event::Protected) && next.world.guards_before_claim() {
        next.registers(host, Change::Claim);
    } else {
        next.asks(host, Change::Claim);
    }
}

/// What users ask of a running domain.
fn users(next: &mut Next<'_>, host: Host) {
    if !next.state.keeps(host) {
        return;
    }
    let world = next.world;
    let guarded = next.state.own.guarded;
    let registered = next.state.node(host).guard.registered;
    if world.may(Event::Stops) {
        next.step(Step::On(host, Act::Destroys), |state| {
            let node = state.node_mut(host);
            node.domain = Domain::Absent;
            node.task = Task::Halt;
            state.promised = false;
        });
    }
    if world.may(Event::Policies) && guarded && registered {
        let change = Change::Unprotect;
        next.step(Step::On(host, Act::Asks(Name(change))), |state| {
            state.promised = false;
            if world.has(Flaw::LetGoFirst) {
                state.let_go(host);
            }
            state.send(host, change);
        });
    }
    if world.may(Event::Policies) && !guarded && !registered {
        next.registers(host, Change::Protect);
    }
}

/// What an idle daemon makes right that something has interrupted.
fn tidies(next: &mut Next<'_>, host: Host) {
    let own = next.state.own;
    let node = next.state.node(host);
    let leftover = matches!(node.domain, Domain::Paused | Domain::Incoming);
    if leftover {
        next.step(Step::On(host, Act::Drops), |state| state.node_mut(host).domain = Domain::Absent);
    }
    if !next.state.keeps(host) {
        return;
    }
    if own.epoch != node.epoch {
        next.asks(host, Change::Adopt);
    }
    if !own.guarded && node.guard.registered {
        if next.world.has(Flaw::LetGoOnRead) {
            next.step(Step::On(host, Act::LetsGo), |state| state.let_go(host));
        } else {
            next.asks(host, Change::Unprotect);
        }
    }
}

fn registers(next: &mut Next<'_>, host: Host, change: Change) {
    let state = next.state;
    let node = state.node(host);
    let domain = node.domain;
    let sensible = match change {
        Change::Claim => domain == Domain::Absent && state.may_claim(next.world, host),
        Change::Run => domain == Domain::Paused,
        Change::Protect => domain == Domain::Running && state.own.host == host,
        Change::Receive => domain == Domain::Incoming && node.go.is_some(),
        _ => true,
    };
    let is_registered = node.guard.registered && !node.guard.asked;
    if is_registered && sensible {
        next.step(Step::On(host, Act::Registered(Name(change))), |state| {
            let current = change != Change::Receive || node.go == Some(true);
            state.node_mut(host).go = None;
            state.send_as(host, change, current);
        });
    }
    next.step(Step::On(host, Act::GivesUp), |state| {
        let node = state.node_mut(host);
        node.guard.asked = false;
        node.go = None;
        node.task = Task::Idle;
    });
}

fn answers(next: &mut Next<'_>, host: Host) {
    let Some(request) = next.state.node(host).request else { return };
    let Some(ok) = request.answer else { return };
    next.step(Step::On(host, Act::Answered), |state| {
        state.node_mut(host).request = None;
        state.learn(host, request.change, ok, request.current);
    });
}

fn doubts(next: &mut Next<'_>, host: Host, change: Change) {
    let world = next.world;
    let own = next.state.own;
    let epoch = next.state.node(host).epoch;
    let happened = match change {
        Change::Claim => own.is(host, epoch, Phase::Starting),
        Change::Run | Change::Receive | Change::TakeBack => own.is(host, epoch, Phase::Running),
        Change::SetAway => next.state.is_away(host, epoch),
        // The idle daemon looks at what is there.
        _ => false,
    };
    next.step(Step::On(host, Act::ReadsBack), |state| {
        if happened {
            state.learn(host, change, true, true);
        } else if change == Change::Receive && world.has(Flaw::BlindRetry) {
            state.send(host, change);
        } else {
            state.node_mut(host).task = Task::Idle;
        }
    });
}

fn builds(next: &mut Next<'_>, host: Host) {
    let world = next.world;
    next.step(Step::On(host, Act::Builds), |state| {
        state.node_mut(host).domain = Domain::Paused;
        if world.has(Flaw::RunBeforeGuarded) {
            state.run(world, host);
        }
        if world.may(Event::Protected) && !world.guards_before_claim() {
            state.register(host, Change::Run);
        } else {
            state.send(host, Change::Run);
        }
    });
}

fn unpauses(next: &mut Next<'_>, host: Host) {
    let world = next.world;
    next.step(Step::On(host, Act::Runs), |state| {
        let node = state.node_mut(host);
        node.task = Task::Idle;
        if node.domain != Domain::Absent {
            state.run(world, host);
        }
    });
}

fn halts(next: &mut Next<'_>, host: Host) {
    let own = next.state.own;
    if own.host == host && own.phase != Phase::Halted {
        next.asks(host, Change::Halt);
    } else {
        next.step(Step::On(host, Act::GivesUp), |state| {
            state.node_mut(host).task = Task::Idle;
        });
    }
}

impl State {
    /// Whether a start on this host has a reason.
    fn may_claim(&self, world: &World, host: Host) -> bool {
        let Own { host: owner, phase, .. } = self.own;
        phase == Phase::Halted || owner == host || self.may_take_over(world, host)
    }

    /// The domain runs here.
    fn run(&mut self, world: &World, host: Host) {
        self.node_mut(host).domain = Domain::Running;
        self.promised |= world.may(Event::Protected);
    }

    /// The daemon knows what became of its transaction, `current` if nothing has changed since.
    fn learn(&mut self, host: Host, change: Change, ok: bool, current: bool) {
        let node = self.node_mut(host);
        node.task = Task::Idle;
        match (change, ok) {
            (Change::Claim, true) => node.task = Task::Build,
            (Change::Run | Change::TakeBack | Change::Receive, true)
                if node.domain != Domain::Running =>
            {
                node.task = Task::Unpause;
            }
            (Change::Run | Change::Receive, false) => node.domain = Domain::Absent,
            (Change::Unprotect, true) => self.let_go(host),
            (Change::Move { to }, true) => self.say_go(to, current),
            (Change::SetAway, true) => self.leave(host),
            (Change::ClearAway, true) => {
                self.promised |= node.domain == Domain::Running && self.own.guarded;
            }
            _ => {}
        }
    }
}
