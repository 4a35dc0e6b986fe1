//! Definitions: etcd has the truth, each host a copy, and an acknowledged change is not lost.
//!
//! A definition is the set of the changes that went into it. Two hosts change it at the same time;
//! answers are lost, writes come late, hosts restart.

use crate::checker::Model;
use crate::flaws::flaws;
use std::fmt::{self, Display, Formatter};

const HOSTS: usize = 2;

flaws! {
    /// One broken rule about definitions.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum Flaw {
        /// A host answers its client before etcd has the change.
        AnswersFirst,
        /// A host writes its copy before etcd has the change.
        CopiesFirst,
        /// A change does not compare the revision that it was made from.
        Uncompared,
        /// A host that starts writes its copy to etcd.
        CopyWins,
        /// A change whose answer was lost is sent again from what the host had read at first.
        BlindRetry,
    }
}

/// Definitions, with one rule broken or none.
#[derive(Clone, Copy, Debug)]
pub struct Definitions {
    /// The rule that is broken.
    pub flaw: Option<Flaw>,
}

/// A set of changes, a bit each.
type Changes = u8;

/// What etcd, the hosts and the clients know.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct State {
    etcd: Changes,
    /// What clients were told is done.
    acknowledged: Changes,
    hosts: [Host; HOSTS],
    /// How many changes were asked for.
    asked: u8,
    losses_left: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Host {
    copy: Changes,
    write: Option<Write>,
    late: Option<Write>,
    /// The answer to the client's change was lost.
    doubts: Option<Write>,
}

impl Host {
    /// Gives a write up. It may still happen, if etcd has not decided; an older one then does not.
    fn abandon(&mut self) {
        self.late = self.write.take().filter(|write| write.answer.is_none()).or(self.late);
    }
}

/// A transaction: a definition with one more change.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Write {
    from: Changes,
    change: Changes,
    /// The key's revision is the one that the transaction compares.
    current: bool,
    answer: Option<bool>,
}

impl Write {
    /// The definition that it makes.
    fn definition(self) -> Changes {
        self.from | self.change
    }
}

/// What happens, and on which host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A client asks for a change.
    Defines(usize),
    /// etcd decides on it.
    Decides(usize),
    /// etcd decides on one that the host gave up.
    DecidesLate(usize),
    /// The answer arrives.
    Answered(usize),
    /// The answer is lost.
    Lost(usize),
    /// The host reads back.
    ReadsBack(usize),
    /// The host restarts.
    Restarts(usize),
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defines(host) => write!(f, "host {host}: a client changes the definition"),
            Self::Decides(host) => write!(f, "host {host}: etcd decides on the change"),
            Self::DecidesLate(host) => write!(f, "host {host}: etcd decides late on the change"),
            Self::Answered(host) => write!(f, "host {host}: the answer arrives"),
            Self::Lost(host) => write!(f, "host {host}: the answer is lost"),
            Self::ReadsBack(host) => write!(f, "host {host}: reads back what etcd has"),
            Self::Restarts(host) => write!(f, "host {host}: restarts"),
        }
    }
}

impl State {
    fn set(&mut self, etcd: Changes) {
        self.etcd = etcd;
        for host in &mut self.hosts {
            for write in [&mut host.write, &mut host.late].into_iter().flatten() {
                write.current &= write.answer.is_some();
            }
        }
    }

    fn decide(&mut self, write: Write, compares: bool) -> bool {
        let ok = write.current || !compares;
        if ok {
            self.set(write.definition());
        }
        ok
    }

    fn finish(&mut self, host: usize, write: Write) {
        self.hosts[host].copy = write.definition();
        self.acknowledged |= write.change;
    }
}

impl Definitions {
    fn has(self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn of_host(self, state: &State, at: usize, next: &mut Vec<(Step, State)>) {
        let host = state.hosts[at];
        let mut step = |step, change: &dyn Fn(&mut State)| {
            let mut after = *state;
            change(&mut after);
            next.push((step, after));
        };
        let compares = !self.has(Flaw::Uncompared);
        if host.write.is_none() && host.doubts.is_none() && state.asked < 3 {
            let change = 1 << state.asked;
            let write = Write { from: state.etcd, change, current: true, answer: None };
            step(Step::Defines(at), &|after| {
                after.asked += 1;
                after.hosts[at].write = Some(write);
                if self.has(Flaw::AnswersFirst) {
                    after.acknowledged |= change;
                }
                if self.has(Flaw::CopiesFirst) {
                    after.hosts[at].copy |= change;
                }
            });
        }
        if let Some(write) = host.write.filter(|write| write.answer.is_none()) {
            step(Step::Decides(at), &|after| {
                let answer = Some(after.decide(write, compares));
                after.hosts[at].write = Some(Write { answer, ..write });
            });
        }
        if let Some(write) = host.late {
            step(Step::DecidesLate(at), &|after| {
                after.hosts[at].late = None;
                after.decide(write, compares);
            });
        }
        if let Some((write, ok)) = host.write.and_then(|write| Some((write, write.answer?))) {
            step(Step::Answered(at), &|after| {
                after.hosts[at].write = None;
                if ok {
                    after.finish(at, write);
                }
            });
        }
        if let Some(write) = host.write.filter(|_| state.losses_left > 0) {
            step(Step::Lost(at), &|after| {
                after.losses_left -= 1;
                let host = &mut after.hosts[at];
                host.abandon();
                host.doubts = Some(write);
            });
        }
        if let Some(write) = host.doubts {
            step(Step::ReadsBack(at), &|after| {
                after.hosts[at].doubts = None;
                if after.etcd & write.change != 0 {
                    after.hosts[at].copy = after.etcd;
                    after.acknowledged |= write.change;
                } else if self.has(Flaw::BlindRetry) {
                    after.hosts[at].write = Some(Write { current: true, answer: None, ..write });
                }
            });
        }
        if state.losses_left > 0 {
            step(Step::Restarts(at), &|after| {
                after.losses_left -= 1;
                let host = &mut after.hosts[at];
                host.abandon();
                host.doubts = None;
                let copy = host.copy;
                if self.has(Flaw::CopyWins) {
                    after.set(copy);
                } else {
                    host.copy = after.etcd;
                }
            });
        }
    }
}

impl Model for Definitions {
    type State = State;
    type Step = Step;

    fn initial(&self) -> State {
        let host = Host { copy: 0, write: None, late: None, doubts: None };
        State { etcd: 0, acknowledged: 0, hosts: [host; HOSTS], asked: 0, losses_left: 3 }
    }

    fn steps(&self, state: &State, next: &mut Vec<(Step, State)>) {
        for host in 0..HOSTS {
            self.of_host(state, host, next);
        }
    }

    fn broken(&self, state: &State) -> Option<&'static str> {
        if state.acknowledged & !state.etcd != 0 {
            return Some("P2, an acknowledged change is lost");
        }
        let ahead = state.hosts.iter().any(|host| host.copy & !state.etcd != 0);
        ahead.then_some("a copy has what etcd has not")
    }
}
