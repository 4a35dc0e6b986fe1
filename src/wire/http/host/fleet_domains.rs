//! `GET /xend/domain?host=all` and `?host=NAME`: the domains of the fleet, for pages and JSON.
//!
//! Without `host`, and for S-expressions, the list is that of this host, as on a host in no fleet.

use super::fleet::{Domain, HOSTS_PATH, Host, host_path, read};
use super::listing::{Part, choice_field, empty_text, list_page, text_field};
use crate::core::fleet::FleetView;
use crate::core::lifecycle::State as DomainState;
use crate::core::model::{DomId, Invalid, Uuid};
use crate::shape;
use crate::wire::http::answer::print_list;
use crate::wire::http::context::Http;
use crate::wire::http::domain_list;
use crate::wire::http::errors::operation_failed;
use crate::wire::http::format::Format;
use crate::wire::http::list_filter::Moment;
use crate::wire::http::list_query::{self, ListQuery, ROWS};
use crate::wire::http::list_values::Listed;
use crate::wire::http::natural_order::natural_order;
use crate::wire::http::operation::{Param, ParamKind, optional};
use crate::wire::http::params::bad_value;
use crate::wire::http::request::RequestInfo;
use crate::wire::http::response::{Content, ok};
use axum::extract::State;
use axum::response::Response;
use std::borrow::Cow;
use std::time::SystemTime;
use tokio::time::Instant;
use xend_templates::{Cell, Column, Link, ListPage, Table, TableColumn};

/// The value of `host` for all hosts.
const ALL: &str = "all";

const HOST: Param = optional(
    "host",
    ParamKind::Text("all, or a name"),
    "this host",
    "Show the domains of all hosts of the fleet, or of one (HTML and JSON)",
    "all",
);

/// The parameters of the page.
pub(crate) const QUERY: [Param; 7] = {
    let [detail, state, q, sort, desc, page] = list_query::QUERY;
    [detail, state, q, sort, desc, page, HOST]
};

/// The states that the filter of the page knows, with what they are called.
const STATES: [(&str, &str); 7] = [
    ("", "On a host"),
    ("all", "All"),
    ("running", "Running"),
    ("paused", "Paused"),
    ("halted", "Halted"),
    ("suspended", "Suspended"),
    ("crashed", "Crashed"),
];

/// The columns with a value that the page can be sorted by.
const SORTS: [(&str, &str); 6] = [
    (Column::Name.key(), "Domain"),
    (Column::Id.key(), "ID"),
    (Column::State.key(), "State"),
    (Column::Memory.key(), "Memory"),
    (Column::Vcpus.key(), "VCPUs"),
    (Column::Uptime.key(), "Uptime"),
];

impl Listed for Domain<'_> {
    fn name(&self) -> &str {
        Self::name(self)
    }

    fn uuid(&self) -> Uuid {
        self.uuid
    }

    fn domid(&self) -> Option<DomId> {
        self.summary.domid
    }

    fn state(&self) -> DomainState {
        self.summary.state
    }

    fn shown_state(&self) -> Cow<'static, str> {
        shape::state_name(self.summary.state).into()
    }

    fn type_word(&self) -> Option<&'static str> {
        None
    }

    fn memory_mib(&self) -> u64 {
        self.summary.memory_mib
    }

    fn vcpus(&self) -> u32 {
        self.summary.vcpus
    }

    fn started(&self) -> Option<SystemTime> {
        self.summary.started
    }

    fn has_address(&self, _: &dyn Fn(&str) -> bool) -> bool {
        false
    }

    fn has_device(&self, _: &dyn Fn(&str) -> bool) -> bool {
        false
    }
}

