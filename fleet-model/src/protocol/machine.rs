//! Machines, time, and the daemon's own end.

use super::etcd::abandon;
use super::flaw::Flaw;
use super::state::{Domain, EPOCHS, Fence, Host, Node, Pending, State, Task};
use super::step::{Act, Step};
use super::world::{Event, Next, World};

pub(crate) fn steps(next: &mut Next<'_>) {
    let world = next.world;
    if !world.is_due(next.state) {
        next.step(Step::Tick, |state| state.pass(world));
    }
    for host in world.hosts() {
        let node = next.state.node(host);
        let can_be_new = usize::from(node.epoch) + 1 < EPOCHS;
        if !node.up {
            if world.may(Event::Boots) && can_be_new {
                next.step(Step::On(host, Act::Boot), |state| {
                    let node = state.node_mut(host);
                    *node = Node::on(node.epoch + 1, node.late);
                });
            }
            continue;
        }
        if next.state.blackouts > 0 {
            next.step(Step::On(host, Act::PowerLoss), |state| {
                state.blackouts -= 1;
                state.stop(host);
            });
        }
        if node.deadline == Some(0) {
            if world.has(Flaw::NoWatchdog) {
                next.step(Step::Tick, |state| state.node_mut(host).deadline = None);
            } else {
                next.step(Step::On(host, Act::Reboot), |state| state.stop(host));
            }
        }
        if next.state.restarts > 0 {
            next.step(Step::On(host, Act::DaemonRestart), |state| {
                state.restarts -= 1;
                let node = state.node_mut(host);
                abandon(node);
                node.task = Task::Idle;
                node.go = None;
                node.guard.asked = false;
                if can_be_new && world.has(Flaw::DaemonEpoch) {
                    node.epoch += 1;
                }
            });
        }
        new_epoch(next, host, can_be_new);
    }
}

fn new_epoch(next: &mut Next<'_>, host: Host, can_be_new: bool) {
    let world = next.world;
    let node = next.state.node(host);
    let guards = node.guard.registered || node.guard.asked;
    let fenced = next.state.fence(host, node.epoch).is_there();
    let may = world.may(Event::NewEpochs) && can_be_new && node.task == Task::Idle && fenced;
    if may && (!guards || world.has(Flaw::EpochWhileGuarding)) {
        next.step(Step::On(host, Act::NewEpoch), |state| {
            let node = state.node_mut(host);
            node.epoch += 1;
            node.guard.epoch = node.epoch;
            node.guard.pending = Pending::Nothing;
        });
    }
}

impl State {
    /// The machine stops: all domains are gone.
    fn stop(&mut self, host: Host) {
        let node = self.node_mut(host);
        abandon(node);
        *node = Node::off(node.epoch, node.late);
    }

    /// One tick passes everywhere. While there is no fence, a guard can set its timer at any time,
    /// so the timer counts as just set: it ends the later for it.
    fn pass(&mut self, world: &World) {
        for host in world.hosts() {
            let guard = self.node(host).guard;
            if self.fence(host, guard.epoch).is_there() {
                let deadline = &mut self.node_mut(host).deadline;
                *deadline = deadline.map(|left| left.saturating_sub(1));
            }
        }
        for fence in self.fences.as_flattened_mut() {
            if let Fence::Sent(age) | Fence::Declared(age) = fence {
                *age = world.wait().min(*age + 1);
            }
        }
    }

    /// On how many hosts the domain runs.
    pub(crate) fn running(&self) -> usize {
        self.hosts.iter().filter(|node| node.domain == Domain::Running).count()
    }
}
