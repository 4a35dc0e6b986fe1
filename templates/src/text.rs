//! The page of plain text, such as dmesg.

use crate::layout::Layout;
use crate::parts::{Link, preformatted};

/// A page of preformatted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPage {
    pub crumbs: Vec<Link>,
    pub title: String,
    pub text: String,
}

impl TextPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = Some(preformatted(&self.text));
        Layout { title: &self.title, crumbs: &self.crumbs, body, ..Layout::default() }.render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, crumbs};

    #[test]
    fn text_is_kept_and_escaped() {
        let text = format!(" \\ \\/ /___\n(XEN) {HOSTILE}\n");
        let page =
            TextPage { crumbs: crumbs(&["xend", "node", "dmesg"]), title: HOSTILE.into(), text }
                .render();
        assert_document(&page);
        assert!(page.contains("\n \\ \\/ /___\n(XEN) "), "{page}");
    }
}
