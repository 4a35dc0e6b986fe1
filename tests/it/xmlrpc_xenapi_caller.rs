//! A request that does not say where it comes from is refused on the XML-RPC wire.

use crate::sim_support::{TestClock, engine_ports};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use xend::core::caller::Caller;
use xend::core::engine::{Engine, EnginePorts, Settings};
use xend::memory_budget::MemoryBudgets;
use xend::os::{OsEntropy, SystemClock};
use xend::wire::xmlrpc::codec::{self, XmlLimits};
use xend::wire::xmlrpc::{Endpoint, LoginPolicy, Value, XmlRpc};

/// A call of `xend.domains` with this caller.
async fn domains(wire: &XmlRpc, caller: Option<Caller>) -> Result<Value, (i64, String)> {
    let body = Body::from(codec::call("xend.domains", &[Value::Int(0)]));
    let mut request = Request::post("/").body(body).unwrap();
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    let router = wire.router(Endpoint::XenApi(LoginPolicy::Trust));
    let answer = router.oneshot(request).await.unwrap();
    let answer = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    codec::read_answer(std::str::from_utf8(&answer).unwrap(), &XmlLimits::default()).unwrap()
}

#[tokio::test]
async fn a_request_without_a_caller_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let ports = engine_ports(dir.path(), TestClock::new(), Arc::new(OsEntropy));
    let outside = EnginePorts { clock: Arc::new(SystemClock), ..ports };
    let engine = Engine::start(outside, Settings::default()).await.unwrap();
    let host = engine.host_uuid().await.unwrap();
    let wire = XmlRpc::new(
        engine,
        host,
        0,
        String::new,
        MemoryBudgets::default(),
        CancellationToken::new(),
    );
    let names = Value::Array(vec![Value::text("Domain-0")]);
    assert_eq!(domains(&wire, Some(Caller::internal())).await, Ok(names));
    let (code, reason) = domains(&wire, None).await.unwrap_err();
    assert_eq!(code, 1);
    assert!(reason.contains("where this call comes from"), "{reason}");
}
