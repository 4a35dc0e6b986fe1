//! `xm save` and `xm restore`.

use super::progress::Progress;
use crate::cli::command::Command;
use crate::cli::option::flag;
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::{Failure, reason};
use crate::wire::xmlrpc::Value;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{self, Path, PathBuf};

pub(super) static COMMANDS: [Command; 2] = [
    Command::new(
        "save",
        "[-c|-f] <Domain> <CheckpointFile>",
        "Save a running domain to a file, and stop it.",
        (2, 2),
        save,
    )
    .common()
    .of_files()
    .with(&[
        flag('c', "checkpoint", "Let the domain run on afterwards"),
        flag('f', "force", "Replace an existing file"),
    ]),
    Command::new(
        "restore",
        "<CheckpointFile> [-p]",
        "Start a domain from the file of a saved one.",
        (1, 1),
        restore,
    )
    .common()
    .of_files()
    .with(&[flag('p', "paused", "Leave the domain paused")]),
];

fn save(context: &Context, words: &Words) -> Result<(), Failure> {
    let domain = words.argument(0);
    let file = host_path(context, words.file(1))?;
    let force = words.has("force");
    let progress = Progress::of(context, domain);
    let saved = if words.has("checkpoint") {
        text(&file).and_then(|file| {
            let flags = [Value::Bool(true), Value::Bool(force)];
            let arguments = [Value::text(domain), file].into_iter().chain(flags);
            context.gateway.call("xend.domain.save", &arguments.collect::<Vec<_>>()).map(drop)
        })
    } else {
        let force: &[u8] = if force { b"1" } else { b"0" };
        let parameters = [("file", file.as_os_str().as_bytes()), ("force", force)];
        context.gateway.operate_with_bytes(Some(domain), "save", &parameters).map(drop)
    };
    progress.end();
    saved
}

fn restore(context: &Context, words: &Words) -> Result<(), Failure> {
    let file = host_path(context, words.file(0))?;
    let paused: &[u8] = if words.has("paused") { b"1" } else { b"0" };
    let progress = Progress::of_any(context);
    let parameters = [("file", file.as_os_str().as_bytes()), ("paused", paused)];
    let restored = context.gateway.operate_with_bytes(None, "restore", &parameters);
    progress.end();
    restored.map(drop)
}

/// The path of a file on xend's host. A relative one means this directory, so xend must be here.
pub(super) fn host_path(context: &Context, file: &Path) -> Result<PathBuf, Failure> {
    if file.as_os_str().is_empty() {
        return Err(Failure::new("The name of the file is empty: give its path"));
    }
    if file.is_absolute() {
        return Ok(file.to_owned());
    }
    let shown = file.display();
    if !context.gateway.is_local() {
        let advice = "give its absolute path on the other host";
        return Err(Failure::new(format!("{shown} is relative to this machine: {advice}")));
    }
    path::absolute(file).map_err(|error| Failure::new(format!("{shown}: {}", reason(&error))))
}

/// A path in XML-RPC, which has no place for bytes that are not UTF-8.
pub(super) fn text(file: &Path) -> Result<Value, Failure> {
    let text = file.to_str().map(Value::text);
    text.ok_or_else(|| {
        let advice = "xend's XML-RPC cannot be told of it, name another file";
        Failure::new(format!("The path {} is not UTF-8: {advice}", file.display()))
    })
}
