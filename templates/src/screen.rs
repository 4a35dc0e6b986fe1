//! The page of a guest's screen.

use crate::assets::path;
use crate::layout::{Frame, Layout};
use crate::parts::Link;
use maud::html;

/// A guest's screen: its picture by the script, and its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScreenPage {
    pub frame: Frame,
    /// The query of `/xend/events` for the script.
    pub follow: String,
    pub domain: Link,
    /// The domain's UUID, by which the screen is connected to it.
    pub uuid: String,
    /// The address of the VNC server: `127.0.0.1:5900`.
    pub address: String,
}

impl ScreenPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let title = format!("Screen of {}", self.domain.name);
        let head = html! { script type="module" src=(path("screen.js")) {} };
        let body = html! {
            div.terminal-bar data-screen hidden {
                span #screen-state role="status" { "Connecting." }
                button #screen-keys type="button" { "Send Ctrl+Alt+Del" }
                button #screen-full type="button" { "Full screen" }
                label { input #screen-fit type="checkbox" checked; " Fit to the page" }
            }
            div #screen data-screen data-domain=(self.domain.name) data-uuid=(self.uuid)
                data-page="screen" data-socket={ "/xend/domain/" (self.uuid) "/screen" } hidden {}
            p {
                "For VNC viewers on the host, the screen is at " code { (self.address) } "."
            }
            p {
                a #screen-leave href=(self.domain.href) { "Back to " (self.domain.name) }
                span data-screen hidden {
                    " Everybody who has this screen open sees the same and may use it. "
                    kbd { "Shift" } "+" kbd { "Esc" } " leaves it."
                }
            }
        };
        Layout {
            follow: Some(&self.follow),
            head: Some(head),
            ..Layout::new(&title, &self.frame, body)
        }
        .render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, frame};

    #[test]
    fn the_page_is_escaped_and_has_the_screens_socket_and_address() {
        let page = ScreenPage {
            frame: frame(&["xend", "domain", "x", "screen"]),
            follow: "?domain=0d7a".into(),
            domain: Link::new(HOSTILE, "/xend/domain/x"),
            uuid: "0d7a".into(),
            address: "127.0.0.1:5901".into(),
        };
        let page = page.render();
        assert_document(&page);
        assert!(page.contains(r#"data-socket="/xend/domain/0d7a/screen""#), "{page}");
        assert!(page.contains("<code>127.0.0.1:5901</code>"), "{page}");
    }
}
