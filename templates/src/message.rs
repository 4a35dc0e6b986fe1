//! Pages with one message: success or failure.

use crate::domain_operations::TargetForm;
use crate::layout::{Frame, Layout};
use crate::parts::Link;
use maud::{Markup, html};

/// The page of an operation that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagePage {
    pub frame: Frame,
    pub title: String,
    /// The result in a sentence.
    pub message: String,
    /// What may be done next.
    pub next: Option<TargetForm>,
    pub back: Link,
}

/// The page of a request that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPage {
    pub frame: Frame,
    pub title: String,
    /// The error. Its line breaks are kept.
    pub message: String,
    /// Advice.
    pub hint: String,
    /// `None` for a visitor for whom there are no other pages.
    pub back: Option<Link>,
}

impl MessagePage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            p.message role="status" { (self.message) }
            @if let Some(next) = &self.next {
                p { (next.operation.about) }
                (next.operation.form(&next.href))
            }
            div.back { (back_links(&self.back)) }
        };
        let is_result = self.next.is_some();
        Layout { is_result, ..Layout::new(&self.title, &self.frame, body) }.render()
    }
}

impl ErrorPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            p.message.error role="alert" { (self.message) }
            @if !self.hint.is_empty() { p.hint { (self.hint) } }
            @if let Some(back) = &self.back { (back_links(back)) }
        };
        Layout::new(&self.title, &self.frame, body).render()
    }
}

/// Links back to the page before, and to the list of domains.
fn back_links(back: &Link) -> Markup {
    let is_list = back.href.trim_end_matches('/') == "/xend/domain";
    html! {
        p.actions {
            @if !is_list {
                a.button href=(back.href) { "Back to " (back.name) }
                " "
            }
            a.button href="/xend/domain" { "All domains" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain_operations::OperationForm;
    use crate::testing::{HOSTILE, assert_document, assert_form, forms, frame};

    #[test]
    fn a_message_links_back() {
        let mut page = MessagePage {
            frame: frame(&["xend", "domain", "pv1"]),
            title: HOSTILE.into(),
            message: "Paused pv1.".into(),
            next: None,
            back: Link::new(HOSTILE, "/xend/domain/pv1"),
        };
        let restore = OperationForm {
            op: "restore".into(),
            label: HOSTILE.into(),
            about: HOSTILE.into(),
            danger: false,
            fields: vec![],
        };
        page.next = Some(TargetForm { href: "/xend/domain".into(), operation: restore });
        let with_next = page.render();
        assert_document(&with_next);
        assert_form(forms(&with_next)[0], "/xend/domain", &["restore"], &[]);
        page.next = None;
        let to_list =
            MessagePage { back: Link::new("all domains", "/xend/domain"), ..page.clone() };
        assert_eq!(to_list.render().matches("<a class=\"button\"").count(), 1);
        let page = page.render();
        assert_document(&page);
        assert!(page.contains(">Paused pv1.</p>"), "{page}");
        assert!(page.contains(r#"href="/xend/domain/pv1">Back to "#), "{page}");
    }

    #[test]
    fn an_error_has_a_message_and_a_hint() {
        let mut page = ErrorPage {
            frame: frame(&["xend", "domain"]),
            title: "Request failed: create".into(),
            message: "No such kernel: /boot/nosuch".into(),
            hint: HOSTILE.into(),
            back: Some(Link::new("domains", "/xend/domain")),
        };
        let text = page.render();
        assert_document(&text);
        assert!(
            text.contains(">No such kernel: /boot/nosuch</p><p class=\"hint\">&lt;script"),
            "{text}"
        );
        page.message = HOSTILE.into();
        assert_document(&page.render());
        assert!(text.contains("All domains"), "{text}");
        page.back = None;
        assert!(!page.render().contains("All domains"), "{text}");
    }
}
