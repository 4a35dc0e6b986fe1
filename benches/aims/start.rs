//! A start with many definitions: its time, and the memory of each.

use crate::Effort;
use crate::support;
use crate::support::client::{median, resident};
use crate::table::Aim::AtMost;
use crate::table::Table;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use xend::backend::sim::SimSettings;
use xend::core::caller::Caller;
use xend::core::model::Uuid;
use xend::wire::http::Http;

/// Times in seconds, memory in bytes.
struct Cost {
    start: f64,
    memory: f64,
    /// Names, the first time and later.
    names: [f64; 2],
}

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    let [few, many] = [1_000, 10_000].map(|domains| effort.domains(domains));
    // Small first: the process keeps memory that is freed.
    let [of_few, of_many] = [few, many].map(cost);
    let ratio = |many: f64, few: f64, counts: [u32; 2]| {
        many / f64::from(counts[1]) / (few / f64::from(counts[0]))
    };
    table.add("start with 10,000 definitions", of_many.start * 1e3, " ms", AtMost(75.0));
    let memory = of_many.memory / f64::from(many) / 1024.0;
    table.add("memory for each definition", memory, " KiB", AtMost(4.0));
    let counts = [few, many];
    for (at, when) in ["the first time", "again"].into_iter().enumerate() {
        table.ratio(
            format!("names of 10,000 halted domains, times 1,000 for each, {when}"),
            ratio(of_many.names[at], of_few.names[at], counts),
            AtMost(1.5),
        );
    }
}

fn cost(domains: u32) -> Cost {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..domains {
        let mut config = support::config(&format!("d{n}"), &format!("/dev/vg0/d{n}"));
        config.uuid = Some(Uuid::from_u128(u128::from(n) + 1));
        support::store_definition(dir.path(), &config);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let host = support::simulated_host(dir.path(), SimSettings::default());
        let before = resident();
        let started = Instant::now();
        let engine = support::engine_on(host, dir.path()).await;
        let start = started.elapsed().as_secs_f64();
        let memory = (resident() - before) as f64;
        let stopping = CancellationToken::new();
        let router = Http::new(engine.clone(), || 1 << 20, String::new, stopping).router();
        let ask = async || {
            let started = Instant::now();
            let request = Request::get("/xend/domain?state=halted").extension(Caller::internal());
            let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await;
            let body = answer.unwrap().into_body().collect().await.unwrap().to_bytes();
            assert!(body.len() > domains as usize * 3);
            started.elapsed().as_secs_f64()
        };
        let first = ask().await;
        let mut again = Vec::new();
        for _ in 0..9 {
            again.push(ask().await);
        }
        Cost { start, memory, names: [first, median(&mut again)] }
    })
}
