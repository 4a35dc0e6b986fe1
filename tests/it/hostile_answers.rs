//! Clients that ask for much and read slowly: what they have not read yet has a bound, and the next
//! one is told so.

use crate::sim_support::{TestClock, engine_ports};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use xend::core::caller::Caller;
use xend::core::engine::{Engine, Settings};
use xend::memory_budget::{MemoryBudget, MemoryBudgets};
use xend::os::OsEntropy;
use xend::wire::http::Http;
use xend::wire::xmlrpc::codec::{self, XmlLimits};
use xend::wire::xmlrpc::{Endpoint, LegacyPolicy, Value, XmlRpc};

/// The length of the log.
const LOG: usize = 150 << 10;

/// The memory for answers, in which there is room for one log.
const BUDGET: usize = 200 << 10;

fn log() -> String {
    "x".repeat(LOG)
}

async fn engine() -> (Engine, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let ports = engine_ports(dir.path(), TestClock::new(), Arc::new(OsEntropy));
    (Engine::start(ports, Settings::default()).await.unwrap(), dir)
}

async fn ask(router: &Router, request: axum::http::request::Builder, body: String) -> Response {
    let mut request = request.body(Body::from(body)).unwrap();
    request.extensions_mut().insert(Caller::internal());
    router.clone().oneshot(request).await.unwrap()
}

async fn text(response: Response) -> String {
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_page_that_nobody_reads_takes_the_place_of_another_one() {
    let (engine, _dir) = engine().await;
    let budgets = MemoryBudgets::new(BUDGET);
    let http = Http::new(engine, || 1 << 20, log, CancellationToken::new());
    let router = http.with_budgets(budgets.clone()).router();
    let ask = async |path: &str| ask(&router, Request::get(path), String::new()).await;
    let unread = ask("/xend/node/log").await;
    assert_eq!((unread.status(), budgets.answers.reserved()), (StatusCode::OK, LOG));
    let refused = ask("/xend/node/log").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key(RETRY_AFTER));
    assert!(text(refused).await.contains("try again"));
    assert_eq!(ask("/xend/domain").await.status(), StatusCode::OK, "small answers do not count");
    assert_eq!(text(unread).await, log());
    assert_eq!(budgets.answers.reserved(), 0);
    assert_eq!(ask("/xend/node/log").await.status(), StatusCode::OK);
    assert_eq!(budgets.requests.reserved(), 0);
}

#[tokio::test]
async fn json_has_room_until_it_is_read_or_done() {
    let (engine, _dir) = engine().await;
    let budgets = MemoryBudgets { answers: MemoryBudget::new(BUDGET), ..Default::default() };
    let http = Http::new(engine, || 1 << 20, log, CancellationToken::new());
    let router = http.with_budgets(budgets.clone()).router();
    let get = async |path: &str| {
        let request = Request::get(path).header(ACCEPT, "application/json");
        ask(&router, request, String::new()).await
    };
    let post = async |prefer: &str, body: serde_json::Value| {
        let request = Request::post("/xend/domain")
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .header("prefer", prefer);
        ask(&router, request, body.to_string()).await
    };
    let config = |name: &str| json!({"name": name, "memory_mib": 64});

    // A task keeps the room of its request until it has ended.
    let begun = post("respond-async", json!({"op": "create", "config": config("web1")})).await;
    assert_eq!(begun.status(), StatusCode::ACCEPTED);
    assert!(budgets.requests.reserved() > 0);
    let task: serde_json::Value = serde_json::from_str(&text(begun).await).unwrap();
    let page = format!("/xend/task/{}", task["id"].as_str().unwrap());
    while text(get(&page).await).await.contains(r#""state":"running""#) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(budgets.requests.reserved(), 0);

    let mut large = config("web2");
    large["settings"] = json!({"note": log()});
    assert_eq!(post("", json!({"op": "new", "config": large})).await.status(), 204);
    for path in ["/xend/domain/web2", "/xend/domain?detail=1&state=all&sort=memory"] {
        let unread = get(path).await;
        assert_eq!(unread.status(), StatusCode::OK);
        assert!(budgets.answers.reserved() > LOG, "{path}");
        let refused = get(path).await;
        assert!(refused.headers().contains_key(RETRY_AFTER), "{path}");
        let problem: serde_json::Value = serde_json::from_str(&text(refused).await).unwrap();
        assert_eq!((&problem["status"], &problem["code"]), (&json!(503), &json!("busy")));
        assert!(text(unread).await.contains(&log()));
        assert_eq!(budgets.answers.reserved(), 0);
    }
    // A list that is kept is sent to all from the same memory.
    let list = "/xend/domain?detail=1&state=all";
    let [first, second] = [get(list).await, get(list).await];
    for unread in [first, second] {
        assert_eq!(unread.status(), StatusCode::OK);
        assert!(text(unread).await.contains(&log()));
    }
    assert_eq!(budgets.answers.reserved(), 0);
}

#[tokio::test]
async fn an_answer_that_nobody_reads_takes_the_place_of_another_one() {
    let (engine, _dir) = engine().await;
    let host = engine.host_uuid().await.unwrap();
    let budgets = MemoryBudgets::new(BUDGET);
    let wire = XmlRpc::new(engine, host, 0, log, budgets.clone(), CancellationToken::new());
    let router = wire.router(Endpoint::Legacy(LegacyPolicy::Trust));
    let call =
        async |method: &str| ask(&router, Request::post("/RPC2"), codec::call(method, &[])).await;
    let read = async |answer: Response| {
        codec::read_answer(&text(answer).await, &XmlLimits::default()).unwrap()
    };
    let unread = call("xend.node.log").await;
    assert!(budgets.answers.reserved() > LOG);
    let (_, reason) = read(call("xend.node.log").await).await.unwrap_err();
    assert!(reason.contains("try again"), "{reason}");
    assert!(read(call("xend.node.info").await).await.is_ok(), "small answers do not count");
    assert_eq!(read(unread).await, Ok(Value::text(log())));
    assert_eq!(budgets.answers.reserved(), 0);
    assert!(read(call("xend.node.log").await).await.is_ok());
}
