//! `xm top`

use crate::cli::command::Command;
use crate::cli::option::{flag, option};
use crate::cli::words::{Words, invalid};
use crate::context::Context;
use crate::domain::Domain;
use crate::failure::Failure;
use crate::keys::Keys;
use crate::output::{bold, clear_screen, is_terminal, print_styled, shown};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

pub(super) static COMMANDS: [Command; 1] =
    [Command::new("top", "", "Show what domains use, again and again; q ends it.", (0, 0), run)
        .common()
        .with(&[
            option('d', "delay", "SECONDS", "The time between two screens [3]"),
            option('i', "iterations", "N", "Stop after N screens"),
            flag('b', "batch", "Print one screen below the other"),
        ])];

/// The longest time between two screens, in seconds.
const MAX_DELAY: f64 = 3600.0;

/// The CPU time of each domain at one moment.
struct Moment {
    at: Instant,
    cpu_times: HashMap<String, f64>,
}

fn run(context: &Context, words: &Words) -> Result<(), Failure> {
    let meaning = format!("a number of seconds from 0 to {MAX_DELAY}");
    let delay: f64 = words.number("delay", &meaning)?.unwrap_or(3.0);
    if !(0.0..=MAX_DELAY).contains(&delay) {
        return Err(invalid("--delay", &meaning, words.value("delay").unwrap_or_default()));
    }
    let screens: Option<u64> = words.number("iterations", "a number of screens")?;
    let is_batch = words.has("batch");
    // A pager has keys of its own.
    let keys = if is_batch || !is_terminal() { Keys::none() } else { Keys::of_stdin() };
    let mut before: Option<Moment> = None;
    let mut shown = 0;
    loop {
        let domains = context.gateway.domains("all")?;
        let running: Vec<_> = domains.iter().filter(|domain| domain.domid().is_some()).collect();
        let now = Moment {
            at: Instant::now(),
            cpu_times: running.iter().map(|d| (key(d), d.cpu_time())).collect(),
        };
        if !is_batch {
            clear_screen()?;
        }
        print_styled(screen(&running, before.as_ref(), &now))?;
        shown += 1;
        if screens.is_some_and(|most| shown >= most) {
            return Ok(());
        }
        before = Some(now);
        if keys.wait(Duration::from_secs_f64(delay)) {
            return Ok(());
        }
    }
}

/// A restarted domain has another domid, and begins anew.
fn key(domain: &Domain) -> String {
    format!("{} {}", domain.domid_text(), domain.name())
}

fn screen(domains: &[&Domain], before: Option<&Moment>, now: &Moment) -> String {
    let header = format!(
        "{:>24} {:>6} {:>10} {:>6} {:>10} {:>5}",
        "NAME", "STATE", "CPU(sec)", "CPU(%)", "MEM(k)", "VCPUS"
    );
    let mut out = bold(&header);
    out.push('\n');
    for domain in domains {
        let percent = before.and_then(|before| {
            let spent = domain.cpu_time() - before.cpu_times.get(&key(domain))?;
            let seconds = now.at.duration_since(before.at).as_secs_f64();
            Some(if seconds > 0.0 { spent.max(0.0) / seconds * 100.0 } else { 0.0 })
        });
        let _ = writeln!(
            out,
            "{:>24} {:>6} {:>10.0} {:>6.1} {:>10} {:>5}",
            shown(domain.name()),
            shown(domain.state()),
            domain.cpu_time(),
            percent.unwrap_or_default(),
            domain.memory() * 1024,
            domain.vcpus()
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use xend_sxp::{Limits, read_one};

    #[test]
    fn the_use_of_cpus_is_that_since_the_last_screen() {
        let text = b"(domain (domid 1) (name a) (state -b----) (cpu_time 12.5) (memory 64) \
            (online_vcpus 2))";
        let domain = Domain::read(read_one(text, &Limits::DEFAULT).unwrap()).unwrap();
        let at = Instant::now();
        let before = Moment { at, cpu_times: HashMap::from([("1 a".to_owned(), 11.5)]) };
        let now = Moment { at: at + Duration::from_secs(2), cpu_times: HashMap::new() };
        let lines = screen(&[&domain], Some(&before), &now);
        let line = lines.lines().nth(1).unwrap();
        let row = ["a", "-b----", "12", "50.0", "65536", "2"];
        assert_eq!(line.split_whitespace().collect::<Vec<_>>(), row);
    }
}
