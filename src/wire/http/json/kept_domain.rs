//! Domains as JSON that is printed once. Their present state, which comes first, is printed
//! whenever they are listed.

use super::domain::Domain;
use super::figures::WithFigures as _;
use crate::core::snapshot::{DomainView, GappedText, TextForm};
use crate::shape;
use serde::Serialize;
use std::io;

/// The keys of a [`Domain`] that change all the time, and those before them.
#[derive(Serialize)]
struct Head {
    domid: Option<u32>,
    state: &'static str,
    managed: bool,
    online_vcpus: Option<u32>,
    cpu_time_seconds: Option<f64>,
}

/// The first key after those of [`Head`].
const REST: &[u8] = b",\"started_at\":";

impl Head {
    fn of(view: &DomainView) -> Self {
        let facts = view.facts.as_ref();
        Self {
            domid: view.domid().map(|domid| domid.0),
            state: shape::state_word(view),
            managed: view.managed(),
            online_vcpus: facts.map(|facts| facts.online_vcpus),
            cpu_time_seconds: facts.map(|facts| facts.cpu_time.as_secs_f64()),
        }
    }
}

/// Appends a domain as [`Domain`] is printed. Writes to `tag` what tells it from others, figures
/// apart; `digest` sums a text up.
pub(crate) fn append(
    out: &mut Vec<u8>,
    tag: &mut impl io::Write,
    view: &DomainView,
    digest: impl FnOnce(&[u8]) -> [u64; 2],
) {
    let rest = view.text(TextForm::Json, || print_rest(view, digest));
    let mut head = Head::of(view);
    print(&head, &mut *out);
    // The object goes on.
    out.pop();
    rest.write(out, |_, _| {});
    head.cpu_time_seconds = None;
    print(&head, &mut *tag);
    for part in rest.digest() {
        // A tag takes whatever it is given.
        let _ = tag.write_all(&part.to_le_bytes());
    }
}

fn print_rest(view: &DomainView, digest: impl FnOnce(&[u8]) -> [u64; 2]) -> GappedText {
    let mut domain = Domain::of(view);
    let text = rest_of(&domain);
    domain.blank_figures();
    let digest = digest(&rest_of(&domain));
    GappedText::new(text, vec![]).with_digest(digest)
}

/// A domain from its first key after those of [`Head`] on.
fn rest_of(domain: &Domain) -> Vec<u8> {
    let mut text = Vec::new();
    print(domain, &mut text);
    // Nothing before it is chosen by anybody.
    let begin = text.windows(REST.len()).position(|part| part == REST);
    text.drain(..begin.unwrap_or_default());
    text
}

/// Prints a value. The types of this module can be printed, and neither of the writers fails.
fn print(value: &impl Serialize, to: impl io::Write) {
    serde_json::to_writer(to, value).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomName, DomainConfig, DomainFacts, Uuid};
    use crate::core::snapshot::fixtures::{facts, running, with_figures};
    use std::time::Duration;

    fn appended(view: &DomainView) -> (String, Vec<u8>) {
        let mut out = Vec::new();
        let mut tag = Vec::new();
        append(&mut out, &mut tag, view, |text| [text.len() as u64, 7]);
        (String::from_utf8(out).unwrap(), tag)
    }

    #[test]
    fn a_kept_domain_is_the_one_that_is_printed_anew() {
        let config = DomainConfig::new(DomName::adopted("a"), 64);
        let halted = DomainView::defined(Uuid::from_u128(1), config.clone());
        let first = running(7, config);
        let figures = DomainFacts { memory_kib: 1, ..facts(7, Duration::from_millis(1_500)) };
        let later = with_figures(&first, figures.clone());
        for view in [&*first, &later, &halted] {
            assert_eq!(appended(view).0, serde_json::to_string(&Domain::of(view)).unwrap());
        }
        assert_ne!(appended(&first).0, appended(&later).0);
        assert_eq!(appended(&first).1, appended(&later).1, "figures make no difference");
        let more = with_figures(&first, DomainFacts { online_vcpus: 7, ..figures });
        assert_ne!(appended(&first).1, appended(&more).1);
    }
}
