//! One domain: what it is, what it has, what can be done with it.

use maud::{Markup, html};

use crate::chart::Chart;
use crate::domain_operations::{OperationForm, operations};
use crate::form::{self, Action};
use crate::history::{HistoryEntry, history_table};
use crate::layout::Layout;
use crate::parts::{Fact, Link, badge, fact_table, preformatted};
use crate::vcpu::{Vcpu, vcpu_table};

/// The page of `/xend/domain/NAME`.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainPage {
    /// The way from `/` to this page.
    pub crumbs: Vec<Link>,
    /// What the script follows: the query of `/xend/events`, from the event on that the page has
    /// not seen yet.
    pub events: String,
    /// The domain's name.
    pub name: String,
    /// The domain's own path, where its forms lead.
    pub href: String,
    /// The domain's id, or `None` if it is only defined.
    pub id: Option<u32>,
    /// The state in a word.
    pub state: String,
    /// The state in letters; empty if it has no id.
    pub letters: String,
    /// What is done most.
    pub actions: Vec<Action>,
    /// Something that goes on with it and takes long.
    pub under_way: Option<UnderWay>,
    /// Memory, addresses and the like, in order.
    pub facts: Vec<Fact>,
    /// What it used in the last minutes: its CPUs, its memory.
    pub charts: Vec<Chart>,
    /// The domain's devices, in order.
    pub devices: Vec<Device>,
    /// The domain's VCPUs, in order.
    pub vcpus: Vec<Vcpu>,
    /// The last lines of its console; none if it has none to show.
    pub console: Option<String>,
    /// What happened to it, the last first.
    pub history: Vec<HistoryEntry>,
    /// What can be done with it where it is.
    pub operations: Vec<OperationForm>,
    /// The domain as an S-expression, laid out for reading.
    pub config_text: String,
}

/// Something that takes long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    /// What: `Saving`.
    pub what: String,
    /// How far it is.
    pub percent: u8,
    /// The same in MiB: `40 of 128 MiB`
    pub amount: String,
    /// Whether it has an operation `cancel`.
    pub can_be_stopped: bool,
}

/// One device of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// `vbd`, `vif`, ...
    pub kind: String,
    /// What it is called: `xvda`, `vif0`.
    pub name: String,
    /// What became of it: `connected`. Empty if that is not known.
    pub state: String,
    /// What is known of it.
    pub facts: Vec<Fact>,
}

