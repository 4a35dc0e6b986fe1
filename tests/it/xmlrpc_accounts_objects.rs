//! What a user of the Xen-API sees: the VMs of the account with their objects, as if there were no
//! others, and as little as possible of the host.

use crate::xenapi_support::{as_text, members, record, strings, text};
use crate::xmlrpc_accounts_support::{
    AccountHost, CLASSES_OF_HOST, CLASSES_OF_VMS, SessionClient, account, guest, texts_in,
};
use std::collections::{BTreeMap, BTreeSet};
use xend::core::model::DomName;
use xend::core::op::DomainOp;
use xend::core::rights::{Account, Limits};
use xend::wire::xmlrpc::Value;

/// Classes whose objects belong to VMs, or are shown as far as VMs use them.
fn of_vms() -> impl Iterator<Item = &'static str> {
    CLASSES_OF_VMS.into_iter().chain(["SR", "pool"])
}

/// Fields that change by themselves.
const MOVING: [&str; 10] = [
    "last_updated",
    "start_time",
    "VCPUs_utilisation",
    "VCPUs_CPU",
    "VCPUs_flags",
    "state",
    "io_read_kbs",
    "io_write_kbs",
    "io_total_read_kbs",
    "io_total_write_kbs",
];

/// Fields with facts about the host, and what a user sees there.
fn hidden() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("VM", "cpu_pool", Value::Array(vec![])),
        ("DSCSI", "PSCSI", text("")),
        ("SR", "physical_size", text("0")),
    ]
}

fn accounts() -> Vec<Account> {
    vec![
        account("steve", "lj one.my.*", "see power console", Limits::default()),
        account("bob", "foreign*", "see power", Limits::default()),
    ]
}

fn own_vms() -> Vec<String> {
    vec![guest("lj", 1, ""), guest("one.my.site", 2, "")]
}

fn all_vms() -> Vec<String> {
    let pci = "(device (pci (dev (domain 0x0) (bus 0x3) (slot 0x0) (func 0x0))))";
    let foreign = [guest("foreign1", 0xf1, pci), guest("foreign2", 0xf2, "")];
    own_vms().into_iter().chain(foreign).collect()
}

type Records = BTreeMap<String, BTreeMap<String, Value>>;

/// The records of a class without fields that differ between two hosts.
fn comparable(class: &str, mut records: Records) -> Records {
    let hidden = hidden();
    let is_hidden = |field: &String| hidden.iter().any(|(of, one, _)| *of == class && one == field);
    for record in records.values_mut() {
        record.retain(|field, _| !MOVING.contains(&field.as_str()) && !is_hidden(field));
    }
    records
}

/// The objects of Domain-0.
fn of_domain_0(operator: &SessionClient) -> Vec<String> {
    let vm = operator.vm("Domain-0");
    let of_vm = |field: &str| operator.on(&format!("VM.get_{field}"), &vm).unwrap();
    let metrics = [of_vm("metrics"), of_vm("guest_metrics")];
    metrics.iter().map(as_text).map(str::to_owned).chain([vm.clone()]).collect()
}

