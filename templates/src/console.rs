//! The page of a guest's console.

use crate::layout::{Frame, Layout};
use crate::parts::Link;
use maud::html;

/// A guest's console, updated by the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsolePage {
    pub frame: Frame,
    /// The query of `/xend/events` for the script.
    pub follow: String,
    pub domain: Link,
    /// The end of the console log.
    pub text: String,
}

impl ConsolePage {
    /// The whole document.
    pub fn render(&self) -> String {
        let title = format!("Console of {}", self.domain.name);
        let body = html! {
            pre.console.whole #console data-live="always" tabindex="0" aria-label=(title) {
                "\n" (self.text)
            }
            p { a href=(self.domain.href) { "Back to " (self.domain.name) } }
        };
        Layout { follow: Some(&self.follow), ..Layout::new(&title, &self.frame, body) }.render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, frame};

    #[test]
    fn the_log_is_escaped() {
        let page = ConsolePage {
            frame: frame(&["xend", "domain", "x", "console"]),
            follow: "?figures=1".into(),
            domain: Link::new(HOSTILE, "/xend/domain/x"),
            text: HOSTILE.into(),
        };
        assert_document(&page.render());
    }
}
