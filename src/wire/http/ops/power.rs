//! `pause`, `unpause`, `destroy`, `shutdown`, `wait_for_devices`

use super::{Operation, Success};
use crate::core::model::ShutdownReason;
use crate::core::op::{Change, DomainOp, Op, Query};
use serde::Deserialize;

pub(super) static PAUSE: Operation = Operation {
    name: "pause",
    success: Success::Empty,
    op: |domain, _| Ok(Change::Domain(domain, DomainOp::Pause).into()),
};

pub(super) static UNPAUSE: Operation = Operation {
    name: "unpause",
    success: Success::Empty,
    op: |domain, _| Ok(Change::Domain(domain, DomainOp::Unpause).into()),
};

pub(super) static DESTROY: Operation = Operation {
    name: "destroy",
    success: Success::Accepted,
    op: |domain, _| Ok(Change::Domain(domain, DomainOp::Destroy).into()),
};

pub(super) static SHUTDOWN: Operation = Operation {
    name: "shutdown",
    success: Success::Accepted,
    op: |domain, params| {
        let Shutdown { reason } = params.request()?;
        Ok(Change::Domain(domain, DomainOp::Shutdown(reason.into())).into())
    },
};

pub(super) static WAIT_FOR_DEVICES: Operation = Operation {
    name: "wait_for_devices",
    success: Success::Accepted,
    op: |domain, _| Ok(Op::Query(Query::DevicesConnected(domain))),
};

#[derive(Debug, Deserialize)]
struct Shutdown {
    reason: Reason,
}

/// What xend took; `suspend` came from `xm save` alone.
#[derive(Debug, Clone, Copy)]
enum Reason {
    Poweroff,
    Reboot,
    Halt,
    Suspend,
    Crash,
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "poweroff" => Ok(Self::Poweroff),
            "reboot" => Ok(Self::Reboot),
            "halt" => Ok(Self::Halt),
            "suspend" => Ok(Self::Suspend),
            "crash" => Ok(Self::Crash),
            _ => Err(serde::de::Error::custom(format!(
                "'{text}' is not one of poweroff, reboot, halt, suspend, crash"
            ))),
        }
    }
}

impl From<Reason> for ShutdownReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Poweroff => Self::Poweroff,
            Reason::Reboot => Self::Reboot,
            Reason::Halt => Self::Halt,
            Reason::Suspend => Self::Suspend,
            Reason::Crash => Self::Crash,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::DomainRef;
    use crate::wire::http::params::Params;

    #[test]
    fn reasons() {
        let shutdown = |form: &str| (SHUTDOWN.op)(DomainRef::new("a"), &Params::from_form(form.as_bytes()));
        for reason in ["poweroff", "reboot", "halt", "suspend", "crash"] {
            assert!(shutdown(&format!("reason={reason}")).is_ok());
        }
        assert_eq!(shutdown("").unwrap_err().to_string(), "Missing parameter: reason");
        assert!(shutdown("reason=explode").unwrap_err().to_string().contains("'explode'"));
        assert_eq!(
            shutdown("reason=halt&reason=halt").unwrap_err().to_string(),
            "Too many values for reason"
        );
    }
}