/// Waits until the agents in all guests that a client sees have reported.
fn until_guests_report(client: &SessionClient, guests: usize) {
    client.until("the guests report", |client| {
        let records = client.records("VM_guest_metrics");
        records.values().filter(|record| record["live"] == Value::Bool(true)).count() == guests
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_sees_what_a_host_without_the_others_would_show() {
    let host = AccountHost::new(accounts(), &all_vms()).await;
    let alone = AccountHost::new(vec![], &own_vms()).await;
    let steve = host.log_in("steve").await;
    let operator = alone.log_in_as_operator().await;
    let domain_0 = of_domain_0(&operator);
    until_guests_report(&steve, own_vms().len());
    until_guests_report(&operator, own_vms().len());
    for class in of_vms() {
        let mut expected = operator.records(class);
        expected.retain(|reference, _| !domain_0.contains(reference));
        let mut listed: Vec<String> = operator.all(class);
        listed.retain(|reference| !domain_0.contains(reference));
        let seen = steve.records(class);
        for (of, field, value) in hidden() {
            let shown = seen.values().filter(|_| of == class).map(|record| &record[field]);
            assert!(shown.clone().all(|shown| *shown == value), "{of}.{field}");
        }
        assert_eq!(steve.all(class), listed, "{class}");
        assert_eq!(comparable(class, seen), comparable(class, expected), "{class}");
        // Each getter shows what the record shows.
        for (reference, record) in steve.records(class) {
            for (field, value) in
                record.iter().filter(|(field, _)| !MOVING.contains(&field.as_str()))
            {
                let got = steve.on(&format!("{class}.get_{field}"), &reference);
                assert_eq!(got.as_ref(), Ok(value), "{class}.{field}");
            }
            assert_eq!(steve.on(&format!("{class}.get_by_uuid"), &reference), Ok(text(&reference)));
            if let Some(label) = record.get("name_label") {
                let found =
                    steve.call(&format!("{class}.get_by_name_label"), std::slice::from_ref(label));
                assert!(strings(&found.unwrap()).contains(&reference), "{class}");
            }
        }
    }
    assert!(steve.all("DPCI").is_empty() && steve.all("VTPM").len() == 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_sees_no_foreign_text_anywhere() {
    let host = AccountHost::new(accounts(), &all_vms()).await;
    let operator = host.log_in_as_operator().await;
    until_guests_report(&operator, all_vms().len());
    operator.call("network.create", &[record(&[("name_label", text("foreign-net"))])]).unwrap();
    operator.call("cpu_pool.create", &[record(&[("name_label", text("foreign-pool"))])]).unwrap();
    let host_ref = operator.all("host")[0].clone();
    operator.call("host.set_name_label", &[text(&host_ref), text("foreign-host")]).unwrap();
    let sr = text(&operator.all("SR")[0]);
    let image =
        [("SR", sr.clone()), ("name_label", text("foreign-disk")), ("virtual_size", text("4096"))];
    operator.call("VDI.create", &[record(&image)]).unwrap();
    operator
        .call(
            "PBD.create",
            &[record(&[
                ("host", text(&host_ref)),
                ("SR", sr),
                ("device_config", record(&[("location", text("foreign-dir"))])),
            ])],
        )
        .unwrap();
    let steve = host.log_in("steve").await;
    let bob = host.log_in("bob").await;
    let foreign: BTreeSet<String> = of_vms()
        .flat_map(|class| operator.all(class))
        .filter(|one| !of_vms().any(|class| steve.all(class).contains(one)))
        .collect();
    assert!(foreign.len() > 25, "{foreign:?}");
    let methods = strings(&steve.call("host.list_methods", &[]).unwrap());
    let readers = methods
        .iter()
        .filter(|method| method.ends_with(".get_all_records") || method.ends_with(".get_all"));
    for method in readers.filter(|method| !method.starts_with("Async.")) {
        for text in texts_in(&steve.call(method, &[]).unwrap()) {
            assert!(!text.contains("foreign") && !foreign.contains(&text), "{method}: {text}");
        }
    }
    // The other user sees the others.
    assert_eq!(bob.all("VM"), [bob.vm("foreign1"), bob.vm("foreign2")]);
    assert_eq!(bob.all("DPCI").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_sees_little_of_the_host() {
    let host = AccountHost::new(accounts(), &all_vms()).await;
    let steve = host.log_in("steve").await;
    let operator = host.log_in_as_operator().await;
    for class in CLASSES_OF_HOST {
        assert!(steve.all(class).is_empty() && steve.records(class).is_empty(), "{class}");
        for reference in operator.all(class) {
            let failure = steve.on(&format!("{class}.get_record"), &reference).unwrap_err();
            assert_eq!(failure, ["HANDLE_INVALID", class, reference.as_str()]);
        }
    }
    assert_eq!(steve.call("host_cpu.get_unassigned_cpus", &[]), Ok(Value::Array(vec![])));
    // One host, which has all fields, and which all other references lead to.
    let reference = &steve.all("host")[0];
    assert_eq!(steve.all("host"), operator.all("host"));
    let seen = &steve.records("host")[reference];
    let full = &operator.records("host")[reference];
    assert!(seen.keys().eq(full.keys()));
    let own = [steve.vm("lj"), steve.vm("one.my.site")];
    assert_eq!(strings(&seen["resident_VMs"]), own);
    for list in
        ["host_CPUs", "PIFs", "PPCIs", "PSCSIs", "PSCSI_HBAs", "resident_cpu_pools", "capabilities"]
    {
        assert_eq!(seen[list], Value::Array(vec![]), "{list}");
    }
    let shown = [
        "uuid",
        "name_description",
        "API_version_major",
        "API_version_minor",
        "API_version_vendor",
        "API_version_vendor_implementation",
        "enabled",
        "logging",
        "supported_bootloaders",
        "metrics",
        "PBDs",
        "sched_policy",
    ];
    for field in shown {
        assert_eq!(seen[field], full[field], "{field}");
    }
    for field in ["name_label", "software_version", "other_config", "cpu_configuration"] {
        assert_ne!(seen[field], full[field], "{field}");
    }
    let empty = |value: &Value| {
        let known = ["", "0", "0.0", "4", "sim"];
        members(value.clone()).values().all(|value| known.contains(&as_text(value)))
    };
    assert!(empty(&seen["software_version"]), "{:?}", seen["software_version"]);
    assert!(empty(&seen["cpu_configuration"]) && empty(&seen["other_config"]));
    let metrics = &steve.records("host_metrics")[as_text(&seen["metrics"])];
    assert_eq!((&metrics["memory_total"], &metrics["memory_free"]), (&text("0"), &text("0")));
    for pbd in steve.records("PBD").values() {
        assert_eq!(members(pbd["device_config"].clone())["location"], text(""));
    }
    let networks = steve.records("network");
    let labels: Vec<&str> = networks.values().map(|one| as_text(&one["name_label"])).collect();
    assert_eq!(labels.len(), 2);
    assert!(labels.contains(&"br-lj") && labels.contains(&"br-one.my.site"));
    let session = steve.call("session.get_this_host", std::slice::from_ref(&steve.session));
    assert_eq!(session, Ok(text(reference)));
    let pool = &steve.all("pool")[0];
    assert_eq!(steve.on("pool.get_master", pool), Ok(text(reference)));
    assert_eq!(steve.on("VM.get_resident_on", &own[0]), Ok(text(reference)));
}

/// The events of one class: operations and references.
fn events(client: &SessionClient, class: &str) -> Vec<(String, String)> {
    let Value::Array(events) = client.call("event.next", &[]).unwrap() else { panic!() };
    for event in &events {
        let texts = texts_in(event);
        assert!(!texts.iter().any(|text| text.contains("foreign")), "{event:?}");
    }
    let events = events.into_iter().map(members);
    let own = events.filter(|event| event["class"] == text(class));
    let part = |event: &BTreeMap<String, Value>, name: &str| as_text(&event[name]).to_owned();
    own.map(|event| (part(&event, "operation"), part(&event, "ref"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_those_of_visible_objects() {
    let host = AccountHost::new(accounts(), &all_vms()).await;
    let steve = host.log_in("steve").await;
    let operator = host.log_in_as_operator().await;
    until_guests_report(&operator, all_vms().len());
    let foreign = operator.vm("foreign2");
    let lj = steve.vm("lj");
    steve.call("event.register", &[Value::Array(vec![])]).unwrap();
    let event = |operation: &str, vm: &str| (operation.to_owned(), vm.to_owned());
    // Changes of others are none.
    host.create(&guest("foreign3", 0xf3, "")).await;
    operator.on("VM.pause", &operator.vm("foreign1")).unwrap();
    operator.call("network.create", &[record(&[("name_label", text("foreign-net"))])]).unwrap();
    operator.on("Async.VM.pause", &foreign).unwrap();
    operator.on("VM.pause", &lj).unwrap();
    assert_eq!(events(&steve, "VM"), [event("mod", &lj)]);
    // A VM that gets a name of the account appears with its devices, and disappears again.
    let rename = |from: &'static str, to: &'static str| {
        let host = &host;
        async move { host.operate(from, DomainOp::Rename(DomName::new(to).unwrap())).await }
    };
    let disks = |client: &SessionClient| client.all("VBD").len();
    assert_eq!(disks(&steve), 4);
    rename("foreign2", "one.my.new").await;
    let Value::Array(all) = steve.call("event.next", &[]).unwrap() else { panic!() };
    // Guests report in their own time.
    let is_report = |event: &BTreeMap<_, _>| event["class"] == text("VM_guest_metrics");
    let all: Vec<_> = all.into_iter().map(members).filter(|event| !is_report(event)).collect();
    let of = |class: &str| all.iter().filter(|event| event["class"] == text(class)).count();
    assert_eq!((of("VM"), of("VBD"), of("VIF"), of("console")), (1, 2, 1, 2), "{all:?}");
    assert!(all.iter().all(|event| event["operation"] == text("add")), "{all:?}");
    assert_eq!((steve.vm("one.my.new"), disks(&steve)), (foreign.clone(), 6));
    rename("one.my.new", "foreign2").await;
    let Value::Array(all) = steve.call("event.next", &[]).unwrap() else { panic!() };
    // Guests report in their own time.
    let is_report = |event: &BTreeMap<_, _>| event["class"] == text("VM_guest_metrics");
    let all: Vec<_> = all.into_iter().map(members).filter(|event| !is_report(event)).collect();
    assert!(all.iter().all(|event| event["operation"] == text("del")), "{all:?}");
    assert!(all.iter().any(|event| event["ref"] == text(&foreign)));
    assert_eq!(disks(&steve), 4);
    let unknown = steve.on("VM.get_record", &foreign).unwrap_err();
    assert_eq!(unknown, ["HANDLE_INVALID", "VM", foreign.as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_rights_wake_a_call_that_waits_for_events() {
    let host = AccountHost::new(accounts(), &all_vms()).await;
    let steve = host.log_in("steve").await;
    let operator = host.log_in_as_operator().await;
    let more = operator.vm("foreign1");
    let classes = Value::Array(vec![text("VM")]);
    steve.call("event.register", &[classes]).unwrap();
    let all = account("steve", "lj one.my.* foreign1", "see power console", Limits::default());
    let waits = tokio::task::spawn_blocking(move || {
        let Value::Array(events) = steve.call("event.next", &[]).unwrap() else { panic!() };
        events.into_iter().map(members).collect::<Vec<_>>()
    });
    let bob = account("bob", "foreign*", "see power", Limits::default());
    host.accounts.replace(vec![all, bob], None);
    let events = waits.await.unwrap();
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&event["operation"], &event["ref"]), (&text("add"), &text(&more)));
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_those_of_the_account() {
    let host = AccountHost::new(accounts(), &all_vms()).await;
    let steve = host.log_in("steve").await;
    let again = host.log_in("steve").await;
    let bob = host.log_in("bob").await;
    let operator = host.log_in_as_operator().await;
    let begin = |client: &SessionClient| {
        let task = client.call("Async.debug.wait", &[text("60")]).unwrap();
        as_text(&task).to_owned()
    };
    let of_bob = begin(&bob);
    let of_operator = begin(&operator);
    let own = begin(&steve);
    assert_eq!(steve.all("task"), [own.as_str()]);
    assert_eq!(again.all("task"), [own.as_str()]);
    assert_eq!(operator.all("task").len(), 3);
    for foreign in [&of_bob, &of_operator, "00000000-0000-0000-0000-000000000001"] {
        for method in ["get_record", "get_result", "get_by_uuid", "cancel", "destroy"] {
            let failure = steve.on(&format!("task.{method}"), foreign).unwrap_err();
            assert_eq!(failure, ["HANDLE_INVALID", "task", foreign], "{method}");
        }
    }
    assert_eq!(
        strings(&steve.call("task.get_by_name_label", &[text("debug.wait")]).unwrap()),
        [own.as_str()]
    );
    // The session that began it alone sees its reference. The account may end it, and operators.
    assert_eq!(steve.on("task.get_session", &own), Ok(steve.session.clone()));
    assert_eq!(again.on("task.get_session", &own), Ok(text("")));
    again.on("task.cancel", &own).unwrap();
    operator.on("task.cancel", &of_bob).unwrap();
    for (client, task) in [(&steve, &own), (&bob, &of_bob)] {
        client
            .until("the task ends", |_| client.on("task.get_status", task) == Ok(text("failure")));
    }
    // Debug objects, too.
    let object = as_text(&bob.call("debug.create", &[]).unwrap()).to_owned();
    assert!(steve.all("debug").is_empty() && bob.all("debug") == [object.as_str()]);
    assert_eq!(operator.all("debug"), [object.as_str()]);
    assert_eq!(steve.on("debug.destroy", &object).unwrap_err()[0], "HANDLE_INVALID");
    bob.on("debug.destroy", &object).unwrap();
    operator.on("task.cancel", &of_operator).unwrap();
}
