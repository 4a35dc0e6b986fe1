//! The Xen-API over a real socket: sessions, the order of checks, and what a client does with a VM.

use crate::http_support::{Daemon, Door, ask, guest};
use crate::xenapi_support::{Client, members, strings, text};
use std::collections::BTreeMap;
use xend::wire::xmlrpc::Value;
use xend::wire::xmlrpc::codec::{self, Limits};

/// The session of the wire protocol's chapter.
#[test]
fn a_client_looks_around_pauses_and_is_told_what_it_cannot_do() {
    let client = Client::populated();
    let vm = client.vm("web");
    let state = |client: &Client| client.power_state(&client.vm("web"));
    let all = client.call("VM.get_all", &[]).unwrap();
    assert!(strings(&all).iter().any(|uuid| *uuid == strings(&Value::Array(vec![vm.clone()]))[0]));
    assert_eq!(client.call("VM.get_name_label", std::slice::from_ref(&vm)), Ok(text("web")));
    let metrics = client.call("VM.get_metrics", std::slice::from_ref(&vm)).unwrap();
    let Value::Struct(utilisation) =
        client.call("VM_metrics.get_VCPUs_utilisation", &[metrics]).unwrap()
    else {
        panic!()
    };
    assert!(matches!(utilisation.as_slice(), [(zero, Value::Double(_)), ..] if zero == "0"));
    assert_eq!(client.call("VM.pause", std::slice::from_ref(&vm)), Ok(text("")));
    assert_eq!(client.call("VM.set_pauseflag", &[vm.clone(), Value::Bool(true)]), Ok(text("")));
    assert_eq!(state(&client), "Paused");
    assert_eq!(client.call("VM.unpause", std::slice::from_ref(&vm)), Ok(text("")));
    assert_eq!(state(&client), "Running");
    let Value::Text(reference) = vm.clone() else { panic!() };
    let wrong =
        vec!["VM_BAD_POWER_STATE".to_owned(), reference, "Halted".to_owned(), "Running".to_owned()];
    // xm sends a number where a boolean belongs.
    assert_eq!(client.call("VM.start", &[vm.clone(), Value::Int(0)]), Err(wrong));
    assert_eq!(client.call("VM.set_name_label", &[vm.clone(), text("shop")]), Ok(text("")));
    assert_eq!(client.call("VM.get_by_name_label", &[text("web")]), Ok(Value::Array(vec![])));
    assert_eq!(client.call("VM.hard_shutdown", std::slice::from_ref(&vm)), Ok(text("")));
    assert_eq!(client.call("VM.get_record", &[vm]).unwrap_err()[0], "HANDLE_INVALID");
}

#[test]
fn a_managed_vm_lives_through_all_of_it() {
    let client = Client::new();
    let define = format!("op=new&config={}", crate::http_support::encoded(&guest("web", "")));
    assert_eq!(client.daemon.post("/xend/domain", &define).code, 200);
    let vm = client.vm("web");
    let does = |method: &str, more: &[Value], state: &str| {
        let mut params = vec![vm.clone()];
        params.extend_from_slice(more);
        assert_eq!(client.call(method, &params), Ok(text("")), "{method}");
        assert_eq!(client.power_state(&vm), state, "{method}");
    };
    assert_eq!(client.power_state(&vm), "Halted");
    assert_eq!(client.call("VM.get_domid", std::slice::from_ref(&vm)), Ok(text("-1")));
    does("VM.start", &[Value::Bool(true)], "Paused");
    does("VM.unpause", &[], "Running");
    does("VM.set_VCPUs_number_live", &[text("1")], "Running");
    does("VM.set_memory_dynamic_max_live", &[text(&(48_u64 << 20).to_string())], "Running");
    assert_eq!(
        client.call("VM.get_memory_dynamic_max", std::slice::from_ref(&vm)),
        Ok(text(&(48_u64 << 20).to_string()))
    );
    does("VM.add_to_VCPUs_params_live", &[text("weight"), text("512")], "Running");
    does("VM.add_to_VCPUs_params_live", &[text("cpumap0"), text("0,1,63")], "Running");
    let params = members(client.call("VM.get_VCPUs_params", std::slice::from_ref(&vm)).unwrap());
    assert_eq!(params["weight"], text("512"));
    does("VM.suspend", &[], "Suspended");
    does("VM.resume", &[Value::Bool(false)], "Running");
    let file = text(client.daemon.dir.path().join("saved").to_str().unwrap());
    does("VM.save", &[file.clone(), Value::Bool(false)], "Halted");
    assert_eq!(client.call("VM.restore", &[file, Value::Bool(true)]), Ok(text("")));
    assert_eq!(client.power_state(&vm), "Paused");
    does("VM.hard_shutdown", &[], "Halted");
    assert_eq!(client.call("VM.destroy", std::slice::from_ref(&vm)), Ok(text("")));
    assert_eq!(
        client.call("VM.get_all", &[]).unwrap(),
        client.call("VM.get_by_name_label", &[text("Domain-0")]).unwrap()
    );
}

