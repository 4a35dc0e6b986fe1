//! What `injectfile` and `file_inject` share: the file is put into the guest.

use crate::command::Context;
use crate::log;
use crate::root::{Owner, Replace, Replaced, words};
use crate::runner::Program;
use std::time::Duration;
use xend_guest_protocol::file::{BadFile, GuestFile};
use xend_guest_protocol::response::Response;

/// A file that the host puts: only its owner may use a new one, and an old one is kept.
const HOW: Replace = Replace {
    new_mode: 0o600,
    new_owner: Owner::Directory,
    force_mode: false,
    keep_old: true,
    make_directories: true,
};

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
    let root = &context.system.root;
    let replaced = match root.is_own(path) {
        Ok(true) => return Response::failed(refusal(path)),
        Ok(false) => root.replace(path, &file.contents, HOW),
        Err(error) => Err(error),
    };
    match replaced {
        Ok(replaced) => {
            if let Replaced::Made { highest } = replaced {
                label(context, &highest);
            }
            Response::ok("")
        }
        Err(error) => Response::failed(format!("Couldn't write {path}: {}", words(&error))),
    }
}

/// The refusal to replace the agent's state, lock, configuration and programs. Other files give the
/// host the same power, but not by accident: an agent that a mistake keeps from starting cannot be
/// mended from outside, and which commands it has is decided inside.
fn refusal(path: &str) -> String {
    format!("{path} is the agent's own, which is changed only inside the guest")
}

/// Gives a new file, and the directories that were made for it, of which `highest` is the highest,
/// the label of the policy where it is another than the one of the directory, which the kernel has
/// given it. Files that existed have theirs.
fn label(context: &Context<'_>, highest: &str) {
    let system = context.system;
    if !system.root.is_running_system() || !system.root.exists(SELINUX) {
        return;
    }
    // The directories that were made hold nothing but the file.
    let program = Program {
        program: "restorecon",
        args: &["-R", "-i", highest],
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
