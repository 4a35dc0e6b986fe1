//! Plain text, as dmesg and the log are.

use crate::layout::Layout;
use crate::parts::{Link, preformatted};

/// A page of preformatted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPage {
    /// The way from `/` to this page.
    pub crumbs: Vec<Link>,
    /// The heading.
    pub title: String,
    /// The text, every space and line break of which is kept.
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
