//! Takers: a fence, a wait, a claim.
//!
//! A lease that is gone is no more than a reason to suspect, so here any taker may suspect any host
//! at any time. One clock for each fence is enough: no taker sees a fence before it is committed,
//! so none waits less than from then on, however often takers die and others wait anew.

use super::daemon::claims;
use super::flaw::Flaw;
use super::state::{Fence, Host, Phase, State};
use super::step::{AboutAct, Step};
use super::world::{Event, Next, World};

pub(crate) fn steps(next: &mut Next<'_>) {
    let world = next.world;
    for host in world.hosts() {
        for epoch in epochs(next.state, host) {
            confirms(next, host, epoch);
            for by in world.hosts().filter(|by| *by != host) {
                if next.state.fences_left > 0 && next.state.node(by).up {
                    declares(next, by, host, epoch);
                }
            }
        }
        if next.state.node(host).is_free() && next.state.may_take_over(world, host) {
            claims(next, host);
        }
    }
}

/// The epochs of a host that somebody may suspect: its own, and the one that owns the domain.
fn epochs(state: &State, host: Host) -> impl Iterator<Item = u8> + use<> {
    let last = state.node(host).epoch;
    let owner = (state.own.host == host && state.own.epoch < last).then_some(state.own.epoch);
    owner.into_iter().chain([last])
}

/// A taker's fence is committed. How long it waits then is counted from here, at the earliest.
fn declares(next: &mut Next<'_>, by: Host, host: Host, epoch: u8) {
    let world = next.world;
    let state = next.state;
    let fence = state.fence(host, epoch);
    let sets = |fence| {
        move |state: &mut State| {
            state.set_fence(host, epoch, fence);
            state.fences_left -= u8::from(fence.is_there());
        }
    };
    let away = match state.away[usize::from(host)] {
        _ if world.has(Flaw::FenceUncompared) || world.has(Flaw::AwayExpires) => false,
        away if world.has(Flaw::AwayAnyEpoch) => away.contains(&true),
        away => away[usize::from(epoch)],
    };
    if fence == Fence::Absent && world.has(Flaw::WaitFromSending) {
        next.step(Step::About(by, AboutAct::Sends, host, epoch), sets(Fence::Sent(0)));
    } else if !fence.is_there() && !away {
        let age = if let Fence::Sent(age) = fence { age } else { 0 };
        next.step(Step::About(by, AboutAct::Declares, host, epoch), sets(Fence::Declared(age)));
    }
}

/// A person, or a switch that has cut the power, says that a host is dead.
fn confirms(next: &mut Next<'_>, host: Host, epoch: u8) {
    let world = next.world;
    let state = next.state;
    let node = state.node(host);
    let same_boot =
        if world.has(Flaw::ConfirmByEpoch) { node.epoch == epoch } else { node.booted <= epoch };
    let lives = node.up && same_boot && !world.has(Flaw::WrongConfirm);
    let is_new = state.fence(host, epoch) != Fence::Confirmed;
    let owns = (state.own.host, state.own.epoch) == (host, epoch);
    if world.may(Event::Confirmations) && owns && !lives && is_new {
        let by = (host + 1) % world.scenario.hosts;
        next.step(Step::About(by, AboutAct::Confirms, host, epoch), |state| {
            state.set_fence(host, epoch, Fence::Confirmed);
        });
    }
}

impl State {
    /// Whether a host may claim the domain of another one.
    pub(crate) fn may_take_over(&self, world: &World, by: Host) -> bool {
        let own = self.own;
        if own.phase == Phase::Halted || own.host == by {
            return false;
        }
        let fence = self.fence(own.host, own.epoch);
        if fence == Fence::Confirmed {
            return true;
        }
        let protected = own.guarded || world.has(Flaw::ClaimByPolicy);
        if !protected || !world.may(Event::Protected) {
            return false;
        }
        if world.has(Flaw::LeaseIsProof) {
            return true;
        }
        let waited = |fence| match fence {
            Fence::Declared(age) => age >= world.wait() || world.has(Flaw::NoSecondWait),
            _ => false,
        };
        let any = self.fences[usize::from(own.host)].into_iter().any(waited);
        waited(fence) || (any && world.has(Flaw::ClaimAnyEpoch))
    }
}
