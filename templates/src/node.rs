//! The host.

use maud::html;

use crate::layout::Layout;
use crate::parts::{Fact, Link, value};

/// The page of `/xend/node`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePage {
    /// The way from `/` to this page.
    pub crumbs: Vec<Link>,
    /// What is known of the host, in order. A value may have several lines.
    pub facts: Vec<Fact>,
    /// Where the hypervisor's messages are.
    pub dmesg_href: String,
    /// Where this daemon's log is.
    pub log_href: String,
}

impl NodePage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            // Items `name: value`, since that is how scripts find them.
            ul {
                @for fact in &self.facts {
                    "\n"
                    li { (fact.name) ": " (value(&fact.value)) }
                }
                "\n"
            }
            p { a href=(self.dmesg_href) { "Xen dmesg output" } }
            p { a href=(self.log_href) { "Xend log" } }
        };
        Layout { title: "Node", crumbs: &self.crumbs, body }.render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, crumbs};

    #[test]
    fn facts_are_list_items_and_nothing_else_is() {
        let facts = vec![
            Fact::new("system", "Linux"),
            Fact::new("cpu_topology", "\ncpu:\n  0:"),
            Fact::new(HOSTILE, HOSTILE),
        ];
        let page = NodePage {
            crumbs: crumbs(&["xend", "node"]),
            facts,
            dmesg_href: "/xend/node/dmesg".into(),
            log_href: "/xend/node/log".into(),
        }
        .render();
        assert_document(&page);
        assert_eq!(page.matches("<li>").count(), 3);
        assert!(page.contains("\n<li>system: Linux</li>\n"), "{page}");
        assert!(page.contains(r#"<a href="/xend/node/dmesg">Xen dmesg output</a>"#), "{page}");
        assert!(page.contains(r#"<a href="/xend/node/log">Xend log</a>"#), "{page}");
    }
}
