//! `start`, `stop`, `reboot`, `pause`, `unpause`.

use crate::core::model::ShutdownReason;
use crate::core::op::{Change, DomainOp};
use crate::core::rights::{Need, Right};
use crate::wire::argo::answer::Answer;
use crate::wire::argo::call::Call;
use crate::wire::argo::command::{Command, Run};
use crate::wire::argo::instance::Instance;
use crate::wire::argo::signature::Signature;

const POWER: Need = Need::Domain(Right::Power);

pub(in crate::wire::argo) static START: Command = Command {
    signature: Signature::new("start", "NAME", POWER, "Start an instance."),
    run: Run::Instance(|call, instance| Box::pin(start(call, instance))),
};

pub(in crate::wire::argo) static STOP: Command = Command {
    signature: Signature::new("stop", "NAME", POWER, "Ask an instance to shut down."),
    run: Run::Instance(|call, instance| {
        Box::pin(change(call, instance, DomainOp::Shutdown(ShutdownReason::Poweroff)))
    }),
};

pub(in crate::wire::argo) static REBOOT: Command = Command {
    signature: Signature::new("reboot", "NAME", POWER, "Ask an instance to reboot."),
    run: Run::Instance(|call, instance| {
        Box::pin(change(call, instance, DomainOp::Shutdown(ShutdownReason::Reboot)))
    }),
};

pub(in crate::wire::argo) static PAUSE: Command = Command {
    signature: Signature::new("pause", "NAME", POWER, "Stop an instance's CPUs."),
    run: Run::Instance(|call, instance| Box::pin(change(call, instance, DomainOp::Pause))),
};

pub(in crate::wire::argo) static UNPAUSE: Command = Command {
    signature: Signature::new("unpause", "NAME", POWER, "Let a paused instance go on."),
    run: Run::Instance(|call, instance| Box::pin(change(call, instance, DomainOp::Unpause))),
};

async fn start(call: &Call<'_>, instance: &Instance) -> Answer {
    match instance {
        Instance::Domain(_) => change(call, instance, DomainOp::Start { paused: false }).await,
        Instance::File(config) => {
            call.change(Change::StartFromFile(Box::new((**config).clone()))).await
        }
    }
}

/// Changes a domain. A file has to be started first.
async fn change(call: &Call<'_>, instance: &Instance, op: DomainOp) -> Answer {
    let domain = instance.target().map_err(|error| call.failure(&error))?;
    call.change(Change::Domain(domain, op)).await
}
