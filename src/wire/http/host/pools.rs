//! `GET /xend/node/pool`: CPU pools and the domains in them.

use super::listing::{list_page, respond, some_links};
use crate::core::inventory::Inventory;
use crate::core::model::{CpuSet, PoolFacts};
use crate::core::snapshot::Snapshot;
use crate::wire::http::context::Http;
use crate::wire::http::errors::operation_failed;
use crate::wire::http::html::parts::domain_link;
use crate::wire::http::json::host::CpuPool;
use crate::wire::http::request::RequestInfo;
use axum::extract::State;
use axum::response::Response;
use xend_templates::{Cell, ListPage, Table, TableColumn};

/// `GET /xend/node/pool`
pub(crate) async fn get(
    State(http): State<Http>,
    request: RequestInfo,
) -> Result<Response, Response> {
    let view = http.view(&request.caller);
    let pools = view.pools().await.map_err(|error| operation_failed(&request, "pool", &error))?;
    let snapshot = view.snapshot();
    let print = || {
        let all = read(&pools, &view.inventory(), &snapshot);
        respond(&request, &all, || page(&request, &pools, &all, &snapshot))
    };
    Ok(http.engine().print(snapshot.len() * 32, print).await)
}

/// The pools on the host, and the definitions of others.
fn read(pools: &[PoolFacts], inventory: &Inventory, snapshot: &Snapshot) -> Vec<CpuPool> {
    let on_host = pools.iter().map(|pool| CpuPool {
        name: pool.name.clone(),
        is_started: true,
        scheduler: pool.scheduler.name(),
        cpus: pool.cpus.iter().collect(),
        domains: pool
            .domains
            .iter()
            .filter_map(|domid| Some(snapshot.by_domid(*domid)?.name().to_string()))
            .collect(),
    });
    let is_defined = |name: &str| pools.iter().all(|pool| pool.name != name);
    let defined = inventory.pools().filter(|(_, pool)| is_defined(&pool.name));
    let defined = defined.map(|(_, pool)| CpuPool {
        name: pool.name.clone(),
        is_started: false,
        scheduler: pool.scheduler.name(),
        cpus: pool.cpus.iter().collect(),
        domains: Vec::new(),
    });
    on_host.chain(defined).collect()
}

fn page(
    request: &RequestInfo,
    pools: &[PoolFacts],
    all: &[CpuPool],
    snapshot: &Snapshot,
) -> ListPage {
    let row = |pool: &CpuPool| {
        let on_host = pools.iter().find(|other| pool.is_started && other.name == pool.name);
        let members = on_host.map_or(&[][..], |pool| &pool.domains);
        let views: Vec<_> = members.iter().filter_map(|domid| snapshot.by_domid(*domid)).collect();
        let (links, more) = some_links(views.iter().map(|view| domain_link(view)));
        let cpus: CpuSet = pool.cpus.iter().copied().collect();
        vec![
            Cell::Text(pool.name.clone()),
            Cell::State(if pool.is_started { "started" } else { "halted" }.to_owned()),
            Cell::Text(pool.scheduler.to_owned()),
            Cell::Text(if cpus.is_empty() { String::new() } else { cpus.to_string() }),
            Cell::Text(views.len().to_string()),
            Cell::Links { links, more },
        ]
    };
    let table = Table {
        id: "pools".to_owned(),
        title: "Pools".to_owned(),
        columns: vec![
            TableColumn::text("Pool"),
            TableColumn::text("State"),
            TableColumn::text("Scheduler"),
            TableColumn::text("CPUs"),
            TableColumn::number("Count"),
            TableColumn::text("Domains"),
        ],
        rows: all.iter().map(row).collect(),
        empty: "No pools.".to_owned(),
        pager: None,
    };
    let about = "A domain runs on the CPUs of its pool alone. xm changes pools: xm help --long \
                 lists its commands cpupool-….";
    ListPage { tables: vec![table], ..list_page(request, "CPU pools", about) }
}
