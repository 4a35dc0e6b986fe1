//! The guard: it reads its host's fence, and keeps the watchdog from rebooting the machine.
//!
//! A read and the timer that is set after it are one instant here, that of etcd's decision. In
//! truth the read was sent before, and the timer is set later, to an end that is counted from the
//! sending: so it ends earlier than here. For that the setting must be prompt. The guard may be
//! stopped between reading its clock and setting the timer, so it sets the hypervisor's two timers
//! in turn, reads the clock again, and touches the other timer only if hardly any time has passed.
//! A timer that was set late changes nothing, since the other one ends in time.

use super::flaw::Flaw;
use super::state::{Change, Domain, Host, Pending, State, Task};
use super::step::{Act, Step};
use super::world::{Event, Next, World};
use crate::ticks::WATCHDOG;

pub(crate) fn steps(next: &mut Next<'_>) {
    for host in next.world.hosts() {
        if next.state.node(host).up {
            reads(next, host);
            destroys(next, host);
        }
    }
}

fn reads(next: &mut Next<'_>, host: Host) {
    let world = next.world;
    let guard = &next.state.node(host).guard;
    match guard.pending {
        Pending::Nothing => {}
        Pending::Answer => {
            return next.step(Step::On(host, Act::ReadsClock), |state| state.set_timer(host));
        }
        Pending::Timer => {
            return next.step(Step::On(host, Act::TimerSetLate), |state| state.set_timer(host));
        }
    }
    if !guard.asked && (!guard.registered || guard.away) {
        return;
    }
    let is_absent = !next.state.fence(host, guard.epoch).is_there();
    if is_absent || world.has(Flaw::StaleRead) {
        next.step(Step::On(host, Act::Renews), |state| state.set_timer(host));
        for (flaw, pending) in
            [(Flaw::FromAnswer, Pending::Answer), (Flaw::OneTimer, Pending::Timer)]
        {
            if world.has(flaw) {
                next.step(Step::On(host, Act::ReadsAbsent), |state| {
                    state.node_mut(host).guard.pending = pending;
                });
            }
        }
        if guard.asked && world.has(Flaw::RegisteredUnset) {
            next.step(Step::On(host, Act::ReadsAbsent), |state| state.registered(host));
        }
    }
    if !is_absent && !guard.registered {
        next.step(Step::On(host, Act::Refuses), |state| state.node_mut(host).guard.asked = false);
    } else if !is_absent {
        next.step(Step::On(host, Act::SeesFence), |state| state.guard_destroys(world, host));
    }
}

fn destroys(next: &mut Next<'_>, host: Host) {
    let world = next.world;
    let node = next.state.node(host);
    let guard = &node.guard;
    let hears_nothing =
        world.may(Event::Isolation) || next.state.fence(host, guard.epoch).is_there();
    let can_destroy = node.domain != Domain::Absent || world.has(Flaw::LetGoInBuild);
    if hears_nothing && can_destroy && guard.registered && !guard.away {
        next.step(Step::On(host, Act::GuardDestroys), |state| state.guard_destroys(world, host));
    }
    let unused = (guard.registered || guard.asked) && node.task == Task::Idle;
    if unused && node.domain == Domain::Absent {
        next.step(Step::On(host, Act::LetsGo), |state| state.let_go(host));
    }
}

impl State {
    fn set_timer(&mut self, host: Host) {
        let node = self.node_mut(host);
        node.guard.pending = Pending::Nothing;
        node.deadline = Some(WATCHDOG);
        self.registered(host);
    }

    /// The guard says that it guards the domain.
    fn registered(&mut self, host: Host) {
        let guard = &mut self.node_mut(host).guard;
        if guard.asked {
            guard.asked = false;
            guard.registered = true;
            guard.away = false;
        }
    }

    /// The guard destroys the domain, and lets it go when it is certainly gone.
    fn guard_destroys(&mut self, world: &World, host: Host) {
        let node = self.node_mut(host);
        let claims = node.request.is_some_and(|request| request.change == Change::Claim)
            || matches!(
                node.task,
                Task::Build | Task::Register(Change::Claim) | Task::Doubt(Change::Claim)
            );
        let builds = node.domain == Domain::Absent && claims;
        node.domain = Domain::Absent;
        if !builds || world.has(Flaw::LetGoInBuild) {
            self.let_go(host);
        }
    }
}

impl World {
    /// Whether no time may pass: the hypervisor reboots a machine first.
    pub(crate) fn is_due(&self, state: &State) -> bool {
        self.hosts().any(|host| state.node(host).deadline == Some(0))
    }
}
