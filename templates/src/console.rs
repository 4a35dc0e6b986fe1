//! The page of a guest's console.

use crate::assets::path;
use crate::layout::{Frame, Layout};
use crate::parts::Link;
use crate::sysrq::SYSRQ_KEYS;
use maud::{Markup, html};

/// A guest's console: a terminal by the script, else the end of its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsolePage {
    pub frame: Frame,
    /// The query of `/xend/events` for the script.
    pub follow: String,
    pub domain: Link,
    /// The domain's UUID, by which the terminal is connected to it.
    pub uuid: String,
    /// The end of the console log.
    pub text: String,
    /// Whether the user may press `SysRq` keys.
    pub may_press_sysrq: bool,
}

impl ConsolePage {
    /// The whole document.
    pub fn render(&self) -> String {
        let title = format!("Console of {}", self.domain.name);
        let head = html! {
            link rel="stylesheet" href=(path("xterm.css"));
            script type="module" src=(path("console.js")) {}
        };
        let body = html! {
            (self.bar())
            div #terminal data-terminal data-domain=(self.domain.name) data-uuid=(self.uuid)
                data-page="console" data-socket={ "/xend/domain/" (self.uuid) "/console" } hidden {}
            pre.console.whole #console data-live="always" tabindex="0" aria-label=(title) {
                "\n" (self.text)
            }
            p {
                a #terminal-leave href=(self.domain.href) { "Back to " (self.domain.name) }
                span data-terminal hidden {
                    " Everybody who has this console open sees the same and may type. "
                    kbd { "Shift" } "+" kbd { "Esc" } " leaves the terminal."
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

    /// What stands above the terminal.
    fn bar(&self) -> Markup {
        html! {
            div.terminal-bar {
                span #terminal-state data-terminal role="status" hidden { "Connecting." }
                button #terminal-break type="button" data-terminal hidden { "Send break (Ctrl+O)" }
                @if self.may_press_sysrq {
                    form method="post" action=(self.domain.href) data-op {
                        input type="hidden" name="op" value="sysrq";
                        label {
                            "SysRq "
                            select #sysrq-key name="key" {
                                @for (key, about) in &SYSRQ_KEYS {
                                    option value=(u32::from(*key)) { (key) ": " (about) }
                                }
                            }
                        }
                        button type="submit" { "Send" }
                    }
                }
            }
        }
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
            uuid: "0d7a".into(),
            text: HOSTILE.into(),
            may_press_sysrq: true,
        };
        let text = page.render();
        assert_document(&text);
        assert!(text.contains(r#"data-socket="/xend/domain/0d7a/console""#), "{text}");
        let page = ConsolePage { may_press_sysrq: false, ..page };
        assert!(!page.render().contains("sysrq"));
    }
}
