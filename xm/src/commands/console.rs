//! `xm console` and `xm vncviewer`.

use crate::caught_signals::CaughtSignals;
use crate::cli::command::Command;
use crate::cli::option::{OptionSpec, flag, long_flag, option};
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::{Failure, reason};
use crate::gateway::Gateway;
use crate::output::{is_terminal, note};
use crate::raw_terminal::RawTerminal;
use crate::wire::console::{Console, Ended};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process;

pub(super) static COMMANDS: [Command; 2] = [
    Command::new(
        "console",
        "[-q|--quiet] <Domain>",
        "Connect to the console of a domain.",
        (1, 1),
        console,
    )
    .common()
    .with(&[
        flag('q', "quiet", "Do not say that a domain is missing"),
        option('n', "num", "NUMBER", "The number of the console, which is 0"),
    ]),
    Command::new(
        "vncviewer",
        "[--[vncviewer-]autopass] <Domain>",
        "Connect to the display of a domain.",
        (1, 1),
        |context, words| {
            if words.has("autopass") || words.has("vncviewer-autopass") {
                return Err(Failure::not_offered(format!("{NO_PASSWORDS}. Leave the option out")));
            }
            show_display(&context.gateway, words.argument(0))
        },
    )
    .common()
    .with(&[
        long_flag("autopass", "Pass the VNC password to the viewer; not offered"),
        long_flag("vncviewer-autopass", "The same"),
    ]),
];

/// The option of commands that start a domain to connect to its console.
pub(super) const CONSOLE_AUTOCONNECT: OptionSpec =
    flag('c', "console_autoconnect", "Connect to the console afterwards");

/// The option of commands that start a domain to connect to its display.
pub(super) const VNCVIEWER: OptionSpec =
    long_flag("vncviewer", "Connect to the display afterwards");

/// The option to pass the password to the viewer, too.
pub(super) const VNCVIEWER_AUTOPASS: OptionSpec =
    long_flag("vncviewer-autopass", "The same; the viewer asks for the VNC password");

/// Connects as the options of a command say, after it has started a domain.
pub(super) fn autoconnect(gateway: &Gateway, domain: &str, words: &Words) -> Result<(), Failure> {
    if words.has("console_autoconnect") {
        return use_console(gateway, domain);
    }
    if words.has("vncviewer-autopass") {
        note(format!("Warning: {NO_PASSWORDS}"));
    }
    if words.has("vncviewer") || words.has("vncviewer-autopass") {
        return show_display(gateway, domain);
    }
    Ok(())
}

fn console(context: &Context, words: &Words) -> Result<(), Failure> {
    if words.value("num").is_some_and(|number| number != "0") {
        return Err(Failure::not_offered("A domain has one console, number 0"));
    }
    match use_console(&context.gateway, words.argument(0)) {
        Err(failure) if words.has("quiet") && failure.is_no_such_domain() => {
            Err(Failure::silent(failure.status()))
        }
        done => done,
    }
}

/// Connects the terminal to a console until either of them ends.
fn use_console(gateway: &Gateway, domain: &str) -> Result<(), Failure> {
    let mut console = gateway.console(domain)?;
    let is_typed = io::stdin().is_terminal();
    if is_typed {
        note("Ctrl-] leaves the console.");
    }
    let signals = CaughtSignals::catch().map_err(|error| Failure::new(reason(&error)))?;
    let terminal = RawTerminal::of_stdin();
    let mut line = Line::default();
    let ended = converse(&mut console, is_typed, &signals, &mut line);
    drop(terminal);
    if !matches!(ended, Ok(Ended::Left)) {
        line.end();
    }
    match ended {
        Ok(Ended::Left | Ended::Closed) => Ok(()),
        Ok(Ended::BySignal) => signals.obey(),
        Ok(Ended::Because(reason)) => {
            Err(Failure::new(format!("The console of '{domain}' was closed: {reason}")))
        }
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::silent(1)),
        Err(error) => Err(Failure::new(format!("The console has broken off: {}", reason(&error)))),
    }
}

/// The line of the guest at which a terminal is.
#[derive(Debug, Default)]
struct Line {
    is_begun: bool,
}

impl Line {
    fn print(&mut self, output: &[u8]) {
        if let Some(last) = output.last() {
            self.is_begun = *last != b'\n';
        }
    }

    /// Ends it on a terminal, so that what xm says is a line of its own.
    fn end(&self) {
        if self.is_begun && is_terminal() {
            let _ = io::stdout().write_all(b"\n");
        }
    }
}

fn converse(
    console: &mut Console,
    is_terminal: bool,
    signals: &CaughtSignals,
    line: &mut Line,
) -> io::Result<Ended> {
    console.converse(is_terminal, signals, |output| {
        line.print(output);
        let mut stdout = io::stdout().lock();
        stdout.write_all(output)?;
        stdout.flush()
    })
}

const NO_PASSWORDS: &str =
    "xend gives no VNC passwords away: the viewer asks for it, or reads VNC_PASSWORD";

/// Becomes a VNC viewer of the domain's display.
fn show_display(gateway: &Gateway, domain: &str) -> Result<(), Failure> {
    let description = gateway.domain_json(domain)?;
    let location = description["devices"]["vfb"][0]["location"].as_str();
    let location = location.and_then(|location| location.rsplit_once(':'));
    let Some((host, port)) = location else {
        let advice = "it is off, or has no vfb device with (vnc 1)";
        return Err(Failure::new(format!("Domain '{domain}' has no display: {advice}")));
    };
    if !gateway.is_local() && (host.starts_with("127.") || host == "localhost") {
        return Err(Failure::new(format!(
            "The display of '{domain}' is at {host}:{port} on xend's host, which only that host can \
             reach: use ssh -L {port}:{host}:{port}, or (vnclisten 0.0.0.0)"
        )));
    }
    let host = if host == "0.0.0.0" { gateway.host() } else { host };
    // Every viewer of today takes a port after two colons.
    let error = process::Command::new("vncviewer").arg(format!("{host}::{port}")).exec();
    Err(Failure::new(format!("vncviewer cannot be started: {}", reason(&error))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_a_line_that_is_begun() {
        let mut line = Line::default();
        for (output, is_begun) in
            [("", false), ("oldvm login: ", true), ("", true), ("root\r\n", false)]
        {
            line.print(output.as_bytes());
            assert_eq!(line.is_begun, is_begun, "{output:?}");
        }
    }
}
