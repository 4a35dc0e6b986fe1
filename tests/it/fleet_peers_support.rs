//! Hosts of a fleet that ask each other, each with HTTP and an encrypted relocation port.

use crate::fleet_support::Lab;
use crate::http_fleet_support::identify;
use crate::http_support::{Answer, Listener, ask};
use crate::server_support::{Daemon, tunables};
use crate::sim_support::{TestClock, config, engine_ports};
use crate::tls_support::write_certificate;
use arc_swap::ArcSwap;
use axum::middleware::from_fn_with_state;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::block_in_place;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{client, server};
use tokio_util::sync::CancellationToken;
use xend::core::caller::Caller;
use xend::core::engine::{Engine, EnginePorts, Settings};
use xend::core::fingerprint::Fingerprint;
use xend::core::journal::EventKind;
use xend::core::model::{DomainLookup, DomainRef, Policy, Uuid};
use xend::core::op::{Change, DomainOp};
use xend::core::rights::{Access, Account, Accounts, Credential, Right};
use xend::fleet::{AliveRecord, FleetReader, HostRecord, MemoryKv, Op, ViewRecord};
use xend::os::OsEntropy;
use xend::peer_tls::{PeerTls, PeerTlsFiles};
use xend::server::Identities;
use xend::wire::http::{Http, PeerCallers};
use xend::wire::relocation::{RelocationPlaces, RelocationServer, TcpTransport, TlsPeers};

/// A key and a certificate of a host.
pub(crate) struct Identity {
    pub(crate) tls: Arc<PeerTls>,
    _dir: TempDir,
}

impl Identity {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        write_certificate(dir.path());
        let [key, cert] = ["key", "cert"].map(|file| dir.path().join(file));
        let files = PeerTlsFiles { key, peers: Some(cert.clone()), cert };
        Self { tls: Arc::new(PeerTls::open(files).unwrap()), _dir: dir }
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.tls.fingerprint().borrow().unwrap()
    }

    /// A connection to a host that has this certificate.
    pub(crate) async fn connect(
        &self,
        to: SocketAddr,
        pin: Fingerprint,
    ) -> client::TlsStream<TcpStream> {
        let stream = TcpStream::connect(to).await.unwrap();
        let connector = self.tls.peer_connector(pin).unwrap();
        connector.connect(ServerName::from(to.ip()), stream).await.unwrap()
    }

    /// The same, as the host of this name; with what it is answered.
    pub(crate) async fn introduced(
        &self,
        name: &str,
        to: &PeerHost,
    ) -> (client::TlsStream<TcpStream>, String) {
        let mut stream = self.connect(to.relocation, to.identity.fingerprint()).await;
        stream.write_all(format!("(host {name})\n").as_bytes()).await.unwrap();
        let answer = line(&mut stream).await;
        (stream, answer)
    }

    /// A port that plays a host, which welcomes the first one that connects and does this.
    pub(crate) async fn play<F>(
        &self,
        host: impl FnOnce(server::TlsStream<TcpStream>) -> F + Send + 'static,
    ) -> SocketAddr
    where
        F: Future<Output = ()> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = self.tls.peer_acceptor();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                assert!(line(&mut stream).await.starts_with("(host "));
                stream.write_all(b"(welcome)\n").await.unwrap();
                host(stream).await;
            }
        });
        address
    }
}

/// A line, as far as it arrives.
async fn line(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let Ok(byte) = stream.read_u8().await else { break };
        line.push(byte);
    }
    String::from_utf8(line).unwrap()
}

/// Writes the record of a host, as its daemon does.
pub(crate) async fn record(lab: &Lab, name: &str, address: SocketAddr, certificate: Fingerprint) {
    let mut record = HostRecord::joining(Uuid::from_u128(1), UNIX_EPOCH);
    record.facts.relocation = Some(address.to_string());
    record.facts.fingerprint = Some(certificate.to_string());
    lab.put(lab.keys.host(&name.parse().unwrap()), record.encode()).await;
}

/// A host of this name is heard of from now on.
pub(crate) async fn come_alive(lab: &Lab, name: &str) {
    let alive = AliveRecord { epoch: 0, boot_id: Uuid::from_u128(1) };
    lab.put(lab.keys.alive(&name.parse().unwrap()), alive.encode()).await;
}

/// A host tells the fleet of a running domain.
pub(crate) async fn publish(lab: &Lab, host: &str, name: &str, uuid: Uuid) {
    let record = ViewRecord {
        name: name.to_owned(),
        domid: Some(3),
        state: "running".to_owned(),
        memory_mib: 32,
        vcpus: 1,
        started: None,
        apart: Vec::new(),
    };
    lab.put(lab.keys.view(&host.parse().unwrap(), uuid), record.encode()).await;
}

/// A host of the fleet, with the paused domains web1 and db.
pub(crate) struct PeerHost {
    pub(crate) engine: Engine,
    pub(crate) identity: Identity,
    /// Its own way to the store, with faults.
    pub(crate) kv: Arc<MemoryKv>,
    pub(crate) relocation: SocketAddr,
    policy: Arc<ArcSwap<Policy>>,
    name: String,
    daemon: Daemon,
    stop: CancellationToken,
    _dir: TempDir,
}

impl PeerHost {
    /// A host that has joined.
    pub(crate) async fn start(lab: &Lab, name: &str) -> Self {
        Self::start_with(lab, name, RelocationPlaces::ALL).await
    }

