//! The Xen-API of a host in a fleet: its hosts and VMs, and that nothing changes unless it is to
//! show them.

use crate::http_fleet_support::{FixedFleet, ODD_NAME, engine_in, fleet, host_name, identify};
use crate::http_support::{Listener, ask};
use crate::server_support::{Daemon, tunables};
use crate::xenapi_support::{CallResult, as_text, members, strings, text};
use axum::middleware::from_fn_with_state;
use std::collections::{BTreeMap, BTreeSet};
use std::slice::from_ref;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;
use xend::core::fleet::FleetView;
use xend::core::model::Uuid;
use xend::memory_budget::MemoryBudgets;
use xend::wire::xmlrpc::codec::{self, XmlLimits};
use xend::wire::xmlrpc::{Endpoint, LoginPolicy, Value, XenApiHosts, XmlRpc};

/// The classes of which a fleet shows objects.
const IN_FLEET: [&str; 5] = ["host", "host_metrics", "VM", "VM_metrics", "VM_guest_metrics"];

/// A host with the VM web1, and a client of its Xen-API.
struct Host {
    daemon: Daemon,
    session: Value,
    /// The headers of the client.
    headers: &'static str,
    /// The UUID of the host that answers.
    own: String,
    dir: TempDir,
}

impl Host {
    async fn start(fleet: Option<FixedFleet>, hosts: XenApiHosts, headers: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (engine, accounts) = engine_in(dir.path(), fleet).await;
        let uuid = engine.host_uuid().await.unwrap();
        let log = || "the log".to_owned();
        let (budgets, stopping) = (MemoryBudgets::default(), CancellationToken::new());
        let wire = XmlRpc::new(engine, uuid, 0, log, budgets, stopping).showing(hosts);
        let router = wire.router(Endpoint::XenApi(LoginPolicy::Trust));
        let router = router.layer(from_fn_with_state(accounts, identify));
        let daemon = Daemon::start(router, tunables(60)).await;
        let own = uuid.to_string();
        let mut host = Self { daemon, session: Value::Nil, headers, own, dir };
        let login = [text("root"), text("")];
        host.session = host.answer("session.login_with_password", &login).unwrap();
        host
    }

    /// One that shows this fleet.
    async fn of(fleet: FleetView) -> Self {
        Self::as_user(fleet, "").await
    }

    async fn as_user(fleet: FleetView, headers: &'static str) -> Self {
        let fleet = FixedFleet(Some(Arc::new(fleet)));
        Self::start(Some(fleet), XenApiHosts::Fleet, headers).await
    }

    /// The text of an answer.
    fn text(&self, method: &str, params: &[Value]) -> String {
        let body = codec::call(method, params);
        let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{}", self.headers);
        let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        block_in_place(|| ask(&Listener::Tcp(self.daemon.address), request.as_bytes())).text()
    }

    fn answer(&self, method: &str, params: &[Value]) -> CallResult {
        let answer = codec::read_answer(&self.text(method, params), &XmlLimits::default());
        let members = members(answer.unwrap().unwrap());
        if members["Status"] == text("Success") {
            Ok(members["Value"].clone())
        } else {
            Err(strings(&members["ErrorDescription"]))
        }
    }

    fn call(&self, method: &str, params: &[Value]) -> CallResult {
        self.answer(method, &[from_ref(&self.session), params].concat())
    }

    fn one(&self, method: &str, params: &[Value]) -> Value {
        self.call(method, params).unwrap_or_else(|error| panic!("{method}: {error:?}"))
    }

    fn refs(&self, method: &str, params: &[Value]) -> Vec<String> {
        strings(&self.one(method, params))
    }

    fn records(&self, class: &str) -> BTreeMap<String, BTreeMap<String, Value>> {
        let all = members(self.one(&format!("{class}.get_all_records"), &[]));
        all.into_iter().map(|(object, record)| (object, members(record))).collect()
    }

    /// The error code of a call, with its text.
    fn refusal(&self, method: &str, params: &[Value]) -> (String, String) {
        let mut error = self.call(method, params).expect_err(method);
        (error.remove(0), error.join(" "))
    }
}

/// The reference of a host or VM of the fleet in tests.
fn reference(number: u128) -> Value {
    text(&Uuid::from_u128(number).to_string())
}

fn labels(records: &BTreeMap<String, BTreeMap<String, Value>>) -> Vec<&str> {
    let mut labels: Vec<_> =
        records.values().map(|record| as_text(&record["name_label"])).collect();
    labels.sort_unstable();
    labels
}

