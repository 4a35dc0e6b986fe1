//! Domains and files.

use super::{Function, Refused, Work, on};
use crate::core::model::Invalid;
use crate::core::op::{AfterDump, Change, DomainOp};
use crate::wire::xmlrpc::args::Args;
use std::path::PathBuf;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "xend.domain.save",
        takes: &["dom", "file", "checkpoint"],
        needs: 2,
        make: |args, _| {
            let (file, checkpoint) = (path(args, 1)?, args.flag(2, false)?);
            Ok(Work::silent(on(args, DomainOp::Save { file, checkpoint })?))
        },
    },
    Function {
        name: "xend.domain.restore",
        takes: &["file", "paused"],
        needs: 1,
        make: |args, _| {
            Ok(Work::shown(Change::Restore { file: path(args, 0)?, paused: args.flag(1, false)? }))
        },
    },
    Function {
        name: "xend.domain.dump",
        takes: &["dom", "file", "live", "crash", "reset"],
        needs: 1,
        make: |args, _| {
            let file = if args.optional_text(1)?.is_some() { Some(path(args, 1)?) } else { None };
            let then = match (args.flag(3, false)?, args.flag(4, false)?) {
                (true, _) => AfterDump::Crash,
                (false, true) => AfterDump::Reset,
                (false, false) => AfterDump::GoOn,
            };
            Ok(Work::silent(on(args, DomainOp::Dump { file, live: args.flag(2, false)?, then })?))
        },
    },
];

/// A file of this host, which is the daemon's: its place does not depend on where a client was started.
fn path(args: &Args<'_>, at: usize) -> Result<PathBuf, Refused> {
    let path = PathBuf::from(args.text(at)?);
    if path.is_absolute() && !path.as_os_str().as_encoded_bytes().contains(&0) {
        return Ok(path);
    }
    Err(Invalid::new("file: an absolute path on the host is expected").into())
}