/// `GET /xend/domain`
pub(crate) async fn get(http: State<Http>, request: RequestInfo) -> Result<Response, Response> {
    if request.format == Format::Sxp || request.query.values(HOST.name).is_empty() {
        return domain_list::get(http, request).await;
    }
    let State(http) = http;
    let failed = |invalid: Invalid| operation_failed(&request, "list", &invalid.into());
    let wanted = request.query.text(HOST.name).map_err(failed)?.unwrap_or_default();
    let query = ListQuery::parse(&request.query).map_err(failed)?;
    if let Err(invalid) = &query.filter {
        return Err(failed(invalid.clone()));
    }
    if request.query.flag("detail").map_err(failed)? {
        let reason = "domains of a fleet are listed in short, leave it out";
        return Err(failed(bad_value("detail", reason)));
    }
    let part = Part::of(&request.query, ROWS).map_err(failed)?;
    let fleet = read(&http.view(&request.caller), &request).await?;
    let now = Instant::now();
    let hosts = chosen(&fleet, &wanted, now).map_err(failed)?;
    let time = http.engine().now();
    let is_json = request.format == Format::Json;
    let print = || {
        let mut found = select(&hosts, &query, time);
        if is_json {
            return Content::Json(print_list(found.iter().map(Domain::json)).into());
        }
        let total = found.len();
        let shown = part.select(found.drain(..));
        let is_filtered = wanted != ALL || query.state.is_some() || !query.q.trim().is_empty();
        let table = Table {
            pager: part.pager(&request, total),
            empty: empty_text("domains", total, is_filtered),
            ..table(&shown)
        };
        Content::Html(page(&request, &query, &wanted, table).render())
    };
    let size = fleet.domains.size() * if is_json { 256 } else { 32 };
    Ok(ok(http.engine().print(size, print).await))
}

/// The hosts that a request asks for.
fn chosen<'a>(fleet: &'a FleetView, wanted: &str, now: Instant) -> Result<Vec<Host<'a>>, Invalid> {
    if wanted == ALL {
        return Ok(Host::all(fleet, now).collect());
    }
    match Host::named(fleet, wanted, now) {
        Some(host) => Ok(vec![host]),
        None => Err(bad_value(
            HOST.name,
            format!("there is no host {wanted:?} in the fleet, write {ALL} or a name"),
        )),
    }
}

/// The domains that match, in order. Domains of the same name are in the order of their hosts.
fn select<'a>(hosts: &[Host<'a>], query: &ListQuery, now: SystemTime) -> Vec<Domain<'a>> {
    let passes = |domain: &Domain<'_>| query.passes(domain, || Moment { cpu: None, now });
    let mut found: Vec<_> = hosts.iter().flat_map(Host::domains).filter(passes).collect();
    found.sort_by(|a, b| query.order(a, b, |_| None, natural_order));
    found
}

fn page(request: &RequestInfo, query: &ListQuery, wanted: &str, table: Table) -> ListPage {
    let state = query.state.unwrap_or_default();
    let order = if query.sort.descending { "1" } else { "" };
    ListPage {
        filter: vec![
            text_field(HOST.name, "Host", wanted),
            choice_field("state", "State", state, &STATES),
            text_field("q", "Filter", &query.q),
            choice_field("sort", "Sort by", query.sort.by.key(), &SORTS),
            choice_field("desc", "Order", order, &[("", "Ascending"), ("1", "Descending")]),
        ],
        tables: vec![table],
        links: vec![
            Link::new("Hosts", HOSTS_PATH),
            Link::new("Domains of this host", "/xend/domain"),
        ],
        ..list_page(request, "Domains of the fleet", "As their hosts have told etcd.")
    }
}

fn table(shown: &[Domain<'_>]) -> Table {
    let row = |domain: &Domain<'_>| {
        let host = domain.host.name.as_str();
        let host = Cell::Link(Link::new(host, host_path(host)));
        let age = Cell::Text(domain.host.age.words());
        [domain.name_cell(), host].into_iter().chain(domain.cells()).chain([age]).collect()
    };
    Table {
        id: "domains".to_owned(),
        title: "Domains".to_owned(),
        columns: vec![
            TableColumn::text("Domain"),
            TableColumn::text("Host"),
            TableColumn::number("ID"),
            TableColumn::text("State"),
            TableColumn::number("Memory"),
            TableColumn::number("VCPUs"),
            TableColumn::text("Started (UTC)"),
            TableColumn::text("Age"),
        ],
        rows: shown.iter().map(row).collect(),
        ..Table::default()
    }
}