#[test]
fn who_has_not_logged_in_sees_nothing() {
    let client = Client::new();
    let said = |params: &[Value]| client.bare("VM.get_all", params).unwrap_err();
    assert_eq!(said(&[text("guess")]), ["SESSION_INVALID", "guess"]);
    assert_eq!(said(&[]), ["MESSAGE_PARAMETER_COUNT_MISMATCH", "VM.get_all", "1", "0"]);
    // The maintained clients say more of themselves.
    let four = [text("root"), text("geheim"), text("1.0"), text("test")];
    let session = client.bare("session.login_with_password", &four).unwrap();
    assert_ne!(session, client.session);
    assert_eq!(
        client.bare("session.login_with_password", &[text("root")]).unwrap_err()[0],
        "MESSAGE_PARAMETER_COUNT_MISMATCH"
    );
    let user = client.bare("session.get_this_user", &[session.clone(), session.clone()]).unwrap();
    assert_eq!(user, text("root"));
    assert_eq!(client.bare("session.logout", std::slice::from_ref(&session)), Ok(text("")));
    assert_eq!(client.bare("VM.get_all", &[session]).unwrap_err()[0], "SESSION_INVALID");
    assert!(!client.daemon.log().contains("geheim"));
    // The host is the same after a restart, its sessions are not.
    let host = client.one("host.get_all", &[]);
    let door = client.door;
    let daemon = client.daemon;
    let Door::Unix(socket) = &door else { panic!() };
    let socket = socket.to_str().unwrap().to_owned();
    let (_, dir) = daemon.end(rustix::process::Signal::TERM);
    std::fs::create_dir_all(std::path::Path::new(&socket).parent().unwrap()).unwrap();
    let daemon = Daemon::start_in(dir, &["--xen-api", &socket]);
    let mut again = Client { daemon, door, session: client.session };
    assert_eq!(again.call("VM.get_all", &[]).unwrap_err()[0], "SESSION_INVALID");
    again.session = again.bare("session.login_with_password", &[text("root"), text("")]).unwrap();
    assert_eq!(again.one("host.get_all", &[]), host);
}

/// What the maintained Python client asks for the version of the API.
#[test]
fn the_version_is_found_through_the_pool() {
    let client = Client::new();
    let pool = client.one("pool.get_all", &[]);
    let host = client.call("pool.get_master", &[pool]).unwrap();
    assert_eq!(
        client.call("host.get_API_version_major", std::slice::from_ref(&host)),
        Ok(text("1"))
    );
    assert_eq!(client.call("host.get_API_version_minor", &[host]), Ok(text("0")));
}

