//! The result of each operation in each state. Every match is exhaustive: a new operation does not
//! compile until it has its results here.

use xend::core::error::ErrorKind;
use xend::core::lifecycle::State;
use xend::core::model::ShutdownReason;
use xend::core::op::DomainOp;

/// The state of a domain before an operation. Domains on the host are managed, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Absent,
    Halted,
    Suspended,
    Paused,
    Running,
    Crashed,
    Off,
    Dom0,
}

pub(crate) const STAGES: [Stage; 8] = [
    Stage::Absent,
    Stage::Halted,
    Stage::Suspended,
    Stage::Paused,
    Stage::Running,
    Stage::Crashed,
    Stage::Off,
    Stage::Dom0,
];

impl Stage {
    /// The engine's name of the state; `None` without a domain.
    pub(crate) fn state(self) -> Option<State> {
        match self {
            Stage::Absent => None,
            Stage::Halted => Some(State::Halted),
            Stage::Suspended => Some(State::Suspended),
            Stage::Paused => Some(State::Paused),
            Stage::Running | Stage::Dom0 => Some(State::Running),
            Stage::Crashed => Some(State::Stopped(ShutdownReason::Crash)),
            Stage::Off => Some(State::Stopped(ShutdownReason::Poweroff)),
        }
    }
}

/// The result of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It succeeds, and the domain is in this state afterwards.
    Then(Stage),
    /// It is refused and changes nothing.
    Refused(ErrorKind),
}

use Expected::{Refused, Then};
use Stage::{Absent, Crashed, Dom0, Halted, Off, Paused, Running, Suspended};

const CONFLICT: Expected = Refused(ErrorKind::Conflict);
const DENIED: Expected = Refused(ErrorKind::Denied);

#[allow(clippy::too_many_lines, reason = "one table")]
pub(crate) fn expected(op: &DomainOp, stage: Stage) -> Expected {
    if stage == Absent {
        return Refused(ErrorKind::NotFound);
    }
    match op {
        DomainOp::Pause => match stage {
            Paused | Running => Then(Paused),
            Dom0 => DENIED,
            Absent | Halted | Suspended | Crashed | Off => CONFLICT,
        },
        DomainOp::Unpause => match stage {
            Paused | Running => Then(Running),
            Dom0 => DENIED,
            Absent | Halted | Suspended | Crashed | Off => CONFLICT,
        },
        DomainOp::Destroy => match stage {
            Suspended | Paused | Running | Crashed | Off => Then(Halted),
            Dom0 => DENIED,
            Absent | Halted => CONFLICT,
        },
        DomainOp::Shutdown(_) => match stage {
            Running => Then(Off),
            // A paused guest obeys when it runs again; the others have stopped already.
            Paused | Crashed | Off => Then(stage),
            Dom0 => DENIED,
            Absent | Halted | Suspended => CONFLICT,
        },
        // A setting can be changed in every state.
        DomainOp::MoveToPool(_) if stage == Dom0 => DENIED,
        DomainOp::Rename(_)
        | DomainOp::SetSedf(_)
        | DomainOp::SetShare { .. }
        | DomainOp::SetMemory(_)
        | DomainOp::SetMaxMemory(_)
        | DomainOp::SetVcpus(_)
        | DomainOp::Pin { .. }
        | DomainOp::AttachDevice(_)
        | DomainOp::MoveToPool(_)
        | DomainOp::Set(_) => Then(stage),
        DomainOp::Sysrq(_) => match stage {
            Paused | Running | Crashed | Off | Dom0 => Then(stage),
            Absent | Halted | Suspended => CONFLICT,
        },
        DomainOp::Trigger(..) => match stage {
            Paused | Running | Crashed | Off => Then(stage),
            Dom0 => DENIED,
            Absent | Halted | Suspended => CONFLICT,
        },
        DomainOp::Reset => match stage {
            Paused | Running | Crashed | Off => Then(Running),
            Dom0 => DENIED,
            Absent | Halted | Suspended => CONFLICT,
        },
        DomainOp::Start { .. } => {
            if stage == Halted {
                Then(Running)
            } else {
                CONFLICT
            }
        }
        DomainOp::CreateFrom(_) => {
            if stage == Halted {
                Then(Paused)
            } else {
                CONFLICT
            }
        }
        DomainOp::Define(_) => match stage {
            Halted | Paused | Running | Crashed | Off => Then(stage),
            Dom0 => DENIED,
            Absent | Suspended => CONFLICT,
        },
        DomainOp::Delete => {
            if stage == Halted {
                Then(Absent)
            } else {
                CONFLICT
            }
        }
        // No such device is defined.
        DomainOp::PlugDevice(_) => CONFLICT,
        DomainOp::Suspend => match stage {
            Running => Then(Suspended),
            Dom0 => DENIED,
            Absent | Halted | Suspended | Paused | Crashed | Off => CONFLICT,
        },
        DomainOp::Resume { .. } => {
            if stage == Suspended {
                Then(Running)
            } else {
                CONFLICT
            }
        }
        DomainOp::Save { .. } => match stage {
            Running => Then(Halted),
            Dom0 => DENIED,
            Absent | Halted | Suspended | Paused | Crashed | Off => CONFLICT,
        },
        // From an empty file.
        DomainOp::RestoreFrom { .. } => {
            if stage == Halted {
                Refused(ErrorKind::Invalid)
            } else {
                CONFLICT
            }
        }
        // To a closed port.
        DomainOp::Migrate { .. } => match stage {
            Running => Refused(ErrorKind::Backend),
            Dom0 => DENIED,
            Absent | Halted | Suspended | Paused | Crashed | Off => CONFLICT,
        },
        // From a host that fails.
        DomainOp::Arrive(_) => {
            if stage == Halted {
                Refused(ErrorKind::Backend)
            } else {
                CONFLICT
            }
        }
        DomainOp::Dump { .. } => match stage {
            Paused | Running | Crashed | Off => Then(stage),
            Dom0 => DENIED,
            Absent | Halted | Suspended => CONFLICT,
        },
        // The disk is no CD-ROM drive. Domain-0 has no disk.
        DomainOp::ConfigureDevice { .. } => {
            if stage == Dom0 {
                CONFLICT
            } else {
                Refused(ErrorKind::Invalid)
            }
        }
        DomainOp::DetachDevice { .. } => {
            if stage == Dom0 {
                CONFLICT
            } else {
                Then(stage)
            }
        }
    }
}
