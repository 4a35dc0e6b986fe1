//! The page of a domain.

use crate::chart::Chart;
use crate::device_table::{Device, device_table};
use crate::domain_operations::{OperationGroup, operations};
use crate::form::{self, Action};
use crate::history::{HistoryEntry, history_table};
use crate::layout::{Frame, Layout};
use crate::parts::{Fact, badge, fact_table, preformatted};
use crate::vcpu::{Vcpu, vcpu_table};
use maud::{Markup, html};

/// The page of `/xend/domain/NAME`.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainPage {
    pub frame: Frame,
    /// The query of `/xend/events` for the script.
    pub follow: String,
    pub name: String,
    /// The page's path, the target of its forms.
    pub href: String,
    /// The domid; `None` if the domain is not on the host.
    pub id: Option<u32>,
    /// The state in a word.
    pub state: String,
    /// xend's six state letters; empty if the domain is not on the host.
    pub letters: String,
    /// The most frequent operations.
    pub actions: Vec<Action>,
    /// The long operation in progress.
    pub progress: Option<OperationProgress>,
    /// The most important facts.
    pub facts: Vec<Fact>,
    /// What the guest reports about itself; empty if it reports nothing.
    pub guest: Vec<Fact>,
    /// CPU and memory use; empty if the domain is not on the host.
    pub charts: Vec<Chart>,
    pub devices: Vec<Device>,
    pub vcpus: Vec<Vcpu>,
    /// The last lines of the console log; `None` if there is none.
    pub console: Option<String>,
    /// Whether there is a screen that the user may use.
    pub has_screen: bool,
    /// The names of the spans of its history of use.
    pub spans: Vec<String>,
    /// The newest entry first.
    pub history: Vec<HistoryEntry>,
    /// Forms for all operations that the domain's state allows.
    pub operations: Vec<OperationGroup>,
    /// The configuration as a formatted S-expression.
    pub config_text: String,
}

/// The progress of a long operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationProgress {
    /// `Saving`, `Migrating`, ...
    pub operation: String,
    pub percent: u8,
    /// `40 of 128 MiB`
    pub amount: String,
    pub can_be_cancelled: bool,
}

