//! The page of a few named values, such as the result of `cpu_sedf_get`.

use crate::layout::{Frame, Layout};
use crate::parts::{Fact, Link, fact_table};
use maud::html;

/// The page of an operation's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPage {
    pub frame: Frame,
    pub title: String,
    pub facts: Vec<Fact>,
    pub back: Link,
}

impl RecordPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            section.card { (fact_table(&self.facts)) }
            p.back { a href=(self.back.href) { "Back to " (self.back.name) } }
        };
        Layout { is_result: true, ..Layout::new(&self.title, &self.frame, body) }.render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, frame};

    #[test]
    fn values_are_shown_and_escaped() {
        let page = RecordPage {
            frame: frame(&["xend", "domain", "pv1"]),
            title: HOSTILE.into(),
            facts: vec![Fact::new("period", "20000000 ns"), Fact::new(HOSTILE, HOSTILE)],
            back: Link::new(HOSTILE, "/xend/domain/pv1"),
        }
        .render();
        assert_document(&page);
        assert!(page.contains(r#"<th scope="row">period</th><td>20000000 ns</td>"#), "{page}");
        assert!(page.contains(r#"<a href="/xend/domain/pv1">Back to "#), "{page}");
    }
}
