//! Domains and files.

use super::{Function, Work, on};
use crate::core::op::{AfterDump, Change, DomainOp};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "xend.domain.save",
        takes: &["dom", "file", "checkpoint"],
        needs: 2,
        make: |args, _| {
            let (file, checkpoint) = (args.path(1)?, args.flag(2, false)?);
            Ok(Work::silent(on(args, DomainOp::Save { file, checkpoint })?))
        },
    },
    Function {
        name: "xend.domain.restore",
        takes: &["file", "paused"],
        needs: 1,
        make: |args, _| {
            Ok(Work::shown(Change::Restore { file: args.path(0)?, paused: args.flag(1, false)? }))
        },
    },
    Function {
        name: "xend.domain.dump",
        takes: &["dom", "file", "live", "crash", "reset"],
        needs: 1,
        make: |args, _| {
            let file = if args.optional_text(1)?.is_some() { Some(args.path(1)?) } else { None };
            let then = match (args.flag(3, false)?, args.flag(4, false)?) {
                (true, _) => AfterDump::Crash,
                (false, true) => AfterDump::Reset,
                (false, false) => AfterDump::GoOn,
            };
            Ok(Work::silent(on(args, DomainOp::Dump { file, live: args.flag(2, false)?, then })?))
        },
    },
];