impl DomainPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            (form::action_form())
            (self.index())
            div #progress data-live="always" {
                @if let Some(progress) = &self.progress {
                    section.card aria-label="Operation in progress" {
                        p {
                            strong { (progress.operation) }
                            " " (progress.percent) " %, " (progress.amount)
                        }
                        progress max="100" value=(progress.percent)
                            aria-label=(progress.operation) {}
                        @if progress.can_be_cancelled {
                            p {
                                button form="act" formaction=(self.href) name="op" value="cancel" {
                                    "Cancel"
                                }
                            }
                        }
                    }
                }
            }
            div.cards #overview {
                div {
                    section.card #facts data-live="always" aria-label="Summary" {
                        h2 { "Summary" }
                        (fact_table(&self.facts))
                    }
                    div #guest data-live="always" {
                        @if !self.guest.is_empty() {
                            section.card aria-label="Guest" {
                                h2 { "Guest" }
                                (fact_table(&self.guest))
                            }
                        }
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
            section.card #devices data-live="idle" aria-label="Devices" {
                h2 { "Devices" }
                (device_table(&self.href, &self.devices))
            }
            (self.console_tail())
            div #screen-link data-live="always" {
                @if self.has_screen {
                    section.card aria-label="Screen" {
                        h2 { "Screen" }
                        p { a href={ (self.href) "/screen" } { "Open the screen" } }
                    }
                }
            }
            section.card #operations data-live="idle" aria-label="Operations" {
                h2 { "Operations" }
                @if self.operations.is_empty() { p { "Nothing can be done now." } }
                (operations(&self.href, &self.operations))
            }
            section.card #history data-live="always" aria-label="History" {
                h2 { "History" }
                p.actions {
                    @for span in &self.spans {
                        a.button href={ (self.href) "/history?span=" (span) } {
                            "Use in the last " (span)
                        }
                        " "
                    }
                }
                (history_table(&self.history))
            }
            section.card #configuration data-live="always" aria-label="Configuration" {
                h2 { "Configuration" }
                p.actions data-copy="config-text" {
                    a.button href={ (self.href) "/config" } download { "Download" }
                }
                div #config-text { (preformatted(&self.config_text)) }
            }
        };
        let title = format!("Domain {}", self.name);
        let layout = Layout {
            aside: Some(self.state_and_actions()),
            follow: Some(&self.follow),
            parent: Some("/xend/domain"),
            ..Layout::new(&title, &self.frame, body)
        };
        layout.render()
    }

    /// Where the parts of the page are, and the pages of the console and the screen.
    fn index(&self) -> Markup {
        html! {
            nav.index #index data-live="always" aria-label="Parts" {
                a href="#overview" { "Overview" }
                @if self.console.is_some() {
                    " " a href={ (self.href) "/console" } { "Console" }
                }
                @if self.has_screen { " " a href={ (self.href) "/screen" } { "Screen" } }
                @for (id, name) in [
                    ("devices", "Devices"),
                    ("operations", "Operations"),
                    ("history", "History"),
                    ("configuration", "Configuration"),
                ] {
                    " " a href={ "#" (id) } { (name) }
                }
            }
        }
    }

    fn state_and_actions(&self) -> Markup {
        html! {
            span #state data-live="always" {
                (badge(&self.state))
                @if !self.letters.is_empty() { code.letters { (self.letters) } }
                " "
                span.muted {
                    @match self.id {
                        Some(id) => { "Domain ID " (id) }
                        None => "Not on the host",
                    }
                }
            }
            div #actions data-live="always" {
                (form::actions(&self.href, &self.name, &self.actions))
            }
        }
    }

    fn usage(&self) -> Markup {
        html! {
            section.card #usage data-live="always" aria-label="Usage" {
                h2 { "Usage" }
                @if self.charts.is_empty() { p { "The domain is not on the host." } }
                @for (n, chart) in self.charts.iter().enumerate() {
                    (chart.markup(["a", "b"][n % 2]))
                }
            }
        }
    }

    fn console_tail(&self) -> Markup {
        html! {
            @if let Some(text) = &self.console {
                section.card aria-label="Console" {
                    h2 { "Console" }
                    pre.console #console data-live="always" tabindex="0"
                        aria-label="End of the console log" {
                        "\n" (text)
                    }
                    p { a href={ (self.href) "/console" } { "Open the console" } }
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain_operations::OperationForm;
    use crate::parts::Moment;
    use crate::testing::{HOSTILE, assert_document, frame};

    pub(crate) fn page(name: &str, id: Option<u32>) -> DomainPage {
        let text = || name.to_owned();
        DomainPage {
            frame: frame(&["xend", "domain", name]),
            follow: "?figures=1".into(),
            name: text(),
            href: format!("/xend/domain/{name}"),
            id,
            state: "running".into(),
            letters: "-b----".into(),
            actions: vec![Action { op: "pause".into(), label: "Pause".into(), confirm: None }],
            progress: Some(OperationProgress {
                operation: text(),
                percent: 40,
                amount: "4 of 10 MiB".into(),
                can_be_cancelled: true,
            }),
            facts: vec![Fact::new("memory", "128 MiB"), Fact::new(name, name)],
            guest: vec![Fact::new("Name", name), Fact::new(name, name)],
            charts: vec![Chart {
                name: text(),
                points: vec![1.0, 2.0],
                width: 100,
                max: 100.0,
                unit: "%".into(),
                span: "5 minutes".into(),
            }],
            devices: vec![Device {
                name: "Disk sda1".into(),
                source: text(),
                mode: "read-only".into(),
                state: "connected".into(),
                facts: vec![Fact::new("dev", "sda1"), Fact::new(name, name)],
                operations: vec![],
            }],
            vcpus: vec![],
            console: Some(text()),
            has_screen: true,
            spans: vec!["hour".into(), "week".into()],
            history: vec![HistoryEntry {
                at: Moment { iso: text(), text: text() },
                text: text(),
                caller: text(),
                failed: true,
            }],
            operations: vec![OperationGroup {
                title: "Guest".into(),
                operations: vec![OperationForm {
                    op: "agent_version".into(),
                    label: text(),
                    about: text(),
                    danger: false,
                    fields: vec![],
                }],
            }],
            config_text: format!("(domain (name {name}))"),
        }
    }

    #[test]
    fn the_page_shows_all_parts() {
        let text = page("pv1", Some(1)).render();
        assert_document(&text);
        assert!(text.contains("<h1>Domain pv1</h1>"), "{text}");
        for part in [
            "Domain ID 1",
            r#"<span class="badge running">running</span>"#,
            r#"<th scope="row">memory</th><td>128 MiB</td>"#,
            r#"<th scope="row">Disk sda1<details>"#,
            r#"<span class="badge running">connected</span>"#,
            r##"<a href="/xend/domain/pv1/console">Console</a> <a href="/xend/domain/pv1/screen">Screen</a> <a href="#devices">"##,
            r#"<a class="button" href="/xend/domain/pv1/history?span=week">"#,
            "(domain (name pv1))</pre>",
            r#"<progress max="100" value="40" aria-label="pv1">"#,
            r#"<a class="button" href="/xend/domain/pv1/config" download>"#,
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_guest_without_an_agent_has_no_part() {
        let mut page = page("pv1", Some(1));
        let text = page.render();
        for part in [
            r#"<section class="card" aria-label="Guest"><h2>Guest</h2>"#,
            r#"<th scope="row">Name</th><td>pv1</td>"#,
            "<h3>Guest</h3>",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        page.guest.clear();
        page.operations.clear();
        page.console = None;
        page.has_screen = false;
        let text = page.render();
        assert!(!text.contains(">Guest<"), "{text}");
        assert!(!text.contains("Console") && !text.contains("Screen"), "{text}");
        // The script puts the part here when the guest begins to report.
        assert!(text.contains(r#"<div id="guest" data-live="always"></div>"#), "{text}");
    }

    #[test]
    fn everything_is_escaped() {
        assert_document(&page(HOSTILE, Some(1)).render());
        assert_document(&page(HOSTILE, None).render());
    }
}
