//! Domains that xend keeps: `xm start`, `delete`, `suspend`, `resume`.

use super::console::{CONSOLE_AUTOCONNECT, VNCVIEWER, VNCVIEWER_AUTOPASS, autoconnect};
use super::progress::Progress;
use crate::cli::command::Command;
use crate::cli::option::flag;
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::Failure;

pub(super) static COMMANDS: [Command; 4] = [
    Command::new("start", "<DomainName>", "Start a domain that xend keeps.", (1, 1), start)
        .common()
        .with(&[
            flag('p', "paused", "Leave the domain paused"),
            CONSOLE_AUTOCONNECT,
            VNCVIEWER,
            VNCVIEWER_AUTOPASS,
        ]),
    Command::new(
        "delete",
        "<DomainName>",
        "Forget a domain that xend keeps.",
        (1, 1),
        |context, words| context.gateway.operate_on(words.argument(0), "delete", &[]).map(drop),
    )
    .common(),
    Command::new(
        "suspend",
        "<DomainName>",
        "Save a domain that xend keeps, and stop it.",
        (1, 1),
        suspend,
    )
    .common(),
    Command::new("resume", "<DomainName>", "Let a suspended domain go on.", (1, 1), resume)
        .common()
        .with(&[flag('p', "paused", "Leave the domain paused")]),
];

fn start(context: &Context, words: &Words) -> Result<(), Failure> {
    let domain = words.argument(0);
    let paused = if words.has("paused") { "1" } else { "0" };
    context.gateway.operate_on(domain, "start", &[("paused", paused)])?;
    autoconnect(&context.gateway, domain, words)
}

fn suspend(context: &Context, words: &Words) -> Result<(), Failure> {
    let domain = words.argument(0);
    let progress = Progress::of(context, domain);
    let done = context.gateway.operate_on(domain, "suspend", &[]);
    progress.end();
    done.map(drop)
}

fn resume(context: &Context, words: &Words) -> Result<(), Failure> {
    let domain = words.argument(0);
    let paused = if words.has("paused") { "1" } else { "0" };
    let progress = Progress::of(context, domain);
    let done = context.gateway.operate_on(domain, "resume", &[("paused", paused)]);
    progress.end();
    done.map(drop)
}
