//! The page on which domains are created.

use crate::assets::path;
use crate::create_fields::{CreateChoices, NewDomain};
use crate::form;
use crate::layout::{Frame, Layout};
use maud::{Markup, html};

/// The page of `/xend/new`, and the response to a create that failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreatePage {
    pub frame: Frame,
    /// The target of the form with fields.
    pub href: String,
    /// The target of the forms for files.
    pub list_href: String,
    pub fields: NewDomain,
    pub choices: CreateChoices,
    /// The content of the text area.
    pub text: String,
    /// The S-expression that the fields make. It differs from `text` if that was edited.
    pub made: String,
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
    /// The field that the error is about: `memory`.
    pub field: Option<String>,
}

/// A position in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// The number of lines shown before and after the one with the error.
const CONTEXT_LINES: usize = 2;

/// The id of the error, which describes the field or the text that is wrong.
const ERROR: &str = "error";

impl CreatePage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            @if let Some(error) = &self.error { (self.error(error)) }
            form.new #new method="post" action=(self.href) enctype="multipart/form-data" {
                section.card aria-label="Domain" {
                    (self.fields.markup(&self.choices, self.wrong_field(), ERROR))
                    div.actions {
                        (form::primary_button("create", "Create"))
                        " "
                        button type="submit" name="op" value="preview" formnovalidate {
                            "Update the S-expression"
                        }
                    }
                }
                section.card aria-label="S-expression" { (self.editor()) }
            }
            section.card aria-labelledby="upload" {
                h2 #upload { "From a file" }
                p.hint {
                    "An S-expression, as above. " code { "xend convert FILE" } " makes one of a file \
                     of xm, xl or libvirt."
                }
                form method="post" action=(self.list_href) enctype="multipart/form-data" {
                    label { "S-expression file" br; input type="file" name="config" required; }
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
        let head = html! { script src=(path("create.js")) defer {} };
        Layout { head: Some(head), ..Layout::new(title, &self.frame, body) }.render()
    }

    fn wrong_field(&self) -> Option<&str> {
        self.error.as_ref()?.field.as_deref()
    }

    /// The S-expression. What is wrong in it is underlined by a copy of the text behind it.
    fn editor(&self) -> Markup {
        let rows = (self.text.lines().count() + 1).clamp(14, 40);
        let position = self.error.as_ref().and_then(|error| error.position);
        let fault = position.map(|position| fault(&self.text, position));
        html! {
            label {
                "S-expression"
                span.editor {
                    @if let Some((before, fault, after)) = fault {
                        span.marks aria-hidden="true" { (before) mark { (fault) } (after) "\n" }
                    }
                    textarea name="config" rows=(rows) spellcheck="false" autocomplete="off"
                        aria-invalid=[fault.map(|_| "true")]
                        aria-describedby=[fault.map(|_| ERROR)]
                        autofocus[fault.is_some()]
                        data-from=[fault.map(|(before, ..)| utf16_length(before))]
                        data-to=[fault.map(|(.., after)| utf16_length(&self.text) - utf16_length(after))] {
                        "\n" (self.text)
                    }
                }
            }
            p.hint #edited hidden[self.text == self.made] {
                "The S-expression was edited: the domain is created from it, not from the fields."
            }
            input type="hidden" name="made" value=(self.made);
            p.hint {
                "The fields make this configuration. It can be edited."
                noscript { " Press “Update the S-expression” to make it from the fields again." }
            }
        }
    }

    fn restore(&self) -> Markup {
        html! {
            section.card aria-labelledby="restore" {
                h2 #restore { "Restore a saved domain" }
                form method="post" action=(self.list_href) {
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
            div.message.error #(ERROR) role="alert" {
                @if let Some(Position { line, column }) = error.position {
                    "Line " (line) ", column " (column) ": "
                }
                (error.message)
            }
            p { (error.hint) }
            @if let Some(position) = error.position { (self.place(position)) }
        }
    }

    /// The lines around the error.
    fn place(&self, position: Position) -> Markup {
        html! {
            pre tabindex="0" role="region" aria-label="Location of the error" {
                "\n"
                @for (number, text) in self.text.lines().enumerate() {
                    @if (number + 1).abs_diff(position.line) <= CONTEXT_LINES {
                        (format!("{:>4} ", number + 1))
                        @if number + 1 == position.line {
                            @let (before, fault, after) = split_at_column(text, position.column);
                            (before) mark { (fault) } (after)
                        } @else { (text) }
                        "\n"
                    }
                }
            }
        }
    }
}

