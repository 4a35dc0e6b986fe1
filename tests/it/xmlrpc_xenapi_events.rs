//! The Xen-API's events.

use crate::http_support::guest;
use crate::xenapi_support::{Client, as_text, members, text};
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;
use xend::wire::xmlrpc::Value;

#[test]
fn events_report_changes_by_other_clients() {
    let client = Client::new();
    assert_eq!(client.call("event.next", &[]).unwrap_err()[0], "SESSION_NOT_REGISTERED");
    let every = Value::Array(vec![]);
    assert_eq!(client.call("event.register", std::slice::from_ref(&every)), Ok(text("")));
    let next = || -> Vec<(String, String)> {
        let Value::Array(events) = client.call("event.next", &[]).unwrap() else { panic!() };
        let events = events.into_iter().map(members);
        let of_vms = events.filter(|event| event["class"] == text("VM"));
        let part = |event: &BTreeMap<String, Value>, name: &str| as_text(&event[name]).to_owned();
        of_vms.map(|event| (part(&event, "operation"), part(&event, "ref"))).collect()
    };
    // Another client, over another wire, while this one waits.
    thread::scope(|scope| {
        let waits = scope.spawn(next);
        thread::sleep(Duration::from_millis(300));
        assert_eq!(client.daemon.create(&guest("web", "")).code, 201);
        let events = waits.join().unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].0, "add");
    });
    let Value::Text(vm) = client.vm("web") else { panic!() };
    client.daemon.post("/xend/domain/web", "op=unpause");
    assert!(next().contains(&("mod".to_owned(), vm.clone())));
    // A session that was away gets the difference.
    client.daemon.post("/xend/domain/web", "op=pause");
    client.daemon.post("/xend/domain/web", "op=destroy");
    let mut gone = false;
    while !gone {
        gone = next().contains(&("del".to_owned(), vm.clone()));
    }
    assert_eq!(client.call("event.unregister", &[every]), Ok(text("")));
    assert_eq!(client.call("event.next", &[]).unwrap_err()[0], "SESSION_NOT_REGISTERED");
}

#[test]
fn devices_images_networks_pools_and_tasks_have_events() {
    let client = Client::new();
    let classes = |names: &[&str]| Value::Array(names.iter().map(|name| text(name)).collect());
    let all = ["VBD", "vdi", "network", "cpu_pool", "task"];
    client.call("event.register", &[classes(&all)]).unwrap();
    client.call("event.register", &[classes(&["VM"])]).unwrap();
    client.call("event.unregister", &[classes(&["VM"])]).unwrap();
    let next = || -> Vec<(String, String)> {
        let Value::Array(events) = client.call("event.next", &[]).unwrap() else { panic!() };
        let part = |event: &BTreeMap<String, Value>, name: &str| as_text(&event[name]).to_owned();
        let events = events.into_iter().map(members);
        events.map(|event| (part(&event, "class"), part(&event, "operation"))).collect()
    };
    let event = |class: &str, operation: &str| (class.to_owned(), operation.to_owned());
    assert_eq!(
        client
            .daemon
            .create(&guest("web", "(device (vbd (uname phy:/dev/a) (dev xvdb) (mode w)))"))
            .code,
        201
    );
    assert!(next().contains(&event("VBD", "add")));
    let record = |members: &[(&str, &str)]| {
        Value::Struct(members.iter().map(|(key, value)| ((*key).to_owned(), text(value))).collect())
    };
    let Value::Text(sr) = client.sr() else { panic!() };
    let vdi =
        [("SR", sr.as_str()), ("name_label", "x"), ("virtual_size", "4096"), ("type", "user")];
    let vdi = client.call("VDI.create", &[record(&vdi)]).unwrap();
    client.call("VDI.set_virtual_size", &[vdi.clone(), text("8192")]).unwrap();
    assert_eq!(next(), [event("VDI", "add")], "several changes are one event");
    client.call("VDI.destroy", &[vdi]).unwrap();
    client.call("network.create", &[record(&[("name_label", "br7")])]).unwrap();
    client.call("cpu_pool.create", &[record(&[("name_label", "fast")])]).unwrap();
    assert_eq!(next(), [event("cpu_pool", "add"), event("network", "add"), event("VDI", "del")]);
    let task = client.call("Async.VM.get_all", &[]).unwrap();
    let events = next();
    assert!(events.contains(&event("task", "add")), "{events:?}");
    client.daemon.until("the task ends", |_| {
        client.call("task.get_status", std::slice::from_ref(&task)) == Ok(text("success"))
    });
    client.call("task.destroy", &[task]).unwrap();
    let mut events = vec![];
    while !events.contains(&event("task", "del")) {
        events = next();
    }
    client.daemon.post("/xend/domain/web", "op=destroy");
    assert!(next().contains(&event("VBD", "del")));
}

#[test]
fn a_call_that_waits_ends_with_its_session() {
    let client = Client::new();
    client.call("event.register", &[Value::Array(vec![text("SR")])]).unwrap();
    thread::scope(|scope| {
        let waits = scope.spawn(|| client.call("event.next", &[]));
        client.bare("session.logout", std::slice::from_ref(&client.session)).unwrap();
        assert_eq!(waits.join().unwrap().unwrap_err()[0], "SESSION_INVALID");
    });
}

/// Xen Orchestra's client keeps all objects from the snapshots of events.
#[test]
fn an_event_has_a_snapshot_of_its_object() {
    let client = Client::new();
    client.call("event.register", &[Value::Array(vec![])]).unwrap();
    let event_of = |what: &str| {
        for _ in 0..50 {
            let Value::Array(events) = client.call("event.next", &[]).unwrap() else { panic!() };
            let found = events.into_iter().map(members).find(|event| {
                let is = |(class, operation): (&str, &str)| {
                    event["class"] == text(class) && event["operation"] == text(operation)
                };
                what.split_once(' ').is_some_and(is)
            });
            if let Some(event) = found {
                return event;
            }
        }
        panic!("no event of {what}");
    };
    assert_eq!(client.daemon.create(&guest("web", "")).code, 201);
    let event = event_of("VM add");
    let vm = event["ref"].clone();
    let record = client.call("VM.get_record", std::slice::from_ref(&vm)).unwrap();
    let shown = members(event["snapshot"].clone());
    let known = members(record);
    assert!(shown.keys().eq(known.keys()));
    assert_eq!((&shown["uuid"], &shown["name_label"]), (&known["uuid"], &text("web")));
    client.call("VM.set_name_description", &[vm.clone(), text("new")]).unwrap();
    assert_eq!(members(event_of("VM mod")["snapshot"].clone())["name_description"], text("new"));
    client.call("VM.hard_shutdown", &[vm]).unwrap();
    assert!(!event_of("VM del").contains_key("snapshot"));
}
