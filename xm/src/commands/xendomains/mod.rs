//! `xm xendomains`: what the init script `xendomains` did for domains that start and stop with the
//! host.
//!
//! The order of the steps, the variables and the exit statuses are those of the script of Xen 3.0
//! to 4.17. Unlike it, a step that fails is in the exit status, and no saved domain is lost or
//! restored twice.

mod assignments;
mod auto;
mod lock;
mod report;
mod saved;
mod settings;
mod start;
mod status;
mod stop;

use super::config_file::read_file;
use crate::cli::command::Command;
use crate::cli::option::{JSON, long_option};
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{note, print_json, print_line};
use lock::{Lock, State};
use report::Report;
use serde_json::json;
use settings::Settings;
use status::Status;
use std::path::{Path, PathBuf};

pub(super) static COMMANDS: [Command; 1] = [Command::new(
    "xendomains",
    "<start|stop|restart|reload|status>",
    "Start and stop the domains that run with the host, as its service does.",
    (1, 1),
    run,
)
.of_files()
.with(&[
    long_option("config", "FILE", "The file with the variables, /etc/default/xendomains"),
    long_option("lockfile", "FILE", "The file that says that they were started"),
    JSON,
])];

/// Exit statuses of init scripts, as the LSB has them.
const UNIMPLEMENTED: u8 = 3;
const INTERRUPTED: u8 = 2;
const STOPPED: u8 = 3;
const UNKNOWN: u8 = 4;
const NOT_CONFIGURED: u8 = 6;

fn run(context: &Context, words: &Words) -> Result<(), Failure> {
    let action = words.argument(0);
    if !["start", "stop", "restart", "reload", "force-reload", "status"].contains(&action) {
        let choice = "start, stop, restart, reload or status is expected";
        return Err(Failure::with_status(UNIMPLEMENTED, format!("'{action}': {choice}")));
    }
    let wants_json = words.has("json");
    if wants_json && action != "status" {
        return Err(Failure::new(format!("--json is an option of status, not of {action}")));
    }
    if !context.gateway.is_local() {
        let advice = "use xm xendomains there";
        return Err(Failure::new(format!("The files of another host are not here: {advice}")));
    }
    let config = words.file_value("config").map_or_else(config_file, PathBuf::from);
    let Some(settings) = settings(&config)? else {
        if action == "stop" {
            return print_line(format!("{} does not exist", config.display()));
        }
        let message = format!("{} does not exist", config.display());
        return Err(Failure::with_status(NOT_CONFIGURED, message));
    };
    let lock = Lock { path: words.file_value("lockfile").map_or_else(lock_file, PathBuf::from) };
    let mut report = Report::default();
    match action {
        "start" => start(context, &settings, &lock, &mut report)?,
        "stop" => stop(context, &settings, &lock, &mut report)?,
        "status" => status(context, &settings, &lock, &mut report, wants_json)?,
        _ => {
            stop(context, &settings, &lock, &mut report)?;
            start(context, &settings, &lock, &mut report)?;
        }
    }
    report.result()
}

/// The file of the machine's distribution.
fn config_file() -> PathBuf {
    let folder = if Path::new("/etc/sysconfig").is_dir() { "sysconfig" } else { "default" };
    Path::new("/etc").join(folder).join("xendomains")
}

/// Distributions that stop by this directory whatever has a file there have it.
fn lock_file() -> PathBuf {
    let folder = Path::new("/var/lock/subsys");
    let folder = if folder.is_dir() { folder } else { Path::new("/var/lock") };
    folder.join("xendomains")
}

/// Reads the variables, and says what is wrong with them; `None` without the file.
fn settings(path: &Path) -> Result<Option<Settings>, Failure> {
    if !path.exists() {
        return Ok(None);
    }
    let shown = path.display();
    let text = read_file(path)?;
    let (settings, mistakes) = Settings::read(&String::from_utf8_lossy(&text));
    for mistake in mistakes {
        note(format!("Warning: {shown}: {mistake}"));
    }
    Ok(Some(settings))
}

fn start(
    context: &Context,
    settings: &Settings,
    lock: &Lock,
    report: &mut Report,
) -> Result<(), Failure> {
    let path = lock.path.display();
    match lock.state()? {
        State::Stopped => {}
        State::Started => {
            return print_line(format!("xendomains already running (lockfile {path} exists)"));
        }
        State::Starting => {
            return print_line(format!("xendomains is starting already (lockfile {path} is held)"));
        }
        State::Interrupted => {
            note(format!("Warning: {path} is of a start that was interrupted: it is done again"));
        }
    }
    // Without xend nothing was started.
    context.gateway.page("/xend/domain")?;
    let begun = lock.begin()?;
    start::start(context, settings, report)?;
    begun.end()
}

fn stop(
    context: &Context,
    settings: &Settings,
    lock: &Lock,
    report: &mut Report,
) -> Result<(), Failure> {
    stop::stop(context, settings, report)?;
    lock.remove()
}

fn status(
    context: &Context,
    settings: &Settings,
    lock: &Lock,
    report: &mut Report,
    wants_json: bool,
) -> Result<(), Failure> {
    let unfinished = match lock.state()? {
        State::Starting | State::Started => None,
        State::Interrupted => Some(("xendomains was interrupted while it started", INTERRUPTED)),
        State::Stopped => Some(("xendomains is stopped", STOPPED)),
    };
    if let Some((text, status)) = unfinished {
        if wants_json {
            print_json(&json!({ "started": false }))?;
        } else {
            print_line(text)?;
        }
        return Err(Failure::silent(status));
    }
    let status = Status::read(context, settings, report)
        .map_err(|failure| Failure::with_status(UNKNOWN, failure.to_string()))?;
    if wants_json {
        print_json(&status)?;
        return if status.is_good() { Ok(()) } else { Err(Failure::silent(1)) };
    }
    status.report(report);
    Ok(())
}
