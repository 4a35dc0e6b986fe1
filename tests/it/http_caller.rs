//! A request that does not say where it came from is refused on every page.

use crate::sim_support::{CountingEntropy, TestClock, engine_ports};
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use xend::core::caller::{Caller, Via};
use xend::core::engine::{Engine, Settings};
use xend::wire::http::Http;

const PAGES: [&str; 30] = [
    "/",
    "/xend",
    "/xend/domain",
    "/xend/new",
    "/xend/new/1",
    "/xend/selection?op=pause",
    "/xend/domain/Domain-0",
    "/xend/domain/Domain-0/console",
    "/xend/domain/Domain-0/config",
    "/xend/domain/Domain-0/confirm?op=destroy",
    "/xend/events",
    "/xend/node",
    "/xend/node/dmesg",
    "/xend/node/log",
    "/xend/node/storage",
    "/xend/node/storage/1",
    "/xend/node/storage/1/confirm?op=delete",
    "/xend/node/network",
    "/xend/node/pool",
    "/xend/node/pci",
    "/xend/node/user",
    "/xend/saved",
    "/xend/saved/confirm?op=delete",
    "/xend/journal",
    "/xend/task",
    "/xend/vnet",
    "/xend/vnet/1",
    "/xend/help",
    "//xend//domain/",
    "/nosuch",
];

#[tokio::test]
async fn a_request_without_a_caller_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let entropy = Arc::new(CountingEntropy::default());
    let outside = engine_ports(dir.path(), TestClock::new(), entropy);
    let engine = Engine::start(outside, Settings::default()).await.unwrap();
    let http = Http::new(engine, || 1 << 20, || "the log".to_owned(), CancellationToken::new());
    let router = http.router();
    for page in PAGES {
        for method in [Method::GET, Method::POST] {
            let request = Request::builder().method(&method).uri(page).body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), 500, "{method} {page}");
            let text = to_bytes(answer.into_body(), 1000).await.unwrap();
            assert!(text.ends_with(b"this is a bug"), "{method} {page}: {text:?}");
        }
    }
    let caller = Caller::operator(Via::Unix { uid: Some(0), pid: None });
    let request = Request::get("/xend/domain").extension(caller).body(Body::empty()).unwrap();
    let answer = router.oneshot(request).await.unwrap();
    assert_eq!(to_bytes(answer.into_body(), 1000).await.unwrap(), "(Domain-0)");
}
