//! What `injectfile` and `file_inject` share: the file is put into the guest.

use crate::command::Context;
use crate::log;
use crate::root::{Replace, Replaced, words};
use crate::runner::Program;
use std::time::Duration;
use xend_guest_protocol::file::{BadFile, GuestFile};
use xend_guest_protocol::response::Response;

/// A file that the host puts: new ones are for root alone, old ones are kept under another name.
const HOW: Replace =
    Replace { new_mode: 0o600, force_mode: false, keep_old: true, make_directories: true };

/// Where the kernel shows that it enforces an SELinux policy.
const SELINUX: &str = "/sys/fs/selinux/enforce";

/// How long `restorecon` may take.
const LABEL_LIMIT: Duration = Duration::from_secs(10);

/// Puts a file as a request's value describes it.
pub(super) fn put_file(context: &Context<'_>, file: Result<GuestFile, BadFile>) -> Response {
    let file = match file {
        Ok(file) => file,
        Err(error) => return Response::failed(error.to_string()),
    };
    let path = file.path.as_str();
    match context.system.root.replace(path, &file.contents, HOW) {
        Ok(replaced) => {
            if let Replaced::Made { directories } = replaced {
                label(context, path, directories);
            }
            Response::ok("")
        }
        Err(error) => Response::failed(format!("Couldn't write {path}: {}", words(&error))),
    }
}

/// Gives a new file, and the directories that were made for it, the label of the policy where it is
/// another than the one of the directory, which the kernel has given it. Files that existed have
/// theirs.
fn label(context: &Context<'_>, path: &str, directories: usize) {
    let system = context.system;
    if !system.root.is_running_system() || !system.root.exists(SELINUX) {
        return;
    }
    // The directories that were made hold nothing but the file.
    let names: Vec<&str> = path.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
    let kept = names.len().saturating_sub(directories);
    let highest = format!("/{}", names.get(..kept).unwrap_or_default().join("/"));
    let program = Program {
        program: "restorecon",
        args: &["-R", "-i", &highest],
        stdin: &[],
        limit: LABEL_LIMIT,
    };
    if !system.runner.has(program.program) {
        return;
    }
    if let Err(error) = system.runner.run(&program) {
        log::line(format_args!("restorecon {highest}: {error}"));
    }
}
