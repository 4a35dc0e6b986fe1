//! `save`, `restore`, `dump`: domains and files

use super::table::{GUEST, Operation, Success, Takes, needed, optional};
use crate::core::op::{AfterDump, Change, DomainOp};
use crate::wire::http::params::flag;
use serde::Deserialize;

pub(super) static SAVE: Operation = Operation {
    name: "save",
    label: "Save to a file",
    about: "Writes a running domain into a file and takes it off the host. If that fails, it goes on running.",
    when: &GUEST,
    loses: None,
    params: &[needed(
        "file",
        Takes::Path,
        "The file; one that is there is replaced",
        "/var/lib/xen/save/web1",
    )],
    success: Success::Accepted,
    op: |asked| {
        asked.domain(DomainOp::Save { file: asked.params.path("file")?, checkpoint: false })
    },
};

pub(super) static RESTORE: Operation = Operation {
    name: "restore",
    label: "Restore",
    about: "Builds a domain from a file that save made, and lets it run.",
    when: &[],
    loses: None,
    params: &[
        needed("file", Takes::Path, "The file", "/var/lib/xen/save/web1"),
        optional("paused", Takes::Flag, "0", "Whether the domain stays paused", "1"),
    ],
    success: Success::Restored,
    op: |asked| {
        let Restore { paused } = asked.params.request()?;
        Ok(Change::Restore { file: asked.params.path("file")?, paused }.into())
    },
};

pub(super) static DUMP: Operation = Operation {
    name: "dump",
    label: "Dump memory",
    about: "Writes the domain's memory to a core file, for a debugger.",
    when: &GUEST,
    loses: None,
    params: &[
        needed(
            "file",
            Takes::Path,
            "The file; one that is there is replaced",
            "/var/lib/xen/dump/web1",
        ),
        optional("live", Takes::Flag, "0", "Whether the domain goes on meanwhile", "1"),
        optional("crash", Takes::Flag, "0", "Whether it is destroyed afterwards", "0"),
        optional("reset", Takes::Flag, "0", "Whether it is built anew afterwards", "0"),
    ],
    success: Success::Accepted,
    op: |asked| {
        let Dump { live, crash, reset } = asked.params.request()?;
        let then = match (crash, reset) {
            (true, _) => AfterDump::Crash,
            (false, true) => AfterDump::Reset,
            (false, false) => AfterDump::GoOn,
        };
        asked.domain(DomainOp::Dump { file: Some(asked.params.path("file")?), live, then })
    },
};

/// xend had nothing of the kind; what it sent, it sent to its end.
pub(super) static CANCEL: Operation = Operation {
    name: "cancel",
    label: "Cancel",
    about: "Stops the domain's being saved, suspended or sent to another host: it goes on here.",
    when: &GUEST,
    loses: None,
    params: &[],
    success: Success::Empty,
    op: |asked| Ok(Change::Cancel(asked.target()).into()),
};

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
