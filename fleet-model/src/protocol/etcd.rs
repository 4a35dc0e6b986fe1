//! Transactions: on their way, decided, answered, lost, late.
//!
//! etcd itself is one linearizable store. `own` has no number for its revision: each write of it
//! marks the transactions under way as no longer current, which is all that a comparison can tell.

use super::flaw::Flaw;
use super::state::{Change, EPOCHS, Fence, Host, Node, Own, Phase, Request, State, Task};
use super::step::{Act, Name, Step};
use super::world::{Event, Next, World};

pub(crate) fn steps(next: &mut Next<'_>) {
    let world = next.world;
    for host in world.hosts() {
        let node = next.state.node(host);
        if let Some(request @ Request { answer: None, .. }) = node.request {
            next.step(Step::On(host, Act::Carried(Name(request.change))), |state| {
                let ok = state.carry_out(world, host, request);
                let decided = Request { answer: Some(ok), current: ok, ..request };
                state.node_mut(host).request = Some(decided);
            });
        }
        if let Some(request) = node.late {
            next.step(Step::On(host, Act::CarriedLate(Name(request.change))), |state| {
                state.node_mut(host).late = None;
                state.carry_out(world, host, request);
            });
        }
        if let Some(request) = node.request.filter(|_| next.state.losses > 0) {
            next.step(Step::On(host, Act::AnswerLost(Name(request.change))), |state| {
                state.losses -= 1;
                let node = state.node_mut(host);
                abandon(node);
                let receives = request.change == Change::Receive;
                node.task = if receives && world.has(Flaw::ErrorIsSuccess) {
                    Task::Unpause
                } else {
                    Task::Doubt(request.change)
                };
            });
        }
    }
    if world.has(Flaw::EtcdRestored) {
        next.step(Step::Restore, |state| {
            let beginning = State::new(world);
            state.write_own(beginning.own);
            state.fences = beginning.fences;
            state.away = beginning.away;
        });
    }
}

/// Gives a request up. It may still happen, if etcd has not decided; an older one then does not.
pub(crate) fn abandon(node: &mut Node) {
    if let Some(request) = node.request.take().filter(|request| request.answer.is_none()) {
        node.late = Some(request);
    }
}

impl State {
    pub(crate) fn fence(&self, host: Host, epoch: u8) -> Fence {
        self.fences[usize::from(host)][usize::from(epoch)]
    }

    pub(crate) fn set_fence(&mut self, host: Host, epoch: u8, fence: Fence) {
        self.fences[usize::from(host)][usize::from(epoch)] = fence;
    }

    /// Whether etcd says that this boot of this host is away.
    pub(crate) fn is_away(&self, host: Host, epoch: u8) -> bool {
        self.away[usize::from(host)][usize::from(epoch)]
    }

    /// Writes `own`, and so its revision.
    pub(crate) fn write_own(&mut self, own: Own) {
        self.own = own;
        for node in &mut self.hosts {
            outdate(node, false);
            node.go = node.go.map(|_| false);
        }
    }

    fn write_away(&mut self, world: &World, host: Host, epoch: u8, is_set: bool) {
        let at = usize::from(host);
        if world.has(Flaw::AwayOneKey) {
            self.away[at] = [false; EPOCHS];
        }
        self.away[at][usize::from(epoch)] = is_set;
        outdate(self.node_mut(host), true);
    }

    /// Decides on a transaction, all at once.
    fn carry_out(&mut self, world: &World, host: Host, request: Request) -> bool {
        let Request { change, epoch, current, .. } = request;
        let fenced = self.fence(host, epoch).is_there();
        if change.is_of_away() {
            return self.carry_out_away(world, host, request, fenced);
        }
        let unfenced = match change {
            Change::Halt => true,
            Change::Claim if world.has(Flaw::ClaimUnfenced) => true,
            Change::Receive if world.has(Flaw::ReceiveUnfenced) => true,
            _ => !fenced,
        };
        let any_revision = match change {
            Change::Claim => world.has(Flaw::ClaimAnyRevision),
            Change::Receive => world.has(Flaw::ReceiveAnyRevision),
            _ => false,
        };
        let compared = current || any_revision;
        if !compared || !unfenced {
            return false;
        }
        let before = self.own;
        let protects = world.may(Event::Protected);
        let own = |phase, guarded| Own { host, epoch, phase, guarded };
        let first = world.guards_before_claim();
        self.write_own(match change {
            Change::Claim => own(Phase::Starting, protects && first),
            Change::Run => own(Phase::Running, protects),
            Change::Protect if world.has(Flaw::EpochKept) => Own { guarded: true, ..before },
            Change::Protect => own(before.phase, true),
            Change::Unprotect => own(before.phase, false),
            Change::Adopt => own(before.phase, before.guarded),
            Change::Move { to } => own(Phase::Moving { to }, before.guarded),
            Change::TakeBack | Change::Receive => own(Phase::Running, before.guarded),
            Change::Halt | Change::SetAway | Change::ClearAway => Own::HALTED,
        });
        self.fenced_got |= fenced && change != Change::Halt;
        true
    }

    fn carry_out_away(
        &mut self,
        world: &World,
        host: Host,
        request: Request,
        fenced: bool,
    ) -> bool {
        let sets = request.change == Change::SetAway;
        let compared = if sets {
            !fenced || world.has(Flaw::AwayUncompared)
        } else {
            request.current || world.has(Flaw::BackUncompared)
        };
        if compared {
            self.write_away(world, host, request.epoch, sets);
        }
        compared
    }
}

impl World {
    /// Whether the guard is asked before the domain is claimed, so that the claim says `guarded`.
    pub(crate) fn guards_before_claim(&self) -> bool {
        !self.has(Flaw::ClaimUnguarded) && !self.has(Flaw::RunBeforeGuarded)
    }
}

/// A key was written, `away` or `own`: what a host has under way for it compares an old revision.
fn outdate(node: &mut Node, of_away: bool) {
    for request in [&mut node.request, &mut node.late].into_iter().flatten() {
        if request.change.is_of_away() == of_away {
            request.current = false;
        }
    }
}
