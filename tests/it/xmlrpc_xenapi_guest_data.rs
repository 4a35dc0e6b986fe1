//! Data of a guest over the Xen-API: nodes of XenStore, before it starts and while it runs, and
//! what it reports.

use crate::http_support::{encoded, guest};
use crate::xenapi_support::{Client, as_text, members, record, text};
use crate::xmlrpc_xenapi_guest_support::{Driver, exception};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use xend::wire::xmlrpc::Value;

const MAC: &str = "00:16:3e:11:22:33";

/// A client of a daemon with managed VMs that are halted.
fn client_with(names: &[&str]) -> Client {
    let client = Client::new();
    for name in names {
        let config = guest(name, "").replace("(bridge", &format!("(mac {MAC}) (bridge"));
        let define = format!("op=new&config={}", encoded(&config));
        assert_eq!(client.daemon.post("/xend/domain", &define).code, 200);
    }
    client
}

fn start(client: &Client, vm: &Value) {
    client.call("VM.start", &[vm.clone(), Value::Bool(false)]).unwrap();
}

fn texts(entries: &[(&str, &str)]) -> Value {
    let entries: Vec<_> = entries.iter().map(|(key, value)| (*key, text(value))).collect();
    record(&entries)
}

#[test]
fn nodes_are_read_and_written_as_by_the_python_plug_in() {
    let client = client_with(&["agentabsent"]);
    let vm = client.vm("agentabsent");
    start(&client, &vm);
    let driver = Driver::of(&client, "agentabsent");
    let write =
        |path: &str, value: &str| driver.store("write_record", &[("path", path), ("value", value)]);
    let read = |path: &str| driver.store("read_record", &[("path", path)]);
    // JSON is passed on, and all else is quoted.
    for (value, answer) in [
        ("web1", r#""web1""#),
        ("", r#""""#),
        ("None", r#""None""#),
        ("17", "17"),
        ("12345678901234567890123", "12345678901234567890123"),
        (r#"{"label": "public", "ips": []}"#, r#"{"label": "public", "ips": []}"#),
        (r#""quoted""#, r#""quoted""#),
        ("a \"b\" \\ ä", r#""a \"b\" \\ ä""#),
        ("{broken", r#""{broken""#),
    ] {
        assert_eq!(write("vm-data/x", value), Ok(text(answer)), "{value}");
        assert_eq!(read("vm-data/x"), Ok(text(answer)), "{value}");
    }
    // White space around a value goes.
    write("vm-data/x", " a\n").unwrap();
    assert_eq!(read("/vm-data/x/"), Ok(text(r#""a""#)));

    write("vm-data/networking/00163E112233", r#"{"label": "public"}"#).unwrap();
    write("vm-data/networking/00163E112233/deep", "17").unwrap();
    write("vm-data/hostname", "web1").unwrap();
    let all = json!({
        "x": "a", "hostname": "web1", "networking": "",
        "networking/00163E112233": { "label": "public" }, "networking/00163E112233/deep": 17,
    });
    assert_eq!(driver.list("vm-data"), all);
    assert_eq!(driver.list("vm-data/"), all);
    assert_eq!(driver.list("vm-data/x"), json!({}));
    assert_eq!(driver.list("vm-data/nosuch"), json!({}));

    let remove = |path: &str| driver.store("delete_record", &[("path", path)]);
    assert_eq!(remove("vm-data/networking"), Ok(text(r#""""#)));
    assert_eq!(remove("vm-data/networking"), Ok(text(r#""""#)), "it has gone already");
    assert_eq!(driver.list("vm-data"), json!({ "x": "a", "hostname": "web1" }));

    let missing = |flag: &str| {
        let path = ("path", "attr/PVAddons/MajorVersion");
        driver.store("read_record", &[path, ("ignore_missing_path", flag)])
    };
    let error = exception("read_record", "XenstoreError", "No such path in XenStore");
    assert_eq!(read("vm-data/networking"), error);
    for flag in ["", "False", "false", "0", "None"] {
        assert_eq!(missing(flag), error, "{flag:?}");
    }
    for flag in ["True", "true", "1"] {
        assert_eq!(missing(flag), Ok(text(r#""None""#)), "{flag:?}");
    }
    let flag = record(&[
        ("dom_id", text(&driver.dom_id())),
        ("path", text("nosuch")),
        ("ignore_missing_path", Value::Bool(true)),
    ]);
    let host = client.one("host.get_all", &[]);
    let params = [host, text("xenstore.py"), text("read_record"), flag];
    assert_eq!(client.call("host.call_plugin", &params), Ok(text(r#""None""#)));

    // Nothing outside of the domain's directory is reached.
    for path in ["../1/vm-data", "vm-data//x", "", "a b", "vm-data/.."] {
        for function in ["read_record", "write_record", "list_records", "delete_record"] {
            let args = [("path", path), ("value", "x"), ("ignore_missing_path", "True")];
            let error = driver.store(function, &args).unwrap_err();
            assert_eq!(error[..3], ["XENAPI_PLUGIN_FAILURE", function, "XenstoreError"], "{path}");
            assert!(error[3].starts_with("path: "), "{error:?}");
        }
    }
    let error = write("vm-data/x", &"hunter2".repeat(600)).unwrap_err();
    assert_eq!(error[..3], ["XENAPI_PLUGIN_FAILURE", "write_record", "XenstoreError"]);
    assert!(error[3].contains("4200 bytes are too many"), "{error:?}");

    // A domain that is gone has no nodes, and none can be written.
    let gone = driver.dom_id();
    client.call("VM.hard_shutdown", &[vm]).unwrap();
    for dom_id in [gone.as_str(), "-1", "4711"] {
        let of_gone = |function: &str, more: &[(&str, &str)]| {
            let always = [("dom_id", dom_id), ("path", "vm-data/x"), ("value", "y")];
            driver.plugin("xenstore.py", function, &[&always, more].concat())
        };
        let ignore = ("ignore_missing_path", "True");
        assert_eq!(of_gone("read_record", &[ignore]), Ok(text(r#""None""#)));
        assert_eq!(of_gone("list_records", &[]), Ok(text("{}")));
        assert_eq!(of_gone("delete_record", &[]), Ok(text(r#""""#)));
        let gone = format!("REBOOT: dom_id {dom_id} no longer present");
        for function in ["read_record", "write_record"] {
            let expected = exception(function, "RebootDetectedError", &gone);
            assert_eq!(of_gone(function, &[]), expected);
        }
    }
}

/// `VM.xenstore_data` is written before the guest starts, at each start.
#[test]
fn xenstore_data_is_of_the_next_start() {
    let client = client_with(&[]);
    let data = [("vm-data/hostname", "web1"), ("vm-data/networking/00163E112233", "{\"a\":1}")];
    let memory = ("memory_dynamic_max", text("67108864"));
    let create = |name: &str, data: Value| {
        let kernel = ("PV_kernel", text("/boot/vmlinuz"));
        let name = ("name_label", text(name));
        client
            .call("VM.create", &[record(&[name, memory.clone(), kernel, ("xenstore_data", data)])])
    };
    let vm = create("web", texts(&data)).unwrap();
    let get = |vm: &Value| client.call("VM.get_xenstore_data", std::slice::from_ref(vm)).unwrap();
    let on = |method: &str, params: &[&str]| {
        let params = params.iter().map(|one| text(one));
        client.call(method, &[vm.clone()].into_iter().chain(params).collect::<Vec<_>>())
    };
    assert_eq!(get(&vm), texts(&data));
    let shown = members(client.call("VM.get_record", std::slice::from_ref(&vm)).unwrap());
    assert_eq!(shown["xenstore_data"], texts(&data));

    start(&client, &vm);
    let driver = Driver::of(&client, "web");
    assert_eq!(driver.read("vm-data/hostname"), "web1");
    assert_eq!(driver.read("vm-data/networking/00163E112233"), json!({ "a": 1 }));
    // The nodes of a guest that runs stay as they are until it starts again.
    on("VM.add_to_xenstore_data", &["vm-data/hostname", "web2"]).unwrap();
    on("VM.add_to_xenstore_data", &["vm-data/user-metadata/role", "\"db\""]).unwrap();
    on("VM.remove_from_xenstore_data", &["vm-data/networking/00163E112233"]).unwrap();
    on("VM.remove_from_xenstore_data", &["vm-data/nosuch"]).unwrap();
    let changed = [("vm-data/hostname", "web2"), ("vm-data/user-metadata/role", "\"db\"")];
    assert_eq!(get(&vm), texts(&changed));
    assert_eq!(driver.read("vm-data/hostname"), "web1");
    let before = driver.dom_id();
    client.call("VM.hard_reboot", std::slice::from_ref(&vm)).unwrap();
    driver.until("there is a new domid", |driver| {
        !["-1", before.as_str()].contains(&driver.dom_id().as_str())
    });
    assert_eq!(
        driver.list("vm-data"),
        json!({ "hostname": "web2", "user-metadata": "", "user-metadata/role": "db" })
    );

    // A password is written and not shown, and a map that is written back keeps it.
    on("VM.add_to_xenstore_data", &["vm-data/admin/password", "hunter2"]).unwrap();
    assert_eq!(get(&vm), texts(&changed));
    client.call("VM.set_xenstore_data", &[vm.clone(), texts(&changed[..1])]).unwrap();
    assert_eq!(get(&vm), texts(&changed[..1]));
    client.call("VM.hard_shutdown", std::slice::from_ref(&vm)).unwrap();
    let copy = client.call("VM.clone", &[vm.clone(), text("copy")]).unwrap();
    assert_eq!(get(&copy), texts(&changed[..1]));
    for (vm, name) in [(&vm, "web"), (&copy, "copy")] {
        start(&client, vm);
        let driver = Driver::of(&client, name);
        let nodes = json!({ "hostname": "web2", "admin": "", "admin/password": "hunter2" });
        assert_eq!(driver.list("vm-data"), nodes, "{name}");
    }
    on("VM.remove_from_xenstore_data", &["vm-data/admin/password"]).unwrap();
    client.call("VM.set_xenstore_data", &[vm.clone(), record(&[])]).unwrap();
    assert_eq!(get(&vm), record(&[]));

    // Only nodes below vm-data, of names that XenStore takes, and of sizes that it holds.
    let long = "hunter2".repeat(400);
    for (path, value, reason) in [
        ("control/shutdown", "halt", "is not below vm-data"),
        ("vm-data2", "x", "is not below vm-data"),
        ("vm-data/a b", "x", "is not allowed"),
        ("vm-data//a", "x", "single slashes"),
        ("vm-data/a", &long, "2800 bytes are too many"),
    ] {
        let data = texts(&[(path, value)]);
        for (field, refused) in [
            ("xenstore_data", create("bad", data.clone())),
            ("xenstore_data", client.call("VM.set_xenstore_data", &[vm.clone(), data])),
            ("key", on("VM.add_to_xenstore_data", &[path, value])),
        ] {
            let error = refused.unwrap_err();
            assert_eq!(error[..2], ["VALUE_NOT_SUPPORTED", field], "{error:?}");
            assert!(error[3].contains(reason) && !error.concat().contains("hunter2"), "{error:?}");
        }
    }
    assert_eq!(get(&vm), record(&[]));
    assert!(!client.daemon.log().contains("hunter2"));
}

/// Domain-0 is never started by the gateway.
#[test]
fn domain_0_has_no_xenstore_data() {
    let client = client_with(&[]);
    let found = client.call("VM.get_by_name_label", &[text("Domain-0")]).unwrap();
    let Value::Array(found) = found else { panic!("{found:?}") };
    let vm = &found[0];
    let data = texts(&[("vm-data/a", "1")]);
    for refused in [
        client.call("VM.set_xenstore_data", &[vm.clone(), data]),
        client.call("VM.set_xenstore_data", &[vm.clone(), record(&[])]),
        client.call("VM.add_to_xenstore_data", &[vm.clone(), text("vm-data/a"), text("1")]),
        client.call("VM.remove_from_xenstore_data", &[vm.clone(), text("vm-data/a")]),
    ] {
        let error = refused.unwrap_err();
        assert!(error.concat().contains("privileged domain 0"), "{error:?}");
    }
    let data = client.call("VM.get_xenstore_data", std::slice::from_ref(vm)).unwrap();
    assert_eq!(data, record(&[]));
}

/// The fields of `VM_guest_metrics`.
fn metrics(client: &Client, name: &str) -> BTreeMap<String, Value> {
    let metrics = client.call("VM.get_guest_metrics", &[client.vm(name)]).unwrap();
    members(client.call("VM_guest_metrics.get_record", &[metrics]).unwrap())
}

#[test]
fn guest_metrics_are_what_the_agent_reports() {
    let client = client_with(&["web", "agentabsent", "agentbroken"]);
    let halted = metrics(&client, "web");
    for name in ["web", "agentabsent", "agentbroken"] {
        start(&client, &client.vm(name));
    }
    let web = Driver::of(&client, "web");
    web.until("the guest reports", |web| web.reported("live") == Value::Bool(true));
    let web = metrics(&client, "web");
    for (field, expected) in [
        (
            "networks",
            texts(&[
                ("0/ip", "10.17.34.51"),
                ("0/ipv4/0", "10.17.34.51"),
                ("0/ipv6/0", "fe80::216:3eff:fe11:2233"),
            ]),
        ),
        (
            "os_version",
            texts(&[
                ("distro", "debian"),
                ("major", "12"),
                ("minor", "0"),
                ("name", "Debian GNU/Linux 12 (bookworm)"),
                ("uname", "6.1.0-sim"),
            ]),
        ),
        (
            "PV_drivers_version",
            texts(&[("build", "1"), ("major", "1"), ("micro", "0"), ("minor", "0")]),
        ),
        ("netbios_name", texts(&[("host_name", "web")])),
        (
            "other",
            texts(&[
                ("feature-poweroff", "1"),
                ("feature-reboot", "1"),
                ("feature-suspend", "1"),
                ("feature/hotplug/vbd", "1"),
                ("feature/hotplug/vif", "1"),
            ]),
        ),
        ("disks", record(&[])),
        ("PV_drivers_detected", Value::Bool(true)),
        ("PV_drivers_up_to_date", Value::Bool(true)),
        ("can_use_hotplug_vbd", text("yes")),
        ("can_use_hotplug_vif", text("yes")),
    ] {
        assert_eq!(web[field], expected, "{field}");
    }
    let memory = members(web["memory"].clone());
    assert_eq!(memory["total"], text("65536"));
    let free: u64 = as_text(&memory["free"]).parse().unwrap();
    assert!((1..65536).contains(&free), "{memory:?}");

    // Without an agent there are the notes of the kernel.
    let absent = metrics(&client, "agentabsent");
    assert_eq!(members(absent["os_version"].clone())["name"], text("linux"));
    for none in [&halted, &absent] {
        for field in ["networks", "PV_drivers_version", "netbios_name", "memory", "other", "disks"]
        {
            assert_eq!(none[field], record(&[]), "{field}");
        }
        for field in ["live", "PV_drivers_detected", "PV_drivers_up_to_date"] {
            assert_eq!(none[field], Value::Bool(false), "{field}");
        }
        assert_eq!(none["can_use_hotplug_vbd"], text("unspecified"));
        assert!(matches!(none["last_updated"], Value::Time(_)), "{none:?}");
    }

    // What a guest reports is the same until it reports again, and is gone with the guest.
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(metrics(&client, "web")["last_updated"], web["last_updated"]);
    client.call("VM.hard_shutdown", &[client.vm("web")]).unwrap();
    let gone = metrics(&client, "web");
    assert_eq!((&gone["live"], &gone["networks"]), (&Value::Bool(false), &record(&[])));

    // A guest that lies: short texts that can be printed, and no addresses.
    let broken = Driver::of(&client, "agentbroken");
    broken.until("the guest reports", |broken| broken.reported("live") == Value::Bool(true));
    let broken = metrics(&client, "agentbroken");
    let os = members(broken["os_version"].clone());
    assert_eq!(os["name"], text("[31m<script>alert(1)</script>"));
    assert_eq!((&broken["networks"], &broken["memory"]), (&record(&[]), &record(&[])));
    let name = &members(broken["netbios_name"].clone())["host_name"];
    assert!(as_text(name).len() <= 200, "{name:?}");
}

/// A configured address is shown as long as no agent reports.
#[test]
fn configured_addresses_are_networks_of_a_guest_without_an_agent() {
    let client = Client::new();
    for name in ["agentabsent", "web"] {
        let config = guest(name, "").replace("(bridge", "(ip 10.0.0.7) (bridge");
        assert_eq!(client.daemon.create(&config).code, 201);
        assert_eq!(metrics(&client, name)["networks"], texts(&[("0/ip", "10.0.0.7")]));
    }
    client.daemon.post("/xend/domain/web", "op=unpause");
    let web = Driver::of(&client, "web");
    web.until("the guest reports", |web| web.reported("live") == Value::Bool(true));
    let networks = members(web.reported("networks"));
    assert_eq!((&networks["0/ip"], &networks["0/ipv4/0"]), (&text("10.0.0.7"), &text("10.0.0.7")));
}

#[test]
fn reports_are_events_of_guest_metrics() {
    let client = client_with(&["web"]);
    let vm = client.vm("web");
    let classes = Value::Array(vec![text("VM_guest_metrics")]);
    client.call("event.register", &[classes]).unwrap();
    let of_vm = client.call("VM.get_guest_metrics", std::slice::from_ref(&vm)).unwrap();
    let next = |operation: &str| {
        let events = client.call("event.next", &[]).unwrap();
        let Value::Array(mut events) = events else { panic!("{events:?}") };
        assert_eq!(events.len(), 1, "{events:?}");
        let event = members(events.remove(0));
        let expected = [("class", "VM_guest_metrics"), ("operation", operation)];
        for (key, value) in expected {
            assert_eq!(event[key], text(value), "{event:?}");
        }
        event
    };
    let snapshot = |event: &BTreeMap<String, Value>| members(event["snapshot"].clone());
    start(&client, &vm);
    let event = next("mod");
    assert_eq!(event["ref"], of_vm);
    assert_eq!(snapshot(&event)["netbios_name"], texts(&[("host_name", "web")]));
    assert_eq!(members(snapshot(&event)["networks"].clone())["0/ip"], text("10.17.34.51"));
    // The guest has another address, and then no report any more.
    let form = "op=reset_network&address=203.0.113.10/24&hostname=renamed";
    assert_eq!(client.daemon.post("/xend/domain/web", form).code, 200);
    let mut event = next("mod");
    while snapshot(&event)["netbios_name"] != texts(&[("host_name", "renamed")]) {
        event = next("mod");
    }
    client.call("VM.hard_shutdown", std::slice::from_ref(&vm)).unwrap();
    assert_eq!(snapshot(&next("mod"))["live"], Value::Bool(false));
    // Metrics come and go with their VM.
    let memory = ("memory_dynamic_max", text("67108864"));
    let new = client.call("VM.create", &[record(&[("name_label", text("new")), memory])]).unwrap();
    let of_new = client.call("VM.get_guest_metrics", std::slice::from_ref(&new)).unwrap();
    assert_eq!(next("add")["ref"], of_new);
    client.call("VM.destroy", &[new]).unwrap();
    assert_eq!(next("del")["ref"], of_new);
}
