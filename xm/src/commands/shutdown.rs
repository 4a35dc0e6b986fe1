//! `xm shutdown` and `xm reboot`.

use crate::cli::command::Command;
use crate::cli::option::{ANY, flag};
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::print_line;
use crate::wire::xmlrpc::Value;
use std::thread::sleep;
use std::time::Duration;
use xend_sxp::Sxp;

/// How often xend is asked whether domains have stopped. xm asked once a second.
const INTERVAL: Duration = Duration::from_millis(200);

/// How often a domain that reboots may be missing before it has failed to: 30 s.
const MOST_MISSING: u32 = 150;

pub(super) static COMMANDS: [Command; 2] = [
    Command::new(
        "shutdown",
        "<Domain> [-waRH]",
        "Ask a domain to shut down.",
        (0, ANY),
        |context, words| shut_down(context, words, Mode::of(words)?),
    )
    .common()
    .with(&[
        flag('a', "all", "All guests"),
        flag('w', "wait", "Wait until they have stopped"),
        flag('H', "halt", "Halt them"),
        flag('R', "reboot", "Reboot them"),
    ]),
    Command::new(
        "reboot",
        "<Domain> [-wa]",
        "Ask a domain to reboot.",
        (0, ANY),
        |context, words| shut_down(context, words, Mode::Reboot),
    )
    .common()
    .with(&[
        flag('a', "all", "All guests"),
        flag('w', "wait", "Wait until they have started again"),
    ]),
];

/// What a guest is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Poweroff,
    Halt,
    Reboot,
}

impl Mode {
    /// The mode that the words of `xm shutdown` ask for.
    pub(super) fn of(words: &Words) -> Result<Self, Failure> {
        match (words.has("halt"), words.has("reboot")) {
            (true, true) => Err(Failure::new("-H and -R exclude each other")),
            (true, false) => Ok(Self::Halt),
            (false, true) => Ok(Self::Reboot),
            (false, false) => Ok(Self::Poweroff),
        }
    }

    /// xend's word for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Poweroff => "poweroff",
            Self::Halt => "halt",
            Self::Reboot => "reboot",
        }
    }
}

fn shut_down(context: &Context, words: &Words, mode: Mode) -> Result<(), Failure> {
    let names = match (words.has("all"), words.arguments()) {
        (true, []) => all_guests(context)?,
        // xm stopped all of them, whatever was named.
        (true, _) => return Err(Failure::new("-a means all domains: name one, or give -a alone")),
        (false, [name]) => vec![context.gateway.domain(name)?.name().to_owned()],
        (false, []) => return Err(Failure::new("A domain is needed, or -a for all")),
        (false, _) => return Err(Failure::new("One domain at a time, or -a for all")),
    };
    let is_waiting_for_reboot = words.has("wait") && mode == Mode::Reboot;
    let mut waiting = Vec::new();
    for name in names {
        let restarts = if is_waiting_for_reboot { restart_count(context, &name)? } else { 0 };
        let done = context.gateway.operate_on(&name, "shutdown", &[("reason", mode.name())]);
        match done {
            // One of all that has gone since.
            Err(failure) if words.has("all") && failure.is_no_such_domain() => {}
            Err(failure) => return Err(failure),
            Ok(_) => waiting.push((name, restarts)),
        }
    }
    match (words.has("wait"), mode) {
        (false, _) => Ok(()),
        (true, Mode::Reboot) => wait_for_reboots(context, waiting),
        (true, _) => wait_for_ends(context, waiting.into_iter().map(|(name, _)| name).collect()),
    }
}

/// The domains on the host but Domain-0.
fn all_guests(context: &Context) -> Result<Vec<String>, Failure> {
    let dom0 = context.gateway.domain("0").ok();
    let mut names = on_the_host(context)?;
    names.retain(|name| dom0.as_ref().is_none_or(|dom0| dom0.name() != name));
    Ok(names)
}

fn on_the_host(context: &Context) -> Result<Vec<String>, Failure> {
    let list = context.gateway.page("/xend/domain")?;
    let names = list.as_list().unwrap_or_default().iter().filter_map(Sxp::as_str);
    Ok(names.map(str::to_owned).collect())
}

