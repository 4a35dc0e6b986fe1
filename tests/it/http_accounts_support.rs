//! Two customers' domains behind HTTP with accounts, in the process of the test.

use crate::http_support::{Answer, GENEROUS, Listener, ask};
use crate::server_support::{Daemon, tunables};
use crate::sim_support::{TestClock, config, engine_ports};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;
use xend::core::caller::{Caller, Via};
use xend::core::engine::{Engine, EnginePorts, Settings};
use xend::core::model::DomainRef;
use xend::core::op::{Change, DomainOp};
use xend::core::ports::{LoginError, Logins};
use xend::core::rights::{Access, Account, Accounts, Credential, Grant, Right, User};
use xend::os::{OsEntropy, SystemClock};
use xend::server::Guard;
use xend::wire::http::Http;

/// The password of every account.
pub(crate) const PASSWORD: &str = "correct horse";
/// What a browser sends with every request.
pub(crate) const BROWSER: &str = "User-Agent: Mozilla/5.0\r\nAccept: text/html\r\n";
/// What a browser sends when it opens a page.
pub(crate) const NAVIGATION: &str =
    "User-Agent: Mozilla/5.0\r\nAccept: text/html\r\nUpgrade-Insecure-Requests: 1\r\n";
pub(crate) const JSON: &str = "Accept: application/json\r\n";
/// What a browser sends with a form of a page.
pub(crate) const OWN_PAGE: &str = "Origin: http://localhost\r\n";
/// steve, as the server knows him by HTTP Basic.
pub(crate) const STEVE: &str = "X-User: steve\r\n";

/// A host with four domains: steve's `lj` and `one.web`, and the operator's `secret` and `parked`.
/// `lj` and `secret` run, the others are defined.
pub(crate) struct AccountsHost {
    pub(crate) engine: Engine,
    pub(crate) accounts: Arc<Accounts>,
    /// Listeners on which users log in.
    pub(crate) users: Daemon,
    /// Listeners without accounts.
    pub(crate) trusting: Daemon,
    _dir: TempDir,
}

/// An account with these rights on `lj` and `one.*`.
pub(crate) fn account(name: &str, hash: &str, rights: &[Right]) -> Account {
    let domains = ["lj", "one.*"].map(|domain| domain.parse().unwrap());
    Account::new(
        name,
        Credential::Hash(hash.to_owned()),
        Access::to(domains, rights.iter().copied().collect()),
    )
}

/// steve's account.
pub(crate) fn steve() -> Account {
    account("steve", "a", &[Right::Power])
}

/// An account without limits that is an operator's.
pub(crate) fn root() -> Account {
    Account { access: Access::operator(), ..account("root", "a", &[]) }
}

struct FakeLogins(Arc<Accounts>);

#[async_trait]
impl Logins for FakeLogins {
    async fn log_in(&self, user: &str, password: &str, _: &Via) -> Result<Arc<User>, LoginError> {
        match user {
            "busy" => return Err(LoginError::Busy),
            "broken" => return Err(LoginError::Broken("no entropy".to_owned())),
            _ => {}
        }
        let account = self.0.get(user).filter(|_| password == PASSWORD);
        account.ok_or_else(|| LoginError::Refused("wrong".to_owned()))
    }

    fn by_uid(&self, uid: u32) -> Option<Arc<User>> {
        self.0.by_uid(uid)
    }

    fn anonymous(&self) -> Option<Arc<User>> {
        self.0.anonymous()
    }
}

/// Plays the server of a listener on which users log in. `X-User` is the user whom it knows by
/// HTTP Basic, `X-Peer` the address of a client elsewhere, `X-Encrypted` is for TLS.
async fn identify(
    State(accounts): State<Arc<Accounts>>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = caller(request.headers(), &accounts);
    request.extensions_mut().insert(caller);
    next.run(request).await
}

fn caller(headers: &HeaderMap, accounts: &Accounts) -> Caller {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let peer = header("x-peer").map_or(([127, 0, 0, 1], 4711).into(), |peer| peer.parse().unwrap());
    let local = SocketAddr::from(([127, 0, 0, 1], 8000));
    let via = Via::Tcp { peer, local, encrypted: header("x-encrypted").is_some() };
    match header("x-user") {
        Some(user) => Caller::of_user(via, accounts.get(user).unwrap()),
        None => Caller::nobody(via),
    }
}

