//! The page on which domains are created.

use crate::form;
use crate::layout::{Frame, Layout};
use crate::parts::Link;
use maud::{Markup, html};

/// The page of `/xend/new`, and the response to a create that failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreatePage {
    pub frame: Frame,
    /// The target of the forms.
    pub href: String,
    /// Links to configurations to start from.
    pub templates: Vec<Link>,
    /// The content of the text area.
    pub text: String,
    /// `None` on a fresh page.
    pub error: Option<CreateError>,
    /// Whether the user may restore domains from files on the host.
    pub can_restore: bool,
}

/// The reason why a domain was not created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateError {
    pub message: String,
    /// Advice.
    pub hint: String,
    /// The position in the text; `None` if the error is not in the text.
    pub position: Option<Position>,
}

/// A position in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

const EXAMPLE: &str =
    "(vm (name web1) (memory 512) (vcpus 1) (image (pvh (kernel /boot/vmlinuz))))";

/// The number of lines shown before and after the one with the error.
const CONTEXT_LINES: usize = 2;

impl CreatePage {
    /// The whole document.
    pub fn render(&self) -> String {
        let rows = u32::try_from(self.text.lines().count()).unwrap_or(u32::MAX).clamp(14, 40);
        let body = html! {
            @if let Some(error) = &self.error { (self.error(error)) }
            section.card aria-label="Configuration" {
                nav.tabs aria-label="Templates" {
                    @for template in &self.templates {
                        a href=(template.href) { (template.name) } " "
                    }
                }
                form method="post" action=(self.href) enctype="multipart/form-data" {
                    (form::configuration(&self.text, EXAMPLE, rows))
                    p.hint {
                        "Create builds the domain and leaves it paused. "
                        "Define stores it, so that you can start it later."
                    }
                    div.actions {
                        (form::primary_button("create", "Create"))
                        " "
                        (form::button("new", "Define"))
                    }
                }
            }
            section.card aria-labelledby="upload" {
                h2 #upload { "From a file" }
                form method="post" action=(self.href) enctype="multipart/form-data" {
                    label { "Configuration file" br; input type="file" name="config" required; }
                    div.actions {
                        (form::button("create", "Create from file"))
                        " "
                        (form::button("new", "Define from file"))
                    }
                }
            }
            @if self.can_restore { (self.restore()) }
        };
        let title = if self.error.is_some() { "The domain was not created" } else { "New domain" };
        Layout::new(title, &self.frame, body).render()
    }

    fn restore(&self) -> Markup {
        html! {
            section.card aria-labelledby="restore" {
                h2 #restore { "Restore a saved domain" }
                form method="post" action=(self.href) {
                    label {
                        "File on the host (absolute path)"
                        br;
                        input type="text" name="file" required autocomplete="off";
                    }
                    label {
                        input type="checkbox" name="paused" value="1";
                        "Leave the domain paused"
                    }
                    div.actions { (form::button("restore", "Restore")) }
                }
            }
        }
    }

    fn error(&self, error: &CreateError) -> Markup {
        html! {
            div.message.error role="alert" {
                @if let Some(Position { line, column }) = error.position {
                    "Line " (line) ", column " (column) ": "
                }
                (error.message)
            }
            p { (error.hint) }
            @if let Some(position) = error.position {
                pre tabindex="0" aria-label="Location of the error" {
                    "\n"
                    @for (number, text) in self.text.lines().enumerate() {
                        @if (number + 1).abs_diff(position.line) <= CONTEXT_LINES {
                            (format!("{:>4} ", number + 1))
                            @if number + 1 == position.line {
                                @let parts = split_at_column(text, position.column);
                                (parts.0) mark { (parts.1) } (parts.2)
                            } @else { (text) }
                            "\n"
                        }
                    }
                }
            }
        }
    }
}

/// Splits a line into the text before a column, the character there, and the rest.
fn split_at_column(line: &str, column: usize) -> (&str, &str, &str) {
    let mut ends =
        line.char_indices().map(|(at, _)| at).chain([line.len()]).skip(column.saturating_sub(1));
    let from = ends.next().unwrap_or(line.len());
    let to = ends.next().unwrap_or(line.len());
    if from == line.len() {
        return (line, " ", "");
    }
    (&line[..from], &line[from..to], &line[to..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, assert_form, forms, frame};

    fn page() -> CreatePage {
        CreatePage {
            frame: frame(&["xend", "new"]),
            href: "/xend/domain".into(),
            templates: vec![Link::new("PVH", "/xend/new?template=pvh")],
            text: "(vm\n  (name x)\n  (memory oops))".into(),
            error: None,
            can_restore: true,
        }
    }

    #[test]
    fn there_are_forms_for_text_file_and_saved_domain() {
        let text = page().render();
        assert_document(&text);
        let forms = forms(&text);
        assert_form(forms[0], "/xend/domain", &["create", "new"], &["config"]);
        assert_form(forms[1], "/xend/domain", &["create", "new"], &["config"]);
        assert_form(forms[2], "/xend/domain", &["restore"], &["file", "paused"]);
        assert!(forms[0].contains("(memory oops))</textarea>"), "{text}");
    }

    #[test]
    fn a_user_without_files_on_the_host_has_no_form_for_them() {
        let text = CreatePage { can_restore: false, ..page() }.render();
        assert_eq!(forms(&text).len(), 2);
        assert!(!text.contains("Restore"), "{text}");
    }

    #[test]
    fn an_error_keeps_the_text_and_marks_the_position() {
        let mut page = page();
        page.error = Some(CreateError {
            message: "memory: a number is expected".into(),
            hint: "Fix it.".into(),
            position: Some(Position { line: 3, column: 11 }),
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
    fn a_position_beyond_the_end_is_marked_after_the_line() {
        assert_eq!(split_at_column("(vm", 4), ("(vm", " ", ""));
        assert_eq!(split_at_column("", 9), ("", " ", ""));
        assert_eq!(split_at_column("käse", 2), ("k", "ä", "se"));
        assert_eq!(split_at_column("abc", 3), ("ab", "c", ""));
    }
}