#[test]
fn what_is_not_waited_for_is_a_task() {
    let client = Client::new();
    let define = format!("op=new&config={}", crate::http_support::encoded(&guest("web", "")));
    assert_eq!(client.daemon.post("/xend/domain", &define).code, 200);
    let vm = client.vm("web");
    let ended = |task: &Value| {
        let mut record = BTreeMap::new();
        client.daemon.until("the task ends", |_| {
            record = members(client.call("task.get_record", std::slice::from_ref(task)).unwrap());
            record["status"] != text("pending")
        });
        record
    };
    let task = client.call("Async.VM.start", &[vm.clone(), Value::Bool(false)]).unwrap();
    let record = ended(&task);
    assert_eq!(
        (&record["status"], &record["progress"], &record["result"]),
        (&text("success"), &Value::Double(1.0), &text(""))
    );
    assert_eq!((&record["name_label"], &record["session"]), (&text("VM.start"), &client.session));
    assert_eq!(client.power_state(&vm), "Running");
    // The second time it cannot be.
    let again = ended(&client.call("Async.VM.start", &[vm.clone(), Value::Bool(false)]).unwrap());
    assert_eq!(
        (&again["status"], strings(&again["error_info"])[0].as_str()),
        (&text("failure"), "VM_BAD_POWER_STATE")
    );
    let listed = ended(&client.call("Async.VM.get_all", &[]).unwrap());
    assert_eq!(strings(&listed["result"]).len(), 2);
    assert_eq!(client.call("task.get_all", &[]).map(|all| strings(&all).len()), Ok(3));
    assert_eq!(
        client.call("task.cancel", std::slice::from_ref(&task)).unwrap_err()[0],
        "OPERATION_NOT_ALLOWED"
    );
    assert_eq!(client.call("task.destroy", std::slice::from_ref(&task)), Ok(text("")));
    assert_eq!(client.call("task.get_status", &[task]).unwrap_err()[0], "HANDLE_INVALID");
    // Checked before there is a task; a field has none.
    let mismatch = client.call("Async.VM.start", std::slice::from_ref(&vm)).unwrap_err();
    assert_eq!(mismatch, ["MESSAGE_PARAMETER_COUNT_MISMATCH", "Async.VM.start", "3", "2"]);
    assert_eq!(client.bare("Async.VM.get_all", &[text("x")]).unwrap_err()[0], "SESSION_INVALID");
    let unknown = client.call("Async.VM.get_domid", &[vm]).unwrap_err();
    assert_eq!(unknown, ["MESSAGE_METHOD_UNKNOWN", "Async.VM.get_domid"]);
}

