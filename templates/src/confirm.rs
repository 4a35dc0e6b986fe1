//! The page that asks before data is lost.

use crate::domain_operations::OperationForm;
use crate::layout::{Frame, Layout};
use crate::parts::Link;
use maud::html;

/// A question before data is lost, with the form of the operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmPage {
    pub frame: Frame,
    pub domain: Link,
    pub operation: OperationForm,
    /// A sentence on the data that is lost.
    pub data_loss: String,
}

impl ConfirmPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let title = format!("{} {}?", self.operation.label, self.domain.name);
        let body = html! {
            section.card aria-label="Question" {
                p { (self.operation.about) }
                p { strong { (self.data_loss) } }
                (self.operation.form(&self.domain.href))
            }
            p.actions.back { a.button href=(self.domain.href) { "Back to " (self.domain.name) } }
        };
        Layout::new(&title, &self.frame, body).render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, assert_form, forms, frame};

    #[test]
    fn the_page_has_the_form_and_a_link_back() {
        let page = ConfirmPage {
            frame: frame(&["xend", "domain", "x", "confirm"]),
            domain: Link::new(HOSTILE, "/xend/domain/x"),
            operation: OperationForm {
                op: "destroy".into(),
                label: "Destroy".into(),
                about: HOSTILE.into(),
                danger: true,
                fields: vec![],
            },
            data_loss: HOSTILE.into(),
        }
        .render();
        assert_document(&page);
        assert_form(forms(&page)[0], "/xend/domain/x", &["destroy"], &[]);
        assert!(page.contains(r#"<a class="button" href="/xend/domain/x">Back to "#), "{page}");
    }
}