impl AccountsHost {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ports = engine_ports(dir.path(), TestClock::new(), Arc::new(OsEntropy));
        let outside = EnginePorts { clock: Arc::new(SystemClock), ..ports };
        let accounts = Arc::new(Accounts::default());
        accounts.replace(vec![steve(), root()], None);
        let settings = Settings { accounts: accounts.clone(), ..Settings::default() };
        let engine = Engine::start(outside, settings).await.unwrap();
        for (name, memory) in [("lj", 64), ("one.web", 65), ("secret", 66), ("parked", 67)] {
            let change = Change::Define(Box::new(config(name, memory)));
            engine.execute(&Caller::internal(), change).await.unwrap();
        }
        let http =
            Http::new(engine.clone(), || 1 << 20, || "the log".into(), CancellationToken::new());
        let logins = Arc::new(FakeLogins(accounts.clone()));
        let guard = Guard::new(Arc::new(ArcSwap::from_pointee(tunables(60))));
        let serve = |router: Router| {
            let router = router.layer(from_fn_with_state(guard.clone(), Guard::check));
            let router = router.layer(from_fn_with_state(accounts.clone(), identify));
            Daemon::start(router, tunables(60))
        };
        let users = serve(http.clone().router_with_accounts(logins)).await;
        let trusting = serve(http.router()).await;
        let host = Self { engine, accounts, users, trusting, _dir: dir };
        for name in ["lj", "secret"] {
            host.change(name, DomainOp::Start { paused: false }).await;
        }
        host
    }

    /// Has the operator change a domain.
    pub(crate) async fn change(&self, domain: &str, op: DomainOp) {
        let change = Change::Domain(DomainRef::new(domain), op);
        self.engine.execute(&Caller::internal(), change).await.unwrap();
    }

    /// GET on the listener with accounts.
    pub(crate) fn get(&self, target: &str, headers: &str) -> Answer {
        get(&self.users, target, headers)
    }

    /// POST on the listener with accounts.
    pub(crate) fn post(&self, target: &str, headers: &str, form: &str) -> Answer {
        let head = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n{headers}");
        let body = format!(
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        let listener = Listener::Tcp(self.users.address);
        block_in_place(|| ask(&listener, format!("{head}{body}").as_bytes()))
    }

    /// Logs in on the page; the header with the cookie.
    pub(crate) fn log_in(&self, user: &str) -> String {
        let form = format!("user={user}&password=correct+horse&next=/xend/domain");
        let answer = self.post("/xend/login", NAVIGATION, &form);
        assert_eq!(answer.status(), "303 See Other", "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        format!("Cookie: {cookie}\r\n")
    }

    /// Follows `/xend/events` as JSON.
    pub(crate) fn events(&self, query: &str, headers: &str) -> EventLines {
        let mut stream = TcpStream::connect(self.users.address).unwrap();
        stream.set_read_timeout(Some(GENEROUS)).unwrap();
        let head = format!("GET /xend/events{query} HTTP/1.0\r\nHost: localhost\r\n{JSON}");
        write!(stream, "{head}{headers}\r\n").unwrap();
        let mut events = EventLines(BufReader::new(stream));
        while !events.line().expect("a head").is_empty() {}
        events
    }
}

/// GET on a listener.
pub(crate) fn get(daemon: &Daemon, target: &str, headers: &str) -> Answer {
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    block_in_place(|| ask(&Listener::Tcp(daemon.address), request.as_bytes()))
}

/// A stream of events as lines of JSON.
pub(crate) struct EventLines(BufReader<TcpStream>);

impl EventLines {
    /// The next line; `None` at the end.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = block_in_place(|| self.0.read_line(&mut line)).unwrap();
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event; `None` at the end of the stream.
    pub(crate) fn next(&mut self) -> Option<serde_json::Value> {
        loop {
            let line = self.line()?;
            if !line.is_empty() {
                return Some(
                    serde_json::from_str::<serde_json::Value>(&line).unwrap()["event"].take(),
                );
            }
        }
    }
}

/// An account with a further grant.
pub(crate) fn with_grant(mut account: Account, domain: &str, rights: &[Right]) -> Account {
    let grant =
        Grant { domains: vec![domain.parse().unwrap()], rights: rights.iter().copied().collect() };
    account.access.grants.push(grant);
    account
}
