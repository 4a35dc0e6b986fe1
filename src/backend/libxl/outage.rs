//! What the log says of a XenStore that does not answer for a time.

use std::fmt::Display;
use std::mem;

/// Something that needs XenStore and fails without it. The log has it once, and once when it is
/// over.
#[derive(Debug)]
pub(super) struct Outage {
    what: &'static str,
    is_out: bool,
}

impl Outage {
    pub(super) const fn of(what: &'static str) -> Self {
        Self { what, is_out: false }
    }

    /// It has failed, and is tried again.
    pub(super) fn failed(&mut self, reason: &dyn Display) {
        if self.is_news(true) {
            tracing::warn!(%reason, "{} failed, it is tried again and again", self.what);
        }
    }

    /// It works.
    pub(super) fn works(&mut self) {
        if self.is_news(false) {
            tracing::info!("{} works again", self.what);
        }
    }

    fn is_news(&mut self, is_out: bool) -> bool {
        mem::replace(&mut self.is_out, is_out) != is_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_once_and_once_when_it_is_over() {
        let mut outage = Outage::of("Waiting");
        let told = [false, true, true, true, false, false, true];
        assert_eq!(
            told.map(|is_out| outage.is_news(is_out)),
            [false, true, false, false, true, false, true]
        );
    }
}
