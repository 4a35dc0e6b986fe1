//! Lists of domains over HTTP, while the figures of all domains move.

use crate::Effort;
use crate::host::{Host, bare};
use crate::support::client::{get, median, once, rate};
use crate::support::nginx::Nginx;
use crate::table::Aim::AtLeast;
use crate::table::Table;
use std::net::SocketAddr;
use std::sync::Arc;
use xend::core::caller::{Caller, Via};
use xend::core::rights::{Access, Account, Credential, Right, User};

const JSON: &str = "Accept: application/json\r\n";
const PAGE: &str = "Accept: text/html\r\nUpgrade-Insecure-Requests: 1\r\n";

pub(crate) async fn measure(effort: Effort, table: &mut Table) {
    let nginx = Nginx::start();
    if nginx.is_none() {
        println!("There is no nginx: its ratios are left out");
    }
    for (domains, to_bare, to_nginx) in [(1_000, 0.9, 1.2), (10_000, 0.7, 1.0)] {
        let host = Host::with(effort.domains(domains), "busy").await;
        let ours = host.http(None).await;
        let details = get("/xend/domain?detail=1", "");
        let body = once(ours, &details).await;
        let other = bare(body.clone()).await;
        let side = Side { address: ours, request: details };
        let ratio = compare(effort, &side, &Side { address: other, ..side.clone() }).await;
        table.ratio(
            format!("details of {domains} domains, to a bare handler"),
            ratio,
            AtLeast(to_bare),
        );
        if let Some(nginx) = &nginx {
            nginx.serve("details", &body);
            let theirs = Side { address: nginx.address, request: get("/details", "") };
            let ratio = compare(effort, &side, &theirs).await;
            table.ratio(
                format!("details of {domains} domains, to nginx"),
                ratio,
                AtLeast(to_nginx),
            );
        }
        let user = host.http(Some(user())).await;
        for (what, address, target, headers) in [
            ("as JSON", ours, "/xend/domain?detail=1", JSON),
            ("as a page", ours, "/xend/domain?detail=1", PAGE),
            ("in a state", ours, "/xend/domain?detail=1&state=running", ""),
            ("of a user", user, "/xend/domain?detail=1", ""),
        ] {
            let other = Side { address, request: get(target, headers) };
            let ratio = compare(effort, &other, &side).await;
            table.ratio(
                format!("details of {domains} domains {what}, to the S-expression"),
                ratio,
                AtLeast(0.5),
            );
        }
        let names = get("/xend/domain", "");
        let other = bare(once(ours, &names).await).await;
        let side = Side { address: ours, request: names };
        let ratio = compare(effort, &side, &Side { address: other, ..side.clone() }).await;
        table.ratio(format!("names of {domains} domains, to a bare handler"), ratio, AtLeast(0.8));
    }
}

/// A user who sees all domains.
fn user() -> Caller {
    let local = SocketAddr::from(([127, 0, 0, 1], 8000));
    let via = Via::Tcp { peer: local, local, encrypted: true };
    let rights = [Right::See].into_iter().collect();
    let access = Access::to(["busy*".parse().unwrap()], rights);
    Caller::of_user(via, Arc::new(User::new(Account::new("steve", Credential::None, access))))
}

#[derive(Clone)]
struct Side {
    address: SocketAddr,
    request: Arc<Vec<u8>>,
}

/// The median ratio of the rates of both, in alternating blocks.
async fn compare(effort: Effort, one: &Side, other: &Side) -> f64 {
    let block = effort.time(600);
    let mut ratios = Vec::new();
    for _ in 0..effort.rounds(7) {
        let a = rate(one.address, &one.request, block).await;
        let b = rate(other.address, &other.request, block).await;
        ratios.push(a / b);
    }
    median(&mut ratios)
}
