//! What the world knows.

/// The most hosts of a scenario.
pub(crate) const HOSTS: usize = 3;

/// Boots of a machine, and new epochs, that are modelled.
pub(crate) const EPOCHS: usize = 2;

/// A host's number.
pub(crate) type Host = u8;

/// Everything.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct State {
    pub(crate) own: Own,
    pub(crate) fences: [[Fence; EPOCHS]; HOSTS],
    /// Whether the key `away/H/EPOCH` is there.
    pub(crate) away: [[bool; EPOCHS]; HOSTS],
    pub(crate) hosts: [Node; HOSTS],
    /// A user was told that the domain runs protected, and has not taken that back.
    pub(crate) promised: bool,
    /// A fenced epoch was given the domain.
    pub(crate) fenced_got: bool,
    /// Losses of answers that may still come.
    pub(crate) losses: u8,
    /// Restarts of daemons that may still come.
    pub(crate) restarts: u8,
    /// Losses of power that may still come.
    pub(crate) blackouts: u8,
    /// Fences that may still be declared.
    pub(crate) fences_left: u8,
}

impl State {
    /// Whether the domain runs on this host.
    pub fn runs_on(&self, host: u8) -> bool {
        self.node(host).domain == Domain::Running
    }

    pub(crate) fn node(&self, host: Host) -> &Node {
        &self.hosts[usize::from(host)]
    }

    pub(crate) fn node_mut(&mut self, host: Host) -> &mut Node {
        &mut self.hosts[usize::from(host)]
    }

    /// Whether a host runs the domain as its owner, and is not away.
    pub(crate) fn keeps(&self, host: Host) -> bool {
        self.runs_on(host) && self.own.host == host && !self.node(host).guard.away
    }
}

/// The key `own/U`. Its revision is not here: see [`Request::current`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Own {
    pub(crate) host: Host,
    pub(crate) epoch: u8,
    pub(crate) phase: Phase,
    pub(crate) guarded: bool,
}

impl Own {
    pub(crate) const HALTED: Self =
        Self { host: 0, epoch: 0, phase: Phase::Halted, guarded: false };

    /// Whether this boot of this host owns the domain in this phase.
    pub(crate) fn is(self, host: Host, epoch: u8, phase: Phase) -> bool {
        (self.host, self.epoch, self.phase) == (host, epoch, phase)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Phase {
    Halted,
    Starting,
    Running,
    /// Another host may take it over.
    Moving {
        to: Host,
    },
}

/// The key `fence/H/EPOCH`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Fence {
    Absent,
    /// On its way to etcd, for so many ticks. Only a flaw has this: else the way is no time.
    Sent(u8),
    /// Committed, so many ticks ago.
    Declared(u8),
    /// The machine is off: a person, or a power switch, says so.
    Confirmed,
}

impl Fence {
    /// Whether etcd has it.
    pub(crate) fn is_there(self) -> bool {
        matches!(self, Self::Declared(_) | Self::Confirmed)
    }
}

/// A machine with Xen, the daemon and the guard.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Node {
    pub(crate) up: bool,
    pub(crate) epoch: u8,
    /// The epoch that the machine's last boot began with.
    pub(crate) booted: u8,
    pub(crate) domain: Domain,
    pub(crate) task: Task,
    pub(crate) request: Option<Request>,
    /// A write that the daemon gave up, and that may still happen.
    pub(crate) late: Option<Request>,
    /// The source of a migration said that all is here; whether `own` is as it was then.
    pub(crate) go: Option<bool>,
    pub(crate) guard: Guard,
    /// Ticks until the hypervisor reboots the machine.
    pub(crate) deadline: Option<u8>,
}

impl Node {
    /// A machine that has no power. What its daemon sent last may still arrive.
    pub(crate) fn off(epoch: u8, late: Option<Request>) -> Self {
        Self {
            up: false,
            epoch,
            booted: epoch,
            domain: Domain::Absent,
            task: Task::Idle,
            request: None,
            late,
            go: None,
            guard: Guard::IDLE,
            deadline: None,
        }
    }

    pub(crate) fn on(epoch: u8, late: Option<Request>) -> Self {
        let mut node = Self::off(epoch, late);
        node.up = true;
        node.guard.epoch = epoch;
        node
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.up && self.task == Task::Idle
    }

    /// Whether the domain may come here.
    pub(crate) fn is_free(&self) -> bool {
        self.is_idle() && self.domain == Domain::Absent && !self.guard.away
    }
}

/// The domain on one hypervisor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Domain {
    Absent,
    /// Built, not yet started.
    Paused,
    /// A migration builds it here.
    Incoming,
    Running,
    /// A migration has stopped it here.
    Suspended,
}

/// What the daemon is about to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Task {
    Idle,
    /// Waits for the guard, then sends this.
    Register(Change),
    /// Waits for the answer to its request.
    Wait,
    /// The answer to this was lost.
    Doubt(Change),
    Build,
    Unpause,
    /// The domain is destroyed, and etcd does not know yet.
    Halt,
}

/// A transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Change {
    Claim,
    Run,
    Halt,
    Protect,
    Unprotect,
    /// The same owner with its new epoch.
    Adopt,
    Move {
        to: Host,
    },
    TakeBack,
    Receive,
    SetAway,
    ClearAway,
}

impl Change {
    pub(crate) fn is_of_away(self) -> bool {
        matches!(self, Self::SetAway | Self::ClearAway)
    }
}

/// A transaction on its way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Request {
    pub(crate) change: Change,
    pub(crate) epoch: u8,
    /// The key's `mod_revision` is still the one that the transaction compares; once it is
    /// carried out, the one that it wrote.
    pub(crate) current: bool,
    /// Whether it was carried out, once etcd has decided.
    pub(crate) answer: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Guard {
    /// The epoch whose fence it reads.
    pub(crate) epoch: u8,
    /// The daemon has asked it to guard the domain.
    pub(crate) asked: bool,
    /// It has said that it does.
    pub(crate) registered: bool,
    /// It was told that the host is away, and keeps no timer.
    pub(crate) away: bool,
    /// What it has learnt and not yet done. Only flaws have this: see `guard.rs`.
    pub(crate) pending: Pending,
}

impl Guard {
    pub(crate) const IDLE: Self =
        Self { epoch: 0, asked: false, registered: false, away: false, pending: Pending::Nothing };
}

/// Between the guard's read and the timer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Pending {
    Nothing,
    /// etcd has said that there is no fence; the clock is not read yet.
    Answer,
    /// The clock is read, and the timer not set.
    Timer,
}
