//! Lists of a user beside those of an operator, on a host with 1,000 domains of the user's.
//!
//! Both ask the same handlers, in turns, so that the machine's speed cancels out. A list is asked
//! for again and again, or after each change of a domain. The last lines are of a user with ten of
//! the domains. Run with `cargo bench --bench rights`; `-- --test` runs a few rounds only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark fails by a panic"
)]

mod support;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use xend::backend::sim::SimSettings;
use xend::core::caller::{Caller, Via};
use xend::core::engine::Engine;
use xend::core::model::DomainRef;
use xend::core::op::{Change, DomainOp};
use xend::core::rights::{Access, Account, Credential, DomainPattern, Right, User};
use xend::memory_budget::MemoryBudgets;
use xend::shape::read_config;
use xend::sxp::{Limits, read_one};
use xend::wire::http::Http;
use xend::wire::xmlrpc::codec;
use xend::wire::xmlrpc::{Endpoint, LoginPolicy, Value, XmlRpc};

fn main() {
    let quick = std::env::args().any(|arg| arg == "--test");
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        let host = Host::with(if quick { 20 } else { 1_000 }).await;
        let rounds = if quick { 2 } else { 40 };
        let all = user(["d*".parse().unwrap()]);
        for request in host.requests(&all).await {
            let again = host.compare(&request, rounds, false).await;
            let changed = host.compare(&request, rounds, true).await;
            println!(
                "{}: with rights {again:.2} times the time without (aim 1.1), after a change of a \
                 domain {changed:.2} times",
                request.what
            );
        }
        let ten = user((0..10).map(|n| format!("d{n}").parse().unwrap()));
        for request in host.requests(&ten).await {
            let changed = host.compare(&request, rounds, true).await;
            println!("{}: ten of all domains after a change {changed:.3} times", request.what);
        }
    });
}

/// A request as an operator and as a user makes it.
struct Asked {
    what: &'static str,
    router: Router,
    target: &'static str,
    /// The caller and the body of each.
    sides: [(Caller, String); 2],
}

struct Host {
    engine: Engine,
    http: Router,
    xenapi: Router,
    _dir: tempfile::TempDir,
}

impl Host {
    async fn with(domains: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = SimSettings { memory_mib: 1 << 24, ..SimSettings::default() };
        let engine = support::engine(dir.path(), settings).await;
        for n in 0..domains {
            let text = format!(
                "(vm (name d{n}) (memory 128) (vcpus 2) (image (linux (kernel /boot/vmlinuz))) \
                 (device (vbd (uname phy:/dev/vg0/d{n}) (dev sda1) (mode w))) \
                 (device (vif (bridge xenbr0))))"
            );
            let config = read_config(&read_one(text.as_bytes(), &Limits::default()).unwrap());
            let create = Change::Create(Box::new(config.unwrap()));
            engine.execute(&Caller::internal(), create).await.unwrap();
        }
        let host = engine.host_uuid().await.unwrap();
        let stopping = CancellationToken::new;
        let http = Http::new(engine.clone(), || 1 << 20, String::new, stopping()).router();
        let xmlrpc =
            XmlRpc::new(engine.clone(), host, 0, String::new, MemoryBudgets::default(), stopping());
        let xenapi = xmlrpc.router(Endpoint::XenApi(LoginPolicy::Trust));
        Self { engine, http, xenapi, _dir: dir }
    }

    async fn requests(&self, user: &Caller) -> Vec<Asked> {
        let operator = Caller::operator(via());
        let plain = |what, target| {
            let sides = [&operator, user].map(|caller| (caller.clone(), String::new()));
            Asked { what, router: self.http.clone(), target, sides }
        };
        let mut sides = Vec::new();
        for caller in [&operator, user] {
            let session = self.log_in(caller).await;
            sides.push((caller.clone(), codec::call("VM.get_all_records", &[session])));
        }
        let sides = sides.try_into().unwrap_or_else(|_| panic!("two sides"));
        vec![
            plain("list of names", "/xend/domain"),
            plain("detailed list", "/xend/domain?detail=1"),
            plain("list in a state", "/xend/domain?state=paused"),
            Asked { what: "all records of VMs", router: self.xenapi.clone(), target: "/", sides },
        ]
    }

    /// A session of the Xen-API.
    async fn log_in(&self, caller: &Caller) -> Value {
        let user = [Value::text("root"), Value::text("")];
        let body = codec::call("session.login_with_password", &user);
        let answer = send(&self.xenapi, caller, "/", &body).await;
        let text = String::from_utf8(answer.to_vec()).unwrap();
        let mut words = text.split(|c: char| !c.is_ascii_hexdigit() && c != '-');
        Value::text(words.rfind(|word| word.len() == 36).unwrap())
    }

    /// The median ratio of the user's time to the operator's. `changes` changes a domain before
    /// each request.
    async fn compare(&self, asked: &Asked, rounds: u32, changes: bool) -> f64 {
        let mut ratios = Vec::new();
        for round in 0..rounds {
            let mut times = [0.0; 2];
            for (n, (caller, body)) in asked.sides.iter().enumerate() {
                for _ in 0..4 {
                    if changes {
                        let pause = round % 2 == 0;
                        let op = if pause { DomainOp::Pause } else { DomainOp::Unpause };
                        let change = Change::Domain(DomainRef::new("d7"), op);
                        self.engine.execute(&Caller::internal(), change).await.unwrap();
                    }
                    let started = Instant::now();
                    let answer = send(&asked.router, caller, asked.target, body).await;
                    times[n] += started.elapsed().as_secs_f64();
                    assert!(answer.len() > 20);
                }
            }
            ratios.push(times[1] / times[0]);
        }
        ratios.sort_by(f64::total_cmp);
        ratios[ratios.len() / 2]
    }
}

fn via() -> Via {
    let local = SocketAddr::from(([127, 0, 0, 1], 8000));
    Via::Tcp { peer: local, local, encrypted: true }
}

fn user(domains: impl IntoIterator<Item = DomainPattern>) -> Caller {
    let account = Account::new(
        "steve",
        Credential::None,
        Access::to(domains, [Right::See].into_iter().collect()),
    );
    Caller::of_user(via(), Arc::new(User::new(account)))
}

async fn send(router: &Router, caller: &Caller, target: &str, body: &str) -> bytes::Bytes {
    let method = if body.is_empty() { "GET" } else { "POST" };
    let request = Request::builder().method(method).uri(target).extension(caller.clone());
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.into_body().collect().await.unwrap().to_bytes()
}
