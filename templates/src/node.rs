//! The host.

use maud::html;

use crate::chart::{Shares, share_class};
use crate::layout::Layout;
use crate::parts::{Fact, Link, fact_table, value};

/// The page of `/xend/node`.
#[derive(Debug, Clone, PartialEq)]
pub struct NodePage {
    /// The way from `/` to this page.
    pub crumbs: Vec<Link>,
    /// What the script follows: the query of `/xend/events`, from the event on that the page has
    /// not seen yet.
    pub events: String,
    /// The host's name.
    pub host: String,
    /// What a person wants to know first.
    pub summary: Vec<Fact>,
    /// All that is known of the host, by the names that scripts know. A value may have several
    /// lines.
    pub facts: Vec<Fact>,
    /// Who has how much of the memory.
    pub memory: Shares,
    /// Who uses how much of the CPUs.
    pub cpu: Shares,
    /// What each domain has and uses, the largest first.
    pub users: Vec<User>,
    /// Where there is more to be read.
    pub links: Vec<Link>,
}

/// What a domain has of the host.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// The domain, and where its page is.
    pub domain: Link,
    /// Its memory in MiB.
    pub memory_mib: u64,
    /// Percent of one CPU that it uses.
    pub cpu: f64,
}

impl NodePage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            div.cards {
                section.card #use data-live="always" aria-labelledby="use-title" {
                    h2 #use-title { "In use" }
                    (self.memory.markup())
                    (self.cpu.markup())
                    div.scroll {
                        table.legend {
                            thead { tr { th scope="col" { "Domain" } th.num scope="col" { "Memory" } th.num scope="col" { "CPU" } } }
                            tbody {
                                @for (n, user) in self.users.iter().enumerate() {
                                    tr {
                                        th scope="row" { span.dot.(share_class(n)) aria-hidden="true" {} a href=(user.domain.href) { (user.domain.name) } }
                                        td.num { (user.memory_mib) " MiB" }
                                        td.num { (format!("{:.1}", user.cpu)) " %" }
                                    }
                                }
                            }
                        }
                    }
                }
                section.card aria-labelledby="host-title" {
                    h2 #host-title { "Host" }
                    (fact_table(&self.summary))
                    p.actions { @for link in &self.links { a.button href=(link.href) { (link.name) } " " } }
                }
            }
            section.card aria-label="All facts" {
                details {
                    summary { "All that xend tells of the host" }
                    // Items `name: value`, since that is how scripts find them.
                    ul {
                        @for fact in &self.facts {
                            "\n"
                            li { (fact.name) ": " (value(&fact.value)) }
                        }
                        "\n"
                    }
                }
            }
        };
        let title = if self.host.is_empty() { "Host" } else { &self.host };
        let layout = Layout {
            title,
            crumbs: &self.crumbs,
            body: Some(body),
            events: Some(&self.events),
            ..Layout::default()
        };
        layout.render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::Share;
    use crate::testing::{HOSTILE, assert_document, crumbs};

    #[test]
    fn facts_are_list_items_and_nothing_else_is() {
        let facts = vec![
            Fact::new("system", "Linux"),
            Fact::new("cpu_topology", "\ncpu:\n  0:"),
            Fact::new(HOSTILE, HOSTILE),
        ];
        let shares = Shares {
            name: HOSTILE.into(),
            total: 2.0,
            unit: "MiB".into(),
            parts: vec![Share { name: HOSTILE.into(), amount: 1.0 }],
        };
        let page = NodePage {
            crumbs: crumbs(&["xend", "node"]),
            events: "?figures=1".into(),
            host: HOSTILE.into(),
            summary: vec![Fact::new(HOSTILE, HOSTILE)],
            facts,
            memory: shares.clone(),
            cpu: shares,
            users: vec![User { domain: Link::new(HOSTILE, "/x"), memory_mib: 1, cpu: 2.0 }],
            links: vec![Link::new("Xen dmesg output", "/xend/node/dmesg")],
        }
        .render();
        assert_document(&page);
        assert_eq!(page.matches("<li>").count(), 3);
        assert!(page.contains("\n<li>system: Linux</li>\n"), "{page}");
        assert!(page.contains(r#"href="/xend/node/dmesg">Xen dmesg output</a>"#), "{page}");
    }
}
