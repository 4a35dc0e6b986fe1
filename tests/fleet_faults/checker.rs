//! Whether a domain ran twice: the histories of all hosts are read and compared.

use std::collections::BTreeMap;

/// The run of a domain on a host, in nanoseconds of the machine's `CLOCK_MONOTONIC`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) domain: String,
    pub(crate) host: String,
    pub(crate) from: u64,
    /// `None`: it has not ended.
    pub(crate) to: Option<u64>,
}

impl Run {
    /// Whether there is a moment in both. One that ends when the other begins has none with it.
    fn overlaps(&self, other: &Self) -> bool {
        let ends_after = |end: Option<u64>, moment| end.is_none_or(|end| end > moment);
        self.domain == other.domain
            && ends_after(self.to, other.from)
            && ends_after(other.to, self.from)
    }
}

/// The runs in the history of a host, see `src/backend/sim/history.rs`.
pub(crate) fn runs(host: &str, history: &str) -> Result<Vec<Run>, String> {
    let mut open: BTreeMap<u64, (u64, &str)> = BTreeMap::new();
    let mut runs = Vec::new();
    let mut end = |(from, domain): (u64, &str), to| {
        runs.push(Run { domain: domain.to_owned(), host: host.to_owned(), from, to });
    };
    for line in history.lines() {
        let strange = || format!("{host}: {line}");
        let words: Vec<_> = line.split(' ').collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse().ok());
        let time = number(1).ok_or_else(strange)?;
        match (words[0], number(2), words.get(3)) {
            // It may be said again by the next daemon.
            ("run", Some(domid), Some(domain)) => match open.get(&domid) {
                Some((_, before)) if before == domain => {}
                _ => {
                    if let Some(renamed) = open.insert(domid, (time, domain)) {
                        end(renamed, Some(time));
                    }
                }
            },
            ("end", Some(domid), None) => {
                if let Some(run) = open.remove(&domid) {
                    end(run, Some(time));
                }
            }
            ("off", None, None) => {
                for run in std::mem::take(&mut open).into_values() {
                    end(run, Some(time));
                }
            }
            _ => return Err(strange()),
        }
    }
    for run in open.into_values() {
        end(run, None);
    }
    Ok(runs)
}

/// All pairs of runs in which a domain runs twice.
pub(crate) fn doubled(runs: &[Run]) -> Vec<(&Run, &Run)> {
    let pairs = runs.iter().enumerate().flat_map(|(at, run)| {
        let others = runs[at + 1..].iter();
        others.filter(|other| run.overlaps(other)).map(move |other| (run, other))
    });
    pairs.collect()
}

/// The times in which a domain does not run, between its first run and `now`.
pub(crate) fn gaps(runs: &[Run], domain: &str, now: u64) -> Vec<(u64, u64)> {
    let mut own: Vec<_> = runs.iter().filter(|run| run.domain == domain).collect();
    own.sort_by_key(|run| run.from);
    let mut gaps = Vec::new();
    let mut until = None;
    for run in own {
        if let Some(until) = until.filter(|until| *until < run.from) {
            gaps.push((until, run.from));
        }
        until = until.max(Some(run.to.unwrap_or(now)));
    }
    gaps.extend(until.filter(|until| *until < now).map(|until| (until, now)));
    gaps
}
