//! A host with accounts: its listeners are in the process of the test, and each has one caller.

use crate::http_support::Listener;
use crate::server_support::{Daemon, tunables};
use crate::sim_support::{TestClock, open, ports_on};
use crate::xenapi_support::{CallResult, api_call, members, strings, text};
use async_trait::async_trait;
use axum::Extension;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use xend::backend::sim::Sim;
use xend::core::caller::{Caller, Via};
use xend::core::engine::{Engine, Settings};
use xend::core::model::{DomainRef, Uuid};
use xend::core::op::{Change, DomainOp};
use xend::core::ports::{LoginError, Logins};
use xend::core::rights::{
    Access, Account, Accounts, Credential, Grant, Limits, Right, Rights, User,
};
use xend::memory_budget::MemoryBudgets;
use xend::os::OsEntropy;
use xend::shape::read_config;
use xend::sxp::{Limits as TextLimits, read_one};
use xend::wire::xmlrpc::{Endpoint, LegacyPolicy, LoginPolicy, Value, XmlRpc};

/// The host's UUID, from which references of networks and images follow.
const HOST: Uuid = Uuid::from_u128(0xb05_7e12);

/// A VM with a device of each class that has objects. Everything that identifies it has its number,
/// and all its texts have its name.
pub(crate) fn guest(name: &str, number: u32, more: &str) -> String {
    let uuid = |device: u32| Uuid::from_u128(u128::from(number) << 64 | u128::from(device));
    format!(
        "(vm (name {name}) (uuid {}) (memory 64) (vcpus 1) (description 'of {name}') \
         (image (linux (kernel /boot/{name}) (args root=/dev/{name}))) \
         (device (vbd (uname phy:/dev/vg0/{name}) (dev xvda) (mode w) (uuid {}))) \
         (device (vbd (uname file:/srv/{name}.iso) (dev xvdb:cdrom) (mode r) (uuid {}))) \
         (device (vif (bridge br-{name}) (mac 00:16:3e:00:00:{number:02x}) (ip 10.0.0.{number}) (uuid {}))) \
         (device (console (protocol vt100) (uuid {}))) \
         (device (vfb (vnc 1) (vncdisplay {number}) (uuid {}))) \
         (device (vtpm (backend {name}-tpm) (uuid {}))) \
         (device (vscsi (p-dev 0:0:0:{number}) (v-dev 0:0:0:0) (p-devname {name}) (uuid {}))) {more})",
        uuid(0),
        uuid(1),
        uuid(2),
        uuid(3),
        uuid(4),
        uuid(5),
        uuid(6),
        uuid(7),
    )
}

/// Rights by their names in the users file.
pub(crate) fn rights(names: &str) -> Rights {
    names.split_whitespace().map(|name| name.parse::<Right>().unwrap()).collect()
}

/// Classes whose objects belong to VMs.
pub(crate) const CLASSES_OF_VMS: [&str; 13] = [
    "VM",
    "VM_metrics",
    "VM_guest_metrics",
    "VBD",
    "VBD_metrics",
    "VIF",
    "VIF_metrics",
    "VTPM",
    "console",
    "VDI",
    "DPCI",
    "DSCSI",
    "DSCSI_HBA",
];

/// Classes of the host's own objects.
pub(crate) const CLASSES_OF_HOST: [&str; 7] =
    ["host_cpu", "PIF", "PIF_metrics", "PPCI", "PSCSI", "PSCSI_HBA", "cpu_pool"];

/// An account with rights on some domains.
pub(crate) fn account(name: &str, domains: &str, names: &str, limits: Limits) -> Account {
    let domains = domains.split_whitespace().map(|domain| domain.parse().unwrap()).collect();
    let grants = vec![Grant { domains, rights: rights(names) }];
    let credential = Credential::Hash(format!("the password of {name}"));
    Account::new(name, credential, Access { operator: false, grants, limits })
}

/// Every account has its name as password. The name `busy` has too many others waiting.
struct TestLogins(Arc<Accounts>);

#[async_trait]
impl Logins for TestLogins {
    async fn log_in(&self, user: &str, password: &str, _: &Via) -> Result<Arc<User>, LoginError> {
        if user == "busy" {
            return Err(LoginError::Busy);
        }
        let known = self.0.get(user).filter(|_| user == password);
        known.ok_or_else(|| LoginError::Refused("wrong password".to_owned()))
    }

    fn by_uid(&self, uid: u32) -> Option<Arc<User>> {
        self.0.by_uid(uid)
    }

    fn anonymous(&self) -> Option<Arc<User>> {
        None
    }
}

/// A host with accounts.
pub(crate) struct AccountHost {
    pub(crate) engine: Engine,
    /// The simulated host itself, which knows what its guests have done.
    pub(crate) sim: Arc<Sim>,
    pub(crate) accounts: Arc<Accounts>,
    wire: XmlRpc,
    /// Its state, which ends with it.
    _dir: TempDir,
}

/// A client with a session of its own.
pub(crate) struct SessionClient {
    pub(crate) listener: Listener,
    pub(crate) session: Value,
    /// Its server, which ends with it.
    _server: Daemon,
}

impl AccountHost {
    /// A host on which an operator has created these VMs.
    pub(crate) async fn new(accounts: Vec<Account>, vms: &[String]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = TestClock::new();
        let sim = Arc::new(open(&dir.path().join("sim"), &clock));
        let outside = ports_on(sim.clone(), dir.path(), clock, Arc::new(OsEntropy));
        let known = Arc::new(Accounts::default());
        known.replace(accounts, None);
        let settings = Settings {
            accounts: known.clone(),
            dump_dir: dir.path().to_owned(),
            ..Settings::default()
        };
        let engine = Engine::start(outside, settings).await.unwrap();
        let log = || "the text of the log".to_owned();
        let wire = XmlRpc::new(
            engine.clone(),
            HOST,
            0,
            log,
            MemoryBudgets::default(),
            CancellationToken::new(),
        );
        let host = Self { engine, sim, accounts: known, wire, _dir: dir };
        for vm in vms {
            host.create(vm).await;
        }
        host
    }

