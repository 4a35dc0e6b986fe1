//! `save`, `restore`, `dump`, `cancel`.

use crate::core::op::{AfterDump, Change, DomainOp};
use crate::core::rights::OpKind;
use crate::wire::http::operation::{GUEST, Operation, ParamKind, Success, optional, required};
use crate::wire::http::params::flag;
use serde::Deserialize;

pub(super) static SAVE: Operation = Operation {
    name: "save",
    label: "Save to file",
    about: "Saves a running domain to a file and stops it. If saving fails, the domain continues \
            to run.",
    kinds: &[OpKind::SaveToFile],
    stages: &GUEST,
    data_loss: None,
    params: &[
        required("file", ParamKind::Path, "File to write", "/var/lib/xen/save/web1"),
        optional("force", ParamKind::Flag, "1", "Replace an existing file", "0"),
    ],
    success: Success::Accepted,
    build: |request| {
        let Save { force } = request.params.parse()?;
        let file = request.params.path("file")?;
        request.change(DomainOp::Save { file, checkpoint: false, replace: force })
    },
};

pub(crate) static RESTORE: Operation = Operation {
    name: "restore",
    label: "Restore",
    about: "Restores a domain from a file that save wrote, and unpauses it.",
    kinds: &[OpKind::RestoreDomain],
    stages: &[],
    data_loss: None,
    params: &[
        required("file", ParamKind::Path, "File to read", "/var/lib/xen/save/web1"),
        optional("paused", ParamKind::Flag, "0", "Leave the domain paused", "1"),
    ],
    success: Success::Restored,
    build: |request| {
        let Restore { paused } = request.params.parse()?;
        Ok(Change::Restore { file: request.params.path("file")?, paused }.into())
    },
};

pub(super) static DUMP: Operation = Operation {
    name: "dump",
    label: "Dump memory",
    about: "Writes the domain's memory to a core file for a debugger.",
    kinds: &[OpKind::Dump],
    stages: &GUEST,
    data_loss: None,
    params: &[
        required(
            "file",
            ParamKind::Path,
            "File to write; an existing file is replaced",
            "/var/lib/xen/dump/web1",
        ),
        optional("live", ParamKind::Flag, "0", "Keep the domain running meanwhile", "1"),
        optional("crash", ParamKind::Flag, "0", "Destroy the domain afterwards", "0"),
        optional("reset", ParamKind::Flag, "0", "Reset the domain afterwards", "0"),
    ],
    success: Success::Accepted,
    build: |request| {
        let Dump { live, crash, reset } = request.params.parse()?;
        let then = match (crash, reset) {
            (true, _) => AfterDump::Crash,
            (false, true) => AfterDump::Reset,
            (false, false) => AfterDump::GoOn,
        };
        request.change(DomainOp::Dump { file: Some(request.params.path("file")?), live, then })
    },
};

/// xend had no such operation: it could not cancel a save or a migration.
pub(crate) static CANCEL: Operation = Operation {
    name: "cancel",
    label: "Cancel",
    about: "Cancels a save, suspend or migration in progress. The domain continues to run on this \
            host.",
    kinds: &[OpKind::Cancel],
    stages: &GUEST,
    data_loss: None,
    params: &[],
    success: Success::Empty,
    build: |request| Ok(Change::Cancel(request.domain()).into()),
};

/// Clients before xm 4.2 send no `force`, and expect that a file is replaced.
#[derive(Debug, Deserialize)]
struct Save {
    #[serde(default = "yes", deserialize_with = "flag")]
    force: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
struct Restore {
    #[serde(default, deserialize_with = "flag")]
    paused: bool,
}

/// libvirt sends no `reset`.
#[derive(Debug, Deserialize)]
struct Dump {
    #[serde(default, deserialize_with = "flag")]
    live: bool,
    #[serde(default, deserialize_with = "flag")]
    crash: bool,
    #[serde(default, deserialize_with = "flag")]
    reset: bool,
}
