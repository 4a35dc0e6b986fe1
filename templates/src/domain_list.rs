//! The page with the list of domains.

use crate::chart::small_bar;
use crate::form::{self, Action};
use crate::layout::{Frame, Layout};
use crate::parts::{Uptime, badge};
use maud::{Markup, html};

/// The page of `/xend/domain`.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainList {
    pub frame: Frame,
    /// The query of `/xend/events` for the script.
    pub follow: String,
    /// The page's URL, which monitors find in each domain's.
    pub url: String,
    /// The page's path, the start of its links.
    pub path: String,
    pub states: Vec<StateTab>,
    /// The filter: a part of the names.
    pub contains: String,
    /// The filter: the value of `state`.
    pub state: Option<String>,
    pub sort: Sorting,
    /// The domains in their order.
    pub rows: Vec<DomainRow>,
    /// Whether the user may create domains.
    pub can_create: bool,
}

/// A link to the domains in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateTab {
    /// The value of `state`; `None` for the default list, the domains on the host.
    pub state: Option<String>,
    pub label: String,
    /// The number of domains.
    pub count: usize,
}

/// The order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sorting {
    pub by: Column,
    pub descending: bool,
}

/// A column that the list can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Name,
    Id,
    State,
    Memory,
    Vcpus,
    Cpu,
    Uptime,
}

impl Column {
    /// All columns, in the order of the table.
    pub const ALL: [Self; 7] =
        [Self::Name, Self::Id, Self::State, Self::Memory, Self::Vcpus, Self::Cpu, Self::Uptime];

    /// The value of `sort` in a query.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Id => "id",
            Self::State => "state",
            Self::Memory => "memory",
            Self::Vcpus => "vcpus",
            Self::Cpu => "cpu",
            Self::Uptime => "uptime",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Name => "Domain",
            Self::Id => "ID",
            Self::State => "State",
            Self::Memory => "Memory",
            Self::Vcpus => "VCPUs",
            Self::Cpu => "CPU",
            Self::Uptime => "Uptime",
        }
    }

    const fn is_number(self) -> bool {
        !matches!(self, Self::Name | Self::State)
    }
}

/// A domain in the list.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainRow {
    pub name: String,
    /// The last segment of the domain's URL: the name, percent-encoded.
    pub segment: String,
    /// The domid; `None` if the domain is not on the host.
    pub id: Option<u32>,
    /// The configured memory.
    pub memory_mib: u64,
    /// The current memory, which differs while the guest's balloon driver is at work.
    pub memory_now_mib: u64,
    /// The six letters `rbpscd`, with `-` for those that are off; empty if the domain is not on the
    /// host.
    pub letters: String,
    /// The state in a word: `running`, `paused`, `halted`, ...
    pub state: String,
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
    /// The long operation in progress: `Saving 40 %`.
    pub progress: Option<String>,
    /// The most frequent operations in the domain's state.
    pub actions: Vec<Action>,
}

