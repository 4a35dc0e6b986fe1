//! `GET /xend/host/NAME`: a host of the fleet and its domains.

use super::fleet::{DOMAINS_PATH, Domain, HOSTS_PATH, Host, UNKNOWN, memory, read, sxp};
use super::listing::{PAGE_PARAM, Search, list_page, respond};
use crate::core::fleet::Presence;
use crate::core::model::Invalid;
use crate::shape::{Sink, SxpSink};
use crate::wire::http::context::Http;
use crate::wire::http::errors::{not_found, operation_failed, problem};
use crate::wire::http::format::Format;
use crate::wire::http::html::units::duration;
use crate::wire::http::json::fleet::FleetHostDomains;
use crate::wire::http::json::problem::Problem;
use crate::wire::http::json::problem_kind::ProblemKind;
use crate::wire::http::natural_order::natural_order;
use crate::wire::http::operation::{Param, ParamKind, optional};
use crate::wire::http::request::RequestInfo;
use crate::wire::http::response::ok;
use axum::extract::State;
use axum::response::Response;
use tokio::time::Instant;
use xend_templates::{Fact, Link, ListPage, Table, TableColumn};

/// The domains of a page.
const PER_PAGE: usize = 100;

/// The parameters of the page.
pub(crate) const QUERY: [Param; 2] = [
    optional(
        "q",
        ParamKind::Text("part of a name"),
        "all domains",
        "Domains with this in their names (HTML and JSON)",
        "web",
    ),
    PAGE_PARAM,
];

/// `GET /xend/host/NAME`
pub(crate) async fn get(
    State(http): State<Http>,
    request: RequestInfo,
) -> Result<Response, Response> {
    let fleet = read(&http.view(&request.caller), &request).await?;
    let Some(host) = Host::named(&fleet, request.name(), Instant::now()) else {
        return Err(no_such_host(&request));
    };
    if request.format == Format::Sxp {
        let print = || sxp(|sink| write(sink, &host));
        return Ok(ok(http.engine().print(host.domains().count() * 256, print).await));
    }
    let failed = |invalid: Invalid| operation_failed(&request, "host", &invalid.into());
    let search = Search::of(&request.query, PER_PAGE).map_err(failed)?;
    let print = || {
        let mut found = search.by_name(host.domains(), Domain::name);
        found.sort_by(|a, b| natural_order(a.name(), b.name()));
        let total = found.len();
        let shown = search.select(found);
        let json = FleetHostDomains {
            host: host.json(),
            age_seconds: host.age.seconds,
            is_stale: host.age.is_stale,
            total,
            domains: shown.iter().map(Domain::json).collect(),
        };
        respond(&request, &json, || ListPage {
            facts: facts(&host),
            filter: vec![search.field()],
            tables: vec![search.table(&request, "domains", total, table(&shown))],
            links: vec![
                Link::new("All hosts", HOSTS_PATH),
                Link::new("Domains of all hosts", DOMAINS_PATH),
            ],
            ..list_page(&request, host.name.as_str(), &about(&host))
        })
    };
    let size = host.domains().count() * 64 + PER_PAGE * 512;
    Ok(http.engine().print(size, print).await)
}

/// `404`, as for a domain.
fn no_such_host(request: &RequestInfo) -> Response {
    let text = format!("No such host {}", request.name());
    if request.format == Format::Json {
        return problem(&Problem::new(ProblemKind::NO_SUCH_OBJECT, text));
    }
    not_found(request, &text)
}

/// Writes `(host (name xen1) ... (domain (name web1) ...) ...)`, with the domains by their names.
fn write(sink: &mut SxpSink, host: &Host<'_>) {
    let mut domains: Vec<Domain<'_>> = host.domains().collect();
    domains.sort_by(|a, b| a.name().cmp(b.name()));
    sink.begin_record("host");
    host.write_fields(sink);
    for domain in domains {
        domain.write(sink);
    }
    sink.end_record();
}

/// What the page says of the host.
fn about(host: &Host<'_>) -> String {
    match host.member.presence {
        Presence::Silent { .. } => {
            let time = host
                .silent_seconds()
                .map_or_else(String::new, |seconds| format!(" for {}", duration(seconds)));
            format!(
                "The host has been silent{time}: it is off, or cut off from etcd. Its domains may \
                 run."
            )
        }
        Presence::Alive => host.age.warning().unwrap_or_else(|| {
            let text = if host.is_own() { "This host, as it has told etcd." } else { "" };
            text.to_owned()
        }),
    }
}

fn facts(host: &Host<'_>) -> Vec<Fact> {
    let member = host.member;
    let known = |text: String| if member.has_run() { text } else { UNKNOWN.to_owned() };
    let relocation = member.relocation.clone().unwrap_or_else(|| "takes no domains".to_owned());
    // It is told when the host joins, too.
    let certificate = match member.fingerprint {
        Some(fingerprint) => fingerprint.to_string(),
        None => known("none: it cannot be asked".to_owned()),
    };
    vec![
        Fact::new("State", host.state()),
        Fact::new("Age", host.age.words()),
        Fact::new("UUID", member.uuid.to_string()),
        Fact::new("Memory", known(memory(member.memory_mib))),
        Fact::new("CPUs", known(member.cpus.to_string())),
        Fact::new("Storages", known(member.storages.join(", "))),
        Fact::new("Migration to", known(relocation)),
        Fact::new("Certificate", certificate),
        Fact::new("Hypervisor", known(member.hypervisor.clone())),
        Fact::new("xend", known(member.version.clone())),
    ]
}

fn table(shown: &[Domain<'_>]) -> Table {
    let row =
        |domain: &Domain<'_>| [domain.name_cell()].into_iter().chain(domain.cells()).collect();
    Table {
        id: "domains".to_owned(),
        title: "Domains".to_owned(),
        columns: vec![
            TableColumn::text("Domain"),
            TableColumn::number("ID"),
            TableColumn::text("State"),
            TableColumn::number("Memory"),
            TableColumn::number("VCPUs"),
            TableColumn::text("Started (UTC)"),
        ],
        rows: shown.iter().map(row).collect(),
        ..Table::default()
    }
}
