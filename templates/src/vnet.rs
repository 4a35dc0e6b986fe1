//! Virtual networks.

use maud::html;

use crate::form;
use crate::layout::Layout;
use crate::parts::{Fact, Link, fact_table, preformatted};

/// The page of `/xend/vnet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VnetList {
    /// The way from `/` to this page.
    pub crumbs: Vec<Link>,
    /// The list's own URL or path, where its forms lead.
    pub url: String,
    /// The networks by their ids, in order.
    pub vnets: Vec<Link>,
}

/// The page of `/xend/vnet/ID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VnetPage {
    /// The way from `/` to this page.
    pub crumbs: Vec<Link>,
    /// The network's id.
    pub id: String,
    /// The network's own URL or path, where its form leads.
    pub href: String,
    /// What is known of it, in order.
    pub facts: Vec<Fact>,
    /// The network as an S-expression, laid out for reading.
    pub config_text: String,
}

const EXAMPLE: &str = "(vnet (id 1) (bridge vnet1) (vnetif vnetif1) (security none))";

impl VnetList {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            section.card aria-labelledby="vnets" {
                h2 #vnets { "Virtual networks" }
                @if self.vnets.is_empty() {
                    p { "No vnets." }
                } @else {
                    ul {
                        @for vnet in &self.vnets {
                            li { a href=(vnet.href) { "Vnet " (vnet.name) } }
                        }
                    }
                }
            }
            section.card aria-labelledby="create" {
                h2 #create { "Create a vnet" }
                form method="post" action=(self.url) enctype="multipart/form-data" {
                    (form::configuration("", EXAMPLE, 5))
                    (form::button("create", "Create vnet"))
                }
            }
        };
        Layout { title: "Networks", crumbs: &self.crumbs, body: Some(body), ..Layout::default() }
            .render()
    }
}

impl VnetPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            section.card aria-label="What it is" { (fact_table(&self.facts)) }
            section.card aria-labelledby="configuration" {
                h2 #configuration { "Configuration" }
                (preformatted(&self.config_text))
            }
            form method="post" action=(self.href) { (form::danger_button("delete", "Delete")) }
        };
        let title = format!("Vnet {}", self.id);
        Layout { title: &title, crumbs: &self.crumbs, body: Some(body), ..Layout::default() }
            .render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, assert_form, crumbs, forms};

    fn list(vnets: Vec<Link>) -> String {
        VnetList { crumbs: crumbs(&["xend", "vnet"]), url: "/xend/vnet".into(), vnets }.render()
    }

    #[test]
    fn the_list_links_and_creates() {
        let page = list(vec![Link::new("1", "/xend/vnet/1"), Link::new(HOSTILE, HOSTILE)]);
        assert_document(&page);
        assert!(page.contains(r#"<li><a href="/xend/vnet/1">Vnet 1</a></li>"#), "{page}");
        assert_eq!(forms(&page).len(), 1);
        assert_form(forms(&page)[0], "/xend/vnet", &["create"], &["config"]);
    }

    #[test]
    fn an_empty_list_says_so() {
        assert!(list(vec![]).contains("No vnets."));
    }

    #[test]
    fn a_vnet_can_be_deleted() {
        let page = VnetPage {
            crumbs: crumbs(&["xend", "vnet", HOSTILE]),
            id: HOSTILE.into(),
            href: "/xend/vnet/1".into(),
            facts: vec![Fact::new("vnetif", HOSTILE)],
            config_text: HOSTILE.into(),
        }
        .render();
        assert_document(&page);
        assert_eq!(forms(&page).len(), 1);
        assert_form(forms(&page)[0], "/xend/vnet/1", &["delete"], &[]);
    }
}
