//! The reference of all pages and operations.

use maud::{Markup, html};

use crate::layout::Layout;
use crate::parts::{Link, preformatted};

/// The page of `/xend/help`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpPage {
    /// The way from `/` to this page.
    pub crumbs: Vec<Link>,
    /// One for each page, in order.
    pub sections: Vec<HelpSection>,
}

/// A page in the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpSection {
    /// Its path.
    pub path: String,
    /// What it shows.
    pub about: String,
    /// What its query can hold.
    pub query: Vec<HelpParam>,
    /// What can be done on it.
    pub operations: Vec<HelpOperation>,
}

/// An operation in the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpOperation {
    /// Its name.
    pub name: String,
    /// What it does.
    pub about: String,
    /// What comes back if all goes well.
    pub answer: String,
    /// What it takes.
    pub params: Vec<HelpParam>,
    /// A line for a shell.
    pub example: String,
}

/// A parameter in the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpParam {
    /// Its name.
    pub name: String,
    /// `number`, `word`, ...
    pub kind: String,
    /// The unit, or what sort of text it is.
    pub unit: String,
    /// What it is if it is not given; it must be given if none.
    pub default: Option<String>,
    /// What it means.
    pub about: String,
    /// A value that is right.
    pub example: String,
}

impl HelpPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            p {
                "Every page, and what can be done on it with POST: " code { "op" }
                " and the parameters, as a form. An answer is an S-expression, HTML or JSON by the Accept header."
            }
            nav.tabs aria-label="Pages" {
                @for (n, section) in self.sections.iter().enumerate() {
                    a href={ "#page" (n) } { (section.path) }
                    " "
                }
            }
            @for (n, section) in self.sections.iter().enumerate() { (section.markup(n)) }
        };
        Layout { title: "Reference", crumbs: &self.crumbs, body: Some(body), ..Layout::default() }
            .render()
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

fn table(params: &[HelpParam]) -> Markup {
    html! {
        @if !params.is_empty() {
            div.scroll {
                table {
                    thead {
                        tr {
                            @for head in ["Parameter", "Type", "Unit", "If not given", "Meaning", "Example"] {
                                th scope="col" { (head) }
                            }
                        }
                    }
                    tbody {
                        @for param in params {
                            tr {
                                th scope="row" { code { (param.name) } }
                                td { (param.kind) }
                                td { (param.unit) }
                                td { @match &param.default { Some(default) => (default), None => "an error" } }
                                td { (param.about) }
                                td { code { (param.example) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, crumbs};

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
        let text = HelpPage { crumbs: crumbs(&["xend", "help"]), sections: vec![section] }.render();
        assert_document(&text);
        assert!(text.contains("<td>an error</td>"), "{text}");
    }
}
