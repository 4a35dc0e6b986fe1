//! `xm sysrq`, `trigger`, `debug-keys`.

use crate::cli::command::Command;
use crate::cli::words::{Words, invalid, number};
use crate::context::Context;
use crate::failure::Failure;
use crate::gateway::Gateway;
use crate::wire::xmlrpc::Value;

pub(super) static COMMANDS: [Command; 3] = [
    Command::new("sysrq", "<Domain> <letter>", "Send a Magic SysRq key to a guest.", (2, 2), sysrq),
    Command::new(
        "trigger",
        "<Domain> <nmi|reset|init|s3resume|power|sleep> [<VCPU>]",
        "Send an event such as an NMI to a VCPU.",
        (2, 3),
        trigger,
    ),
    Command::new(
        "debug-keys",
        "<Keys>",
        "Send keys to Xen, as on its serial console.",
        (1, 1),
        |context, words| {
            if words.argument(0).is_empty() {
                return Err(invalid("<Keys>", "one key or more, as h for help", ""));
            }
            let keys = [Value::text(words.argument(0))];
            context.gateway.call("xend.node.send_debug_keys", &keys).map(drop)
        },
    ),
];

fn sysrq(context: &Context, words: &Words) -> Result<(), Failure> {
    let mut letters = words.argument(1).chars();
    let (Some(letter), None) = (letters.next(), letters.next()) else {
        return Err(invalid("<letter>", "one letter", words.argument(1)));
    };
    send_sysrq(&context.gateway, words.argument(0), letter)
}

/// Sends a key of Magic `SysRq` to a guest.
pub(super) fn send_sysrq(gateway: &Gateway, domain: &str, letter: char) -> Result<(), Failure> {
    let key = u32::from(letter).to_string();
    gateway.operate_on(domain, "sysrq", &[("key", &key)]).map(drop)
}

fn trigger(context: &Context, words: &Words) -> Result<(), Failure> {
    let vcpu = match words.arguments().get(2) {
        Some(vcpu) => number::<u32>("<VCPU>", "the number of a VCPU", vcpu)?,
        None => 0,
    };
    let parameters = [("trigger", words.argument(1)), ("vcpu", &vcpu.to_string())];
    context.gateway.operate_on(words.argument(0), "send_trigger", &parameters).map(drop)
}