/// The length of a text as scripts count it.
fn utf16_length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Splits a text into what comes before a fault, the fault, and the rest.
fn fault(text: &str, position: Position) -> (&str, &str, &str) {
    let mut start = 0;
    for line in text.split_inclusive('\n').take(position.line.saturating_sub(1)) {
        start += line.len();
    }
    let line = text[start..].lines().next().unwrap_or_default();
    let (before, fault, _) = split_at_column(line, position.column);
    let from = start + before.len();
    // Beyond the end of the line there is nothing to underline but the line break.
    let to = if from == start + line.len() { from } else { from + fault.len() };
    (&text[..from], &text[from..to], &text[to..])
}

/// Splits a line into the text before a column, the word there, and the rest. A parenthesis is a
/// word of its own.
fn split_at_column(line: &str, column: usize) -> (&str, &str, &str) {
    let starts = line.char_indices().map(|(at, _)| at).chain([line.len()]);
    let from = starts.clone().nth(column.saturating_sub(1)).unwrap_or(line.len());
    if from == line.len() {
        return (line, " ", "");
    }
    let rest = &line[from..];
    let first = rest.chars().next().map_or(0, char::len_utf8);
    let is_end = |c: char| c.is_whitespace() || c == '(' || c == ')';
    let length = rest.find(is_end).unwrap_or(rest.len()).max(first);
    (&line[..from], &rest[..length], &rest[length..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, forms, ops};

    fn page() -> CreatePage {
        CreatePage {
            frame: crate::testing::frame(&["xend", "new"]),
            href: "/xend/new".into(),
            list_href: "/xend/domain".into(),
            text: "(vm\n  (name x)\n  (memory oops))".into(),
            can_restore: true,
            ..CreatePage::default()
        }
    }

    #[test]
    fn there_are_forms_for_fields_file_and_saved_domain() {
        let text = page().render();
        assert_document(&text);
        let forms = forms(&text);
        assert_eq!(ops(forms[0]), ["create", "preview"]);
        assert!(forms[0].contains(r#"action="/xend/new""#), "{text}");
        assert!(forms[0].contains("(memory oops))</textarea>"), "{text}");
        assert_eq!(ops(forms[1]), ["create", "new"]);
        assert!(forms[1].contains(r#"action="/xend/domain""#), "{text}");
        assert_eq!(ops(forms[2]), ["restore"]);
    }

    #[test]
    fn a_user_without_files_on_the_host_has_no_form_for_them() {
        let text = CreatePage { can_restore: false, ..page() }.render();
        assert_eq!(forms(&text).len(), 2);
        assert!(!text.contains("Restore"), "{text}");
    }

    #[test]
    fn an_error_keeps_the_text_and_underlines_the_fault() {
        let mut page = page();
        page.error = Some(CreateError {
            message: "memory: a number is expected".into(),
            hint: "Fix it.".into(),
            position: Some(Position { line: 3, column: 11 }),
            field: None,
        });
        let text = page.render();
        assert_document(&text);
        for part in [
            "Line 3, column 11: memory: a number is expected",
            "   3   (memory <mark>oops</mark>))\n",
            "<span class=\"marks\" aria-hidden=\"true\">(vm\n  (name x)\n  (memory <mark>oops</mark>))\n</span>",
            r#"aria-invalid="true" aria-describedby="error" autofocus data-from="25" data-to="29">"#,
            "(memory oops))</textarea>",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        page.text = HOSTILE.into();
        assert_document(&page.render());
    }

    #[test]
    fn a_text_that_was_edited_says_so() {
        let mut page = page();
        assert!(
            page.render().contains(r#"<p class="hint" id="edited">The S-expression was edited"#)
        );
        page.made.clone_from(&page.text);
        assert!(page.render().contains(r#"<p class="hint" id="edited" hidden>"#));
    }

    #[test]
    fn a_position_beyond_the_end_is_marked_after_the_line() {
        assert_eq!(split_at_column("(vm", 4), ("(vm", " ", ""));
        assert_eq!(split_at_column("", 9), ("", " ", ""));
        assert_eq!(split_at_column("käse wurst", 2), ("k", "äse", " wurst"));
        assert_eq!(split_at_column("(abc)", 1), ("", "(", "abc)"));
        assert_eq!(split_at_column("abc", 3), ("ab", "c", ""));
        assert_eq!(fault("(a\n(b", Position { line: 2, column: 3 }), ("(a\n(b", "", ""));
        assert_eq!(fault("(a\n(b c)", Position { line: 2, column: 4 }), ("(a\n(b ", "c", ")"));
        assert_eq!(fault("", Position { line: 9, column: 9 }), ("", "", ""));
    }
}
