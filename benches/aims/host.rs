//! A simulated host with domains.

use crate::support;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::map_request;
use axum::routing::get;
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use xend::backend::sim::SimSettings;
use xend::core::caller::Caller;
use xend::core::engine::Engine;
use xend::core::model::{DomainConfig, DomainRef};
use xend::core::op::{Change, DomainOp};
use xend::shape::read_config;
use xend::sxp::{Limits, read_one};
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
        let settings = SimSettings {
            memory_mib: 1 << 24,
            slow_create: Duration::from_secs(6),
            ..SimSettings::default()
        };
        let engine = support::engine(dir.path(), settings).await;
        let caller = Caller::internal();
        for n in 0..domains {
            let config = Box::new(config(&format!("{name}{n}"), &format!("/dev/vg0/d{n}")));
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

pub(crate) fn config(name: &str, disk: &str) -> DomainConfig {
    let text = format!(
        "(vm (name {name}) (memory 128) (maxmem 256) (vcpus 2) \
         (on_poweroff destroy) (on_reboot restart) (on_crash restart) (image (linux \
         (kernel /boot/vmlinuz-2.6-xenU) (root '/dev/sda1 ro') (args 'console=hvc0'))) \
         (device (vbd (uname phy:{disk}) (dev sda1) (mode w))) \
         (device (vif (bridge xenbr0) (ip 10.0.0.5))))"
    );
    read_config(&read_one(text.as_bytes(), &Limits::default()).unwrap()).unwrap()
}

/// Serves these bytes from memory, on any path.
pub(crate) async fn bare(body: Bytes) -> SocketAddr {
    let answer = move || {
        let body = body.clone();
        async move { ([(CONTENT_TYPE, "application/sxp")], body) }
    };
    support::serve(Router::new().fallback(get(answer.clone()).post(answer))).await
}
