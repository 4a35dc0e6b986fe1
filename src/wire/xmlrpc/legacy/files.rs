//! Save, restore, dump.

use super::function::{Function, Plan, on_domain};
use crate::core::op::{AfterDump, Change, DomainOp};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "xend.domain.save",
        // `force` came with xm 4.2; older ones expect that a file is replaced.
        params: &["dom", "file", "checkpoint", "force"],
        required: 2,
        plan: |args, _| {
            let file = args.path(1)?;
            let checkpoint = args.flag(2, false)?;
            let replace = args.flag(3, true)?;
            Ok(Plan::none(on_domain(args, DomainOp::Save { file, checkpoint, replace })?))
        },
    },
    Function {
        name: "xend.domain.restore",
        params: &["file", "paused"],
        required: 1,
        plan: |args, _| {
            Ok(Plan::record(Change::Restore { file: args.path(0)?, paused: args.flag(1, false)? }))
        },
    },
    Function {
        name: "xend.domain.dump",
        params: &["dom", "file", "live", "crash", "reset"],
        required: 1,
        plan: |args, _| {
            let file = if args.optional_text(1)?.is_some() { Some(args.path(1)?) } else { None };
            let then = match (args.flag(3, false)?, args.flag(4, false)?) {
                (true, _) => AfterDump::Crash,
                (false, true) => AfterDump::Reset,
                (false, false) => AfterDump::GoOn,
            };
            Ok(Plan::none(on_domain(
                args,
                DomainOp::Dump { file, live: args.flag(2, false)?, then },
            )?))
        },
    },
];