fn wait_for_ends(context: &Context, mut waiting: Vec<String>) -> Result<(), Failure> {
    while !waiting.is_empty() {
        let alive = on_the_host(context)?;
        for name in waiting.iter().filter(|name| !alive.contains(name)) {
            print_line(format!("Domain {name} terminated"))?;
        }
        waiting.retain(|name| alive.contains(name));
        if !waiting.is_empty() {
            sleep(INTERVAL);
        }
    }
    print_line("All domains terminated")
}

/// How often xend has started a domain again.
fn restart_count(context: &Context, name: &str) -> Result<i64, Failure> {
    match context.gateway.query("xend.domain.getRestartCount", &[Value::text(name)])? {
        Value::Int(count) => Ok(count),
        other => Ok(other.to_text().parse().unwrap_or_default()),
    }
}

/// A domain that is waited for.
struct Rebooting {
    name: String,
    restarts: i64,
    /// How often it was not there.
    missing: u32,
}

/// What became of a domain that was to reboot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RebootEnd {
    Rebooted,
    Gone,
}

impl Rebooting {
    /// What became of the domain, whose count of restarts xend was asked for; `None` if it is to be
    /// waited for still.
    fn end(&mut self, restarts: Result<i64, Failure>) -> Result<Option<RebootEnd>, Failure> {
        match restarts {
            Ok(restarts) if restarts != self.restarts => Ok(Some(RebootEnd::Rebooted)),
            Ok(_) => Ok(None),
            Err(failure) if !failure.is_no_such_domain() => Err(failure),
            Err(_) if self.missing >= MOST_MISSING => Ok(Some(RebootEnd::Gone)),
            Err(_) => {
                self.missing += 1;
                Ok(None)
            }
        }
    }
}

fn wait_for_reboots(context: &Context, names: Vec<(String, i64)>) -> Result<(), Failure> {
    let begun = |(name, restarts)| Rebooting { name, restarts, missing: 0 };
    let mut waiting: Vec<_> = names.into_iter().map(begun).collect();
    let mut gone = Vec::new();
    while !waiting.is_empty() {
        let mut still = Vec::new();
        for mut domain in waiting {
            let end = domain.end(restart_count(context, &domain.name))?;
            let name = &domain.name;
            // The words are xm's.
            match end {
                Some(RebootEnd::Rebooted) => print_line(format!("Domain {name} rebooted"))?,
                Some(RebootEnd::Gone) => {
                    print_line(format!("Domain {name} destroyed for failing to reboot"))?;
                    gone.push(domain.name);
                }
                None => still.push(domain),
            }
        }
        waiting = still;
        if !waiting.is_empty() {
            sleep(INTERVAL);
        }
    }
    all_rebooted(&gone)
}

/// xm said of all domains that they had rebooted, whatever became of them.
fn all_rebooted(gone: &[String]) -> Result<(), Failure> {
    if gone.is_empty() {
        return print_line("All domains rebooted");
    }
    let names = gone.join(", ");
    Err(Failure::new(format!("Not all domains rebooted: {names} did not come back")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_that_does_not_come_back_has_failed_to_reboot() {
        let mut domain = Rebooting { name: "a".to_owned(), restarts: 1, missing: 0 };
        assert_eq!(domain.end(Ok(1)), Ok(None));
        for _ in 0..MOST_MISSING {
            assert_eq!(domain.end(Err(Failure::no_such_domain("a"))), Ok(None));
        }
        assert_eq!(domain.end(Err(Failure::no_such_domain("a"))), Ok(Some(RebootEnd::Gone)));
        assert_eq!(domain.end(Ok(2)), Ok(Some(RebootEnd::Rebooted)));
        assert!(domain.end(Err(Failure::new("x"))).is_err());
        assert!(all_rebooted(&[]).is_ok());
        let failure = all_rebooted(&["a".to_owned(), "b".to_owned()]).unwrap_err();
        assert_eq!(failure.to_string(), "Not all domains rebooted: a, b did not come back");
        assert_eq!(failure.status(), 1);
    }
}
