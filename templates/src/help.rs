//! The page of `/xend/help`: the reference of all pages, operations and calls.

use crate::help_calls::{HelpCalls, login_section};
use crate::layout::{Frame, Layout};
use crate::parts::{copyable, encoded, scroll};
use maud::{Markup, html};

/// The page of `/xend/help`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpPage {
    pub frame: Frame,
    /// The words that somebody looks for; empty for none.
    pub search: String,
    /// The part that is shown: the value of the parameter `part`.
    pub part: String,
    pub tabs: Vec<HelpTab>,
    pub content: HelpContent,
}

/// A part of the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpTab {
    /// The value of the parameter `part`.
    pub part: String,
    pub label: String,
    /// The number of pages and operations, or of calls.
    pub count: usize,
    pub is_current: bool,
}

/// The content of the part that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HelpContent {
    Pages {
        /// The operations, sorted.
        index: Vec<OperationLink>,
        /// A section for each page.
        sections: Vec<HelpSection>,
    },
    Calls {
        /// The command that logs in; `None` if none is needed.
        login: Option<String>,
        sections: Vec<HelpCalls>,
    },
    /// Nothing listens for the calls of this part: what a reader can do.
    NotServed(String),
}

/// An operation in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationLink {
    pub name: String,
    /// The path of its page.
    pub path: String,
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
            (self.search_form())
            (self.tabs())
            @match &self.content {
                HelpContent::Pages { index, sections } => {
                    p.hint {
                        "To perform an operation, POST a form with " code { "op" }
                        " and the operation's parameters. The Accept header selects the format of \
                         the answer: S-expression, HTML or JSON. Failures have the status of the \
                         error in JSON, and on pages that the original xend did not have. On its \
                         pages they are 500, or 404 for what does not exist, in browsers as well: \
                         its clients show the texts of no others."
                    }
                    (self.nothing_found(sections.is_empty()))
                    (operation_index(index))
                    @for section in sections { (section.markup()) }
                }
                HelpContent::Calls { login, sections } => {
                    (self.nothing_found(sections.is_empty()))
                    @if let Some(login) = login.as_ref().filter(|_| !sections.is_empty()) {
                        (login_section(login))
                    }
                    @for section in sections { (section.markup()) }
                }
                HelpContent::NotServed(advice) => { p { (advice) } }
            }
        };
        Layout::new("Reference", &self.frame, body).render()
    }

    fn search_form(&self) -> Markup {
        html! {
            form.tools.filter method="get" role="search" {
                input type="hidden" name="part" value=(self.part);
                label {
                    "Search" " "
                    input type="search" name="q" value=(self.search) autocomplete="off"
                        placeholder="pause, memory, …";
                }
                button type="submit" { "Search" }
            }
        }
    }

    /// The parts, with the number of what is found in each.
    fn tabs(&self) -> Markup {
        let more = match self.search.as_str() {
            "" => String::new(),
            words => format!("&q={}", encoded(words)),
        };
        html! {
            nav.tabs aria-label="Interfaces" {
                @for HelpTab { part, label, count, is_current } in &self.tabs {
                    a href={ "?part=" (part) (more) }
                        aria-current=[is_current.then_some("true")] {
                        (label) " " span.count { (count) }
                    }
                    " "
                }
            }
        }
    }

    fn nothing_found(&self, is_empty: bool) -> Markup {
        html! {
            @if is_empty { p { "Nothing here has the words " q { (self.search) } "." } }
        }
    }
}

/// The anchor of an operation.
fn anchor(path: &str, name: &str) -> String {
    let word = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect()
    };
    format!("{}-{}", word(path.trim_matches('/')), word(name))
}

fn operation_index(index: &[OperationLink]) -> Markup {
    html! {
        @if !index.is_empty() {
            nav.card.op-index aria-labelledby="index-title" {
                h2 #index-title { "Operations" }
                div {
                    @for (n, OperationLink { name, path }) in index.iter().enumerate() {
                        // Operations of a name differ by their pages.
                        @let is_shared = [n.wrapping_sub(1), n + 1]
                            .iter()
                            .any(|at| index.get(*at).is_some_and(|other| other.name == *name));
                        a href={ "#" (anchor(path, name)) } {
                            (name)
                            @if is_shared { " " small { (path) } }
                        }
                        " "
                    }
                }
            }
        }
    }
}

