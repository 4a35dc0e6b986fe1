//! Failed logins slow down later ones.
//!
//! Failures are counted by account, by source, and by both together. From some number on each
//! further one doubles the time to the next attempt, up to a limit. The counts go down with time.
//!
//! | count | grows from | up to | goes down |
//! |---|---|---|---|
//! | one account from one source | the 3rd failure | 30 s | every minute |
//! | all accounts from one source | the 10th | 30 s | every 20 s |
//! | one account from all sources | the 20th | 5 s | every 10 s |
//!
//! So a guesser at one address has three attempts and then two a minute. These do not fill the
//! other two counts: the owner of the account, elsewhere, and other users at the same address
//! (behind a proxy, in an office) log in as ever. Guessers at many addresses are slowed by the
//! third count. The owner's attempts from an address that is new to the account wait and fail with
//! theirs then. From a source where the account has logged in before, only the first count holds.
//!
//! An attempt counts as a failure when it begins, and no longer when it succeeds, so that many
//! attempts at the same time are no way round. An attempt that would have to wait too long fails at
//! once: few attempts of a source wait at any time. The same counts are kept for names without an
//! account, which are not told apart.

use super::source::Source;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The longest wait of an attempt. One that has to wait longer fails.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The number of counts. Two processors cannot check the passwords of so many in the time that
/// counts take to go down.
const MAX_COUNTS: usize = 32_768;

/// The number of accounts with known sources, and of sources of each.
const MAX_KNOWN_ACCOUNTS: usize = 16_384;
const MAX_KNOWN_SOURCES: usize = 16;

/// For how long a source is known after a login.
const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How failures of one kind slow down attempts.
#[derive(Debug)]
struct Rule {
    /// The failure after which the next attempt waits a second.
    from: u32,
    /// The longest time between two attempts.
    most: Duration,
    /// The time after which one failure is forgotten.
    forget: Duration,
}

const OF_BOTH: Rule =
    Rule { from: 3, most: Duration::from_secs(30), forget: Duration::from_secs(60) };
const OF_SOURCE: Rule =
    Rule { from: 10, most: Duration::from_secs(30), forget: Duration::from_secs(20) };
const OF_ACCOUNT: Rule =
    Rule { from: 20, most: Duration::from_secs(5), forget: Duration::from_secs(10) };

impl Rule {
    /// The time from the last of so many failures to the next attempt.
    fn delay(&self, failures: u32) -> Duration {
        match failures.checked_sub(self.from) {
            None => Duration::ZERO,
            Some(doublings) => {
                let seconds = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
                Duration::from_secs(seconds).min(self.most)
            }
        }
    }
}

/// The failures of an account, of a source, or of both together.
#[derive(Debug)]
struct Count {
    rule: &'static Rule,
    failures: u32,
    /// When `failures` was right.
    as_of: Instant,
    /// The earliest time of the next attempt.
    next: Instant,
}

impl Count {
    fn new(rule: &'static Rule, now: Instant) -> Self {
        Self { rule, failures: 0, as_of: now, next: now }
    }

    fn forget_old(&mut self, now: Instant) {
        while self.failures > 0 && now.duration_since(self.as_of) >= self.rule.forget {
            self.failures -= 1;
            self.as_of += self.rule.forget;
        }
        if self.failures == 0 {
            self.as_of = now;
        }
    }

    /// Counts an attempt at the time `at`.
    fn add(&mut self, at: Instant) {
        // More failures would not slow down further, but take longer to forget.
        if self.rule.delay(self.failures) < self.rule.most {
            self.failures += 1;
        }
        let delay = self.rule.delay(self.failures);
        if delay > Duration::ZERO {
            self.next = at + delay;
        }
    }
}

/// The counts of all accounts and sources.
#[derive(Debug, Default)]
pub(super) struct Slowdown {
    state: Mutex<State>,
    /// Has a key of the process's own: nobody can choose names that share a count.
    keys: RandomState,
}

#[derive(Debug, Default)]
struct State {
    /// By the hash of what is counted: so names of any length take the same room.
    counts: HashMap<u64, Count>,
    /// Sources of earlier logins, by account.
    known: HashMap<String, Vec<(Source, Instant)>>,
}

