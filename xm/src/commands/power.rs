//! `xm pause`, `unpause`, `destroy`, `reset`.

use crate::cli::command::Command;
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::Failure;

pub(super) static COMMANDS: [Command; 4] = [
    Command::new("pause", "<Domain>", "Stop the VCPUs of a domain.", (1, 1), |context, words| {
        operate(context, words, "pause")
    })
    .common(),
    Command::new("unpause", "<Domain>", "Let a paused domain run on.", (1, 1), |context, words| {
        operate(context, words, "unpause")
    })
    .common(),
    Command::new("destroy", "<Domain>", "End a domain at once.", (1, 1), |context, words| {
        operate(context, words, "destroy")
    })
    .common(),
    Command::new("reset", "<Domain>", "Start a domain anew at once.", (1, 1), |context, words| {
        operate(context, words, "reset")
    })
    .common(),
];

fn operate(context: &Context, words: &Words, op: &str) -> Result<(), Failure> {
    context.gateway.operate_on(words.argument(0), op, &[]).map(drop)
}
