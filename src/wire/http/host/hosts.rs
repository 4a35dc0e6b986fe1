//! `GET /xend/host`: the hosts of the fleet.

use super::fleet::{Age, DOMAINS_PATH, Host, UNKNOWN, host_path, memory, read, sxp};
use super::listing::{PAGE_PARAM, Search, list_page, respond};
use crate::core::fleet::{FleetView, Presence};
use crate::core::model::Invalid;
use crate::shape::{Sink, SxpSink};
use crate::wire::http::context::Http;
use crate::wire::http::errors::operation_failed;
use crate::wire::http::format::Format;
use crate::wire::http::html::units::duration;
use crate::wire::http::json::fleet::{FleetHost, FleetHosts};
use crate::wire::http::operation::{Param, ParamKind, optional};
use crate::wire::http::request::RequestInfo;
use crate::wire::http::response::ok;
use axum::extract::State;
use axum::response::Response;
use tokio::time::Instant;
use xend_templates::{Cell, Fact, Link, ListPage, Table, TableColumn};

/// The hosts of a page.
const PER_PAGE: usize = 100;

/// The parameters of the page.
pub(crate) const QUERY: [Param; 3] = [
    optional("detail", ParamKind::Flag, "0", "Show each host in full, as JSON always does", "1"),
    optional(
        "q",
        ParamKind::Text("part of a name"),
        "all hosts",
        "Hosts with this in their names (HTML and JSON)",
        "xen",
    ),
    PAGE_PARAM,
];

/// `GET /xend/host`
pub(crate) async fn get(
    State(http): State<Http>,
    request: RequestInfo,
) -> Result<Response, Response> {
    let fleet = read(&http.view(&request.caller), &request).await?;
    let now = Instant::now();
    // A page counts the domains of the hosts on it.
    let size = fleet.members.size() * 256 + fleet.domains.size();
    if request.format == Format::Sxp {
        let is_detailed = request.query.single("detail").is_ok_and(|detail| *detail == *b"1");
        let print = || sxp(|sink| write(sink, &fleet, is_detailed, now));
        return Ok(ok(http.engine().print(size, print).await));
    }
    let failed = |invalid: Invalid| operation_failed(&request, "host", &invalid.into());
    request.query.flag("detail").map_err(failed)?;
    let search = Search::of(&request.query, PER_PAGE).map_err(failed)?;
    let print = || {
        let found = search.by_name(Host::all(&fleet, now), |host| host.name.as_str());
        let total = found.len();
        let shown = search.select(found);
        let age = Age::of_fleet(&fleet, now);
        let json = FleetHosts {
            fleet: fleet.name.to_string(),
            age_seconds: age.seconds.unwrap_or_default(),
            is_stale: age.is_stale,
            total,
            hosts: shown.iter().map(Host::json).collect(),
        };
        respond(&request, &json, || ListPage {
            facts: facts(&fleet, age),
            filter: vec![search.field()],
            tables: vec![search.table(&request, "hosts", total, table(&json.hosts))],
            links: vec![Link::new("Domains of all hosts", DOMAINS_PATH)],
            ..list_page(&request, "Hosts", &about(age))
        })
    };
    Ok(http.engine().print(size, print).await)
}

/// Writes `(xen1 xen2)`, or `((host (name xen1) ...) ...)`.
fn write(sink: &mut SxpSink, fleet: &FleetView, is_detailed: bool, now: Instant) {
    sink.begin_list();
    for host in Host::all(fleet, now) {
        if is_detailed {
            sink.begin_record("host");
            host.write_fields(sink);
            sink.end_record();
        } else {
            sink.text(host.name.as_str().as_bytes());
        }
    }
    sink.end_list();
}

/// What the page says of its figures.
fn about(age: Age) -> String {
    age.warning().unwrap_or_else(|| {
        "The hosts of this host's fleet. The domains of a silent host may still be running."
            .to_owned()
    })
}

/// The whole fleet in figures.
fn facts(fleet: &FleetView, age: Age) -> Vec<Fact> {
    let members = || fleet.members.values();
    let total = fleet.members.size();
    let hosts = match members().filter(|member| member.presence != Presence::Alive).count() {
        0 => total.to_string(),
        silent => format!("{total}, {silent} silent"),
    };
    let mib = members().fold(0, |sum: u64, member| sum.saturating_add(member.memory_mib));
    vec![
        Fact::new("Fleet", &*fleet.name),
        Fact::new("Hosts", hosts),
        Fact::new("Domains", fleet.domains.size().to_string()),
        Fact::new("Memory", memory(mib)),
        Fact::new("Age", age.words()),
    ]
}

fn table(hosts: &[FleetHost]) -> Table {
    Table {
        id: "hosts".to_owned(),
        title: "Hosts".to_owned(),
        columns: vec![
            TableColumn::text("Host"),
            TableColumn::text("State"),
            TableColumn::text("Silent for"),
            TableColumn::number("Domains"),
            TableColumn::number("Memory"),
            TableColumn::number("CPUs"),
            TableColumn::text("Storages"),
            TableColumn::text("Migration to"),
            TableColumn::text("Hypervisor"),
            TableColumn::text("xend"),
        ],
        rows: hosts.iter().map(row).collect(),
        ..Table::default()
    }
}

fn row(host: &FleetHost) -> Vec<Cell> {
    let name = if host.is_own { format!("{} (this host)", host.name) } else { host.name.clone() };
    let silent_for = match (host.state, host.silent_seconds) {
        (_, Some(seconds)) => duration(seconds),
        ("silent", None) => UNKNOWN.to_owned(),
        _ => "–".to_owned(),
    };
    let has_run = host.version.is_some();
    let known = |text: Option<String>| Cell::Text(text.unwrap_or_else(|| UNKNOWN.to_owned()));
    vec![
        Cell::Link(Link::new(name, host_path(&host.name))),
        Cell::State(host.state.to_owned()),
        Cell::Text(silent_for),
        Cell::Text(host.domain_count.to_string()),
        known(host.memory_mib.map(memory)),
        known(host.cpus.map(|cpus| cpus.to_string())),
        known(has_run.then(|| host.storages.join(", "))),
        known(has_run.then(|| host.relocation.clone().unwrap_or_else(|| "–".to_owned()))),
        known(host.hypervisor.clone()),
        known(host.version.clone()),
    ]
}
