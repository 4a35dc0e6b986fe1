//! The page of `/xend/help`: the reference of all pages and operations.

use crate::layout::{Frame, Layout};
use crate::parts::{preformatted, scroll};
use maud::{Markup, html};

/// The page of `/xend/help`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpPage {
    pub frame: Frame,
    /// A section for each page.
    pub sections: Vec<HelpSection>,
}

/// A page in the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpSection {
    pub path: String,
    /// The answer to GET.
    pub about: String,
    /// The parameters of GET.
    pub query: Vec<HelpParam>,
    /// The operations of POST.
    pub operations: Vec<HelpOperation>,
}

/// An operation in the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpOperation {
    pub name: String,
    pub about: String,
    /// The answer on success.
    pub answer: String,
    pub params: Vec<HelpParam>,
    /// A command for the shell.
    pub example: String,
}

/// A parameter in the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpParam {
    pub name: String,
    /// The type: `number`, `word`, ...
    pub kind: String,
    /// The unit of a number, or the values or the format that are accepted.
    pub unit: String,
    /// `None` if the parameter is required.
    pub default: Option<String>,
    pub about: String,
    pub example: String,
}

impl HelpPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            p {
                "All pages and their operations. To perform an operation, POST a form with "
                code { "op" }
                " and the operation's parameters. The Accept header selects the format of the "
                "answer: S-expression, HTML or JSON."
            }
            nav.tabs aria-label="Pages" {
                @for (n, section) in self.sections.iter().enumerate() {
                    a href={ "#page" (n) } { (section.path) }
                    " "
                }
            }
            @for (n, section) in self.sections.iter().enumerate() { (section.markup(n)) }
        };
        Layout::new("Reference", &self.frame, body).render()
    }
}

impl HelpSection {
    fn markup(&self, n: usize) -> Markup {
        html! {
            section.card #{ "page" (n) } {
                h2 { code { (self.path) } }
                p { "GET: " (self.about) }
                (table(&self.query))
                @for operation in &self.operations {
                    h3 { code { (operation.name) } }
                    p { (operation.about) " Answer: " (operation.answer) "." }
                    (table(&operation.params))
                    (preformatted(&operation.example))
                }
            }
        }
    }
}

const HEADINGS: [&str; 6] =
    ["Parameter", "Type", "Unit or values", "Default", "Description", "Example"];

fn table(params: &[HelpParam]) -> Markup {
    html! {
        @if !params.is_empty() {
            (scroll("Parameters", &html! {
                table {
                    thead {
                        tr {
                            @for heading in HEADINGS { th scope="col" { (heading) } }
                        }
                    }
                    tbody {
                        @for param in params {
                            tr {
                                th scope="row" { code { (param.name) } }
                                td { (param.kind) }
                                td { (param.unit) }
                                td {
                                    @match &param.default {
                                        Some(default) => (default),
                                        None => "required",
                                    }
                                }
                                td { (param.about) }
                                td { code { (param.example) } }
                            }
                        }
                    }
                }
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, frame};

    #[test]
    fn everything_is_escaped() {
        let param = HelpParam {
            name: HOSTILE.into(),
            kind: "number".into(),
            unit: HOSTILE.into(),
            default: None,
            about: HOSTILE.into(),
            example: HOSTILE.into(),
        };
        let operation = HelpOperation {
            name: HOSTILE.into(),
            about: HOSTILE.into(),
            answer: HOSTILE.into(),
            params: vec![param.clone()],
            example: HOSTILE.into(),
        };
        let section = HelpSection {
            path: HOSTILE.into(),
            about: HOSTILE.into(),
            query: vec![param],
            operations: vec![operation],
        };
        let text = HelpPage { frame: frame(&["xend", "help"]), sections: vec![section] }.render();
        assert_document(&text);
        assert!(text.contains("<td>required</td>"), "{text}");
    }
}
