//! `xm migrate`

use super::progress::Progress;
use crate::cli::command::Command;
use crate::cli::option::{flag, option};
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::Failure;
use crate::gateway::Gateway;

pub(super) static COMMANDS: [Command; 1] = [Command::new(
    "migrate",
    "<Domain> <Host>",
    "Move a running domain to another host.",
    (2, 2),
    run,
)
.common()
.with(&[
    flag('l', "live", "Let the guest run meanwhile"),
    option('p', "port", "PORT", "The relocation port of the other host"),
    option('n', "node", "NODE", "The NUMA node there; without effect today"),
    flag('s', "ssl", "Use an encrypted connection"),
    flag('c', "change_home_server", "Without effect today"),
    option('r', "resource", "MBIT", "The bandwidth; without effect today"),
])];

fn run(context: &Context, words: &Words) -> Result<(), Failure> {
    let progress = Progress::of(context, words.argument(0));
    let migrated = migrate(&context.gateway, words);
    progress.end();
    migrated
}

/// Carries out the command of these words.
pub(super) fn migrate(gateway: &Gateway, words: &Words) -> Result<(), Failure> {
    let port = words.number::<u16>("port", "a TCP port from 1 to 65535")?;
    let port = port.map(|port| port.to_string());
    words.number::<i64>("node", "the number of a NUMA node")?;
    words.number::<u64>("resource", "a number of Mbit/s")?;
    let mut parameters = vec![("destination", words.argument(1))];
    parameters.push(("live", if words.has("live") { "1" } else { "0" }));
    if let Some(port) = &port {
        parameters.push(("port", port));
    }
    if words.has("ssl") {
        parameters.push(("ssl", "1"));
    }
    gateway.operate_on(words.argument(0), "migrate", &parameters).map(drop)
}
