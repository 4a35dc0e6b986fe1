//! A host behind HTTP whose fleet says what the test wants.

use crate::http_support::{Answer, Listener, ask};
use crate::server_support::{Daemon, tunables};
use crate::sim_support::{CountingEntropy, TestClock, config, engine_ports, settings};
use async_trait::async_trait;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use rpds::RedBlackTreeMapSync;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::task::block_in_place;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use xend::backend::sim::Sim;
use xend::core::caller::{Caller, Via};
use xend::core::engine::{Engine, EnginePorts, Settings};
use xend::core::error::Error;
use xend::core::fingerprint::Fingerprint;
use xend::core::fleet::{DomainSummary, FleetView, HostName, Member, Presence};
use xend::core::lifecycle::State as DomainState;
use xend::core::model::{DomId, DomName, Uuid};
use xend::core::op::Change;
use xend::core::ports::{Clock, Fleet};
use xend::core::rights::{Access, Account, Accounts, Credential, Right};
use xend::wire::http::Http;

/// A name that a page must escape.
pub(crate) const ODD_NAME: &str = r#"<b>"&' x"#;

/// The headers of a client of S-expressions.
pub(crate) const SXP: &str = "Accept: application/sxp\r\n";

/// A fleet that never changes; `None` while etcd has said nothing.
#[derive(Debug)]
pub(crate) struct FixedFleet(pub(crate) Option<Arc<FleetView>>);

#[async_trait]
impl Fleet for FixedFleet {
    fn own(&self) -> HostName {
        host_name("xen1")
    }

    async fn view(&self) -> Result<Arc<FleetView>, Error> {
        let message = "etcd does not answer at https://etcd1:2379".to_owned();
        self.0.clone().ok_or(Error::Unreachable { message, source: None })
    }

    async fn member_now(&self, host: &HostName) -> Result<Option<Member>, Error> {
        Ok(self.view().await?.members.get(host).cloned())
    }
}

/// A clock that stands still, so that two hosts have the same figures.
struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_170_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(1000)
    }
}

pub(crate) fn host_name(name: &str) -> HostName {
    name.parse().unwrap()
}

pub(crate) fn member(number: u8, presence: Presence) -> Member {
    Member {
        uuid: Uuid::from_u128(u128::from(number)),
        relocation: Some(format!("10.0.0.{number}:8002")),
        fingerprint: Some(Fingerprint::new([number; Fingerprint::LEN])),
        version: "4.5".to_owned(),
        hypervisor: "xen".to_owned(),
        cpus: 8,
        memory_mib: 1024 * u64::from(number),
        storages: vec!["san".to_owned(), "tank".to_owned()],
        epoch: 1,
        is_away: false,
        presence,
    }
}

/// A running domain.
pub(crate) fn summary(name: &str, domid: u32) -> DomainSummary {
    DomainSummary {
        name: DomName::adopted(name),
        domid: Some(DomId(domid)),
        state: DomainState::Running,
        memory_mib: 128,
        vcpus: 2,
        started: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
        apart: Vec::new(),
    }
}

/// Four hosts: xen1 is the one that answers, xen3 is silent for a minute, xen4 was so from the
/// first. All was told now.
pub(crate) fn fleet() -> FleetView {
    let now = Instant::now();
    let silent = |since| Presence::Silent { since };
    let minute_ago = now - Duration::from_secs(60);
    let members = RedBlackTreeMapSync::from_iter([
        (host_name("xen1"), member(1, Presence::Alive)),
        (host_name("xen2"), member(2, Presence::Alive)),
        (host_name("xen3"), member(3, silent(Some(minute_ago)))),
        (host_name("xen4"), Member { relocation: None, ..member(4, silent(None)) }),
    ]);
    let halted = DomainSummary {
        domid: None,
        state: DomainState::Halted,
        memory_mib: 512,
        started: None,
        ..summary("one.db", 0)
    };
    let domains = [
        ("xen1", 0x11, DomainSummary { started: None, ..summary("Domain-0", 0) }),
        ("xen1", 0x12, summary("web1", 5)),
        ("xen2", 0x21, summary("web10", 7)),
        ("xen2", 0x22, summary(ODD_NAME, 8)),
        ("xen2", 0x23, summary("web2", 9)),
        ("xen3", 0x31, halted),
        ("xen4", 0x41, DomainSummary { state: DomainState::Paused, ..summary("lost", 3) }),
    ];
    let domains = domains
        .map(|(host, uuid, domain)| ((host_name(host), Uuid::from_u128(uuid)), Arc::new(domain)));
    FleetView {
        name: "berlin".into(),
        own: host_name("xen1"),
        members,
        domains: RedBlackTreeMapSync::from_iter(domains),
        heard: now,
    }
}

