//! The page of plain text, such as dmesg.

use crate::form;
use crate::layout::{Frame, Layout};
use crate::parts::preformatted;
use maud::html;

/// A page of preformatted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPage {
    pub frame: Frame,
    pub title: String,
    pub text: String,
    /// What was done to it, which led here.
    pub notice: Option<String>,
    /// The target of the button that clears the text; `None` for a user who may not.
    pub clear: Option<String>,
}

impl TextPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            @if let Some(notice) = &self.notice { p.message role="status" { (notice) } }
            div #text data-live="always" { (preformatted(&self.text)) }
            @if let Some(href) = &self.clear {
                (form::post(href, &form::danger_button("clear", "Clear")))
            }
        };
        Layout::new(&self.title, &self.frame, body).render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, frame};

    #[test]
    fn text_is_kept_and_escaped() {
        let text = format!(" \\ \\/ /___\n(XEN) {HOSTILE}\n");
        let page = TextPage {
            frame: frame(&["xend", "node", "dmesg"]),
            title: HOSTILE.into(),
            text,
            notice: Some(HOSTILE.into()),
            clear: Some(HOSTILE.into()),
        }
        .render();
        assert_document(&page);
        assert!(page.contains("\n \\ \\/ /___\n(XEN) "), "{page}");
    }
}
