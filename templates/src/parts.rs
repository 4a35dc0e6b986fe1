//! Small pieces that several pages show.

use maud::{Markup, html};

/// A name that leads somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What is shown.
    pub name: String,
    /// Where it leads: a path or a URL, percent-encoded.
    pub href: String,
}

impl Link {
    /// A link that shows `name` and leads to `href`.
    pub fn new(name: impl Into<String>, href: impl Into<String>) -> Self {
        Self { name: name.into(), href: href.into() }
    }
}

/// A named value, as in a row `memory` `128 MiB`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What is told.
    pub name: String,
    /// Its value, with its unit where the name does not say it. May have several lines.
    pub value: String,
}

impl Fact {
    /// The fact that `name` is `value`.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// A state in a word.
pub(crate) fn badge(word: &str) -> Markup {
    html! { span.badge.(word) { (word) } }
}

/// A moment, in UTC.
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

/// How long something has been there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uptime {
    /// In seconds.
    pub seconds: u64,
    /// When it began, in seconds since 1970, so that a script counts on.
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

/// A table of two columns, without a head: names and values.
pub(crate) fn fact_table(facts: &[Fact]) -> Markup {
    html! {
        div.scroll {
            table.facts {
                tbody {
                    @for fact in facts {
                        tr { th scope="row" { (fact.name) } td { (value(&fact.value)) } }
                    }
                }
            }
        }
    }
}

/// A value in running text, or as a block if its line breaks mean something.
pub(crate) fn value(value: &str) -> Markup {
    html! {
        @if value.contains('\n') { (preformatted(value)) } @else { (value) }
    }
}

/// Text whose every space and line break counts.
pub(crate) fn preformatted(text: &str) -> Markup {
    // HTML drops one line break right after <pre>. This one is dropped, so that the text's own is
    // kept. It can be focused, since a block wider than the window scrolls, which must work from
    // the keyboard.
    html! { pre tabindex="0" { "\n" (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_at_the_start_is_kept() {
        assert_eq!(preformatted("\n\\ \\/").into_string(), "<pre tabindex=\"0\">\n\n\\ \\/</pre>");
    }

    #[test]
    fn uptime_is_told_in_two_units_at_most() {
        let words = |seconds| Uptime { seconds, since: 0 }.words();
        assert_eq!(words(59), "59 s");
        assert_eq!(words(60 * 59 + 59), "59 min");
        assert_eq!(words(3600 * 5 + 60), "5 h 1 min");
        assert_eq!(words(86400 * 20 + 7200), "20 d 2 h");
    }

    #[test]
    fn a_value_of_several_lines_keeps_them() {
        let table = fact_table(&[Fact::new("cpu_topology", "cpu: core\n  0:    0")]).into_string();
        assert!(table.contains("cpu: core\n  0:    0</pre>"), "{table}");
        assert_eq!(value("Linux").into_string(), "Linux");
    }
}
