//! Parts that several pages have.

use maud::{Markup, html};
use std::fmt::Write as _;

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The text.
    pub name: String,
    /// A path or a URL, percent-encoded.
    pub href: String,
}

impl Link {
    /// A link with the text `name` to `href`.
    pub fn new(name: impl Into<String>, href: impl Into<String>) -> Self {
        Self { name: name.into(), href: href.into() }
    }
}

/// A value in the query of a URL.
pub(crate) fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.:~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// A named value: `memory`, `128 MiB`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub name: String,
    /// The value, with a unit unless the name says it. It can have several lines.
    pub value: String,
}

impl Fact {
    /// A fact.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// A state as a coloured word.
pub(crate) fn badge(word: &str) -> Markup {
    html! { span.badge.(word) { (word) } }
}

/// A point in time, in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// For machines: `2026-11-21T13:00:00Z`.
    pub iso: String,
    /// For people: `2026-11-21 13:00:00`.
    pub text: String,
}

impl Moment {
    pub(crate) fn markup(&self) -> Markup {
        html! { time datetime=(self.iso) { (self.text) } }
    }
}

/// The time since a domain was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uptime {
    pub seconds: u64,
    /// The start in seconds since 1970, from which the script keeps counting.
    pub since: u64,
}

impl Uptime {
    /// `2 d 4 h`, `4 h 12 min`, `12 min`, `12 s`
    pub(crate) fn words(self) -> String {
        let days = self.seconds / 86400;
        let hours = self.seconds / 3600 % 24;
        let minutes = self.seconds / 60 % 60;
        match (days, hours, minutes) {
            (0, 0, 0) => format!("{} s", self.seconds),
            (0, 0, minutes) => format!("{minutes} min"),
            (0, hours, minutes) => format!("{hours} h {minutes} min"),
            (days, hours, _) => format!("{days} d {hours} h"),
        }
    }
}

/// A block that scrolls sideways, by keyboard as well.
pub(crate) fn scroll(label: &str, content: &Markup) -> Markup {
    html! { div.scroll tabindex="0" role="group" aria-label=(label) { (content) } }
}

/// A table of names and values, without a head.
pub(crate) fn fact_table(facts: &[Fact]) -> Markup {
    html! {
        (scroll("Facts", &html! {
            table.facts {
                tbody {
                    @for fact in facts {
                        tr { th scope="row" { (fact.name) } td { (value(&fact.value)) } }
                    }
                }
            }
        }))
    }
}

/// A value as text, or as a block if it has line breaks.
pub(crate) fn value(value: &str) -> Markup {
    html! {
        @if value.contains('\n') { (preformatted(value)) } @else { (value) }
    }
}

/// Text with all its spaces and line breaks.
pub(crate) fn preformatted(text: &str) -> Markup {
    // HTML drops a line break right after <pre>: it drops this one, and keeps that of the text. The
    // block can be focused, so that it can be scrolled with the keyboard.
    html! { pre tabindex="0" { "\n" (text) } }
}

/// A command that a button copies, which the script adds. `id` is a word that nothing else on the
/// page has.
pub(crate) fn copyable(id: &str, text: &str) -> Markup {
    html! { div.copyable data-copy=(id) { pre #(id) tabindex="0" { "\n" (text) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leading_line_break_is_kept() {
        assert_eq!(preformatted("\n\\ \\/").into_string(), "<pre tabindex=\"0\">\n\n\\ \\/</pre>");
    }

    #[test]
    fn uptime_has_two_units_at_most() {
        let words = |seconds| Uptime { seconds, since: 0 }.words();
        assert_eq!(words(59), "59 s");
        assert_eq!(words(60 * 59 + 59), "59 min");
        assert_eq!(words(3600 * 5 + 60), "5 h 1 min");
        assert_eq!(words(86400 * 20 + 7200), "20 d 2 h");
    }

    #[test]
    fn line_breaks_in_values_are_kept() {
        let table = fact_table(&[Fact::new("cpu_topology", "cpu: core\n  0:    0")]).into_string();
        assert!(table.contains("cpu: core\n  0:    0</pre>"), "{table}");
        assert_eq!(value("Linux").into_string(), "Linux");
    }
}
