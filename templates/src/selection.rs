//! The pages of an operation on several domains: the question before, and the results.

use crate::form;
use crate::layout::{Frame, Layout};
use crate::parts::Link;
use maud::{Markup, html};

/// The question before an operation on several domains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectionPage {
    pub frame: Frame,
    /// The target of the form.
    pub href: String,
    pub op: String,
    /// `Shut down`
    pub label: String,
    /// What the operation does, in a sentence.
    pub about: String,
    /// A sentence on the data that is lost; `None` if none can be.
    pub data_loss: Option<String>,
    /// The domains that it is done to.
    pub domains: Vec<Link>,
    /// The domains that it cannot be done to.
    pub skipped: Vec<SkippedDomain>,
}

/// A selected domain that an operation cannot be done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedDomain {
    pub name: String,
    /// `it is halted`
    pub reason: String,
}

/// What has come of an operation that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is done.
    Done,
    /// The guests have been asked to shut down, and may do it.
    AskedToShutDown,
}

/// The results of an operation on several domains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectionResult {
    pub frame: Frame,
    /// The operation's label.
    pub label: String,
    pub effect: Effect,
    /// The names of the domains that it was done to.
    pub done: Vec<String>,
    /// The others, each with what went wrong.
    pub failed: Vec<(String, String)>,
}

/// `1 domain`, `3 domains`
fn count(number: usize) -> String {
    format!("{number} domain{}", if number == 1 { "" } else { "s" })
}

impl SelectionPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let title = if self.domains.is_empty() {
            format!("{}: no domain selected", self.label)
        } else {
            format!("{} {}?", self.label, count(self.domains.len()))
        };
        let body = html! {
            section.card aria-label="Question" {
                @if self.domains.is_empty() && self.skipped.is_empty() {
                    p { "No domain is selected. Select domains in the list, then try again." }
                }
                @if !self.domains.is_empty() {
                    p { (self.about) }
                    @if let Some(loss) = &self.data_loss { p { strong { (loss) } } }
                    ul.names {
                        @for domain in &self.domains {
                            li { a href=(domain.href) { (domain.name) } }
                        }
                    }
                }
                @if !self.skipped.is_empty() { (self.skipped()) }
                @if !self.domains.is_empty() { (self.form()) }
            }
            p.actions.back { a.button href="/xend/domain" { "Back to the domains" } }
        };
        Layout::new(&title, &self.frame, body).render()
    }

    fn skipped(&self) -> Markup {
        html! {
            p { "Left out:" }
            ul.names {
                @for domain in &self.skipped { li { (domain.name) ": " (domain.reason) } }
            }
        }
    }

    fn form(&self) -> Markup {
        let label = format!("{} {}", self.label, count(self.domains.len()));
        let fields = html! {
            @for domain in &self.domains { input type="hidden" name="domain" value=(domain.name); }
            @if self.data_loss.is_some() { (form::danger_button(&self.op, &label)) }
            @else { (form::primary_button(&self.op, &label)) }
        };
        form::post(&self.href, &fields)
    }
}

impl SelectionResult {
    /// The whole document.
    pub fn render(&self) -> String {
        let Self { label, effect, done, failed, .. } = self;
        let title = if failed.is_empty() {
            match effect {
                Effect::Done => format!("{label}: done"),
                Effect::AskedToShutDown => format!("{label}: asked"),
            }
        } else if done.is_empty() {
            format!("{label} failed")
        } else {
            format!("{label} failed in part")
        };
        let mut lines = Vec::new();
        if !done.is_empty() {
            let names = done.join(", ");
            lines.push(match effect {
                Effect::Done => format!("{label}: done for {} ({names})", count(done.len())),
                Effect::AskedToShutDown => {
                    let have = if done.len() == 1 { "has" } else { "have" };
                    format!("{} {have} been asked to shut down ({names})", count(done.len()))
                }
            });
        }
        lines.extend(failed.iter().map(|(name, error)| format!("{name}: {error}")));
        let has_failed = !failed.is_empty();
        let body = html! {
            p.message.error[has_failed] role=(if has_failed { "alert" } else { "status" }) {
                (lines.join("\n"))
            }
            p.actions { a.button href="/xend/domain" { "All domains" } }
        };
        Layout::new(&title, &self.frame, body).render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, assert_form, forms, frame};

    fn page() -> SelectionPage {
        SelectionPage {
            frame: frame(&["xend", "selection"]),
            href: "/xend/selection".into(),
            op: "destroy".into(),
            label: "Destroy".into(),
            about: "Terminates the domain.".into(),
            data_loss: Some("Data will be lost.".into()),
            domains: vec![Link::new("web1", "/xend/domain/web1"), Link::new(HOSTILE, "/x")],
            skipped: vec![SkippedDomain { name: "db".into(), reason: "it is halted".into() }],
        }
    }

    #[test]
    fn the_question_names_all_domains() {
        let text = page().render();
        assert_document(&text);
        assert!(text.contains("<h1>Destroy 2 domains?</h1>"), "{text}");
        assert!(text.contains("<strong>Data will be lost.</strong>"), "{text}");
        assert!(text.contains("<li>db: it is halted</li>"), "{text}");
        assert_form(forms(&text)[0], "/xend/selection", &["destroy"], &["domain", "domain"]);
        assert!(text.contains(r#"<button class="danger" type="submit""#), "{text}");
    }

    #[test]
    fn without_a_domain_there_is_no_form() {
        let mut page = SelectionPage { domains: vec![], ..page() };
        let text = page.render();
        assert!(text.contains("Destroy: no domain selected") && forms(&text).is_empty());
        page.skipped.clear();
        assert!(page.render().contains("No domain is selected."));
    }

    #[test]
    fn results_tell_what_failed() {
        let mut result = SelectionResult {
            frame: frame(&["xend", "selection"]),
            label: "Pause".into(),
            effect: Effect::Done,
            done: vec!["web1".into(), "web2".into()],
            failed: vec![],
        };
        let text = result.render();
        assert_document(&text);
        assert!(text.contains(">Pause: done for 2 domains (web1, web2)</p>"), "{text}");
        let asked = SelectionResult {
            label: "Shut down".into(),
            effect: Effect::AskedToShutDown,
            ..result.clone()
        };
        let text = asked.render();
        assert!(text.contains("2 domains have been asked to shut down (web1, web2)"), "{text}");
        assert!(!text.contains("done"), "{text}");
        result.failed = vec![("db".into(), HOSTILE.into())];
        let text = result.render();
        assert_document(&text);
        assert!(
            text.contains("Pause failed in part") && text.contains(r#"role="alert""#),
            "{text}"
        );
        result.done.clear();
        assert!(result.render().contains("<h1>Pause failed</h1>"));
    }
}
