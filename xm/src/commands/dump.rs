//! `xm dump-core`

use super::progress::Progress;
use super::save::{host_path, text};
use crate::cli::command::Command;
use crate::cli::option::flag;
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::print_line;
use crate::wire::xmlrpc::Value;
use std::path::Path;

pub(super) static COMMANDS: [Command; 1] = [Command::new(
    "dump-core",
    "[-L|--live] [-C|--crash] [-R|--reset] <Domain> [Filename]",
    "Write the memory of a domain to a file.",
    (1, 2),
    run,
)
.common()
.of_files()
.with(&[
    flag('L', "live", "Let the domain run meanwhile"),
    flag('C', "crash", "Destroy the domain afterwards"),
    flag('R', "reset", "Reset the domain afterwards"),
])];

fn run(context: &Context, words: &Words) -> Result<(), Failure> {
    if words.has("crash") && words.has("reset") {
        return Err(Failure::new("-C and -R exclude each other"));
    }
    let domain = words.argument(0);
    // xend names a file that is not named.
    let file = match words.given().get(1) {
        Some(file) => text(&host_path(context, Path::new(file))?)?,
        None => Value::Nil,
    };
    print_line(format!("Dumping core of domain: {domain} ..."))?;
    let flags = ["live", "crash", "reset"].map(|flag| Value::Bool(words.has(flag)));
    let arguments: Vec<Value> = [Value::text(domain), file].into_iter().chain(flags).collect();
    let progress = Progress::of(context, domain);
    let dumped = context.gateway.call("xend.domain.dump", &arguments);
    progress.end();
    dumped.map(drop)
}