#[tokio::test(flavor = "multi_thread")]
async fn all_hosts_are_listed_and_the_own_one_first() {
    let host = Host::of(fleet()).await;
    let all = host.refs("host.get_all", &[]);
    let others = [2, 3, 4].map(|number| Uuid::from_u128(number).to_string());
    assert_eq!(all, [from_ref(&host.own), &others[..]].concat());
    let records = host.records("host");
    assert_eq!(labels(&records), ["xen1", "xen2", "xen3", "xen4"]);
    let fields: BTreeSet<_> = records[&host.own].keys().collect();
    let metrics = host.records("host_metrics");
    for (uuid, record) in &records {
        assert_eq!(record.keys().collect::<BTreeSet<_>>(), fields, "{uuid}");
        let of_host = &metrics[as_text(&record["metrics"])];
        assert_eq!(of_host.len(), 4);
        // What it refers to is there.
        for vm in strings(&record["resident_VMs"]) {
            assert_eq!(host.one("VM.get_resident_on", &[text(&vm)]), text(uuid));
        }
    }
    let enabled = |at: usize| records[&others[at]]["enabled"].clone();
    assert_eq!([0, 1, 2].map(enabled), [true, false, false].map(Value::Bool));
    assert_eq!(strings(&records[&others[0]]["resident_VMs"]).len(), 3);
    assert!(strings(&records[&others[0]]["host_CPUs"]).is_empty());
    let of_xen2 = &metrics[as_text(&records[&others[0]]["metrics"])];
    assert_eq!(of_xen2["memory_total"], text(&(2048_u64 << 20).to_string()));
    assert_eq!(of_xen2["memory_free"], text(&((2048_u64 - 3 * 128) << 20).to_string()));
    let of_xen4 = &metrics[as_text(&records[&others[2]]["metrics"])];
    assert_eq!(of_xen4["last_updated"], Value::Time("19700101T00:00:00".to_owned()));
    for (name, uuid) in [("xen1", &host.own), ("xen2", &others[0])] {
        assert_eq!(host.refs("host.get_by_name_label", &[text(name)]), from_ref(uuid));
        assert_eq!(host.one("host.get_by_uuid", &[text(uuid)]), text(uuid));
        assert_eq!(host.one("host.get_name_label", &[text(uuid)]), text(name));
    }
    assert_eq!(members(host.one("host.get_record", &[reference(2)])), records[&others[0]]);
    assert!(host.refs("host.get_by_name_label", &[text("xen9")]).is_empty());
    let pools = host.refs("pool.get_all", &[]);
    assert_eq!(pools.len(), 1);
    assert_eq!(host.one("pool.get_master", &[text(&pools[0])]), text(&host.own));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_vms_are_listed_with_the_host_that_has_each() {
    let host = Host::of(fleet()).await;
    let records = host.records("VM");
    let expected = ["Domain-0", "web1", ODD_NAME, "lost", "one.db", "web10", "web2"];
    assert_eq!(labels(&records), {
        let mut expected = expected;
        expected.sort_unstable();
        expected
    });
    let all = host.refs("VM.get_all", &[]);
    assert_eq!(all.len(), records.len());
    assert!(all[..2].iter().all(|vm| records[vm]["resident_on"] == text(&host.own)), "{all:?}");
    // xm lists VMs by these: a VM without metrics makes it fail.
    let metrics = host.records("VM_metrics");
    let guest_metrics = host.records("VM_guest_metrics");
    let hosts = host.refs("host.get_all", &[]);
    let fields: BTreeSet<_> = records[&all[0]].keys().collect();
    for (vm, record) in &records {
        assert_eq!(record.keys().collect::<BTreeSet<_>>(), fields, "{vm}");
        assert!(metrics.contains_key(as_text(&record["metrics"])), "{vm}");
        assert!(guest_metrics.contains_key(as_text(&record["guest_metrics"])), "{vm}");
        assert!(hosts.contains(&as_text(&record["resident_on"]).to_owned()), "{vm}");
        assert_eq!(host.one("VM.get_by_uuid", &[text(vm)]), text(vm));
        assert_eq!(members(host.one("VM.get_record", &[text(vm)])).len(), record.len());
        let name = record["name_label"].clone();
        assert_eq!(host.refs("VM.get_by_name_label", &[name]), from_ref(vm));
    }
    let record = &records[&Uuid::from_u128(0x21).to_string()];
    for (field, value) in [
        ("resident_on", reference(2)),
        ("power_state", text("Running")),
        ("domid", text("7")),
        ("memory_dynamic_max", text(&(128_u64 << 20).to_string())),
        ("VCPUs_max", text("2")),
        ("is_control_domain", Value::Bool(false)),
    ] {
        assert_eq!(record[field], value, "{field}");
        assert_eq!(host.one(&format!("VM.get_{field}"), &[reference(0x21)]), value);
    }
    let of_web10 = &metrics[as_text(&record["metrics"])];
    assert_eq!(of_web10["state"], Value::Array(vec![text("running")]));
    assert_eq!(of_web10["start_time"], Value::Time("20231114T22:13:20".to_owned()));
    let power_state = |vm: u128| host.one("VM.get_power_state", &[reference(vm)]);
    assert_eq!([0x31, 0x41].map(power_state), ["Halted", "Paused"].map(text));
    assert_eq!(host.one("VM.get_domid", &[reference(0x31)]), text("-1"));
}

/// Of a domain that moves, two hosts tell for a moment; each host has a Domain-0 of the same UUID.
#[tokio::test(flavor = "multi_thread")]
async fn a_vm_of_which_two_hosts_tell_is_one_and_each_host_has_its_domain_0() {
    let mut view = fleet();
    let domain =
        |host: &str, uuid: u128| view.domains[&(host_name(host), Uuid::from_u128(uuid))].clone();
    let (dom0, halted) = (domain("xen1", 0x11), domain("xen3", 0x31));
    let here = view.members[&host_name("xen1")].clone();
    let rows = [
        ("xen2", Uuid::nil(), dom0.clone()),
        ("xen3", Uuid::nil(), dom0),
        ("xen3", Uuid::from_u128(0x22), domain("xen2", 0x22)),
        ("xen2", Uuid::from_u128(0x31), halted),
    ];
    for (host, uuid, row) in rows {
        view.domains.insert_mut((host_name(host), uuid), row);
    }
    // A machine that was joined twice.
    view.members.insert_mut(host_name("xen5"), view.members[&host_name("xen2")].clone());
    view.members.insert_mut(host_name("xen6"), here);
    let host = Host::of(view).await;
    let all = host.refs("VM.get_all", &[]);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:?}");
    let records = host.records("VM");
    assert_eq!(records.len(), all.len());
    let of = |vm: u128| records[&Uuid::from_u128(vm).to_string()]["resident_on"].clone();
    // xen3 is silent.
    assert_eq!([of(0x22), of(0x31)], [reference(2), reference(2)]);
    let controls = records.values().filter(|one| one["is_control_domain"] == Value::Bool(true));
    let mut controls: Vec<_> = controls.map(|one| as_text(&one["resident_on"])).collect();
    controls.sort_unstable();
    let mut expected = [2, 3].map(|host| Uuid::from_u128(host).to_string()).to_vec();
    expected.push(host.own.clone());
    expected.sort_unstable();
    assert_eq!(controls, expected);
    let named = host.refs("VM.get_by_name_label", &[text("Domain-0")]);
    assert_eq!((named.len(), records[&named[0]]["resident_on"].clone()), (3, text(&host.own)));
    assert_eq!(host.refs("host.get_all", &[]).len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_other_host_knows_or_does_is_refused_with_its_name() {
    let host = Host::of(fleet()).await;
    let vm = || reference(0x21);
    let record =
        |class: &str| Value::Struct(vec![("VM".to_owned(), vm()), ("x".to_owned(), text(class))]);
    let on_xen2 = ("OPERATION_NOT_ALLOWED", "The VM web10 is on the host xen2: ask xen2 itself");
    for (method, params) in [
        ("VM.get_VBDs", vec![vm()]),
        ("VM.get_other_config", vec![vm()]),
        ("VM.get_memory_static_max", vec![vm()]),
        ("VM.pause", vec![vm()]),
        ("VM.destroy", vec![vm()]),
        ("VM.start", vec![vm(), Value::Bool(false)]),
        ("VM.start_on", vec![vm(), reference(2), Value::Bool(false), Value::Bool(false)]),
        ("VM.pool_migrate", vec![vm(), text(&host.own), Value::Struct(vec![])]),
        ("VM.set_name_label", vec![vm(), text("x")]),
        ("VM.add_to_other_config", vec![vm(), text("a"), text("b")]),
        ("VBD.create", vec![record("VBD")]),
        ("VIF.create", vec![record("VIF")]),
        ("console.create", vec![record("console")]),
    ] {
        let (code, reason) = host.refusal(method, &params);
        assert_eq!((code.as_str(), reason.as_str()), on_xen2, "{method}");
    }
    for method in ["host.disable", "host.dmesg", "host.get_PIFs", "host.evacuate", "host.reboot"] {
        let (code, reason) = host.refusal(method, &[reference(2)]);
        assert_eq!(code, "OPERATION_NOT_ALLOWED", "{method}");
        assert_eq!(reason, "xen2 is another host: ask xen2 itself", "{method}");
    }
    let task = host.one("Async.VM.pause", &[vm()]);
    let ended = || host.one("task.get_status", from_ref(&task)) != text("pending");
    while !ended() {
        tokio::task::yield_now().await;
    }
    assert!(strings(&host.one("task.get_error_info", from_ref(&task)))[1].contains("xen2"));
    let missing = reference(0x99);
    assert_eq!(host.refusal("VM.get_record", from_ref(&missing)).0, "HANDLE_INVALID");
    assert_eq!(host.refusal("host.get_record", &[missing]).0, "HANDLE_INVALID");
}

/// A field of an object of another host is answered or refused, and its record is whole.
#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_another_hosts_object_is_told_or_refused() {
    let host = Host::of(fleet()).await;
    let methods = host.refs("host.list_methods", &[]);
    for class in IN_FLEET {
        let all = host.refs(&format!("{class}.get_all"), &[]);
        let object = text(all.last().unwrap());
        let record = members(host.one(&format!("{class}.get_record"), from_ref(&object)));
        let mut told = 0;
        for (field, value) in &record {
            let method = format!("{class}.get_{field}");
            assert!(methods.contains(&method), "{method}");
            match host.call(&method, from_ref(&object)) {
                Ok(answer) => {
                    assert_eq!(answer, *value, "{method}");
                    told += 1;
                }
                Err(error) => {
                    assert_eq!(error[0], "OPERATION_NOT_ALLOWED", "{method}");
                    assert!(
                        error[1].ends_with("xen4: ask xen4 itself") || error[1].contains("xen4 is")
                    );
                }
            }
        }
        assert!(told > 0, "{class}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_sees_what_the_account_may_see_of_the_fleet() {
    let reader = Host::as_user(fleet(), "X-User: reader\r\n").await;
    assert_eq!(labels(&reader.records("VM")), ["one.db", "web1", "web10", "web2"]);
    assert_eq!(reader.refs("VM.get_all", &[]).len(), 4);
    assert_eq!(reader.records("VM_metrics").len(), 4);
    assert_eq!(reader.refs("host.get_all", &[]).len(), 4);
    assert!(reader.refs("VM.get_by_name_label", &[text("lost")]).is_empty());
    let of_xen2 = members(reader.one("host.get_record", &[reference(2)]));
    assert_eq!(strings(&of_xen2["resident_VMs"]).len(), 2);
    let operator = Host::of(fleet()).await;
    let hidden = members(operator.one("VM.get_record", &[reference(0x41)]));
    let hidden = [reference(0x41), hidden["metrics"].clone(), hidden["guest_metrics"].clone()];
    for (class, object) in ["VM", "VM_metrics", "VM_guest_metrics"].iter().zip(hidden) {
        for method in ["get_record", "get_by_uuid", "get_uuid"] {
            let (code, _) = reader.refusal(&format!("{class}.{method}"), from_ref(&object));
            assert_eq!(code, "HANDLE_INVALID", "{class}.{method}");
        }
    }
    assert_eq!(reader.refusal("VM.pause", &[reference(0x41)]).0, "HANDLE_INVALID");
    assert_eq!(reader.refusal("VM.pause", &[reference(0x21)]).0, "OPERATION_NOT_ALLOWED");
    let own = text(&reader.own);
    assert_eq!(reader.refusal("host.evacuate", &[own]).0, "PERMISSION_DENIED");
    // Without the right to the facts of hosts, nobody sees the fleet.
    let steve = Host::as_user(fleet(), "X-User: steve\r\n").await;
    assert_eq!(labels(&steve.records("VM")), ["web1"]);
    assert_eq!(steve.refs("host.get_all", &[]), from_ref(&steve.own));
    assert!(steve.refs("VM.get_by_name_label", &[text("web10")]).is_empty());
    for vm in [0x21, 0x41] {
        assert_eq!(steve.refusal("VM.get_record", &[reference(vm)]).0, "HANDLE_INVALID");
    }
    assert_eq!(steve.refusal("host.get_record", &[reference(2)]).0, "HANDLE_INVALID");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_is_known_of_the_fleet_lists_fail_and_what_is_here_is_told() {
    let host = Host::start(Some(FixedFleet(None)), XenApiHosts::Fleet, "").await;
    let unknown = "etcd does not answer at https://etcd1:2379";
    for class in IN_FLEET {
        for method in ["get_all", "get_all_records"] {
            let (code, reason) = host.refusal(&format!("{class}.{method}"), &[]);
            assert_eq!((code.as_str(), reason.as_str()), ("OPERATION_NOT_ALLOWED", unknown));
        }
    }
    // It may be the VM of another host.
    assert_eq!(host.refusal("VM.get_record", &[reference(0x21)]).1, unknown);
    let own = host.one("session.get_this_host", from_ref(&host.session));
    assert_eq!(host.one("host.get_name_label", from_ref(&own)), text("xen1"));
    let vms = strings(&host.one("host.get_resident_VMs", &[own]));
    for vm in vms {
        assert_eq!(host.one("VM.get_resident_on", &[text(&vm)]), text(&host.own));
    }
    assert!(!host.refs("SR.get_all", &[]).is_empty());
}

/// A host in a fleet whose Xen-API is not to show it answers byte for byte as one in none.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_key_nothing_changes() {
    let shown = FixedFleet(Some(Arc::new(fleet())));
    let in_fleet = Host::start(Some(shown), XenApiHosts::Own, "").await;
    let alone = Host::start(None, XenApiHosts::Own, "").await;
    let same = |method: &str, params: &[Value]| {
        let with = |host: &Host| {
            let params = [from_ref(&host.session), params].concat();
            host.text(method, &params).replace(host.dir.path().to_str().unwrap(), "DIR")
        };
        let (mut with_fleet, mut without) = (with(&in_fleet), with(&alone));
        // Figures may be a second old.
        for _ in 0..100 {
            if with_fleet == without {
                break;
            }
            thread::sleep(Duration::from_millis(50));
            (with_fleet, without) = (with(&in_fleet), with(&alone));
        }
        assert_eq!(with_fleet, without, "{method}");
        assert!(!with_fleet.contains("xen2") && !with_fleet.contains("web10"), "{method}");
    };
    assert_eq!(in_fleet.text("system.listMethods", &[]), alone.text("system.listMethods", &[]));
    let methods = alone.refs("host.list_methods", &[]);
    same("host.list_methods", &[]);
    let lists = methods.iter().filter(|name| {
        !name.starts_with("Async.")
            && (name.ends_with(".get_all") || name.ends_with(".get_all_records"))
    });
    for method in lists.filter(|name| !name.starts_with("session.") && !name.starts_with("task.")) {
        same(method, &[]);
    }
    let vm = text(&alone.refs("VM.get_by_name_label", &[text("web1")])[0]);
    for method in ["VM.get_record", "VM.get_by_uuid", "VM.pause", "VM.unpause", "VM.start"] {
        same(method, from_ref(&vm));
    }
    for label in ["web1", "web10", "Domain-0"] {
        same("VM.get_by_name_label", &[text(label)]);
    }
    for label in ["xen1", "xen2"] {
        same("host.get_by_name_label", &[text(label)]);
    }
    for (method, object) in [("VM.get_record", 0x21), ("VM.pause", 0x21), ("host.get_record", 2)] {
        same(method, &[reference(object)]);
    }
    for (method, count) in [("VM.start_on", 4), ("VM.pool_migrate", 3), ("host.evacuate", 1)] {
        let params = vec![text(""); count];
        same(method, &params);
        assert_eq!(alone.refusal(method, &params).0, "MESSAGE_METHOD_UNKNOWN");
        assert!(!methods.contains(&method.to_owned()));
        same(&format!("Async.{method}"), &params);
    }
    let shown = Host::of(fleet()).await;
    let more: Vec<_> = shown.refs("host.list_methods", &[]);
    let more: Vec<_> = more.iter().filter(|name| !methods.contains(name)).collect();
    assert_eq!(
        more,
        [
            "host.evacuate",
            "Async.host.evacuate",
            "VM.start_on",
            "Async.VM.start_on",
            "VM.pool_migrate",
            "Async.VM.pool_migrate",
        ]
    );
}
