//! Pages with one message: success or failure.

use crate::layout::Layout;
use crate::parts::Link;
use maud::{Markup, html};

/// The page of an operation that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagePage {
    pub crumbs: Vec<Link>,
    pub title: String,
    /// The result in a sentence.
    pub message: String,
    pub back: Link,
}

/// The page of a request that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPage {
    pub crumbs: Vec<Link>,
    pub title: String,
    /// The error. Its line breaks are kept.
    pub message: String,
    /// Advice.
    pub hint: String,
    pub back: Link,
}

impl MessagePage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            p.message role="status" { (self.message) }
            (back_links(&self.back))
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
            p.hint { (self.hint) }
            (back_links(&self.back))
        };
        Layout { title: &self.title, crumbs: &self.crumbs, body: Some(body), ..Layout::default() }
            .render()
    }
}

/// Links back to the page before, and to the list of domains.
fn back_links(back: &Link) -> Markup {
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
    fn a_message_links_back() {
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
    fn an_error_has_a_message_and_a_hint() {
        let mut page = ErrorPage {
            crumbs: crumbs(&["xend", "domain"]),
            title: "Request failed: create".into(),
            message: "No such kernel: /boot/nosuch".into(),
            hint: HOSTILE.into(),
            back: Link::new("domains", "/xend/domain"),
        };
        let text = page.render();
        assert_document(&text);
        assert!(
            text.contains(">No such kernel: /boot/nosuch</p><p class=\"hint\">&lt;script"),
            "{text}"
        );
        page.message = HOSTILE.into();
        assert_document(&page.render());
    }
}
