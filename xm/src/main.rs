//! `xm`, the command line of old Xen hosts, as a client of xend.
//!
//! What scripts read is printed byte for byte as xm 4.1.6 printed it. `cli/` has the table's types,
//! reads command lines and prints help, manual and completions; `wire/` speaks HTTP; `commands/`
//! has a file for each command or family of commands, which `commands/table.rs` lists.

mod answers;
mod bounded_file;
mod caught_signals;
mod cli;
mod commands;
mod context;
mod dispatch;
mod domain;
mod events;
mod failure;
mod gateway;
mod keys;
mod output;
mod password;
mod raw_terminal;
mod targets;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(dispatch::main(&std::env::args_os().skip(1).collect::<Vec<_>>()))
}
