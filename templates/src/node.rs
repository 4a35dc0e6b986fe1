//! The page of the host.

use crate::chart::{Shares, share_class};
use crate::layout::{Frame, Layout};
use crate::parts::{Fact, Link, fact_table, scroll, value};
use maud::html;

/// The page of `/xend/node`.
#[derive(Debug, Clone, PartialEq)]
pub struct NodePage {
    pub frame: Frame,
    /// The query of `/xend/events` for the script.
    pub follow: String,
    /// The host's name.
    pub host: String,
    /// The most important facts.
    pub summary: Vec<Fact>,
    /// All facts, by xend's names. A value can have several lines.
    pub facts: Vec<Fact>,
    /// The use of memory and CPUs; empty for a user who does not see all domains.
    pub shares: Vec<Shares>,
    /// Domain-0 first, then the largest.
    pub domains: Vec<DomainUsage>,
    /// Related pages.
    pub links: Vec<Link>,
}

/// The resources that a domain uses.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainUsage {
    pub domain: Link,
    pub memory_mib: u64,
    /// In percent of one CPU.
    pub cpu: f64,
}

impl NodePage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            div.cards {
                section.card #use data-live="always" aria-labelledby="use-title" {
                    h2 #use-title { "Usage" }
                    @for shares in &self.shares { (shares.markup()) }
                    (scroll("Usage by domain", &html! {
                        table.legend {
                            thead {
                                tr {
                                    th scope="col" { "Domain" }
                                    th.num scope="col" { "Memory" }
                                    th.num scope="col" { "CPU" }
                                }
                            }
                            tbody {
                                @for (n, usage) in self.domains.iter().enumerate() {
                                    tr {
                                        th scope="row" {
                                            span.dot.(share_class(n)) aria-hidden="true" {}
                                            a href=(usage.domain.href) { (usage.domain.name) }
                                        }
                                        td.num { (usage.memory_mib) " MiB" }
                                        td.num { (format!("{:.1}", usage.cpu)) " %" }
                                    }
                                }
                            }
                        }
                    }))
                }
                section.card aria-labelledby="host-title" {
                    h2 #host-title { "Host" }
                    (fact_table(&self.summary))
                    p.actions {
                        @for link in &self.links { a.button href=(link.href) { (link.name) } " " }
                    }
                }
            }
            section.card aria-label="All host information" {
                details {
                    summary { "All host information" }
                    // Scripts look for items of the form `name: value`.
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
        Layout { follow: Some(&self.follow), ..Layout::new(title, &self.frame, body) }.render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::Share;
    use crate::testing::{HOSTILE, assert_document, frame};

    #[test]
    fn only_facts_are_list_items() {
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
            frame: frame(&["xend", "node"]),
            follow: "?figures=1".into(),
            host: HOSTILE.into(),
            summary: vec![Fact::new(HOSTILE, HOSTILE)],
            facts,
            shares: vec![shares.clone(), shares],
            domains: vec![DomainUsage {
                domain: Link::new(HOSTILE, "/x"),
                memory_mib: 1,
                cpu: 2.0,
            }],
            links: vec![Link::new("Xen dmesg output", "/xend/node/dmesg")],
        }
        .render();
        assert_document(&page);
        assert_eq!(page.matches("<li>").count(), 3);
        assert!(page.contains("\n<li>system: Linux</li>\n"), "{page}");
        assert!(page.contains(r#"href="/xend/node/dmesg">Xen dmesg output</a>"#), "{page}");
    }
}
