//! `sysrq`, `send_trigger`

use super::table::{GUEST, Operation, Success, Takes, needed, optional};
use crate::core::model::{Invalid, Trigger};
use crate::core::op::DomainOp;
use crate::wire::http::params::whole;
use serde::Deserialize;

pub(super) static SYSRQ: Operation = Operation {
    name: "sysrq",
    label: "Press Magic SysRq",
    about: "Presses Magic SysRq and a key on the guest's keyboard.",
    when: &GUEST,
    loses: None,
    params: &[needed("key", Takes::Number("character code"), "The key: 115 is s", "115")],
    success: Success::Accepted,
    op: |asked| {
        let Sysrq { key } = asked.params.request()?;
        asked.domain(DomainOp::Sysrq(key))
    },
};

pub(super) static SEND_TRIGGER: Operation = Operation {
    name: "send_trigger",
    label: "Send a trigger",
    about: "Gives a VCPU an interrupt that is no device's. All but nmi are for fully virtualised guests.",
    when: &GUEST,
    loses: None,
    params: &[
        needed("trigger", Takes::Word(&TRIGGERS), "Which", "nmi"),
        optional("vcpu", Takes::Number("VCPU"), "0", "Which VCPU gets it", "0"),
    ],
    success: Success::Accepted,
    op: |asked| {
        let SendTrigger { trigger, vcpu } = asked.params.request()?;
        let trigger: Trigger = trigger
            .trim()
            .parse()
            .map_err(|reason| Invalid::new(format!("Invalid value for trigger: {reason}")))?;
        asked.domain(DomainOp::Trigger(trigger, vcpu))
    },
};

const TRIGGERS: [&str; 6] = ["nmi", "reset", "init", "power", "sleep", "s3resume"];

/// The key's character code: xm sends 115 for `s`.
#[derive(Debug, Deserialize)]
struct Sysrq {
    #[serde(deserialize_with = "whole")]
    key: u8,
}

#[derive(Debug, Deserialize)]
struct SendTrigger {
    trigger: String,
    #[serde(default, deserialize_with = "whole")]
    vcpu: u32,
}
