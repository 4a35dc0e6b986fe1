//! What a guard is told, and what it wants done.

use super::reads::ReadId;
use super::timers::Timer;
use crate::core::model::Uuid;

/// The most domains that a guard takes.
pub const MAX_DOMAINS: usize = 4096;

/// Which question an answer is for. Who asks chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// One attempt to destroy domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(pub(super) u64);

/// What a read of the fence has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// This boot of the host is not fenced.
    Absent { epoch: u64 },
    /// It is.
    Present { epoch: u64 },
    /// The host has no epoch in the fleet: it is no member, or its daemon has not begun since the
    /// machine booted.
    NoEpoch,
    /// etcd did not answer.
    Failed,
}

/// What a guard is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// A read has ended. It may be late, out of order, or told twice.
    Read { read: ReadId, found: Found },
    /// A timer was set, or the hypervisor refused that.
    Set { done: bool },
    /// Both timers were unset, or the hypervisor refused that.
    Disarmed { done: bool },
    /// An attempt to destroy has ended: the hypervisor has these domains no more. It was looked
    /// after the attempt had begun.
    Gone { attempt: Attempt, domains: Vec<Uuid> },
    /// A domain is to be guarded from now on. It is about to be built, or to be built again.
    Register { ticket: Ticket, domain: Uuid },
    /// The build of a domain is over, whatever came of it.
    Built { ticket: Ticket, domain: Uuid },
    /// A domain need not be guarded any more: a transaction has said in etcd that it is not.
    Release { ticket: Ticket, domain: Uuid },
    /// etcd has acknowledged that the host is away.
    Away { ticket: Ticket },
    /// The host is about to say in etcd that it is back.
    Back { ticket: Ticket },
}

/// What a guard wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Read whether the fence of this epoch is there, by a linearizable read that has not been sent
    /// yet. Without an epoch, find the host's first. The end is told by [`Input::Read`].
    Read { read: ReadId, epoch: Option<u64> },
    /// Set a timer of the watchdog to this time, which is not 0, and arm it if it is not. The end
    /// is told by [`Input::Set`], and until then no timer is touched.
    Set { timer: Timer, seconds: u32 },
    /// Unset both timers. The end is told by [`Input::Disarmed`].
    Disarm,
    /// Destroy these domains and no others, built or not. The end is told by [`Input::Gone`].
    Destroy { attempt: Attempt, domains: Vec<Uuid> },
    /// The answer to a question.
    Answer { ticket: Ticket, answer: Result<Done, Refusal> },
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// The domain is guarded under this epoch. Under another one it must not run.
    Guarded { epoch: u64 },
    /// All that was asked for.
    Yes,
}

/// Why something was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this boot of the host is fenced: other hosts take its protected domains over")]
    Fenced,
    #[error("etcd has not answered for too long")]
    Silent,
    #[error("the guard is destroying what it guards")]
    Ending,
    #[error("this host is away: it has to come back first")]
    IsAway,
    #[error("the guard is busy with registrations or with an absence: ask again")]
    Busy,
    #[error("the guard has {MAX_DOMAINS} domains, which is the most")]
    Full,
    #[error("the hypervisor's watchdog cannot be set")]
    NoWatchdog,
    #[error("this host has no epoch in its fleet: is it a member, and does xend run?")]
    NoEpoch,
    #[error("the domain is not registered")]
    Unknown,
    #[error("the domain was let go while it was registered")]
    Released,
}
