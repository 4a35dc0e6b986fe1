//! Domains that xend keeps: `xm start`, `delete`, `suspend`, `resume`.

use super::progress::Progress;
use super::refused::NO_CONSOLE;
use crate::cli::command::Command;
use crate::cli::option::{flag, long_flag};
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::Failure;

pub(super) static COMMANDS: [Command; 4] = [
    Command::new("start", "<DomainName>", "Start a domain that xend keeps.", (1, 1), start)
        .common()
        .with(&[
            flag('p', "paused", "Leave the domain paused"),
            flag('c', "console_autoconnect", "Connect to the console afterwards"),
            long_flag("vncviewer", "Connect to the display afterwards"),
            long_flag("vncviewer-autopass", "Pass the VNC password to the viewer"),
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
    if ["console_autoconnect", "vncviewer", "vncviewer-autopass"].iter().any(|o| words.has(o)) {
        return Err(Failure::not_offered(NO_CONSOLE));
    }
    let paused = if words.has("paused") { "1" } else { "0" };
    context.gateway.operate_on(words.argument(0), "start", &[("paused", paused)]).map(drop)
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
