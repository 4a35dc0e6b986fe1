//! A simulated host, which the targets of whole wires ask.

use arc_swap::ArcSwap;
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use xend::backend::sim::{Sim, SimSettings};
use xend::core::caller::{Caller, Via};
use xend::core::engine::{Engine, EnginePorts, Settings};
use xend::core::error::Error;
use xend::core::model::Policy;
use xend::core::ports::{
    Destination, Handover, MigratedDomain, MigrationTransport, OutgoingMigration, Verdict,
};
use xend::memory_budget::MemoryBudgets;
use xend::os::{OsEntropy, SystemClock};
use xend::store::DirStore;
use xend::wire::http::Http;
use xend::wire::xmlrpc::{Endpoint, LoginPolicy, XmlRpc};

/// How long a request may wait. Some wait for a guest, or for events; their callers hang up.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long the creation of a host's first domain may take, on a busy machine.
const START: Duration = Duration::from_secs(60);

/// Requests to one host. Then comes a new one, so that a host stays small and a failure is found
/// again from the last inputs.
const REQUESTS: u32 = 2000;

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 1 << 20;

/// A simulated host whose state is in memory.
pub struct Host {
    runtime: Runtime,
    pub engine: Engine,
    pub http: Router,
    pub xmlrpc: Router,
    requests: u32,
    _dir: TempDir,
}

impl Host {
    /// Starts a host with one domain, whose name is `web`.
    ///
    /// # Panics
    ///
    /// Panics if the host cannot be started.
    pub fn start() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let dir = memory_dir();
        let (engine, http, xmlrpc) = runtime.block_on(parts(dir.path()));
        let host = Self { runtime, engine, http, xmlrpc, requests: 0, _dir: dir };
        let config = "(vm (name web) (memory 64) (image (linux (kernel /boot/vmlinuz))) \
            (device (vbd (uname phy:/dev/vg0/web) (dev xvda) (mode w))) (device (vif)))";
        let form = format!("op=create&config={}", config.replace(' ', "+"));
        let request = Request::post("/xend/domain")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.into())
            .unwrap();
        let answer = host.ask_for(START, &host.http.clone(), request);
        assert!(answer.starts_with(b"(domain"), "{}", String::from_utf8_lossy(&answer));
        host
    }

    /// Replaces a host that has had many requests.
    pub fn renew(&mut self) {
        self.requests += 1;
        if self.requests > REQUESTS {
            self.runtime.block_on(self.engine.stop());
            *self = Self::start();
        }
    }

    /// The operator's request to a wire: the answer, or nothing if it takes too long. It comes over
    /// TCP, where `file_dirs` counts.
    pub fn ask(&self, wire: &Router, request: Request<Body>) -> Vec<u8> {
        self.ask_for(PATIENCE, wire, request)
    }

    fn ask_for(&self, limit: Duration, wire: &Router, mut request: Request<Body>) -> Vec<u8> {
        let address = SocketAddr::from(([127, 0, 0, 1], 8000));
        let via = Via::Tcp { peer: address, local: address, encrypted: false };
        request.extensions_mut().insert(Caller::operator(via));
        let asked = async {
            let answer = wire.clone().oneshot(request).await.unwrap();
            answer.into_body().collect().await.unwrap().to_bytes().to_vec()
        };
        self.run(async { timeout(limit, asked).await }).unwrap_or_default()
    }

    /// Runs a future on the host's runtime.
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}

/// A directory in memory where there is one.
///
/// # Panics
///
/// Panics if there is no directory for temporary files.
pub fn memory_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

async fn parts(dir: &Path) -> (Engine, Router, Router) {
    let clock = Arc::new(SystemClock);
    let entropy = Arc::new(OsEntropy);
    let settings = SimSettings::default();
    let sim = Sim::open(&dir.join("sim"), settings, clock.clone(), entropy.clone()).unwrap();
    let outside = EnginePorts {
        hypervisor: Arc::new(sim),
        store: Arc::new(DirStore::open(dir, entropy.clone()).unwrap()),
        transport: Arc::new(NoNetwork),
        clock,
        entropy,
    };
    // No request reads or writes other files of this machine.
    let policy = Policy { file_dirs: vec![dir.join("files")], ..Policy::default() };
    let policy = Arc::new(ArcSwap::from_pointee(policy));
    let settings = Settings { dump_dir: dir.join("dump"), policy, ..Settings::default() };
    let engine = Engine::start(outside, settings).await.unwrap();
    let stop = CancellationToken::new();
    let http = Http::new(engine.clone(), || MAX_BODY, || "the log".to_owned(), stop.clone());
    let host = engine.host_uuid().await.unwrap();
    let xmlrpc = XmlRpc::new(engine.clone(), host, 0, String::new, MemoryBudgets::default(), stop);
    (engine, http.router(), xmlrpc.router(Endpoint::XenApi(LoginPolicy::Trust)))
}

/// No host can be reached.
struct NoNetwork;

fn unreachable() -> Error {
    Error::backend("There is no network", std::io::Error::other("a target has none"))
}

#[async_trait]
impl MigrationTransport for NoNetwork {
    async fn open(
        &self,
        _: &Destination,
        _: &MigratedDomain,
    ) -> Result<Box<dyn OutgoingMigration>, Error> {
        Err(unreachable())
    }

    async fn verdict(&self, _: &Handover) -> Result<Verdict, Error> {
        Err(unreachable())
    }
}