impl DomainPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            (form::action_form())
            div #progress data-live="always" {
                @if let Some(one) = &self.under_way {
                    section.card aria-label="Under way" {
                        p { strong { (one.what) } " " (one.percent) " %, " (one.amount) }
                        progress max="100" value=(one.percent) aria-label=(one.what) {}
                        @if one.can_be_stopped {
                            p { button form="act" formaction=(self.href) name="op" value="cancel" { "Cancel" } }
                        }
                    }
                }
            }
            div.cards {
                div {
                    section.card #facts data-live="always" aria-label="What it is" {
                        h2 { "Domain" }
                        (fact_table(&self.facts))
                    }
                    section.card #devices data-live="always" aria-label="Devices" {
                        h2 { "Devices" }
                        (self.device_list())
                    }
                }
                div {
                    (self.usage())
                    section.card #vcpus data-live="always" aria-label="VCPUs" {
                        h2 { "VCPUs" }
                        (vcpu_table(&self.vcpus))
                    }
                }
            }
            (self.console_tail())
            section.card #operations data-live="idle" aria-label="Operations" {
                h2 { "Operations" }
                (operations(&self.href, &self.operations))
            }
            section.card #history data-live="always" aria-label="History" {
                h2 { "History" }
                (history_table(&self.history))
            }
            section.card #configuration data-live="always" aria-label="Configuration" {
                h2 { "Configuration" }
                p.actions data-copy="config-text" { a.button href={ (self.href) "/config" } download { "Download" } }
                div #config-text { (preformatted(&self.config_text)) }
            }
        };
        let layout = Layout {
            title: &format!("Domain {}", self.name),
            beside: Some(self.beside()),
            crumbs: &self.crumbs,
            body: Some(body),
            events: Some(&self.events),
            gone: Some("/xend/domain"),
            ..Layout::default()
        };
        layout.render()
    }

    fn beside(&self) -> Markup {
        html! {
            span #state data-live="always" {
                (badge(&self.state))
                @if !self.letters.is_empty() { code.letters { (self.letters) } }
                " "
                span.muted {
                    @match self.id {
                        Some(id) => { "Domain id " (id) }
                        None => "Defined, not on the host now",
                    }
                }
            }
            div #actions data-live="always" { (form::actions(&self.href, &self.name, &self.actions)) }
        }
    }

    fn usage(&self) -> Markup {
        html! {
            section.card #usage data-live="always" aria-label="Usage" {
                h2 { "Usage" }
                @if self.charts.is_empty() { p { "Nothing is used while it is not on the host." } }
                @for (n, chart) in self.charts.iter().enumerate() { (chart.markup(["a", "b"][n % 2])) }
            }
        }
    }

    fn console_tail(&self) -> Markup {
        html! {
            @if let Some(text) = &self.console {
                section.card aria-label="Console" {
                    h2 { "Console" }
                    pre.console #console data-live="always" tabindex="0" aria-label="The end of the console" { "\n" (text) }
                    p { a href={ (self.href) "/console" } { "All that is kept of it" } }
                }
            }
        }
    }

    fn device_list(&self) -> Markup {
        html! {
            @if self.devices.is_empty() { p { "No devices." } }
            @for device in &self.devices {
                h3 {
                    (device.kind) " " (device.name) " "
                    @if !device.state.is_empty() {
                        span.badge.running[device.state == "connected"] { (device.state) }
                    }
                }
                (fact_table(&device.facts))
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::parts::Moment;
    use crate::testing::{HOSTILE, assert_document, crumbs};

    pub(crate) fn page(name: &str, id: Option<u32>) -> DomainPage {
        let text = || name.to_owned();
        DomainPage {
            crumbs: crumbs(&["xend", "domain", name]),
            events: "?figures=1".into(),
            name: text(),
            href: format!("/xend/domain/{name}"),
            id,
            state: "running".into(),
            letters: "-b----".into(),
            actions: vec![Action { op: "pause".into(), label: "Pause".into(), confirm: None }],
            under_way: Some(UnderWay {
                what: text(),
                percent: 40,
                amount: "4 of 10 MiB".into(),
                can_be_stopped: true,
            }),
            facts: vec![Fact::new("memory", "128 MiB"), Fact::new(name, name)],
            charts: vec![Chart {
                name: text(),
                points: vec![1.0, 2.0],
                width: 100,
                most: 100.0,
                unit: "%".into(),
                span: "5 minutes".into(),
            }],
            devices: vec![Device {
                kind: "vbd".into(),
                name: "sda1".into(),
                state: "connected".into(),
                facts: vec![Fact::new("dev", "sda1"), Fact::new(name, name)],
            }],
            vcpus: vec![],
            console: Some(text()),
            history: vec![HistoryEntry {
                at: Moment { iso: text(), text: text() },
                what: text(),
                caller: text(),
                failed: true,
            }],
            operations: vec![],
            config_text: format!("(domain (name {name}))"),
        }
    }

    #[test]
    fn all_there_is_to_know_is_shown() {
        let text = page("pv1", Some(1)).render();
        assert_document(&text);
        assert!(text.contains("<h1>Domain pv1</h1>"), "{text}");
        for part in [
            "Domain id 1",
            r#"<span class="badge running">running</span>"#,
            r#"<th scope="row">memory</th><td>128 MiB</td>"#,
            r#"vbd sda1 <span class="badge running">connected</span>"#,
            "(domain (name pv1))</pre>",
            r#"<progress max="100" value="40" aria-label="pv1">"#,
            r#"<a class="button" href="/xend/domain/pv1/config" download>"#,
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn everything_is_escaped() {
        assert_document(&page(HOSTILE, Some(1)).render());
        assert_document(&page(HOSTILE, None).render());
    }
}
