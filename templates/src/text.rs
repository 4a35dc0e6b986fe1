//! The page of plain text, such as dmesg.

use crate::layout::{Frame, Layout};
use crate::parts::preformatted;

/// A page of preformatted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPage {
    pub frame: Frame,
    pub title: String,
    pub text: String,
}

impl TextPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = preformatted(&self.text);
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
        let page =
            TextPage { frame: frame(&["xend", "node", "dmesg"]), title: HOSTILE.into(), text }
                .render();
        assert_document(&page);
        assert!(page.contains("\n \\ \\/ /___\n(XEN) "), "{page}");
    }
}
