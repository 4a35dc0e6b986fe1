//! A simulated host with domains.

use crate::support;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::map_request;
use axum::routing::get;
use bytes::Bytes;
use std::net::SocketAddr;
use tokio_util::sync::CancellationToken;
use xend::core::caller::Caller;
use xend::core::engine::Engine;
use xend::core::model::DomainRef;
use xend::core::op::{Change, DomainOp};
use xend::wire::http::Http;

pub(crate) struct Host {
    pub(crate) engine: Engine,
    _dir: tempfile::TempDir,
}

impl Host {
    /// A host with domains `NAME0`, `NAME1`, ... that run. Guests whose name has `busy` use their
    /// CPUs, so that their figures change all the time.
    pub(crate) async fn with(domains: u32, name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let engine = support::engine(dir.path(), support::large_host()).await;
        let caller = Caller::internal();
        for n in 0..domains {
            let config =
                Box::new(support::config(&format!("{name}{n}"), &format!("/dev/vg0/d{n}")));
            engine.execute(&caller, Change::Create(config)).await.unwrap();
            let domain = DomainRef::new(format!("{name}{n}"));
            engine.execute(&caller, Change::Domain(domain, DomainOp::Unpause)).await.unwrap();
        }
        Self { engine, _dir: dir }
    }

    /// Serves the HTTP interface to one caller, or to whomever the server takes a client for.
    pub(crate) async fn http(&self, caller: Option<Caller>) -> SocketAddr {
        let wire =
            Http::new(self.engine.clone(), || 1 << 20, String::new, CancellationToken::new());
        let Some(caller) = caller else { return support::serve(wire.router()).await };
        let as_caller = move |mut request: axum::extract::Request| {
            request.extensions_mut().insert(caller.clone());
            async move { request }
        };
        support::serve(wire.router().layer(map_request(as_caller))).await
    }
}

/// Serves these bytes from memory, on any path.
pub(crate) async fn bare(body: Bytes) -> SocketAddr {
    let answer = move || {
        let body = body.clone();
        async move { ([(CONTENT_TYPE, "application/sxp")], body) }
    };
    support::serve(Router::new().fallback(get(answer.clone()).post(answer))).await
}
