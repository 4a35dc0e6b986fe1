//! The domains of the host, and the forms that create one.

use maud::{Markup, html};

use crate::form;
use crate::layout::Layout;
use crate::parts::Link;

/// The page of `/xend/domain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainList {
    /// The way from `/` to this page.
    pub crumbs: Vec<Link>,
    /// The list's own URL or path, where its forms lead.
    pub url: String,
    /// The `state` that was asked for, or `None` for the usual list: the domains that have an id.
    pub state_filter: Option<String>,
    /// The domains, in the order they are shown.
    pub rows: Vec<DomainRow>,
}

/// One domain of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainRow {
    /// The domain's name.
    pub name: String,
    /// The domain's own URL or path.
    pub href: String,
    /// The domain's id, or `None` if it is only defined.
    pub id: Option<u32>,
    /// The domain's memory in MiB.
    pub memory_mib: u64,
    /// The six letters `rbpscd` with `-` for those that are off, or empty if the domain has no id.
    pub state: String,
    /// The state in a word: "running", "blocked", "paused", "halted", ...
    pub state_word: String,
}

/// The states that can be asked for, beside the usual list.
const STATES: [&str; 6] = ["all", "running", "paused", "halted", "suspended", "crashed"];

const EXAMPLE: &str = "(vm (name web1) (memory 128)\n  (image (linux (kernel /boot/vmlinuz))))";

impl DomainList {
    /// The whole document.
    pub fn render(&self) -> String {
        let create =
            form::Configuration { href: &self.url, op: "create", label: "Create domain", example: EXAMPLE };
        let body = html! {
            (self.state_links())
            @if self.rows.is_empty() {
                p { "No domains." }
            } @else {
                (self.table())
            }
            h2 { "Create a domain" }
            p { "A new domain is paused. It starts to run when you unpause it." }
            (form::configuration(&create))
        };
        Layout { title: "Domains", crumbs: &self.crumbs, body }.render()
    }

    fn state_links(&self) -> Markup {
        let current = |state: Option<&str>| {
            let shown = match (self.state_filter.as_deref(), state) {
                (Some(filter), Some(state)) => filter.eq_ignore_ascii_case(state),
                (filter, state) => filter == state,
            };
            shown.then_some("true")
        };
        html! {
            nav aria-label="Domains by state" {
                "Show: "
                a href=(self.url) aria-current=[current(None)] { "with an id" }
                @for state in STATES {
                    " "
                    a href={ (self.url) "?state=" (state) } aria-current=[current(Some(state))] { (state) }
                }
            }
        }
    }

    fn table(&self) -> Markup {
        html! {
            div.scroll {
                table {
                    thead {
                        tr {
                            @for name in ["Domain (memory in MiB)", "State", "Letters"] {
                                th scope="col" { (name) }
                            }
                        }
                    }
                    tbody {
                        @for row in &self.rows {
                            // A line each, for those who read the page line by line.
                            "\n"
                            tr {
                                td { (row.line()) }
                                td { (row.state_word) }
                                td { code { (row.state) } }
                            }
                        }
                        "\n"
                    }
                }
            }
        }
    }
}

impl DomainRow {
    /// `Domain pv1: id = 3, memory = 128`, where the name is a link.
    ///
    /// Of a domain that has an id this is a list item in exactly xend's form, for the monitors that parse it.
    /// They would stumble over one without an id, so that is no list item; xend showed no such domain.
    fn line(&self) -> Markup {
        let link = html! { a href=(self.href) { "Domain " (self.name) } };
        html! {
            @if let Some(id) = self.id {
                ul {
                    li { (link) ": id = " (id) ", memory = " (self.memory_mib) }
                }
            } @else {
                (link) ": no id, memory = " (self.memory_mib)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, assert_form, crumbs, forms};

    const URL: &str = "http://127.0.0.1:8000/xend/domain";

    fn row(name: &str, id: Option<u32>) -> DomainRow {
        DomainRow {
            name: name.into(),
            href: format!("{URL}/{name}"),
            id,
            memory_mib: 128,
            state: if id.is_some() { "-b----".into() } else { String::new() },
            state_word: if id.is_some() { "blocked".into() } else { "halted".into() },
        }
    }

    fn list(rows: Vec<DomainRow>) -> DomainList {
        DomainList { crumbs: crumbs(&["xend", "domain"]), url: URL.into(), state_filter: None, rows }
    }

    #[test]
    fn a_domain_with_an_id_is_the_line_monitors_parse() {
        let page = list(vec![row("Domain-0", Some(0)), row("pv1", Some(3))]).render();
        assert_document(&page);
        for (name, id) in [("Domain-0", 0), ("pv1", 3)] {
            let line =
                format!(r#"<li><a href="{URL}/{name}">Domain {name}</a>: id = {id}, memory = 128</li>"#);
            assert_eq!(page.lines().filter(|found| found.contains(&line)).count(), 1, "{line} in {page}");
        }
        assert!(page.contains("<td>blocked</td><td><code>-b----</code></td>"), "{page}");
    }

    #[test]
    fn nothing_but_domains_with_an_id_is_a_list_item() {
        let page = list(vec![row("pv1", Some(3)), row("web2", None)]).render();
        assert_eq!(page.matches("<li>").count(), 1, "{page}");
        assert!(page.contains(">Domain web2</a>: no id, memory = 128<"), "{page}");
        assert!(page.contains("<td>halted</td>"), "{page}");
    }

    #[test]
    fn names_are_escaped() {
        let page = list(vec![row(HOSTILE, Some(3)), row(HOSTILE, None)]).render();
        assert_document(&page);
    }

    #[test]
    fn both_create_forms_send_one_config_as_multipart() {
        let page = list(vec![]).render();
        assert!(page.contains("No domains."), "{page}");
        assert_eq!(forms(&page).len(), 2);
        for form in forms(&page) {
            assert_form(form, URL, &["create"], &["config"]);
            assert!(form.contains(r#"enctype="multipart/form-data""#), "{form}");
        }
    }

    #[test]
    fn the_state_asked_for_is_marked() {
        let mut page = list(vec![]);
        assert!(page.render().contains(r#"aria-current="true">with an id<"#));
        page.state_filter = Some("HALTED".into());
        let text = page.render();
        assert!(
            text.contains(&format!(r#"<a href="{URL}?state=halted" aria-current="true">halted<"#)),
            "{text}"
        );
        assert_eq!(text.matches(r#"aria-current="true""#).count(), 1);
    }
}
