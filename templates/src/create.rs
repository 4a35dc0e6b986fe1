//! The page on which a domain is created.

use maud::html;

use crate::form;
use crate::layout::Layout;
use crate::parts::Link;

/// The page of `/xend/new`, and what a create that failed answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreatePage {
    /// The way from `/` to this page.
    pub crumbs: Vec<Link>,
    /// Where the form leads.
    pub href: String,
    /// Configurations to begin with.
    pub templates: Vec<Link>,
    /// What is in the text area.
    pub text: String,
    /// Why it could not be created, if it could not.
    pub failure: Option<Failure>,
}

/// Why a domain could not be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// Where in the text, if it is about a place in it.
    pub at: Option<Position>,
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// How many lines are shown around the one with the fault.
const AROUND: usize = 2;

impl CreatePage {
    /// The whole document.
    pub fn render(&self) -> String {
        let rows = u32::try_from(self.text.lines().count()).unwrap_or(u32::MAX).clamp(14, 40);
        let body = html! {
            @if let Some(failure) = &self.failure { (self.told(failure)) }
            section.card aria-label="Configuration" {
                nav.tabs aria-label="Begin with" {
                    @for template in &self.templates { a href=(template.href) { (template.name) } " " }
                }
                form method="post" action=(self.href) enctype="multipart/form-data" {
                    (form::configuration(&self.text, "(vm (name web1) (memory 512) (vcpus 1) (image (pvh (kernel /boot/vmlinuz))))", rows))
                    p.hint { "Create builds the domain and leaves it paused. Define stores it: it is started when you want it." }
                    div.actions { (form::primary_button("create", "Create")) " " (form::button("new", "Define")) }
                }
            }
            section.card aria-labelledby="upload" {
                h2 #upload { "From a file" }
                form method="post" action=(self.href) enctype="multipart/form-data" {
                    label { "Configuration file" br; input type="file" name="config" required; }
                    div.actions { (form::button("create", "Create from the file")) " " (form::button("new", "Define from the file")) }
                }
            }
            section.card aria-labelledby="restore" {
                h2 #restore { "From a saved domain" }
                form method="post" action=(self.href) {
                    label { "File on the host (absolute path)" br; input type="text" name="file" required autocomplete="off"; }
                    label { input type="checkbox" name="paused" value="1"; "Leave it paused" }
                    div.actions { (form::button("restore", "Restore")) }
                }
            }
        };
        let title =
            if self.failure.is_some() { "The domain was not created" } else { "New domain" };
        Layout { title, crumbs: &self.crumbs, body: Some(body), ..Layout::default() }.render()
    }

    fn told(&self, failure: &Failure) -> maud::Markup {
        html! {
            div.message.error role="alert" {
                @if let Some(Position { line, column }) = failure.at { "Line " (line) ", column " (column) ": " }
                (failure.message)
            }
            p { (failure.hint) }
            @if let Some(at) = failure.at {
                pre tabindex="0" aria-label="The place in the text" {
                    "\n"
                    @for (number, text) in self.text.lines().enumerate() {
                        @if (number + 1).abs_diff(at.line) <= AROUND {
                            (format!("{:>4} ", number + 1))
                            @if number + 1 == at.line {
                                @let (before, marked, after) = marked(text, at.column);
                                (before) mark { (marked) } (after)
                            } @else { (text) }
                            "\n"
                        }
                    }
                }
            }
        }
    }
}

/// A line in three: what is before the fault, its first character, and the rest.
fn marked(line: &str, column: usize) -> (&str, &str, &str) {
    let mut ends =
        line.char_indices().map(|(at, _)| at).chain([line.len()]).skip(column.saturating_sub(1));
    let from = ends.next().unwrap_or(line.len());
    let to = ends.next().unwrap_or(line.len());
    if from == line.len() {
        return (line, " ", "");
    }
    (&line[..from], &line[from..to], &line[to..])
}

/// A question before data is lost, with a form that does it after all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmPage {
    /// The way from `/` to this page.
    pub crumbs: Vec<Link>,
    /// The domain, and where its page is.
    pub domain: Link,
    /// What is to be done.
    pub operation: crate::OperationForm,
    /// What is lost by it.
    pub loses: String,
}

