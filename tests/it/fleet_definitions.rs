//! Definitions and names of a fleet: on one host each, in etcd first, compared when a host begins.

use crate::fleet_support::{FleetHost, Lab, RelocationPort, SOON};
use crate::http_fleet_support::identify;
use crate::http_support::{Answer, Listener, ask, post};
use crate::server_support::{Daemon, tunables};
use crate::sim_support::config;
use axum::middleware::from_fn_with_state;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::block_in_place;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use xend::core::caller::Caller;
use xend::core::error::{Error, Place};
use xend::core::lifecycle::State;
use xend::core::model::{DomName, DomainConfig, DomainRef, Uuid};
use xend::core::op::{Change, DomainOp};
use xend::core::rights::Accounts;
use xend::fleet::{Link, Lost};
use xend::wire::http::Http;

/// Longer than etcd needs to be noticed again.
const LATER: Duration = Duration::from_secs(15);
const START: DomainOp = DomainOp::Start { paused: false };

fn numbered(name: &str, number: u128) -> Box<DomainConfig> {
    let mut config = config(name, 64);
    config.uuid = Some(Uuid::from_u128(number));
    Box::new(config)
}

fn rename(to: &str) -> DomainOp {
    DomainOp::Rename(DomName::new(to).unwrap())
}

async fn define(host: &FleetHost, name: &str, number: u128) {
    host.execute(Change::Define(numbered(name, number))).await;
}

async fn state(host: &FleetHost, domain: &str) -> Option<State> {
    let view = host.engine.view(&Caller::internal());
    view.domain(&DomainRef::new(domain)).await.ok().map(|domain| domain.state())
}

fn is_on(at: &Place, host: &FleetHost) -> bool {
    *at == Place::Host(host.own.name.clone())
}

#[tokio::test(start_paused = true)]
async fn a_name_is_of_one_domain_in_the_fleet() {
    let lab = Lab::new().await;
    let (first, second) = (lab.owner("xen1", 1).await, lab.owner("xen2", 2).await);
    define(&first, "web", 7).await;
    first.create("db", 8).await;
    assert_eq!(lab.defined(7).await, "xen1 web");
    assert_eq!(
        (lab.named("web").await, lab.named("db").await),
        (Some(Uuid::from_u128(7)), Some(Uuid::from_u128(8)))
    );
    for name in ["web", "db"] {
        for change in [Change::Define(numbered(name, 9)), Change::Create(numbered(name, 9))] {
            let error = second.try_execute(change).await.unwrap_err();
            assert!(matches!(&error, Error::Exists { at, .. } if is_on(at, &first)), "{error:?}");
            assert_eq!(error.to_string(), format!("Domain {name:?} already exists on xen1"));
        }
        assert_eq!(state(&second, name).await, None);
    }
    let error = second.try_execute(Change::Define(numbered("new", 7))).await.unwrap_err();
    assert!(matches!(&error, Error::UuidTaken { at, .. } if is_on(at, &first)), "{error:?}");
    define(&second, "new", 9).await;
    second.create("created", 10).await;
    for domain in ["new", "created"] {
        let error = second.try_change(domain, rename("db")).await.unwrap_err();
        assert!(matches!(&error, Error::NameTaken { at, .. } if is_on(at, &first)), "{error:?}");
        assert!(state(&second, domain).await.is_some(), "it has its old name");
    }
    // Whoever gives a name up lets others have it.
    first.change("web", rename("www")).await;
    first.change("db", rename("data")).await;
    second.change("new", rename("web")).await;
    second.change("created", rename("db")).await;
    assert_eq!(lab.defined(7).await, "xen1 www");
    assert_eq!(lab.defined(9).await, "xen2 web");
    assert_eq!(lab.named("db").await, Some(Uuid::from_u128(10)));
    second.change("web", DomainOp::Delete).await;
    second.change("db", DomainOp::Destroy).await;
    assert_eq!((lab.named("web").await, lab.named("db").await), (None, None));
    assert_eq!(lab.defined(9).await, "nowhere");
    // A domain that is defined has its name while it runs and when it has stopped.
    first.change("www", START).await;
    first.change("www", rename("web")).await;
    assert_eq!((lab.named("web").await, lab.named("www").await), (Some(Uuid::from_u128(7)), None));
    first.change("web", DomainOp::Destroy).await;
    assert_eq!(lab.named("web").await, Some(Uuid::from_u128(7)));
}