/// An engine with the domain web1, and the accounts reader and steve.
pub(crate) async fn engine_in(dir: &Path, fleet: Option<FixedFleet>) -> (Engine, Arc<Accounts>) {
    let entropy = Arc::new(CountingEntropy::default());
    let clock = Arc::new(StoppedClock);
    let sim = dir.join("stopped");
    let sim = Sim::open(&sim, settings(), clock.clone(), entropy.clone()).unwrap();
    let ports = engine_ports(dir, TestClock::new(), entropy);
    let outside = EnginePorts { hypervisor: Arc::new(sim), clock, ..ports };
    let accounts = Arc::new(Accounts::default());
    let account = |name: &str, rights: &[Right]| {
        let domains = ["web*".parse().unwrap(), "one.*".parse().unwrap()];
        let access = Access::to(domains, rights.iter().copied().collect());
        Account::new(name, Credential::None, access)
    };
    let reader = account("reader", &[Right::See, Right::HostFacts]);
    accounts.replace(vec![reader, account("steve", &[Right::See])], None);
    let settings = Settings {
        accounts: accounts.clone(),
        fleet: fleet.map(|fleet| Arc::new(fleet) as Arc<dyn Fleet>),
        ..Settings::default()
    };
    let engine = Engine::start(outside, settings).await.unwrap();
    let change = Change::Create(Box::new(config("web1", 64)));
    engine.execute(&Caller::internal(), change).await.unwrap();
    (engine, accounts)
}

/// A host with the domain web1.
pub(crate) struct FleetHost {
    daemon: Daemon,
    _dir: TempDir,
}

impl FleetHost {
    pub(crate) async fn of(fleet: FleetView) -> Self {
        Self::start(Some(FixedFleet(Some(Arc::new(fleet))))).await
    }

    /// A host in a fleet of which nothing is known yet.
    pub(crate) async fn without_etcd() -> Self {
        Self::start(Some(FixedFleet(None))).await
    }

    /// A host in no fleet.
    pub(crate) async fn alone() -> Self {
        Self::start(None).await
    }

    async fn start(fleet: Option<FixedFleet>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (engine, accounts) = engine_in(dir.path(), fleet).await;
        let http = Http::new(engine, || 1 << 20, || "the log".to_owned(), CancellationToken::new());
        let router = http.router().layer(from_fn_with_state(accounts, identify));
        Self { daemon: Daemon::start(router, tunables(60)).await, _dir: dir }
    }

    /// Its address for clients of HTTP.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.daemon.address)
    }

    pub(crate) fn ask(&self, method: &str, target: &str, headers: &str) -> Answer {
        let head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}");
        let request = format!("{head}Content-Length: 0\r\n\r\n");
        block_in_place(|| ask(&Listener::Tcp(self.daemon.address), request.as_bytes()))
    }

    /// GET as a client of S-expressions.
    pub(crate) fn sxp(&self, target: &str) -> Answer {
        self.ask("GET", target, SXP)
    }
}

/// Plays the server: `X-User` is the user of an account, anybody else an operator.
pub(crate) async fn identify(
    State(accounts): State<Arc<Accounts>>,
    mut request: Request,
    next: Next,
) -> Response {
    let via = Via::Unix { uid: Some(0), pid: None };
    let user = request.headers().get("x-user").map(|user| user.to_str().unwrap().to_owned());
    let caller = match user {
        Some(user) => Caller::of_user(via, accounts.get(&user).unwrap()),
        None => Caller::operator(via),
    };
    request.extensions_mut().insert(caller);
    next.run(request).await
}
