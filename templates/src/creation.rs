//! The page of a domain that is being created.

use crate::assets::path;
use crate::layout::{Frame, Layout};
use crate::parts::Link;
use maud::html;

/// How far the creation of a domain is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreationPage {
    pub frame: Frame,
    pub domain: Link,
    /// The steps in their order.
    pub steps: Vec<CreationStep>,
    /// Why it ended, and advice; `None` while it goes on. The domain exists.
    pub error: Option<(String, String)>,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreationStep {
    /// `Start the domain`
    pub label: String,
    pub state: StepState,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    Done,
    UnderWay,
    Waiting,
    Failed,
}

impl StepState {
    const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::UnderWay => "under way",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Done => "running",
            Self::UnderWay => "building",
            Self::Waiting => "halted",
            Self::Failed => "failed",
        }
    }
}

impl CreationPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let goes_on = self.error.is_none();
        let body = html! {
            @if let Some((message, hint)) = &self.error {
                p.message.error role="alert" { (message) }
                @if !hint.is_empty() { p.hint { (hint) } }
                p {
                    "The domain was created, but is not running: "
                    a href=(self.domain.href) { "open " (self.domain.name) }
                }
            }
            section.card #creation aria-label="Steps" aria-live="polite" data-goes-on[goes_on] {
                ol.steps {
                    @for step in &self.steps {
                        li {
                            (step.label) " "
                            span.badge.(step.state.class()) { (step.state.word()) }
                        }
                    }
                }
            }
            @if goes_on {
                p.hint { "It goes on if you leave this page. The domain's page opens at its end." }
            }
        };
        let head = html! {
            @if goes_on {
                noscript { meta http-equiv="refresh" content="1"; }
                script src=(path("create.js")) defer {}
            }
        };
        let title = if goes_on {
            format!("Creating {}", self.domain.name)
        } else {
            format!("{} was not started", self.domain.name)
        };
        Layout { head: Some(head), ..Layout::new(&title, &self.frame, body) }.render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, frame};

    fn page(name: &str) -> CreationPage {
        let step = |label: &str, state| CreationStep { label: label.into(), state };
        CreationPage {
            frame: frame(&["xend", "new", "1"]),
            domain: Link::new(name, "/xend/domain/web1"),
            steps: vec![
                step("Define the domain", StepState::Done),
                step("Start the domain", StepState::UnderWay),
            ],
            error: None,
        }
    }

    #[test]
    fn the_page_is_read_again_while_it_goes_on() {
        let text = page("web1").render();
        assert_document(&text);
        assert!(text.contains("<h1>Creating web1</h1>"), "{text}");
        assert!(text.contains(r#"<noscript><meta http-equiv="refresh" content="1">"#), "{text}");
        assert!(text.contains(r#"Start the domain <span class="badge building">under way"#));
        assert_document(&page(HOSTILE).render());
    }

    #[test]
    fn a_domain_that_was_not_started_is_there() {
        let mut page = page("web1");
        page.error = Some(("No memory".into(), HOSTILE.into()));
        page.steps[1].state = StepState::Failed;
        let text = page.render();
        assert_document(&text);
        assert!(text.contains("<h1>web1 was not started</h1>"), "{text}");
        assert!(text.contains(r#"<a href="/xend/domain/web1">open web1</a>"#), "{text}");
        assert!(!text.contains("refresh") && !text.contains("data-goes-on"), "{text}");
    }
}
