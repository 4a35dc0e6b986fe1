//! `xm save` and `xm restore`.

use super::progress::Progress;
use crate::cli::command::Command;
use crate::cli::option::flag;
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::{Failure, reason};
use crate::wire::xmlrpc::Value;
use std::path;

pub(super) static COMMANDS: [Command; 2] = [
    Command::new(
        "save",
        "[-c|-f] <Domain> <CheckpointFile>",
        "Save a running domain to a file, and stop it.",
        (2, 2),
        save,
    )
    .common()
    .with(&[
        flag('c', "checkpoint", "Let the domain run on afterwards"),
        flag('f', "force", "Replace an existing file, as is done anyway"),
    ]),
    Command::new(
        "restore",
        "<CheckpointFile> [-p]",
        "Start a domain from the file of a saved one.",
        (1, 1),
        restore,
    )
    .common()
    .with(&[flag('p', "paused", "Leave the domain paused")]),
];

fn save(context: &Context, words: &Words) -> Result<(), Failure> {
    let domain = words.argument(0);
    let file = host_path(context, words.argument(1))?;
    let progress = Progress::of(context, domain);
    let saved = if words.has("checkpoint") {
        let arguments = [Value::text(domain), Value::text(&file), Value::Bool(true)];
        context.gateway.call("xend.domain.save", &arguments).map(drop)
    } else {
        context.gateway.operate_on(domain, "save", &[("file", &file)]).map(drop)
    };
    progress.end();
    saved
}

fn restore(context: &Context, words: &Words) -> Result<(), Failure> {
    let file = host_path(context, words.argument(0))?;
    let paused = if words.has("paused") { "1" } else { "0" };
    let progress = Progress::of_any(context);
    let parameters = [("file", file.as_str()), ("paused", paused)];
    let restored = context.gateway.operate("/xend/domain", "restore", &parameters);
    progress.end();
    restored.map(drop)
}

/// The path of a file on xend's host. A relative one means this directory, so xend must be here.
pub(super) fn host_path(context: &Context, file: &str) -> Result<String, Failure> {
    if file.is_empty() {
        return Err(Failure::new("The name of the file is empty: give its path"));
    }
    if path::Path::new(file).is_absolute() {
        return Ok(file.to_owned());
    }
    if !context.gateway.is_local() {
        let advice = "give its absolute path on the other host";
        return Err(Failure::new(format!("{file} is relative to this machine: {advice}")));
    }
    let path = path::absolute(file);
    let path = path.map_err(|error| Failure::new(format!("{file}: {}", reason(&error))))?;
    Ok(path.to_string_lossy().into_owned())
}
