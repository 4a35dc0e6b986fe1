//! The pages of virtual networks.

use crate::form;
use crate::layout::{Frame, Layout};
use crate::parts::{Fact, Link, fact_table, preformatted};
use maud::html;

/// The page of `/xend/vnet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VnetList {
    pub frame: Frame,
    /// The page's URL or path, the target of its form.
    pub url: String,
    /// Links with the ids of the networks.
    pub vnets: Vec<Link>,
    /// Whether the user may create networks.
    pub can_create: bool,
}

/// The page of `/xend/vnet/ID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VnetPage {
    pub frame: Frame,
    pub id: String,
    /// The page's URL or path, the target of its form.
    pub href: String,
    pub facts: Vec<Fact>,
    /// The network as a formatted S-expression.
    pub config_text: String,
    /// Whether the user may delete the network.
    pub can_delete: bool,
}

const EXAMPLE: &str = "(vnet (id 1) (bridge vnet1) (vnetif vnetif1) (security none))";

impl VnetList {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            section.card aria-labelledby="vnets" {
                h2 #vnets { "Networks" }
                @if self.vnets.is_empty() {
                    p { "No virtual networks." }
                } @else {
                    ul {
                        @for vnet in &self.vnets {
                            li { a href=(vnet.href) { "Vnet " (vnet.name) } }
                        }
                    }
                }
            }
            @if self.can_create {
                section.card aria-labelledby="create" {
                    h2 #create { "New virtual network" }
                    form method="post" action=(self.url) enctype="multipart/form-data" {
                        (form::configuration("", EXAMPLE, 5))
                        (form::button("create", "Create"))
                    }
                }
            }
        };
        Layout::new("Virtual networks", &self.frame, body).render()
    }
}

impl VnetPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            section.card aria-label="Properties" { (fact_table(&self.facts)) }
            section.card aria-labelledby="configuration" {
                h2 #configuration { "Configuration" }
                (preformatted(&self.config_text))
            }
            @if self.can_delete {
                form method="post" action=(self.href) { (form::danger_button("delete", "Delete")) }
            }
        };
        let title = format!("Vnet {}", self.id);
        Layout::new(&title, &self.frame, body).render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, assert_form, forms, frame};

    fn list(vnets: Vec<Link>) -> VnetList {
        let frame = frame(&["xend", "vnet"]);
        VnetList { frame, url: "/xend/vnet".into(), vnets, can_create: true }
    }

    #[test]
    fn the_list_has_links_and_a_form() {
        let mut list = list(vec![Link::new("1", "/xend/vnet/1"), Link::new(HOSTILE, HOSTILE)]);
        let page = list.render();
        assert_document(&page);
        assert!(page.contains(r#"<li><a href="/xend/vnet/1">Vnet 1</a></li>"#), "{page}");
        assert_eq!(forms(&page).len(), 1);
        assert_form(forms(&page)[0], "/xend/vnet", &["create"], &["config"]);
        list.can_create = false;
        assert!(forms(&list.render()).is_empty());
    }

    #[test]
    fn an_empty_list_has_a_message() {
        assert!(list(vec![]).render().contains("No virtual networks."));
    }

    #[test]
    fn a_vnet_has_a_delete_button() {
        let mut vnet = VnetPage {
            frame: frame(&["xend", "vnet", HOSTILE]),
            id: HOSTILE.into(),
            href: "/xend/vnet/1".into(),
            facts: vec![Fact::new("vnetif", HOSTILE)],
            config_text: HOSTILE.into(),
            can_delete: true,
        };
        let page = vnet.render();
        assert_document(&page);
        assert_eq!(forms(&page).len(), 1);
        assert_form(forms(&page)[0], "/xend/vnet/1", &["delete"], &[]);
        vnet.can_delete = false;
        assert!(forms(&vnet.render()).is_empty());
    }
}
