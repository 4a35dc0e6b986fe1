//! The page of the host.

use crate::layout::{Frame, Layout};
use crate::parts::{Fact, Link, fact_table, value};
use crate::shares::HostUse;
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
    pub usage: HostUse,
    /// Related pages.
    pub links: Vec<Link>,
}

impl NodePage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            div.cards {
                section.card #use data-live="always" aria-labelledby="use-title" {
                    h2 #use-title { "Usage" }
                    (self.usage.markup())
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
        let title = format!("Host {}", self.host);
        Layout { follow: Some(&self.follow), ..Layout::new(title.trim_end(), &self.frame, body) }
            .render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shares::{Consumer, ConsumerKind, HostTotals};
    use crate::testing::{HOSTILE, assert_document, frame};

    #[test]
    fn only_facts_are_list_items() {
        let facts = vec![
            Fact::new("system", "Linux"),
            Fact::new("cpu_topology", "\ncpu:\n  0:"),
            Fact::new(HOSTILE, HOSTILE),
        ];
        let consumer = Consumer {
            kind: ConsumerKind::Domain,
            name: HOSTILE.into(),
            href: Some(HOSTILE.into()),
            memory_mib: 1,
            cpu: Some(2.0),
        };
        let totals = Some(HostTotals { memory_mib: 2, free_memory_mib: 1, cpus: 1 });
        let page = NodePage {
            frame: frame(&["xend", "node"]),
            follow: "?figures=1".into(),
            host: HOSTILE.into(),
            summary: vec![Fact::new(HOSTILE, HOSTILE)],
            facts,
            usage: HostUse { consumers: vec![consumer], totals },
            links: vec![Link::new("Messages of Xen", "/xend/node/dmesg")],
        }
        .render();
        assert_document(&page);
        assert_eq!(page.matches("<li>").count(), 3);
        assert!(page.contains("\n<li>system: Linux</li>\n"), "{page}");
        assert!(page.contains(r#"href="/xend/node/dmesg">Messages of Xen</a>"#), "{page}");
    }
}
