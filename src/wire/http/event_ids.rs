//! The ids of events, with which clients continue a stream.
//!
//! An operator's id is `VOLUME-NUMBER`. Numbers count the events of all domains, so they would tell
//! a user how much happens on the domains of others: a user's id is the number, encrypted. Each id
//! is another one, even of the same number.

use crate::core::view::View;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rounds of encryption. Four make a block cipher out of a keyed hash (Luby and Rackoff).
const ROUNDS: u8 = 4;

/// Makes and reads the ids of events.
#[derive(Default)]
pub(super) struct EventIds {
    /// A random key of this run of the daemon.
    key: RandomState,
    made: AtomicU64,
}

impl EventIds {
    /// The id of event `number` for the caller of the view.
    pub(super) fn id(&self, view: &View, number: u64) -> String {
        if view.caller().is_operator() {
            return format!("{:08x}-{number}", view.journal_volume());
        }
        self.encrypt(number)
    }

    /// The number of an id that the caller of the view was given in this run of the daemon.
    pub(super) fn number(&self, view: &View, id: &str) -> Option<u64> {
        let id = id.trim();
        if view.caller().is_operator() {
            let (volume, number) = id.split_once('-')?;
            let is_current = u32::from_str_radix(volume, 16).ok()? == view.journal_volume();
            return number.parse().ok().filter(|_| is_current);
        }
        self.decrypt(id)
    }

    /// Whether a text looks like an id, of whatever run of the daemon and whatever caller.
    pub(super) fn is_id(text: &str) -> bool {
        let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let text = text.trim();
        match text.split_once('-') {
            Some((volume, number)) => {
                volume.len() == 8 && is_hex(volume) && number.parse::<u64>().is_ok()
            }
            None => text.len() == 32 && is_hex(text),
        }
    }

    fn encrypt(&self, number: u64) -> String {
        let nonce = self.made.fetch_add(1, Ordering::Relaxed);
        let block = (0..ROUNDS).fold((nonce, number), |(left, right), round| {
            (right, left ^ self.key.hash_one((round, right)))
        });
        format!("{:016x}{:016x}", block.0, block.1)
    }

    /// An id of somebody's own making has a random number, which no event has.
    fn decrypt(&self, id: &str) -> Option<u64> {
        if id.len() != 32 {
            return None;
        }
        let half = |text: Option<&str>| u64::from_str_radix(text?, 16).ok();
        let block = (half(id.get(..16))?, half(id.get(16..))?);
        let block = (0..ROUNDS)
            .rev()
            .fold(block, |(left, right), round| (right ^ self.key.hash_one((round, left)), left));
        Some(block.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn an_encrypted_number_comes_back() {
        let ids = EventIds::default();
        let made: HashSet<String> = (0..100).map(|number| ids.encrypt(number / 10)).collect();
        assert_eq!(made.len(), 100, "each id is another one");
        let numbers: HashSet<_> = made.iter().filter_map(|id| ids.decrypt(id)).collect();
        assert_eq!(numbers, (0..10).collect());
        assert_eq!(ids.decrypt(&ids.encrypt(u64::MAX)), Some(u64::MAX));
        assert!(made.iter().all(|id| EventIds::is_id(id)) && EventIds::is_id("5f3a01c2-17"));
        for wrong in ["zz", "", "17", "5f3a01c2", "5f3a01c2-", "5f3a01c2-x", "1-2"] {
            assert!(!EventIds::is_id(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_made_up_id_has_no_number_of_an_event() {
        let ids = EventIds::default();
        for wrong in ["", "1-2", &"ä".repeat(16), &"g".repeat(32)] {
            assert_eq!(ids.decrypt(wrong), None, "{wrong}");
        }
        let id = ids.encrypt(5);
        for at in 0..id.len() {
            let digit = if &id[at..=at] == "0" { "1" } else { "0" };
            let forged = format!("{}{digit}{}", &id[..at], &id[at + 1..]);
            assert!(ids.decrypt(&forged).unwrap() > 1 << 32, "{forged}");
        }
        assert_ne!(EventIds::default().decrypt(&id), Some(5), "the key is another one");
    }
}
