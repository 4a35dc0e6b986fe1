//! Operations on the host (`shutdown`, `reboot`; in a fleet `away`, `back`) and on Xen's message
//! buffer (`clear`).

use crate::core::model::Invalid;
use crate::core::op::Change;
use crate::core::rights::OpKind;
use crate::wire::http::engine_request::EngineRequest;
use crate::wire::http::operation::{Operation, OperationRequest, ParamKind, Success, optional};
use crate::wire::http::params::integer_in;
use serde::Deserialize;
use std::time::Duration;

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

pub(super) static AWAY: Operation = Operation {
    name: "away",
    label: "Go away",
    about: "Has the fleet not take the host for dead for so long, nor give it new domains. It comes \
            back by itself.",
    kinds: &[OpKind::PlanAbsence],
    stages: &[],
    data_loss: None,
    params: &[optional("minutes", ParamKind::Number("minutes"), "60", "For how long", "60")],
    success: Success::Empty,
    build: |request| {
        let Away { minutes } = request.params.parse()?;
        Ok(Change::GoAway(Duration::from_secs(u64::from(minutes) * 60)).into())
    },
};

pub(super) static BACK: Operation = Operation {
    name: "back",
    label: "Come back",
    about: "Ends what away began.",
    kinds: &[OpKind::PlanAbsence],
    stages: &[],
    data_loss: None,
    params: &[],
    success: Success::Empty,
    build: |_| Ok(Change::ComeBack.into()),
};

#[derive(Debug, Deserialize)]
struct Away {
    #[serde(default = "an_hour", deserialize_with = "integer_in::<_, 1, MOST_MINUTES>")]
    minutes: u32,
}

/// The minutes of a week.
const MOST_MINUTES: u32 = 7 * 24 * 60;

const fn an_hour() -> u32 {
    60
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
