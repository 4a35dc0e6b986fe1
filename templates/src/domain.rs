//! One domain: what it is, what it has, what can be done with it.

use maud::{Markup, html};

use crate::domain_operations::{OperationForm, operations};
use crate::layout::Layout;
use crate::parts::{Fact, Link, fact_table, preformatted};
use crate::vcpu::{Vcpu, vcpu_table};

/// The page of `/xend/domain/NAME`.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainPage {
    /// The way from `/` to this page.
    pub crumbs: Vec<Link>,
    /// The domain's name.
    pub name: String,
    /// The domain's own URL or path, where its forms lead.
    pub href: String,
    /// The domain's id, or `None` if it is only defined.
    pub id: Option<u32>,
    /// State, memory and the like, in order.
    pub facts: Vec<Fact>,
    /// The domain's devices, in order.
    pub devices: Vec<Device>,
    /// The domain's VCPUs, in order.
    pub vcpus: Vec<Vcpu>,
    /// What can be done with it where it is.
    pub operations: Vec<OperationForm>,
    /// The domain as an S-expression, laid out for reading.
    pub config_text: String,
}

/// One device of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// `vbd`, `vif`, ...
    pub kind: String,
    /// What is known of it.
    pub facts: Vec<Fact>,
}

impl DomainPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            p {
                @match self.id {
                    Some(id) => { "Domain id " (id) }
                    None => "This domain is defined and has no id: it is not on the host now."
                }
            }
            (fact_table(&self.facts))
            (operations(&self.href, &self.operations))
            h2 { "VCPUs" }
            (vcpu_table(&self.vcpus))
            h2 { "Devices" }
            (self.device_list())
            h2 { "Configuration" }
            (preformatted(&self.config_text))
        };
        Layout { title: &format!("Domain {}", self.name), crumbs: &self.crumbs, body }.render()
    }

    fn device_list(&self) -> Markup {
        html! {
            @if self.devices.is_empty() { p { "No devices." } }
            @for device in &self.devices {
                h3 { (device.kind) }
                (fact_table(&device.facts))
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, crumbs};

    pub(crate) fn page(name: &str, id: Option<u32>) -> DomainPage {
        DomainPage {
            crumbs: crumbs(&["xend", "domain", name]),
            name: name.into(),
            href: format!("/xend/domain/{name}"),
            id,
            facts: vec![Fact::new("memory", "128 MiB"), Fact::new(name, name)],
            devices: vec![Device {
                kind: "vbd".into(),
                facts: vec![Fact::new("dev", "sda1"), Fact::new(name, name)],
            }],
            vcpus: vec![],
            operations: vec![],
            config_text: format!("(domain (name {name}))"),
        }
    }

    #[test]
    fn facts_devices_and_configuration_are_shown() {
        let text = page("pv1", Some(1)).render();
        assert_document(&text);
        assert!(text.contains("<h1>Domain pv1</h1><p>Domain id 1</p>"), "{text}");
        assert!(text.contains(r#"<th scope="row">memory</th><td>128 MiB</td>"#), "{text}");
        assert!(text.contains("<h3>vbd</h3>"), "{text}");
        assert!(text.contains("(domain (name pv1))</pre>"), "{text}");
    }

    #[test]
    fn everything_is_escaped() {
        assert_document(&page(HOSTILE, Some(1)).render());
        assert_document(&page(HOSTILE, None).render());
    }
}
