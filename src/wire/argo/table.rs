//! The table of the daemon's own commands, from which `help` and the documentation are printed.

use super::command::Command;
use super::commands::facts::{INFO, UPTIME};
use super::commands::host::{DMESG, LOAD};
use super::commands::image::IMAGE;
use super::commands::list::LIST;
use super::commands::network::{IP, MAC, RX, TX};
use super::commands::power::{PAUSE, REBOOT, START, STOP, UNPAUSE};
use super::commands::session::{AUTH, EXIT, HELP, NOP};

/// All commands, sorted by name.
pub(super) static COMMANDS: [&Command; 19] = [
    &AUTH, &DMESG, &EXIT, &HELP, &IMAGE, &INFO, &IP, &LIST, &LOAD, &MAC, &NOP, &PAUSE, &REBOOT,
    &RX, &START, &STOP, &TX, &UNPAUSE, &UPTIME,
];

/// The command of this name.
pub(super) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.signature.name == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rights::Need;
    use crate::wire::argo::command::Run;
    use std::fmt::Write;

    /// The table of the documentation.
    fn documented() -> String {
        let mut table = "| command | right | |\n|---|---|---|\n".to_owned();
        for Command { signature, .. } in COMMANDS {
            let right = match signature.need {
                Need::Anyone => "none".to_owned(),
                Need::Domain(right) => right.to_string(),
                Need::Create => "create".to_owned(),
                Need::HostFacts => "host-facts".to_owned(),
                Need::Operator => "operators alone".to_owned(),
            };
            let usage = signature.usage().replace('|', "\\|");
            writeln!(table, "| `{usage}` | {right} | {} |", signature.help).unwrap();
        }
        table
    }

    #[test]
    fn the_documentation_has_the_table() {
        let page = include_str!("../../../docs/argo.md");
        let table = documented();
        assert!(page.contains(&table), "docs/argo.md must have this table:\n{table}");
    }

    #[test]
    fn commands_are_sorted_and_consistent() {
        assert!(COMMANDS.is_sorted_by_key(|command| &command.signature.name));
        for Command { signature, run } in COMMANDS {
            let is_on_instance = matches!(run, Run::Instance(_));
            assert_eq!(signature.is_on_instance(), is_on_instance, "{}", signature.name);
            let needs_domain = matches!(signature.need, Need::Domain(_));
            assert_eq!(needs_domain, is_on_instance, "{}", signature.name);
        }
    }
}
