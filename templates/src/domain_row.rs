//! A row of the list of domains.

use crate::chart::small_bar;
use crate::form::{self, Action};
use crate::parts::{Uptime, badge};
use maud::{Markup, html};

/// A domain in the list.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainRow {
    pub name: String,
    /// The last segment of the domain's URL: the name, percent-encoded.
    pub segment: String,
    /// The domid; `None` if the domain is not on the host.
    pub id: Option<u32>,
    /// The current memory; the configured one if the domain is not on the host.
    pub memory_now_mib: u64,
    /// The six letters `rbpscd`, with `-` for those that are off; empty if the domain is not on the
    /// host.
    pub letters: String,
    /// The state in a word: `running`, `paused`, `halted`, or what is being done: `saving`.
    pub state: String,
    /// `PV`, `PVH` or `HVM`.
    pub kind: String,
    /// Online VCPUs; configured ones if the domain is not on the host.
    pub vcpus: u32,
    /// In percent of one CPU. `None` if it is unknown.
    pub cpu: Option<f64>,
    /// `None` if the domain is not on the host, and for Domain-0.
    pub uptime: Option<Uptime>,
    /// The addresses that the guest reports. The first one is shown.
    pub addresses: Vec<String>,
    /// `2 vbd, 1 vif`
    pub devices: String,
    /// How far the operation that `state` names is, in percent.
    pub percent: Option<u8>,
    /// The most frequent operations in the domain's state.
    pub actions: Vec<Action>,
}

/// The most addresses of a guest, together with the first one.
const MAX_ADDRESSES: usize = 8;

/// The addresses beside the first one, as far as there is room.
fn short_list(others: &[String]) -> String {
    let (shown, more) = others.split_at(others.len().min(MAX_ADDRESSES - 1));
    match more.len() {
        0 => shown.join(", "),
        count => format!("{} and {count} more", shown.join(", ")),
    }
}

impl DomainRow {
    /// The first address, and the number of the others.
    fn address(&self) -> Markup {
        html! {
            @match self.addresses.as_slice() {
                [] => "–",
                [only] => (only),
                [first, others @ ..] => {
                    (first) " "
                    small title=(short_list(others)) { "+" (others.len()) }
                }
            }
        }
    }

    /// The row of the table. `path` is that of the list.
    pub(crate) fn markup(&self, path: &str) -> Markup {
        let href = format!("{path}/{}", self.segment);
        let share = self.cpu.map(|cpu| cpu / f64::from(self.vcpus.max(1)));
        html! {
            "\n"
            tr data-name=(self.name) data-vcpus=(self.vcpus) {
                td.pick {
                    label {
                        input type="checkbox" form="bulk" name="domain" value=(self.name)
                            aria-label={ "Select " (self.name) };
                    }
                }
                th scope="row" { a href=(href) { (self.name) } }
                td.num.c-id data-label="ID" { @if let Some(id) = self.id { (id) } @else { "–" } }
                td.state { (self.state()) }
                td.c-type data-label="Type" { (self.kind) }
                td.num.c-memory data-label="Memory" {
                    span data-memory { (self.memory_now_mib) " MiB" }
                }
                td.num.c-vcpus data-label="VCPUs" { (self.vcpus) }
                td.num.c-cpu data-label="CPU" {
                    @if self.id.is_some() {
                        span data-cpu {
                            @if let Some(cpu) = self.cpu { (format!("{cpu:.1}")) " %" }
                            @else { "–" }
                        }
                        (small_bar(share.unwrap_or(0.0)))
                    } @else { "–" }
                }
                td.num.c-uptime data-label="Uptime" {
                    @if let Some(uptime) = self.uptime {
                        span data-since=(uptime.since) { (uptime.words()) }
                    } @else { "–" }
                }
                td.address.c-address data-label="Address" { (self.address()) }
                td.muted.c-devices data-label="Devices" { (self.devices) }
                td { (form::actions(&href, &self.name, &self.actions)) }
            }
        }
    }

    fn state(&self) -> Markup {
        html! {
            (badge(&self.state))
            @if let Some(percent) = self.percent { small { (percent) " %" } }
            @else if !self.letters.is_empty() { code.letters { (self.letters) } }
        }
    }
}