impl ConfirmPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let title = format!("{} {}?", self.operation.label, self.domain.name);
        let body = html! {
            p { (self.operation.about) }
            p { strong { (self.loses) } }
            (self.operation.form(&self.domain.href))
            p.back { a href=(self.domain.href) { "Back to " (self.domain.name) } }
        };
        Layout { title: &title, crumbs: &self.crumbs, body: Some(body), ..Layout::default() }
            .render()
    }
}

/// The console of a guest, followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsolePage {
    /// The way from `/` to this page.
    pub crumbs: Vec<Link>,
    /// What the script follows: the query of `/xend/events`, from the event on that the page has
    /// not seen yet.
    pub events: String,
    /// The domain, and where its page is.
    pub domain: Link,
    /// The end of what it printed.
    pub text: String,
}

impl ConsolePage {
    /// The whole document.
    pub fn render(&self) -> String {
        let title = format!("Console of {}", self.domain.name);
        let body = html! {
            pre.console.whole #console data-live="always" tabindex="0" aria-label=(title) { "\n" (self.text) }
            p { a href=(self.domain.href) { "Back to " (self.domain.name) } }
        };
        Layout {
            title: &title,
            crumbs: &self.crumbs,
            body: Some(body),
            events: Some(&self.events),
            ..Layout::default()
        }
        .render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, assert_form, crumbs, forms};

    fn page() -> CreatePage {
        CreatePage {
            crumbs: crumbs(&["xend", "new"]),
            href: "/xend/domain".into(),
            templates: vec![Link::new("PVH", "/xend/new?template=pvh")],
            text: "(vm\n  (name x)\n  (memory oops))".into(),
            failure: None,
        }
    }

    #[test]
    fn text_file_and_saved_domain_each_have_a_form() {
        let text = page().render();
        assert_document(&text);
        let forms = forms(&text);
        assert_form(forms[0], "/xend/domain", &["create", "new"], &["config"]);
        assert_form(forms[1], "/xend/domain", &["create", "new"], &["config"]);
        assert_form(forms[2], "/xend/domain", &["restore"], &["file", "paused"]);
        assert!(forms[0].contains("(memory oops))</textarea>"), "{text}");
    }

    #[test]
    fn a_failure_keeps_the_text_and_marks_the_place() {
        let mut page = page();
        page.failure = Some(Failure {
            message: "memory: a number is expected".into(),
            hint: "Mend it.".into(),
            at: Some(Position { line: 3, column: 11 }),
        });
        let text = page.render();
        assert_document(&text);
        assert!(text.contains("Line 3, column 11: memory: a number is expected"), "{text}");
        assert!(text.contains("   3   (memory <mark>o</mark>ops))\n"), "{text}");
        assert!(text.contains("(memory oops))</textarea>"), "{text}");
        page.text = HOSTILE.into();
        assert_document(&page.render());
    }

    #[test]
    fn a_place_beyond_the_end_is_marked_behind_it() {
        assert_eq!(marked("(vm", 4), ("(vm", " ", ""));
        assert_eq!(marked("", 9), ("", " ", ""));
        assert_eq!(marked("käse", 2), ("k", "ä", "se"));
        assert_eq!(marked("abc", 3), ("ab", "c", ""));
    }

    #[test]
    fn a_question_leads_on_and_back() {
        let operation = crate::OperationForm {
            op: "destroy".into(),
            label: "Destroy".into(),
            about: HOSTILE.into(),
            danger: true,
            fields: vec![],
        };
        let domain = Link::new(HOSTILE, "/xend/domain/x");
        let crumbs = crumbs(&["xend", "domain", "x", "confirm"]);
        let text = ConfirmPage { crumbs, domain, operation, loses: HOSTILE.into() }.render();
        assert_document(&text);
        assert_form(forms(&text)[0], "/xend/domain/x", &["destroy"], &[]);
        assert!(text.contains(r#"<a href="/xend/domain/x">Back to "#), "{text}");
    }
}