/// An attempt that may be made.
#[derive(Debug)]
pub(super) struct Attempt {
    /// The time from which it may be made.
    pub(super) at: Instant,
    /// Whether the account has logged in from there before.
    pub(super) is_known: bool,
    user: String,
    source: Source,
    counts: Vec<u64>,
}

impl Slowdown {
    /// Plans an attempt and counts it as a failure; `None` if it would have to wait too long.
    pub(super) fn plan(&self, user: &str, source: Source, now: Instant) -> Option<Attempt> {
        let mut state = self.lock();
        let mut rules = vec![(&OF_BOTH, self.keys.hash_one((0, user, source)))];
        let is_known = state.is_known(user, source, now);
        if !is_known {
            rules.push((&OF_SOURCE, self.keys.hash_one((1, source))));
            rules.push((&OF_ACCOUNT, self.keys.hash_one((2, user))));
        }
        let next = |(_, key): &(_, u64)| state.counts.get(key).map(|count| count.next);
        let at = rules.iter().filter_map(next).max().map_or(now, |next| next.max(now));
        if at > now + LONGEST_WAIT {
            return None;
        }
        for (rule, key) in &rules {
            state.count(*key, rule, now).add(at);
        }
        let counts = rules.into_iter().map(|(_, key)| key).collect();
        Some(Attempt { at, is_known, user: user.to_owned(), source, counts })
    }

    /// Whether the account has logged in from there before.
    pub(super) fn is_known(&self, user: &str, source: Source, now: Instant) -> bool {
        self.lock().is_known(user, source, now)
    }

    /// Takes back the count of an attempt that did not fail.
    pub(super) fn withdraw(&self, attempt: &Attempt) {
        let mut state = self.lock();
        for key in &attempt.counts {
            if let Some(count) = state.counts.get_mut(key) {
                count.failures = count.failures.saturating_sub(1);
                if count.failures == 0 {
                    state.counts.remove(key);
                }
            }
        }
    }