impl HelpSection {
    fn markup(&self) -> Markup {
        html! {
            section.card #(anchor(&self.path, "")) {
                h2 { code { (self.path) } }
                p { "GET: " (self.about) }
                (table(&self.query))
                @for operation in &self.operations {
                    @let anchor = anchor(&self.path, &operation.name);
                    h3 #(anchor) { code { (operation.name) } }
                    p { (operation.about) " Answer: " (operation.answer) "." }
                    (table(&operation.params))
                    (copyable(&format!("{anchor}-line"), &operation.example))
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
    use crate::help_calls::{HelpCall, HelpObject};
    use crate::testing::{HOSTILE, assert_document, frame};

    fn page(search: &str, content: HelpContent) -> String {
        let tab = |part: &str, is_current| HelpTab {
            part: part.into(),
            label: part.to_uppercase(),
            count: 7,
            is_current,
        };
        HelpPage {
            frame: frame(&["xend", "help"]),
            search: search.into(),
            part: "http".into(),
            tabs: vec![tab("http", true), tab("xen-api", false)],
            content,
        }
        .render()
    }

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
        let index = vec![OperationLink { name: HOSTILE.into(), path: HOSTILE.into() }];
        let text = page(HOSTILE, HelpContent::Pages { index, sections: vec![section] });
        assert_document(&text);
        assert!(text.contains("<td>required</td>"), "{text}");
        let call = HelpCall { signature: HOSTILE.into(), example: HOSTILE.into() };
        let calls = HelpCalls {
            name: HOSTILE.into(),
            is_open: true,
            object: Some(HelpObject { about: HOSTILE.into(), example: HOSTILE.into() }),
            calls: vec![call],
        };
        let content = HelpContent::Calls { login: Some(HOSTILE.into()), sections: vec![calls] };
        let text = page(HOSTILE, content);
        assert_document(&text);
        assert!(text.contains("<small>1 call</small>"), "{text}");
    }

    #[test]
    fn the_index_leads_to_each_operation() {
        let entry = |name: &str, path: &str| OperationLink { name: name.into(), path: path.into() };
        let index = vec![
            entry("create", "/xend/domain"),
            entry("create", "/xend/vnet"),
            entry("pause", "/xend/domain/{domain}"),
        ];
        let operation = HelpOperation {
            name: "pause".into(),
            about: "Pauses it.".into(),
            answer: "nothing".into(),
            params: vec![],
            example: "curl -d op=pause".into(),
        };
        let section = HelpSection {
            path: "/xend/domain/{domain}".into(),
            about: "A domain.".into(),
            query: vec![],
            operations: vec![operation],
        };
        let text = page("", HelpContent::Pages { index, sections: vec![section] });
        assert_document(&text);
        let link = r##"<a href="#xend-domain--domain--pause">pause</a>"##;
        assert!(text.contains(link), "{text}");
        assert!(text.contains(r#"<h3 id="xend-domain--domain--pause">"#), "{text}");
        assert!(text.contains("create <small>/xend/vnet</small>"), "{text}");
        let copied = r#"data-copy="xend-domain--domain--pause-line""#;
        assert!(text.contains(copied), "{text}");
    }

    #[test]
    fn a_search_is_kept_between_the_parts() {
        let empty = || HelpContent::Calls { login: Some("curl".into()), sections: vec![] };
        let text = page("a&b c", empty());
        assert_document(&text);
        assert!(text.contains(r#"href="?part=xen-api&amp;q=a%26b%20c""#), "{text}");
        assert!(text.contains("Nothing here has the words"), "{text}");
        let text = page("a", HelpContent::NotServed("See <xen-api-server>.".into()));
        assert!(text.contains("<p>See &lt;xen-api-server&gt;.</p>"), "{text}");
    }
}