#[test]
fn events_tell_what_others_do() {
    let client = Client::new();
    assert_eq!(client.call("event.next", &[]).unwrap_err()[0], "SESSION_NOT_REGISTERED");
    let every = Value::Array(vec![]);
    assert_eq!(client.call("event.register", std::slice::from_ref(&every)), Ok(text("")));
    let next = || -> Vec<(String, String)> {
        let Value::Array(events) = client.call("event.next", &[]).unwrap() else { panic!() };
        let said = |event: Value| {
            let event = members(event);
            let part = |name: &str| strings(&Value::Array(vec![event[name].clone()])).remove(0);
            (part("class"), (part("operation"), part("ref")))
        };
        let vms = events.into_iter().map(said).filter(|(class, _)| class == "VM");
        vms.map(|(_, said)| said).collect()
    };
    // Another client, over another wire, while this one waits.
    std::thread::scope(|scope| {
        let waits = scope.spawn(next);
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(client.daemon.create(&guest("web", "")).code, 201);
        let told = waits.join().unwrap();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].0, "add");
    });
    let Value::Text(vm) = client.vm("web") else { panic!() };
    client.daemon.post("/xend/domain/web", "op=unpause");
    assert!(next().contains(&("mod".to_owned(), vm.clone())));
    // Who was away for long is told the difference.
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
fn both_doors_take_xms_calls_and_one_of_them_the_xen_apis() {
    let client = Client::new();
    let body = codec::call("xend.domains", &[Value::Int(0)]);
    let request =
        format!("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let answer =
        codec::read_answer(&ask(&client.door, request.as_bytes()).text(), &Limits::default())
            .unwrap();
    assert_eq!(answer, Ok(Value::Array(vec![text("Domain-0")])));
    let log = client.call("host.get_log", &[client.one("host.get_all", &[])]).unwrap();
    assert!(matches!(log, Value::Text(log) if log.contains("started\n")), "no escapes here");
    let host = client.one("host.get_all", &[]);
    assert_eq!(client.call("host.shutdown", &[host]).unwrap_err()[0], "OPERATION_NOT_ALLOWED");
}

/// A VM that takes a while to save, defined and running.
fn slow_vm(client: &Client) -> Value {
    let config = guest("saveslow", "").replace("(memory 64)", "(memory 1024)");
    let define = format!("op=new&config={}", crate::http_support::encoded(&config));
    assert_eq!(client.daemon.post("/xend/domain", &define).code, 200);
    let vm = client.vm("saveslow");
    client.call("VM.start", &[vm.clone(), Value::Bool(false)]).unwrap();
    vm
}

#[test]
fn what_is_under_way_is_cancelled_and_the_domain_goes_on() {
    let client = Client::new();
    let vm = slow_vm(&client);
    let file = text(client.daemon.dir.path().join("saved").to_str().unwrap());
    let field = |task: &Value, field: &str| {
        client.call(&format!("task.get_{field}"), std::slice::from_ref(task)).unwrap()
    };
    let task = client.call("Async.VM.save", &[vm.clone(), file, Value::Bool(false)]).unwrap();
    assert!(strings(&field(&task, "allowed_operations")).contains(&"cancel".to_owned()));
    client.daemon.until("it is being saved", |_| field(&task, "progress") != Value::Double(0.0));
    assert_eq!(
        client.call("task.destroy", std::slice::from_ref(&task)).unwrap_err()[0],
        "OPERATION_NOT_ALLOWED"
    );
    assert_eq!(client.call("task.cancel", std::slice::from_ref(&task)), Ok(text("")));
    client.daemon.until("the task ends", |_| field(&task, "status") != text("pending"));
    let said = strings(&field(&task, "error_info"));
    assert!(said[0] == "OPERATION_NOT_ALLOWED" && said[1].contains("was cancelled"), "{said:?}");
    assert_eq!(client.power_state(&vm), "Running");
    assert!(!client.daemon.dir.path().join("saved").exists());
    // What only waits is stopped, too; what has ended, or is something else, is not.
    let waits = client.call("Async.debug.wait", &[text("60")]).unwrap();
    assert_eq!(client.call("task.cancel", std::slice::from_ref(&waits)), Ok(text("")));
    client.daemon.until("the task ends", |_| field(&waits, "status") == text("failure"));
    assert_eq!(client.call("task.cancel", &[waits]).unwrap_err()[0], "OPERATION_NOT_ALLOWED");
    // Another user's tasks are looked at and left alone.
    let other = client.bare("session.login_with_password", &[text("guest"), text("")]).unwrap();
    let status = client.bare("task.get_status", &[other.clone(), task.clone()]);
    assert_eq!(
        (status, client.bare("task.get_session", &[other.clone(), task.clone()])),
        (Ok(text("failure")), Ok(text("")))
    );
    for call in ["task.cancel", "task.destroy"] {
        assert_eq!(
            client.bare(call, &[other.clone(), task.clone()]),
            Err(vec!["PERMISSION_DENIED".to_owned()])
        );
    }
    // Nor is another session seen, whose reference would be the session.
    assert_eq!(
        strings(&client.bare("session.get_all", std::slice::from_ref(&other)).unwrap()).len(),
        1
    );
    let theirs = client.bare("session.get_this_user", &[other, client.session.clone()]);
    assert_eq!(theirs.unwrap_err()[0], "HANDLE_INVALID");
}

#[test]
fn events_tell_of_devices_images_networks_pools_and_tasks() {
    let client = Client::new();
    let classes = |names: &[&str]| Value::Array(names.iter().map(|name| text(name)).collect());
    let all = ["VBD", "vdi", "network", "cpu_pool", "task"];
    client.call("event.register", &[classes(&all)]).unwrap();
    client.call("event.register", &[classes(&["VM"])]).unwrap();
    client.call("event.unregister", &[classes(&["VM"])]).unwrap();
    let happened = || -> Vec<(String, String)> {
        let Value::Array(events) = client.call("event.next", &[]).unwrap() else { panic!() };
        let part = |event: &BTreeMap<String, Value>, name: &str| {
            strings(&Value::Array(vec![event[name].clone()])).remove(0)
        };
        events
            .into_iter()
            .map(members)
            .map(|event| (part(&event, "class"), part(&event, "operation")))
            .collect()
    };
    let said = |class: &str, operation: &str| (class.to_owned(), operation.to_owned());
    assert_eq!(
        client
            .daemon
            .create(&guest("web", "(device (vbd (uname phy:/dev/a) (dev xvdb) (mode w)))"))
            .code,
        201
    );
    assert!(happened().contains(&said("VBD", "add")));
    let record = |members: &[(&str, &str)]| {
        Value::Struct(members.iter().map(|(key, value)| ((*key).to_owned(), text(value))).collect())
    };
    let Value::Text(sr) = client.sr() else { panic!() };
    let vdi =
        [("SR", sr.as_str()), ("name_label", "x"), ("virtual_size", "4096"), ("type", "user")];
    let vdi = client.call("VDI.create", &[record(&vdi)]).unwrap();
    client.call("VDI.set_virtual_size", &[vdi.clone(), text("8192")]).unwrap();
    assert_eq!(happened(), [said("VDI", "add")], "several changes are told as one");
    client.call("VDI.destroy", &[vdi]).unwrap();
    client.call("network.create", &[record(&[("name_label", "br7")])]).unwrap();
    client.call("cpu_pool.create", &[record(&[("name_label", "fast")])]).unwrap();
    assert_eq!(happened(), [said("cpu_pool", "add"), said("network", "add"), said("VDI", "del")]);
    let task = client.call("Async.VM.get_all", &[]).unwrap();
    let told = happened();
    assert!(told.contains(&said("task", "add")), "{told:?}");
    client.daemon.until("the task ends", |_| {
        client.call("task.get_status", std::slice::from_ref(&task)) == Ok(text("success"))
    });
    client.call("task.destroy", &[task]).unwrap();
    let mut told = vec![];
    while !told.contains(&said("task", "del")) {
        told = happened();
    }
    client.daemon.post("/xend/domain/web", "op=destroy");
    assert!(happened().contains(&said("VBD", "del")));
}

/// What no session of the fixture comes to.
#[test]
fn the_other_codes() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.sxp");
    let socket = dir.path().join("xen-api");
    std::fs::write(&config, "(xend-node-shutdown yes)").unwrap();
    let daemon = Daemon::start_with_config(dir, &config, &["--xen-api", socket.to_str().unwrap()]);
    let mut client = Client { daemon, door: Door::Unix(socket), session: Value::Nil };
    client.session = client.bare("session.login_with_password", &[text("root"), text("")]).unwrap();
    let vm = slow_vm(&client);
    let host = client.one("host.get_all", &[]);
    assert_eq!(client.call("host.reboot", &[host]).unwrap_err()[0], "EHOSTRUNNING");
    // More memory than there is.
    let huge = Value::Struct(vec![
        ("name_label".to_owned(), text("huge")),
        ("memory_dynamic_max".to_owned(), text(&(1_u64 << 40).to_string())),
    ]);
    let huge = client.call("VM.create", &[huge]).unwrap();
    let said = client.call("VM.start", &[huge, Value::Bool(false)]).unwrap_err();
    assert!(
        said[0] == "OPERATION_NOT_ALLOWED" && said[1].starts_with("Not enough free memory"),
        "{said:?}"
    );
    // A disk that does not get connected.
    let Value::Text(vm) = vm else { panic!() };
    let Value::Text(sr) = client.sr() else { panic!() };
    let location = Value::Struct(vec![("location".to_owned(), text("phy:/dev/hotplugerror"))]);
    let vdi = Value::Struct(vec![
        ("SR".to_owned(), text(&sr)),
        ("type".to_owned(), text("user")),
        ("other_config".to_owned(), location),
    ]);
    let Value::Text(vdi) = client.call("VDI.create", &[vdi]).unwrap() else { panic!() };
    let vbd = [("VM", vm.as_str()), ("VDI", vdi.as_str()), ("device", "xvdz")];
    let vbd = vbd.iter().map(|(key, value)| ((*key).to_owned(), text(value))).collect();
    let said = client.call("VBD.create", &[Value::Struct(vbd)]).unwrap_err();
    assert!(said[0] == "INVALID_DEVICE_ERROR" && said[1].contains("does not exist"), "{said:?}");
}

/// Xen Orchestra's client keeps all objects by what events tell of them.
#[test]
fn an_event_tells_the_object_as_it_is() {
    let client = Client::new();
    client.call("event.register", &[Value::Array(vec![])]).unwrap();
    let told = |what: &str| {
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
    let event = told("VM add");
    let vm = event["ref"].clone();
    let record = client.call("VM.get_record", std::slice::from_ref(&vm)).unwrap();
    let shown = members(event["snapshot"].clone());
    let known = members(record);
    assert!(shown.keys().eq(known.keys()));
    assert_eq!((&shown["uuid"], &shown["name_label"]), (&known["uuid"], &text("web")));
    client.call("VM.set_name_description", &[vm.clone(), text("new")]).unwrap();
    assert_eq!(members(told("VM mod")["snapshot"].clone())["name_description"], text("new"));
    client.call("VM.hard_shutdown", &[vm]).unwrap();
    assert!(!told("VM del").contains_key("snapshot"));
}
