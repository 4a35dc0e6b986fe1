//! The devices of a domain as a table.

use crate::domain_operations::OperationForm;
use crate::parts::{Fact, fact_table};
use maud::{Markup, html};

/// A device of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// `Disk xvda`, `Network interface 0`
    pub name: String,
    /// Where its data come from or go to: a file, a bridge; empty if there is none.
    pub source: String,
    /// `read-only`, ...; empty if it has none.
    pub mode: String,
    /// `connected`, ...; empty if it is unknown.
    pub state: String,
    /// All that is known of it.
    pub facts: Vec<Fact>,
    /// What can be done with it.
    pub operations: Vec<OperationForm>,
}

/// The devices of the domain whose page is at `href`.
pub(crate) fn device_table(href: &str, devices: &[Device]) -> Markup {
    html! {
        @if devices.is_empty() { p { "No devices." } } @else {
            table.devices {
                thead {
                    tr {
                        th scope="col" { "Device" }
                        th scope="col" { "Source" }
                        th scope="col" { "Mode" }
                        th scope="col" { "State" }
                        th scope="col" { "Actions" }
                    }
                }
                tbody { @for device in devices { (device.row(href)) } }
            }
        }
    }
}

impl Device {
    fn row(&self, href: &str) -> Markup {
        html! {
            tr {
                th scope="row" {
                    (self.name)
                    @if !self.facts.is_empty() {
                        details {
                            summary { small { "Details" } }
                            (fact_table(&self.facts))
                        }
                    }
                }
                (cell("Source", &self.source))
                (cell("Mode", &self.mode))
                td data-label="State" {
                    @if self.state.is_empty() { span.muted { "–" } } @else {
                        span.badge.running[self.state == "connected"] { (self.state) }
                    }
                }
                td {
                    @for operation in &self.operations {
                        details {
                            summary aria-label={ (operation.label) ": " (self.name) } {
                                (operation.label)
                            }
                            p { (operation.about) }
                            (operation.form(href))
                        }
                    }
                }
            }
        }
    }
}

fn cell(label: &str, text: &str) -> Markup {
    html! {
        td data-label=(label) {
            @if text.is_empty() { span.muted { "–" } } @else { (text) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain_operations::Field;
    use crate::testing::{HOSTILE, assert_form, forms};

    fn device(name: &str) -> Device {
        Device {
            name: format!("Disk {name}"),
            source: "phy:/dev/vg0/web1".into(),
            mode: "read and write".into(),
            state: "connected".into(),
            facts: vec![Fact::new("uuid", name)],
            operations: vec![OperationForm {
                op: "device_destroy".into(),
                label: "Unplug".into(),
                about: String::new(),
                danger: true,
                fields: vec![Field::fixed("type", "vbd"), Field::fixed("dev", name)],
            }],
        }
    }

    #[test]
    fn a_device_is_a_row_with_its_operations() {
        let text = device_table("/x", &[device("xvda")]).into_string();
        for part in [
            r#"<th scope="row">Disk xvda<details>"#,
            r#"<td data-label="Source">phy:/dev/vg0/web1</td>"#,
            r#"<span class="badge running">connected</span>"#,
            r#"<summary aria-label="Unplug: Disk xvda">Unplug</summary>"#,
            r#"<input type="hidden" name="dev" value="xvda">"#,
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_form(forms(&text)[0], "/x", &["device_destroy"], &["type", "dev"]);
        assert!(device_table("/x", &[]).into_string().contains("No devices."));
        let hostile = device_table(HOSTILE, &[device(HOSTILE)]).into_string();
        assert!(!hostile.contains("<script") && !hostile.contains("alert(\""), "{hostile}");
    }
}
