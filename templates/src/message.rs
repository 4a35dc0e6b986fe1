//! What became of a request: done, or not.

use maud::html;

use crate::layout::Layout;
use crate::parts::Link;

/// An operation that was done, such as "Paused pv1."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagePage {
    /// The way from `/` to this page.
    pub crumbs: Vec<Link>,
    /// The heading.
    pub title: String,
    /// What was done, as a sentence.
    pub message: String,
    /// Where to go from here.
    pub back: Link,
}

/// A request that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPage {
    /// The way from `/` to this page.
    pub crumbs: Vec<Link>,
    /// The heading, such as "Request failed: create".
    pub title: String,
    /// What went wrong. Its line breaks are kept.
    pub message: String,
    /// What the reader can do about it.
    pub hint: Option<String>,
    /// Where to go from here.
    pub back: Link,
}

impl MessagePage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            p.message role="status" { (self.message) }
            (ways_on(&self.back))
        };
        Layout { title: &self.title, crumbs: &self.crumbs, body: Some(body), ..Layout::default() }
            .render()
    }
}

impl ErrorPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            p.message.error role="alert" { (self.message) }
            @if let Some(hint) = &self.hint { p.hint { (hint) } }
            (ways_on(&self.back))
        };
        Layout { title: &self.title, crumbs: &self.crumbs, body: Some(body), ..Layout::default() }
            .render()
    }
}

/// Back to where one was, and to the list.
fn ways_on(back: &Link) -> maud::Markup {
    html! {
        p.actions {
            a.button href=(back.href) { "Back to " (back.name) }
            " "
            a.button href="/xend/domain" { "All domains" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, crumbs};

    #[test]
    fn a_message_leads_back() {
        let page = MessagePage {
            crumbs: crumbs(&["xend", "domain", "pv1"]),
            title: HOSTILE.into(),
            message: "Paused pv1.".into(),
            back: Link::new(HOSTILE, "/xend/domain/pv1"),
        }
        .render();
        assert_document(&page);
        assert!(page.contains(">Paused pv1.</p>"), "{page}");
        assert!(page.contains(r#"href="/xend/domain/pv1">Back to "#), "{page}");
    }

    #[test]
    fn an_error_tells_what_and_what_to_do() {
        let mut page = ErrorPage {
            crumbs: crumbs(&["xend", "domain"]),
            title: "Request failed: create".into(),
            message: "No such kernel: /boot/nosuch".into(),
            hint: Some(HOSTILE.into()),
            back: Link::new("domains", "/xend/domain"),
        };
        let text = page.render();
        assert_document(&text);
        assert!(
            text.contains(">No such kernel: /boot/nosuch</p><p class=\"hint\">&lt;script"),
            "{text}"
        );
        page.hint = None;
        page.message = HOSTILE.into();
        assert_document(&page.render());
    }
}