impl DomainList {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            (self.state_links())
            form.tools method="get" action=(self.path) role="search" {
                label {
                    "Name contains"
                    br;
                    input type="search" name="q" value=(self.contains) autocomplete="off";
                }
                @if let Some(state) = &self.state {
                    input type="hidden" name="state" value=(state);
                }
                @if self.sort.by != Column::Name {
                    input type="hidden" name="sort" value=(self.sort.by.key());
                }
                @if self.sort.descending {
                    input type="hidden" name="desc" value="1";
                }
                button type="submit" { "Filter" }
                @if self.can_create { a.button.primary href="/xend/new" { "New domain" } }
            }
            (form::action_form())
            section.card #domains data-live="always" aria-label="Domains" {
                @if self.rows.is_empty() {
                    p {
                        "No domains."
                        @if self.can_create { " " a href="/xend/new" { "Create one" } "." }
                    }
                } @else {
                    (self.table())
                    p.hint #none hidden { "No matching domains." }
                }
            }
            (self.plain_list())
        };
        Layout { follow: Some(&self.follow), ..Layout::new("Domains", &self.frame, body) }.render()
    }

    fn query(state: Option<&str>, sort: Sorting) -> String {
        let mut query = String::new();
        let mut add = |key: &str, value: &str| {
            query.push(if query.is_empty() { '?' } else { '&' });
            query.extend([key, "=", value]);
        };
        if let Some(state) = state {
            add("state", state);
        }
        if sort.by != Column::Name {
            add("sort", sort.by.key());
        }
        if sort.descending {
            add("desc", "1");
        }
        query
    }

    fn state_links(&self) -> Markup {
        let current = |tab: &StateTab| {
            let shown = match (self.state.as_deref(), tab.state.as_deref()) {
                (Some(filter), Some(state)) => filter.eq_ignore_ascii_case(state),
                (filter, state) => filter == state,
            };
            shown.then_some("true")
        };
        html! {
            nav.tabs #states data-live="always" aria-label="Domains by state" {
                @for tab in &self.states {
                    @let query = Self::query(tab.state.as_deref(), self.sort);
                    a href={ (self.path) (query) } aria-current=[current(tab)] {
                        (tab.label) " (" (tab.count) ")"
                    }
                    " "
                }
            }
        }
    }

    fn head(&self, column: Column) -> Markup {
        let sorted = self.sort.by == column;
        // A second click reverses the order. Numbers start with the largest.
        let descending =
            if sorted { !self.sort.descending } else { column.is_number() && column != Column::Id };
        let href = format!(
            "{}{}",
            self.path,
            Self::query(self.state.as_deref(), Sorting { by: column, descending })
        );
        let order = sorted.then_some(if self.sort.descending { "descending" } else { "ascending" });
        let arrow = if !sorted {
            ""
        } else if self.sort.descending {
            " ▾"
        } else {
            " ▴"
        };
        html! {
            th.num[column.is_number()] scope="col" aria-sort=[order] {
                a href=(href) { (column.label()) (arrow) }
            }
        }
    }

    fn table(&self) -> Markup {
        html! {
            div.scroll {
                table.list {
                    thead {
                        tr {
                            @for column in Column::ALL { (self.head(column)) }
                            th scope="col" { "Address" }
                            th scope="col" { "Devices" }
                            th scope="col" { "Actions" }
                        }
                    }
                    tbody { @for row in &self.rows { (row.markup(&self.path)) } }
                }
            }
        }
    }

    /// The lines that monitors parse: a `<li>` of this form for each domain, and no others on the
    /// page (see the crate's documentation).
    fn plain_list(&self) -> Markup {
        html! {
            details {
                summary { "Plain list" small { "for monitoring scripts" } }
                ul {
                    @for row in &self.rows {
                        @if let Some(id) = row.id {
                            "\n"
                            li {
                                a href={ (self.url) "/" (row.segment) } { "Domain " (row.name) }
                                ": id = " (id) ", memory = " (row.memory_mib) ", ssidref = 0."
                            }
                        }
                    }
                    "\n"
                }
            }
        }
    }
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

    fn markup(&self, path: &str) -> Markup {
        let href = format!("{path}/{}", self.segment);
        let share = self.cpu.map(|cpu| cpu / f64::from(self.vcpus.max(1)));
        html! {
            "\n"
            tr data-name=(self.name) data-vcpus=(self.vcpus) {
                th scope="row" { a href=(href) { (self.name) } }
                td.num data-label="ID" { @if let Some(id) = self.id { (id) } @else { "–" } }
                td {
                    (badge(&self.state))
                    @if !self.letters.is_empty() { code.letters { (self.letters) } }
                    @if let Some(progress) = &self.progress { " " small { (progress) } }
                }
                td.num data-label="Memory" { span data-memory { (self.memory_now_mib) " MiB" } }
                td.num data-label="VCPUs" { (self.vcpus) }
                td.num data-label="CPU" {
                    @if self.id.is_some() {
                        span data-cpu {
                            @if let Some(cpu) = self.cpu { (format!("{cpu:.1}")) " %" }
                            @else { "–" }
                        }
                        (small_bar(share.unwrap_or(0.0)))
                    } @else { "–" }
                }
                td.num data-label="Uptime" {
                    @if let Some(uptime) = self.uptime {
                        span data-since=(uptime.since) { (uptime.words()) }
                    } @else { "–" }
                }
                td.address data-label="Address" { (self.address()) }
                td.muted { (self.devices) }
                td { (form::actions(&href, &self.name, &self.actions)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, frame, ops};

    const URL: &str = "http://127.0.0.1:8000/xend/domain";

    fn row(name: &str, id: Option<u32>) -> DomainRow {
        DomainRow {
            name: name.into(),
            segment: name.into(),
            id,
            memory_mib: 128,
            memory_now_mib: 128,
            letters: if id.is_some() { "-b----".into() } else { String::new() },
            state: if id.is_some() { "running".into() } else { "halted".into() },
            vcpus: 2,
            cpu: id.map(|_| 150.0),
            uptime: id.map(|_| Uptime { seconds: 90, since: 1000 }),
            addresses: if id.is_some() { vec![HOSTILE.into(); 2] } else { vec![] },
            devices: "1 vbd".into(),
            progress: id.map(|_| HOSTILE.into()),
            actions: vec![
                Action { op: "pause".into(), label: "Pause".into(), confirm: None },
                Action {
                    op: "destroy".into(),
                    label: "Destroy…".into(),
                    confirm: Some("/confirm".into()),
                },
            ],
        }
    }

    fn list(rows: Vec<DomainRow>) -> DomainList {
        let tab = |state: Option<&str>, label: &str| StateTab {
            state: state.map(Into::into),
            label: label.into(),
            count: 3,
        };
        DomainList {
            frame: frame(&["xend", "domain"]),
            follow: "?figures=1".into(),
            url: URL.into(),
            path: "/xend/domain".into(),
            states: vec![tab(None, "On the host"), tab(Some("halted"), "halted")],
            contains: String::new(),
            state: None,
            sort: Sorting { by: Column::Name, descending: false },
            rows,
            can_create: true,
        }
    }

    #[test]
    fn domains_on_the_host_have_the_line_that_monitors_parse() {
        let page = list(vec![row("Domain-0", Some(0)), row("pv1", Some(3))]).render();
        assert_document(&page);
        for (name, id) in [("Domain-0", 0), ("pv1", 3)] {
            let line = format!(
                "<li><a href=\"{URL}/{name}\">Domain {name}</a>: \
                 id = {id}, memory = 128, ssidref = 0.</li>"
            );
            assert_eq!(page.lines().filter(|found| *found == line).count(), 1, "{line} in {page}");
        }
    }

    #[test]
    fn only_domains_on_the_host_are_list_items() {
        let page = list(vec![row("pv1", Some(3)), row("web2", None)]).render();
        assert_eq!(page.matches("<li>").count(), 1, "{page}");
        assert!(page.contains(r#"<a href="/xend/domain/web2">web2</a>"#), "{page}");
        assert!(page.contains(r#"<span class="badge halted">halted</span>"#), "{page}");
    }

    #[test]
    fn a_row_has_the_first_address() {
        let with = |addresses: &[&str]| {
            let addresses = addresses.iter().map(|&address| address.into()).collect();
            list(vec![DomainRow { addresses, ..row("pv1", Some(3)) }]).render()
        };
        for (addresses, cell) in [
            (&[][..], "–"),
            (&["203.0.113.10"], "203.0.113.10"),
            (
                &["203.0.113.10", "2001:db8::1", "10.0.0.1"],
                r#"203.0.113.10 <small title="2001:db8::1, 10.0.0.1">+2</small>"#,
            ),
        ] {
            let cell = format!(r#"<td class="address" data-label="Address">{cell}</td>"#);
            let page = with(addresses);
            assert!(page.contains(&cell), "{cell} in {page}");
        }
    }

    #[test]
    fn a_row_has_at_most_8_addresses() {
        let addresses: Vec<String> = (0..10).map(|n| format!("10.0.0.{n}")).collect();
        let page = list(vec![DomainRow { addresses, ..row("pv1", Some(3)) }]).render();
        assert!(page.contains(r#"10.0.0.7 and 2 more">+9</small>"#), "{page}");
    }

    #[test]
    fn names_are_escaped() {
        let page = list(vec![row(HOSTILE, Some(3)), row(HOSTILE, None)]).render();
        assert_document(&page);
    }

    #[test]
    fn operations_that_lose_data_lead_to_a_confirmation() {
        let page = list(vec![row("pv1", Some(3))]).render();
        assert_eq!(ops(&page), ["pause"]);
        assert!(
            page.contains(r#"href="/confirm" data-confirm aria-label="Destroy pv1""#),
            "{page}"
        );
    }

    #[test]
    fn the_selected_state_is_marked_and_kept() {
        let mut page = list(vec![]);
        assert!(page.render().contains(r#"aria-current="true">On the host (3)<"#));
        page.state = Some("HALTED".into());
        let text = page.render();
        assert!(text.contains(r#"?state=halted" aria-current="true">halted (3)<"#), "{text}");
        assert!(text.contains(r#"<input type="hidden" name="state" value="HALTED">"#), "{text}");
    }

    #[test]
    fn a_user_who_may_not_create_domains_has_no_link_to_it() {
        let mut page = list(vec![]);
        assert_eq!(page.render().matches("/xend/new").count(), 2);
        page.can_create = false;
        let text = page.render();
        assert!(text.contains("<p>No domains.</p>") && !text.contains("/xend/new"), "{text}");
    }

    #[test]
    fn a_second_click_on_a_column_reverses_the_order() {
        let mut page = list(vec![row("pv1", Some(3))]);
        let text = page.render();
        assert!(
            text.contains(r#"aria-sort="ascending"><a href="/xend/domain?desc=1">Domain ▴"#),
            "{text}"
        );
        assert!(text.contains(r#"<a href="/xend/domain?sort=cpu&amp;desc=1">CPU</a>"#), "{text}");
        page.sort = Sorting { by: Column::Cpu, descending: true };
        let text = page.render();
        assert!(
            text.contains(r#"aria-sort="descending"><a href="/xend/domain?sort=cpu">CPU ▾"#),
            "{text}"
        );
    }
}
