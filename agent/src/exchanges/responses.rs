//! The responses that an exchange has put and nobody has removed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};
use xend_guest_protocol::limits::{KEPT_RESPONSES, RESPONSE_SECONDS};

/// Ids of responses, oldest first.
#[derive(Debug, Default)]
pub(super) struct Responses(VecDeque<(String, Instant)>);

impl Responses {
    /// Those that an earlier agent has left. They are as old as this agent, as far as it can tell.
    pub(super) fn left(ids: Vec<String>, now: Instant) -> Self {
        Self(ids.into_iter().map(|id| (id, now)).collect())
    }

    pub(super) fn add(&mut self, id: &str, now: Instant) {
        self.forget(id);
        self.0.push_back((id.to_owned(), now));
    }

    pub(super) fn forget(&mut self, id: &str) {
        self.0.retain(|(other, _)| other != id);
    }

    /// The oldest one, if there is no room for another.
    pub(super) fn take_surplus(&mut self) -> Option<String> {
        if self.0.len() < KEPT_RESPONSES { None } else { self.0.pop_front().map(|(id, _)| id) }
    }

    /// The oldest one, if no host waits for it any more.
    pub(super) fn take_old(&mut self, now: Instant) -> Option<String> {
        let (_, put) = self.0.front()?;
        let age = now.saturating_duration_since(*put);
        if age < Duration::from_secs(RESPONSE_SECONDS) {
            return None;
        }
        self.0.pop_front().map(|(id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_responses_and_surplus_ones_go() {
        let start = Instant::now();
        let mut responses = Responses::left(vec!["left".into()], start);
        for number in 1..KEPT_RESPONSES {
            assert_eq!(responses.take_surplus(), None);
            responses.add(&number.to_string(), start + Duration::from_secs(60));
        }
        assert_eq!(responses.take_surplus().as_deref(), Some("left"));
        assert_eq!(responses.take_surplus(), None);
        assert_eq!(responses.take_old(start + Duration::from_secs(659)), None);
        // A response that is put again is new.
        responses.add("1", start + Duration::from_secs(120));
        let later = start + Duration::from_secs(661);
        let old = std::iter::from_fn(|| responses.take_old(later)).collect::<Vec<_>>();
        assert_eq!(old.len(), KEPT_RESPONSES - 2);
        assert_eq!(old.first().map(String::as_str), Some("2"));
    }
}