#[tokio::test(start_paused = true)]
async fn what_the_fleet_has_agreed_to_is_done_whatever_became_of_the_answer() {
    for lost in [Lost::Happened, Lost::Never, Lost::Later] {
        let lab = Lab::new().await;
        let host = lab.owner("xen1", 1).await;
        host.kv.lose_answer(lost);
        define(&host, "web", 7).await;
        host.kv.lose_answer(lost);
        host.change("web", rename("www")).await;
        host.kv.deliver();
        assert_eq!(lab.defined(7).await, "xen1 www", "{lost:?}");
        host.kv.lose_answer(lost);
        host.change("www", DomainOp::Delete).await;
        sleep(LATER).await;
        host.kv.deliver();
        assert_eq!((lab.defined(7).await.as_str(), lab.named("www").await), ("nowhere", None));
        assert_eq!(state(&host, "www").await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn memory_and_settings_change_without_etcd_and_are_told_later() {
    let lab = Lab::new().await;
    let mut host = lab.owner("xen1", 1).await;
    define(&host, "web", 7).await;
    for (memory, link) in [(100, Link::Refused), (101, Link::Silent)] {
        host.kv.set_link(link);
        host.change("web", DomainOp::SetMaxMemory(memory)).await;
        let refused = host.try_change("web", rename("www")).await;
        assert!(matches!(refused, Err(Error::FleetUnavailable { .. })), "{refused:?}");
        assert!(!lab.definition(7).await.contains(&format!("(maxmem {memory})")));
        host.kv.set_link(Link::Up);
        sleep(2 * LATER).await;
        assert!(lab.definition(7).await.contains(&format!("(maxmem {memory})")), "{memory}");
    }
    // One that was never told is noticed by the next daemon.
    host.stop().await;
    host.change("web", DomainOp::SetMaxMemory(102)).await;
    let _host = host.restarted().await;
    assert!(lab.definition(7).await.contains("(maxmem 102)"));
    assert_eq!(lab.defined(7).await, "xen1 web");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_begins_is_what_the_fleet_says() {
    let lab = Lab::new().await;
    let (mut first, second) = (lab.owner("xen1", 1).await, lab.owner("xen2", 2).await);
    for (name, number) in [("newer", 7), ("moved", 8), ("kept", 9)] {
        define(&first, name, number).await;
    }
    first.stop().await;
    lab.rewrite(7, |record| {
        let text = record["config"].as_str().unwrap();
        record["config"] = text.replace("(maxmem 64)", "(maxmem 99)").into();
    })
    .await;
    lab.rehome(8, "xen1", "xen2").await;
    let first = first.restarted().await;
    let view = first.engine.view(&Caller::internal());
    let newer = view.domain(&DomainRef::new("newer")).await.unwrap();
    assert_eq!(newer.definition.as_ref().unwrap().maxmem, 99);
    assert_eq!(state(&first, "moved").await, None);
    assert_eq!(state(&second, "moved").await, Some(State::Halted));
    assert!(first.has_file(&format!("domains/{}.elsewhere-1/config.sxp", Uuid::from_u128(8))));
    assert_eq!(state(&first, "kept").await, Some(State::Halted));
    assert_eq!(
        (lab.defined(8).await.as_str(), lab.defined(9).await.as_str()),
        ("xen2 moved", "xen1 kept")
    );
    second.change("moved", START).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_defined_when_a_host_joins_is_the_fleets_from_then_on() {
    let lab = Lab::new().await;
    let first = lab.owner("xen1", 1).await;
    define(&first, "web", 7).await;
    let second = lab.newcomer("xen2", 2).await;
    let revision = lab.kv.revision();
    for (name, number) in [("web", 8), ("db", 9)] {
        define(&second, name, number).await;
    }
    assert_eq!(lab.kv.revision(), revision, "it is in no fleet");
    lab.join(&second).await;
    sleep(LATER).await;
    assert_eq!(lab.defined(9).await, "xen2 db");
    // Of a clash that nobody saw when it joined, both sides are left as they are.
    assert_eq!(
        (lab.defined(7).await.as_str(), lab.defined(8).await.as_str()),
        ("xen1 web", "nowhere")
    );
    assert_eq!(state(&second, "web").await, Some(State::Halted));
    let error = second.try_change("web", START).await.unwrap_err();
    assert!(matches!(&error, Error::Exists { at, .. } if is_on(at, &first)), "{error:?}");
    second.change("web", rename("web2")).await;
    assert_eq!(lab.defined(8).await, "xen2 web2");
    second.change("web2", START).await;
}

/// Real time: domains are sent over TCP.
#[tokio::test(flavor = "multi_thread")]
async fn a_definition_moves_with_its_domain() {
    let lab = Lab::new().await;
    let (source, target) = (lab.owner("xen1", 1).await, lab.owner("xen2", 2).await);
    define(&source, "web", 7).await;
    source.change("web", START).await;
    let port = RelocationPort::open(&target.engine, 0).await;
    let to = port.to.clone();
    source.change("web", DomainOp::Migrate { to, live: true }).await;
    assert_eq!(
        (lab.defined(7).await.as_str(), lab.owned(7).await.as_str()),
        ("xen2 web", "xen2 running")
    );
    sleep(SOON).await;
    assert_eq!(
        (state(&source, "web").await, state(&target, "web").await),
        (None, Some(State::Running))
    );
    target.change("web", DomainOp::SetMaxMemory(96)).await;
    target.change("web", DomainOp::Destroy).await;
    sleep(SOON).await;
    assert!(lab.definition(7).await.contains("(maxmem 96)"));
    assert_eq!(lab.defined(7).await, "xen2 web");
    port.end().await;
}

/// A host's clients, over HTTP.
struct Front {
    daemon: Daemon,
    stop: CancellationToken,
}

impl Front {
    async fn of(host: &FleetHost) -> Self {
        let stop = CancellationToken::new();
        let http = Http::new(host.engine.clone(), || 1 << 20, || "log".to_owned(), stop.clone());
        let accounts = Arc::new(Accounts::default());
        let router = http.router().layer(from_fn_with_state(accounts, identify));
        Self { daemon: Daemon::start(router, tunables(60)).await, stop }
    }

    fn post(&self, target: &str, form: &str) -> Answer {
        let request = post(target, form);
        block_in_place(|| ask(&Listener::Tcp(self.daemon.address), &request))
    }

    fn define(&self, name: &str) -> Answer {
        let config =
            format!("(vm (name {name}) (memory 64) (image (linux (kernel /boot/vmlinuz))))");
        self.post("/xend/domain", &format!("op=new&config={config}"))
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_told_which_host_has_the_name() {
    let lab = Lab::new().await;
    let hosts = [lab.owner("xen1", 1).await, lab.owner("xen2", 2).await];
    let [first, second] = [Front::of(&hosts[0]).await, Front::of(&hosts[1]).await];
    let defined = first.define("web");
    assert!(defined.code < 300, "{}", defined.text());
    let refused = second.define("web");
    assert_eq!(refused.code, 500, "as of a name that is taken here");
    assert!(refused.text().contains("already exists on xen1"), "{}", refused.text());
    let again = first.define("web");
    assert_eq!(again.code, refused.code);
    assert!(second.define("db").code < 300);
    let refused = second.post("/xend/domain/db", "op=rename&name=web");
    assert!(refused.text().contains("already exists on xen1"), "{}", refused.text());
}