    /// Remembers the source of a login, and takes back its count.
    pub(super) fn succeeded(&self, attempt: Attempt, now: Instant) {
        self.withdraw(&attempt);
        self.lock().remember(attempt.user, attempt.source, now);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The count with this key.
    fn count(&mut self, key: u64, rule: &'static Rule, now: Instant) -> &mut Count {
        if self.counts.len() >= MAX_COUNTS && !self.counts.contains_key(&key) {
            self.make_room(now);
        }
        let count = self.counts.entry(key).or_insert_with(|| Count::new(rule, now));
        count.forget_old(now);
        count
    }

    /// Drops the lowest counts.
    fn make_room(&mut self, now: Instant) {
        self.counts.retain(|_, count| {
            count.forget_old(now);
            count.failures > 0
        });
        let surplus = self.counts.len().saturating_sub(MAX_COUNTS - MAX_COUNTS / 8);
        let mut counts: Vec<_> =
            self.counts.iter().map(|(key, count)| (count.failures, count.next, *key)).collect();
        counts.sort_unstable();
        for (_, _, key) in counts.into_iter().take(surplus) {
            self.counts.remove(&key);
        }
    }

    fn is_known(&self, user: &str, source: Source, now: Instant) -> bool {
        let known = |(known, login): &(Source, Instant)| {
            *known == source && now.duration_since(*login) < KNOWN_FOR
        };
        self.known.get(user).is_some_and(|sources| sources.iter().any(known))
    }

    fn remember(&mut self, user: String, source: Source, now: Instant) {
        if self.known.len() >= MAX_KNOWN_ACCOUNTS && !self.known.contains_key(&user) {
            let last =
                |sources: &[(Source, Instant)]| sources.iter().map(|(_, login)| *login).max();
            let oldest = self.known.iter().min_by_key(|(_, sources)| last(sources));
            if let Some(oldest) = oldest.map(|(user, _)| user.clone()) {
                self.known.remove(&oldest);
            }
        }
        let sources = self.known.entry(user).or_default();
        sources.retain(|(known, _)| *known != source);
        if sources.len() >= MAX_KNOWN_SOURCES {
            // The first one is the oldest.
            sources.remove(0);
        }
        sources.push((source, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HERE: Source = Source::Ipv4(Ipv4Addr::new(192, 0, 2, 1));
    const THERE: Source = Source::Ipv4(Ipv4Addr::new(198, 51, 100, 1));

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn nth(n: u32) -> Source {
        Source::Ipv4(Ipv4Addr::from_bits(n))
    }

    #[test]
    fn a_guesser_waits_longer_each_time() {
        let slowdown = Slowdown::default();
        let start = Instant::now();
        let mut now = start;
        let mut waits = Vec::new();
        for _ in 0..7 {
            let attempt = slowdown.plan("steve", HERE, now).unwrap();
            waits.push((attempt.at - now).as_secs());
            now = attempt.at;
        }
        assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8]);
        // The next one would be after 16 seconds.
        assert!(slowdown.plan("steve", HERE, now).is_none());
        let attempt = slowdown.plan("steve", HERE, now + seconds(6)).unwrap();
        assert_eq!(attempt.at, now + seconds(16));
        // Nothing is left after a while.
        let later = now + seconds(10 * 60);
        assert_eq!(slowdown.plan("steve", HERE, later).unwrap().at, later);
    }

    #[test]
    fn attempts_at_the_same_time_are_no_way_round() {
        let slowdown = Slowdown::default();
        let now = Instant::now();
        let planned: Vec<_> = (0..100).filter_map(|_| slowdown.plan("steve", HERE, now)).collect();
        assert_eq!(planned.len(), 6);
        // They do not count if the password was right.
        for attempt in planned {
            slowdown.succeeded(attempt, now);
        }
        assert!(slowdown.lock().counts.is_empty());
    }

    #[test]
    fn a_guesser_does_not_slow_down_others() {
        let slowdown = Slowdown::default();
        let mut now = Instant::now();
        // Ten minutes of attempts at one account from one address.
        for _ in 0..1200 {
            now += Duration::from_millis(500);
            slowdown.plan("steve", HERE, now);
        }
        // The owner elsewhere, and somebody else at the same address.
        for (user, source) in [("steve", THERE), ("ann", HERE)] {
            let attempt = slowdown.plan(user, source, now).unwrap();
            assert_eq!(attempt.at, now, "{user}");
        }
    }

    #[test]
    fn guessers_at_many_addresses_are_slowed_down_by_the_account() {
        let slowdown = Slowdown::default();
        let now = Instant::now();
        let own = slowdown.plan("steve", HERE, now).unwrap();
        slowdown.succeeded(own, now);
        let planned = (0..1000).filter_map(|n| slowdown.plan("steve", nth(n), now)).count();
        assert_eq!(planned, 23);
        assert!(slowdown.plan("steve", THERE, now).is_none());
        // Not where the owner logged in before, and not for other accounts.
        assert_eq!(slowdown.plan("steve", HERE, now).unwrap().at, now);
        assert_eq!(slowdown.plan("ann", THERE, now).unwrap().at, now);
    }

    #[test]
    fn a_guesser_of_names_is_slowed_down_by_the_source() {
        let slowdown = Slowdown::default();
        let now = Instant::now();
        let names = (0..1000).map(|n| format!("user{n}"));
        let planned = names.filter_map(|name| slowdown.plan(&name, HERE, now)).count();
        assert_eq!(planned, 13);
    }

    #[test]
    fn tables_have_a_limit_and_keep_the_worst() {
        let slowdown = Slowdown::default();
        let now = Instant::now();
        for _ in 0..4 {
            slowdown.plan("steve", HERE, now);
        }
        for n in 0..50_000 {
            slowdown.plan(&n.to_string(), nth(n), now);
        }
        assert!(slowdown.lock().counts.len() <= MAX_COUNTS);
        assert!(slowdown.plan("steve", HERE, now).unwrap().at > now);
        for n in 0..100 {
            let attempt = slowdown.plan("ann", nth(1_000_000 + n), now + seconds(3600)).unwrap();
            slowdown.succeeded(attempt, now + seconds(3600));
        }
        assert_eq!(slowdown.lock().known["ann"].len(), MAX_KNOWN_SOURCES);
    }
}
