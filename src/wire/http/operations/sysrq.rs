//! `sysrq`, `send_trigger`.

use crate::core::model::{Invalid, MAX_VCPUS, Trigger};
use crate::core::op::DomainOp;
use crate::core::rights::OpKind;
use crate::wire::http::operation::{GUEST, Operation, ParamKind, Success, optional, required};
use crate::wire::http::params::{bad_value, integer, integer_in};
use serde::Deserialize;

pub(super) static SYSRQ: Operation = Operation {
    name: "sysrq",
    label: "Send Magic SysRq",
    about: "Sends a Magic SysRq key to the guest.",
    kinds: &[OpKind::Sysrq],
    stages: &GUEST,
    data_loss: None,
    params: &[required("key", ParamKind::Number("character code"), "The key; 115 is s", "115")],
    success: Success::Accepted,
    build: |request| {
        let Sysrq { key } = request.params.parse()?;
        request.change(DomainOp::Sysrq(key))
    },
};

pub(super) static SEND_TRIGGER: Operation = Operation {
    name: "send_trigger",
    label: "Send trigger",
    about: "Sends an event such as an NMI to a VCPU. Events other than nmi require a fully \
            virtualised guest.",
    kinds: &[OpKind::Trigger],
    stages: &GUEST,
    data_loss: None,
    params: &[
        required("trigger", ParamKind::Word(&TRIGGERS), "Event to send", "nmi"),
        optional("vcpu", ParamKind::Number("VCPU"), "0", "VCPU that receives it", "0"),
    ],
    success: Success::Accepted,
    build: |request| {
        let SendTrigger { trigger, vcpu } = request.params.parse()?;
        let trigger: Trigger =
            trigger.trim().parse().map_err(|reason: Invalid| bad_value("trigger", reason))?;
        request.change(DomainOp::Trigger(trigger, vcpu))
    },
};

const TRIGGERS: [&str; 6] = ["nmi", "reset", "init", "power", "sleep", "s3resume"];

/// xm sends the key's character code, 115 for `s`.
#[derive(Debug, Deserialize)]
struct Sysrq {
    #[serde(deserialize_with = "integer")]
    key: u8,
}

#[derive(Debug, Deserialize)]
struct SendTrigger {
    trigger: String,
    #[serde(default, deserialize_with = "integer_in::<_, 0, { MAX_VCPUS - 1 }>")]
    vcpu: u32,
}
