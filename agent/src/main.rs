//! `xend-guest-agent`: the agent inside a guest.

use rustix::fs::Mode;
use rustix::process::umask;
use std::io::Write;
use std::process::ExitCode;
use xend_guest_agent::options::{Action, HELP, Options};
use xend_guest_agent::start::Start;
use xend_guest_agent::{descriptors, log, notify};

/// The exit status after wrong options or a wrong configuration.
const WRONG_USE: u8 = 2;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(reason) => {
            log::line(reason);
            ExitCode::from(WRONG_USE)
        }
    }
}

fn run() -> Result<ExitCode, String> {
    let options = Options::parse(std::env::args_os().skip(1)).map_err(|error| error.to_string())?;
    match options.action {
        Action::Help => return Ok(print(HELP)),
        Action::Version => {
            return Ok(print(concat!("xend-guest-agent ", env!("CARGO_PKG_VERSION"), "\n")));
        }
        Action::Commands => return Ok(print(&Start::new(options)?.documentation())),
        Action::Check => return Start::new(options).map(|_| ExitCode::SUCCESS),
        Action::Run => {}
    }
    // What a panic says of its reason may be of a request's value.
    std::panic::set_hook(Box::new(|panic| {
        if let Some(place) = panic.location() {
            log::line(format_args!("A bug in {place}"));
        }
    }));
    // Before anything is opened.
    if let Err(error) = descriptors::set_close_on_exec() {
        log::line(format_args!("Cannot keep the agent's descriptors from programs: {error}"));
    }
    umask(Mode::WGRP | Mode::WOTH);
    let start = Start::new(options)?;
    if start.lacks_xen() {
        log::line("This machine is no guest of Xen: there is nothing to do");
        notify::ready();
        return Ok(ExitCode::SUCCESS);
    }
    let failed = |error| format!("The agent ends: {error}");
    match start.agent().and_then(|mut agent| agent.run().map_err(failed)) {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::FAILURE),
        Err(reason) => {
            log::line(reason);
            Ok(ExitCode::FAILURE)
        }
    }
}

fn print(text: &str) -> ExitCode {
    let is_printed = std::io::stdout().write_all(text.as_bytes()).is_ok();
    if is_printed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