    /// Creates a VM as an operator, managed and running.
    pub(crate) async fn create(&self, vm: &str) {
        let tree = read_one(vm.as_bytes(), &TextLimits::default()).unwrap();
        let config = read_config(&tree).unwrap();
        let domain = DomainRef::new(config.name.to_string());
        let operator = Caller::internal();
        self.engine.execute(&operator, Change::Define(Box::new(config))).await.unwrap();
        let start = Change::Domain(domain, DomainOp::Start { paused: false });
        self.engine.execute(&operator, start).await.unwrap();
    }

    /// An operation of an operator.
    pub(crate) async fn operate(&self, domain: &str, op: DomainOp) {
        let change = Change::Domain(DomainRef::new(domain), op);
        self.engine.execute(&Caller::internal(), change).await.unwrap();
    }

    pub(crate) fn user(&self, name: &str) -> Arc<User> {
        self.accounts.get(name).unwrap()
    }

    pub(crate) fn logins(&self) -> Arc<dyn Logins> {
        Arc::new(TestLogins(self.accounts.clone()))
    }

    /// A listener, all of whose requests are from this caller.
    pub(crate) async fn listen(&self, endpoint: Endpoint, caller: Caller) -> (Daemon, Listener) {
        let app = self.wire.router(endpoint).layer(Extension(caller));
        let server = Daemon::start(app, tunables(60)).await;
        let listener = Listener::Tcp(server.address);
        (server, listener)
    }

    /// A listener of the Xen-API with accounts, for clients on the network.
    pub(crate) async fn users_listener(&self) -> (Daemon, Listener) {
        let policy = LoginPolicy::Users(self.logins());
        self.listen(Endpoint::XenApi(policy), Caller::nobody(network())).await
    }

    /// A user's client.
    pub(crate) async fn log_in(&self, name: &str) -> SessionClient {
        let (server, listener) = self.users_listener().await;
        let login = api_call(&listener, "session.login_with_password", &[text(name), text(name)]);
        SessionClient { listener, session: login.unwrap(), _server: server }
    }

    /// A client of an operator.
    pub(crate) async fn log_in_as_operator(&self) -> SessionClient {
        let endpoint = Endpoint::XenApi(LoginPolicy::Trust);
        let (server, listener) = self.listen(endpoint, Caller::operator(network())).await;
        let login = api_call(&listener, "session.login_with_password", &[text("root"), text("")]);
        SessionClient { listener, session: login.unwrap(), _server: server }
    }

    /// A listener of `xend.*` for one caller.
    pub(crate) async fn legacy(&self, policy: LegacyPolicy, caller: Caller) -> (Daemon, Listener) {
        self.listen(Endpoint::Legacy(policy), caller).await
    }
}

/// A connection over the network.
pub(crate) fn network() -> Via {
    Via::Tcp {
        peer: SocketAddr::from(([192, 0, 2, 7], 4711)),
        local: SocketAddr::from(([192, 0, 2, 1], 9363)),
        encrypted: true,
    }
}

/// A connection over the unix socket.
pub(crate) fn unix(uid: u32) -> Via {
    Via::Unix { uid: Some(uid), pid: None }
}

impl SessionClient {
    /// A call in the client's session.
    pub(crate) fn call(&self, method: &str, params: &[Value]) -> CallResult {
        let mut all = vec![self.session.clone()];
        all.extend_from_slice(params);
        api_call(&self.listener, method, &all)
    }

    /// A call about one object.
    pub(crate) fn on(&self, method: &str, object: &str) -> CallResult {
        self.call(method, &[text(object)])
    }

    /// All references of a class.
    pub(crate) fn all(&self, class: &str) -> Vec<String> {
        strings(&self.call(&format!("{class}.get_all"), &[]).unwrap())
    }

    /// All records of a class, by reference.
    pub(crate) fn records(&self, class: &str) -> BTreeMap<String, BTreeMap<String, Value>> {
        let all = members(self.call(&format!("{class}.get_all_records"), &[]).unwrap());
        all.into_iter().map(|(reference, record)| (reference, members(record))).collect()
    }

    /// The reference of the VM with this name.
    pub(crate) fn vm(&self, name: &str) -> String {
        let found = self.call("VM.get_by_name_label", &[text(name)]).unwrap();
        let [one] = &strings(&found)[..] else { panic!("{name}: {found:?}") };
        one.clone()
    }

    /// Waits until a condition holds.
    pub(crate) fn until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let started = Instant::now();
        while !condition(self) {
            assert!(started.elapsed() < Duration::from_secs(60), "timed out waiting for: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// All texts in a value.
pub(crate) fn texts_in(value: &Value) -> Vec<String> {
    match value {
        Value::Text(text) | Value::Time(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(texts_in).collect(),
        Value::Struct(members) => {
            let texts = |(key, value): &(String, Value)| {
                let mut texts = vec![key.clone()];
                texts.extend(texts_in(value));
                texts
            };
            members.iter().flat_map(texts).collect()
        }
        Value::Nil | Value::Bool(_) | Value::Int(_) | Value::Double(_) => vec![],
        Value::Printed(_) => panic!("an answer that was read has none"),
    }
}
