//! Operations on the host (`shutdown`, `reboot`) and on Xen's message buffer (`clear`).

use crate::core::model::Invalid;
use crate::core::op::Change;
use crate::core::rights::OpKind;
use crate::wire::http::engine_request::EngineRequest;
use crate::wire::http::operation::{Operation, OperationRequest, Success};

pub(super) static SHUTDOWN: Operation = Operation {
    name: "shutdown",
    label: "Shut down",
    about: "Shuts the host down, if the configuration allows it.",
    kinds: &[OpKind::PowerHost],
    stages: &[],
    data_loss: None,
    params: &[],
    success: Success::Empty,
    build: |request| power(request, false),
};

pub(super) static REBOOT: Operation = Operation {
    name: "reboot",
    label: "Reboot",
    about: "Reboots the host, if the configuration allows it.",
    kinds: &[OpKind::PowerHost],
    stages: &[],
    data_loss: None,
    params: &[],
    success: Success::Empty,
    build: |request| power(request, true),
};

/// xend answered 0 and did nothing.
fn power(request: &OperationRequest<'_>, reboot: bool) -> Result<EngineRequest, Invalid> {
    if request.policy.node_shutdown {
        Ok(Change::PowerHost { reboot }.into())
    } else {
        let reason = "Not allowed, set (xend-node-shutdown yes) in xend-config.sxp to allow it";
        Err(Invalid::new(reason).forbidden())
    }
}

pub(super) static CLEAR: Operation = Operation {
    name: "clear",
    label: "Clear",
    about: "Clears Xen's message buffer.",
    kinds: &[OpKind::ClearDmesg],
    stages: &[],
    data_loss: None,
    params: &[],
    success: Success::Listed("/xend/node/dmesg?done=cleared"),
    build: |_| Ok(Change::ClearDmesg.into()),
};
