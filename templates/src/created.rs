//! The page of a domain that was just created.

use crate::form;
use crate::layout::{Frame, Layout};
use crate::parts::preformatted;
use maud::html;

/// The response to a successful create or restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedPage {
    pub frame: Frame,
    pub name: String,
    /// The URL or path of the domain's page.
    pub href: String,
    pub paused: bool,
    /// The configuration as a formatted S-expression.
    pub config_text: String,
}

impl CreatedPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            p.message role="status" { "Created " a href=(self.href) { "Domain " (self.name) } }
            @if self.paused {
                p { "The domain is paused. Wait for its devices, then unpause it." }
                form method="post" action=(self.href) {
                    div.actions {
                        (form::primary_button("unpause", "Unpause"))
                        " "
                        (form::button("wait_for_devices", "Wait for devices"))
                    }
                }
            }
            section.card aria-labelledby="configuration" {
                h2 #configuration { "Configuration" }
                (preformatted(&self.config_text))
            }
        };
        let title = format!("Created {}", self.name);
        Layout::new(&title, &self.frame, body).render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, assert_form, forms, frame};

    fn page(name: &str) -> CreatedPage {
        CreatedPage {
            frame: frame(&["xend", "domain"]),
            name: name.into(),
            href: "/xend/domain/pv1".into(),
            paused: true,
            config_text: format!("(vm (name {name}))"),
        }
    }

    #[test]
    fn the_page_links_to_the_domain_as_in_xend() {
        let text = page("pv1").render();
        assert_document(&text);
        assert!(text.contains(r#"Created <a href="/xend/domain/pv1">Domain pv1</a>"#), "{text}");
        assert_document(&page(HOSTILE).render());
    }

    #[test]
    fn a_paused_domain_can_be_unpaused() {
        let text = page("pv1").render();
        assert_form(forms(&text)[0], "/xend/domain/pv1", &["unpause", "wait_for_devices"], &[]);
        let running = CreatedPage { paused: false, ..page("pv1") }.render();
        assert!(forms(&running).is_empty());
    }
}