    /// The same with so many places.
    pub(crate) async fn start_with(lab: &Lab, name: &str, places: RelocationPlaces) -> Self {
        Self::start_for(lab, name, places, PeerCallers::Everybody).await
    }

    /// The same, which other hosts may ask for these.
    pub(crate) async fn start_for(
        lab: &Lab,
        name: &str,
        places: RelocationPlaces,
        callers: PeerCallers,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::new();
        let accounts = Arc::new(Accounts::default());
        let account = |name: &str, rights: &[Right]| {
            let access = Access::to(["web*".parse().unwrap()], rights.iter().copied().collect());
            Account::new(name, Credential::None, access)
        };
        let mut steve = account("steve", &[Right::See, Right::Power, Right::Migrate]);
        steve.access.limits.hosts = vec!["xen2".to_owned()];
        // What an account of this name may do on another host does not matter there.
        let reader = account("reader", if name == "xen1" { &[Right::See] } else { &Right::ALL });
        accounts.replace(vec![steve, reader], None);
        let kv = Arc::new(lab.kv.another_client());
        let policy = Arc::<ArcSwap<Policy>>::default();
        let settings = Settings {
            policy: policy.clone(),
            dump_dir: dir.path().to_owned(),
            accounts: accounts.clone(),
            fleet: Some(FleetReader::new(kv.clone(), lab.keys.clone(), name.parse().unwrap())),
            peers: Some(Arc::new(TlsPeers::new(name.parse().unwrap(), Ok(identity.tls.clone())))),
            ..Settings::default()
        };
        let ports = engine_ports(dir.path(), TestClock::new(), Arc::new(OsEntropy));
        let limit = Duration::from_secs(60);
        let transport = TcpTransport::new(limit).with_tls(Ok(identity.tls.clone()));
        let transport = Arc::new(transport.named(name.parse().ok()));
        let engine = Engine::start(EnginePorts { transport, ..ports }, settings).await.unwrap();
        for domain in ["web1", "db"] {
            let change = Change::Create(Box::new(config(domain, 64)));
            engine.execute(&Caller::internal(), change).await.unwrap();
        }
        let stop = CancellationToken::new();
        let http = || Http::new(engine.clone(), || 1 << 20, || "the log".to_owned(), stop.clone());
        let router = http().router().layer(from_fn_with_state(accounts, identify));
        let daemon = Daemon::start(router, tunables(60)).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relocation = listener.local_addr().unwrap();
        let identities = Arc::new(Identities::new(Arc::default(), Arc::default()));
        let server = RelocationServer::new(engine.clone(), Arc::default(), identities, limit)
            .with_tls(Some(identity.tls.clone()))
            .with_places(places)
            .with_requests(Some(http().peer_requests(callers)));
        tokio::spawn(server.serve(listener, stop.clone()));
        record(lab, name, relocation, identity.fingerprint()).await;
        come_alive(lab, name).await;
        let name = name.to_owned();
        Self { engine, identity, kv, relocation, policy, name, daemon, stop, _dir: dir }
    }

    /// What is answered to a question about a domain that was on its way here.
    pub(crate) async fn verdict(&self) -> String {
        let stream = TcpStream::connect(self.relocation).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        // The host takes its own certificate.
        let mut stream = self.identity.tls.connector().connect(name, stream).await.unwrap();
        let question = b"(verdict (id 0f6c1a52-7d3e-4b8a-9c11-52d0a7e40002))\n";
        stream.write_all(question).await.unwrap();
        line(&mut stream).await
    }

    /// Starts a domain.
    pub(crate) async fn run_domain(&self, name: &str) {
        let unpause = Change::Domain(DomainRef::new(name), DomainOp::Unpause);
        for change in [Change::Create(Box::new(config(name, 32))), unpause] {
            self.engine.execute(&Caller::internal(), change).await.unwrap();
        }
    }

    /// Requests about domains of other hosts are passed on from now on.
    pub(crate) fn route(&self) {
        self.policy.store(Arc::new(Policy { lookup: DomainLookup::Fleet, ..Policy::default() }));
    }

    /// The authors of what was done here through another host.
    pub(crate) fn authors(&self) -> Vec<String> {
        let batch = self.engine.view(&Caller::internal()).events_after(0, 1000);
        let author = |kind: &EventKind| match kind {
            EventKind::Done { caller, .. } | EventKind::Failed { caller, .. } => {
                Some(caller.text.clone())
            }
            _ => None,
        };
        let all = batch.events.iter().filter_map(|event| author(&event.what));
        all.filter(|author| author.contains("through")).collect()
    }

    pub(crate) async fn leave(&self, lab: &Lab) {
        lab.commit(vec![Op::Delete { key: lab.keys.host(&self.name.parse().unwrap()) }]).await;
    }

    /// A request with these lines of headers.
    pub(crate) fn ask(&self, method: &str, target: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let head = format!("{method} {target} HTTP/1.1\r\nHost: front:8000\r\n{headers}");
        let request = format!("{head}Content-Length: {length}\r\n\r\n{body}");
        block_in_place(|| ask(&Listener::Tcp(self.daemon.address), request.as_bytes()))
    }

    pub(crate) fn get(&self, target: &str, format: &str) -> Answer {
        self.ask("GET", target, format, "")
    }

    pub(crate) fn post(&self, target: &str, headers: &str, form: &str) -> Answer {
        let form_type = "Content-Type: application/x-www-form-urlencoded\r\n";
        self.ask("POST", target, &format!("{form_type}{headers}"), form)
    }
}

impl Drop for PeerHost {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
