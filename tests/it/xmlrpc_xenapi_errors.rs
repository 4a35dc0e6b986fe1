//! The Xen-API's errors: for every call with wrong parameters, and the values that they name.

use crate::http_support::{encoded, guest};
use crate::xenapi_support::{CallResult, Client, fields_of_416, members, record, strings, text};
use std::collections::BTreeSet;
use xend::wire::xmlrpc::Value;

/// A wrong number of parameters, an invalid session, an invalid reference, and nonsense in the
/// place of all other parameters.
#[test]
fn every_call_checks_its_parameters() {
    let client = Client::populated();
    let methods = strings(&client.call("host.list_methods", &[]).unwrap());
    for method in &methods {
        if method.starts_with("session.log")
            || method == "session.local_logout"
            || method == "event.next"
        {
            continue;
        }
        let mismatch = client.bare(method, &[]).unwrap_err();
        assert_eq!(mismatch[..2], ["MESSAGE_PARAMETER_COUNT_MISMATCH", method.as_str()]);
        let count: usize = mismatch[2].parse().unwrap();
        let mut params = vec![text("nonsense"); count];
        assert_eq!(client.bare(method, &params).unwrap_err()[0], "SESSION_INVALID", "{method}");
        params[0] = client.session.clone();
        if !method.starts_with("Async.") {
            match client.bare(method, &params) {
                Ok(_) => assert!(count == 1 || finds_nothing(method), "{method}"),
                Err(error) => {
                    let fine =
                        ["HANDLE_INVALID", "VALUE_NOT_SUPPORTED", "SECURITY_ERROR", "DEBUG_FAIL"];
                    assert!(fine.contains(&error[0].as_str()), "{method}: {error:?}");
                    if error[0] == "VALUE_NOT_SUPPORTED" {
                        assert_eq!(
                            (error.len(), error[2].as_str()),
                            (4, "nonsense"),
                            "{method}: {error:?}"
                        );
                        assert!(!error[1].is_empty() && error[1] != "value", "{method}: {error:?}");
                    }
                    if error[0] == "HANDLE_INVALID" {
                        assert_eq!(
                            (error.len(), error[2].as_str()),
                            (3, "nonsense"),
                            "{method}: {error:?}"
                        );
                    }
                }
            }
        }
        params.push(Value::Nil);
        assert_eq!(
            client.bare(method, &params).unwrap_err()[0],
            "MESSAGE_PARAMETER_COUNT_MISMATCH"
        );
    }
    assert_eq!(client.call("VM.fly", &[]).unwrap_err(), ["MESSAGE_METHOD_UNKNOWN", "VM.fly"]);
    assert_eq!(client.call("fly", &[]).unwrap_err(), ["MESSAGE_METHOD_UNKNOWN", "fly"]);
    assert_eq!(
        client.call("Async.VM.fly", &[]).unwrap_err(),
        ["MESSAGE_METHOD_UNKNOWN", "Async.VM.fly"]
    );
    assert!(!client.daemon.log().contains("panic"));
}

/// A value as an error shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Int(n) => n.to_string(),
        Value::Bool(on) => on.to_string(),
        Value::Double(n) => n.to_string(),
        other => other.kind().to_owned(),
    }
}

/// A value of each type, each of which is wrong for some parameter.
fn wrong_values() -> [Value; 6] {
    [
        Value::Nil,
        Value::Struct(vec![("a".to_owned(), Value::Nil)]),
        Value::Array(vec![Value::Nil]),
        Value::Bool(true),
        Value::Double(1.5),
        text("nonsense"),
    ]
}

fn assert_has_value(error: &CallResult, place: &str, sent: &[Value], what: &str) {
    let Err(error) = error else { return };
    // A migration fails with the words of the other host.
    assert!(error[0] != "INTERNAL_ERROR" || what.starts_with("VM.migrate"), "{what}: {error:?}");
    if error[0] != "VALUE_NOT_SUPPORTED" {
        return;
    }
    assert!(
        error.len() == 4 && !error[1].is_empty() && error[1] != "value" && !error[3].is_empty(),
        "{what}: {error:?}"
    );
    assert!(place.is_empty() || error[1] == place, "{what}: {error:?}");
    // Arguments of plug-ins, among them passwords, are not shown.
    let is_hidden = error[1] == "args" && error[2].is_empty();
    assert!(is_hidden || sent.iter().any(|value| shown(value) == error[2]), "{what}: {error:?}");
}

#[test]
fn an_error_about_a_value_has_the_value() {
    let client = Client::populated();
    let vm = client.vm("web");
    let methods = strings(&client.call("host.list_methods", &[]).unwrap());
    for method in methods.iter().filter(|method| !method.starts_with("Async.")) {
        if method.starts_with("session.log")
            || method == "session.local_logout"
            || method == "event.next"
        {
            continue;
        }
        let class = method.split('.').next().unwrap();
        let all = strings(&client.call(&format!("{class}.get_all"), &[]).unwrap());
        let one = if class == "VM" {
            vm.clone()
        } else {
            text(all.first().map_or("none", String::as_str))
        };
        let count: usize = client.bare(method, &[]).unwrap_err()[2].parse().unwrap();
        for at in 1..count {
            for wrong in wrong_values() {
                let mut params =
                    vec![client.session.clone(), one.clone(), text("7"), text("8"), text("9")];
                params.truncate(count);
                params[at] = wrong;
                let error = client.bare(method, &params);
                assert_has_value(&error, "", &params[1..], &format!("{method}{:?}", &params[1..]));
            }
        }
    }
    assert!(!client.daemon.log().contains("panic"));
}

#[test]
fn an_error_about_a_member_has_the_value() {
    let client = Client::populated();
    let made = |class: &str, record: &[(&str, Value)]| {
        let record =
            record.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        client.call(&format!("{class}.create"), &[Value::Struct(record)]).unwrap()
    };
    let vm =
        made("VM", &[("name_label", text("halted")), ("memory_dynamic_max", text("67108864"))]);
    let vdi = made("VDI", &[("SR", client.sr()), ("virtual_size", text("1048576"))]);
    let first = |class: &str| match &client.call(&format!("{class}.get_all"), &[]).unwrap() {
        Value::Array(all) => all.first().cloned().unwrap_or(Value::Nil),
        other => panic!("{other:?}"),
    };
    for class in [
        "VM", "VDI", "VBD", "VIF", "VTPM", "console", "DPCI", "DSCSI", "PBD", "network", "cpu_pool",
    ] {
        let needed = [
            ("name_label", text("new")),
            ("memory_dynamic_max", text("67108864")),
            ("VM", vm.clone()),
            ("VDI", vdi.clone()),
            ("SR", client.sr()),
            ("network", first("network")),
            ("host", first("host")),
            ("PPCI", first("PPCI")),
            ("PSCSI", first("PSCSI")),
            ("virtual_HCTL", text("0:0:0:0")),
            ("virtual_size", text("1048576")),
            ("device", text("xvdz")),
            ("protocol", text("vt100")),
        ];
        let model = first(class);
        let mut fields: BTreeSet<String> = fields_of_416(class).into_iter().collect();
        if model != Value::Nil {
            fields.extend(
                members(client.call(&format!("{class}.get_record"), &[model]).unwrap()).into_keys(),
            );
        }
        for field in fields {
            for wrong in
                wrong_values().into_iter().chain([text("99999999999999999999"), text("-1")])
            {
                let others =
                    needed.iter().filter(|(name, value)| **name != field && *value != Value::Nil);
                let mut record: Vec<_> =
                    others.map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
                record.push((field.clone(), wrong.clone()));
                let error = client.call(&format!("{class}.create"), &[Value::Struct(record)]);
                assert_has_value(&error, &field, &[wrong], &format!("{class}.create, {field}"));
                if let Ok(made) = error {
                    let _ = client.call(&format!("{class}.destroy"), &[made]);
                }
            }
        }
    }
    assert!(!client.daemon.log().contains("panic"));
}

#[test]
fn an_error_of_the_core_names_the_parameter() {
    let client = Client::populated();
    let vm = client.vm("web");
    let params = |rest: &[Value]| [std::slice::from_ref(&vm), rest].concat();
    let none = || Value::Struct(vec![]);
    let far = "99999999999999999999";
    for (method, sent, wanted) in [
        (
            "VM.migrate",
            params(&[text("nohost.invalid"), Value::Bool(true), none()]),
            ["dest", "nohost.invalid"],
        ),
        ("VM.migrate", params(&[text("a b"), Value::Bool(true), none()]), ["dest", "a b"]),
        ("VM.add_to_VCPUs_params_live", params(&[text("cpumap9"), text("0")]), ["key", "cpumap9"]),
        ("VM.add_to_VCPUs_params", params(&[text("cpumapx"), text("0")]), ["key", "cpumapx"]),
        ("VM.add_to_VCPUs_params", params(&[text("cpumap0"), text("x")]), ["VCPUs_params", "x"]),
        ("VM.add_to_VCPUs_params", params(&[text("weight"), text("x")]), ["VCPUs_params", "x"]),
        ("VM.restore", vec![text("/etc/hostname"), Value::Bool(false)], ["file", "/etc/hostname"]),
        ("VM.restore", vec![text("hostname"), Value::Bool(false)], ["file", "hostname"]),
        // A path at fault is no internal error.
        (
            "VM.restore",
            vec![text("/etc/hostname/x"), Value::Bool(false)],
            ["file", "/etc/hostname/x"],
        ),
        (
            "VM.save",
            params(&[text("/etc/hostname/x"), Value::Bool(false)]),
            ["file", "/etc/hostname/x"],
        ),
        ("VM.add_to_other_config", params(&[Value::Nil, text("x")]), ["key", "nil"]),
        ("VM.set_memory_dynamic_max_live", params(&[text("1")]), ["memory_dynamic_max", "1"]),
        ("VM.set_memory_dynamic_max", params(&[text("1")]), ["memory_dynamic_max", "1"]),
        ("VM.set_memory_dynamic_min_live", params(&[text("x")]), ["memory_dynamic_min", "x"]),
        ("VM.set_VCPUs_number_live", params(&[text(far)]), ["nvcpu", far]),
        ("VM.set_VCPUs_max", params(&[text(far)]), ["VCPUs_max", far]),
        ("VM.set_other_config", vec![Value::Nil, none()], ["self", "nil"]),
        ("host.set_name_label", vec![none(), text("x")], ["self", "a struct"]),
    ] {
        let error = client.call(method, &sent).unwrap_err();
        assert_eq!(
            (error[0].as_str(), &error[1..3]),
            ("VALUE_NOT_SUPPORTED", &wanted.map(str::to_owned)[..]),
            "{method}: {error:?}"
        );
        if wanted[1] == far {
            assert!(error[3].contains("out of range, 1 to "), "{method}: {error:?}");
        }
    }
    let secret = params(&[text("vncpasswd"), none()]);
    assert!(!client.call("VM.add_to_platform", &secret).unwrap_err().concat().contains("secret"));
}

/// Whether the method succeeds with an unknown label or resource.
fn finds_nothing(method: &str) -> bool {
    method.ends_with("get_by_name_label") || method == "XSPolicy.get_resource_label"
}

/// It has the text that was sent, unless that is a password.
#[test]
fn an_error_about_a_value_names_the_field() {
    let client = Client::populated();
    let vm = client.vm("web");
    let refused = |method: &str, params: &[Value]| {
        let error = client.call(method, params).unwrap_err();
        assert_eq!(
            (error[0].as_str(), error.len()),
            ("VALUE_NOT_SUPPORTED", 4),
            "{method}: {error:?}"
        );
        (error[1].clone(), error[2].clone())
    };
    let of = |field: &str, sent: &str| (field.to_owned(), sent.to_owned());
    let set = |field: &str, value: Value| refused(&format!("VM.set_{field}"), &[vm.clone(), value]);
    assert_eq!(set("name_label", text("a b")), of("name_label", "a b"));
    assert_eq!(set("memory_static_max", text("1048576")), of("memory_static_max", "1048576"));
    assert_eq!(set("memory_dynamic_max", text("lots")), of("memory_dynamic_max", "lots"));
    assert_eq!(set("other_config", text("none")), of("other_config", "none"));
    assert_eq!(set("other_config", Value::Array(vec![])), of("other_config", "an array"));
    let params = |key: &str| vec![vm.clone(), text(key), text("x")];
    assert_eq!(refused("VM.add_to_VCPUs_params_live", &params("weight")), of("VCPUs_params", "x"));
    assert_eq!(refused("VM.add_to_VCPUs_params", &params("cpumapx")), of("key", "cpumapx"));
    assert_eq!(refused("VM.send_sysrq", &[vm.clone(), text("long")]), of("key", "long"));
    let smell = [vm.clone(), text("smell"), text("0")];
    assert_eq!(refused("VM.send_trigger", &smell), of("trigger", "smell"));
    let created = |entries: &[(&str, Value)]| refused("VM.create", &[record(entries)]);
    let memory = ("memory_dynamic_max", text("67108864"));
    let name = ("name_label", text("x"));
    assert_eq!(created(&[("name_label", text("a b")), memory.clone()]), of("name_label", "a b"));
    let cpus = ("VCPUs_max", text("999"));
    assert_eq!(created(&[name.clone(), memory.clone(), cpus]), of("VCPUs_max", "999"));
    let most = ("memory_static_max", text("33554432"));
    assert_eq!(created(&[name.clone(), memory.clone(), most]), of("memory_static_max", "33554432"));
    let cap = ("VCPUs_params", record(&[("cap", text("x"))]));
    assert_eq!(created(&[name, memory, cap]), of("VCPUs_params", "x"));
    let long = "9".repeat(10_000);
    assert_eq!(refused("debug.wait", &[text(&long)]).1.len(), 256);
    let passwords = record(&[("vncpasswd", Value::Array(vec![text("geheim")]))]);
    assert_eq!(set("other_config", passwords), of("other_config", "a struct"));
    let secret = [vm, text("vncpasswd"), text(&format!("geheim{}", "x".repeat(70_000)))];
    assert_eq!(refused("VM.add_to_other_config", &secret), of("other_config", ""));
}

/// A size of 0 is too small, and not missing.
#[test]
fn memory_static_min_is_not_above_memory_static_max() {
    let client = Client::new();
    let created = |entries: &[(&str, &str)]| {
        let entries: Vec<_> = entries.iter().map(|(field, value)| (*field, text(value))).collect();
        client.call("VM.create", &[record(&entries)])
    };
    let most = ("memory_static_max", "67108864");
    let far = "99999999999999";
    let error = created(&[("name_label", "a"), most, ("memory_static_min", far)]).unwrap_err();
    assert_eq!(error[..3], ["VALUE_NOT_SUPPORTED", "memory_static_min", far]);
    let error =
        created(&[("name_label", "a"), ("memory_static_max", "0"), ("memory_dynamic_max", "0")]);
    assert_eq!(error.unwrap_err()[..3], ["VALUE_NOT_SUPPORTED", "memory_dynamic_max", "0"]);
    let error = created(&[("name_label", "a"), ("memory_static_max", "0")]).unwrap_err();
    assert_eq!(error[..3], ["VALUE_NOT_SUPPORTED", "memory_static_max", "0"]);
    let error = created(&[("name_label", "a")]).unwrap_err();
    assert_eq!(error[..2], ["CREATE_UNSPECIFIED_ATTRIBUTE", "memory_dynamic_max"]);

    let vm = created(&[("name_label", "a"), most, ("memory_static_min", "67108864")]).unwrap();
    let set = |field: &str, value: &str| {
        client.call(&format!("VM.set_{field}"), &[vm.clone(), text(value)])
    };
    let error = set("memory_static_min", "68157440").unwrap_err();
    assert_eq!(error[..3], ["VALUE_NOT_SUPPORTED", "memory_static_min", "68157440"]);
    set("memory_dynamic_max", "33554432").unwrap();
    set("memory_static_max", "33554432").unwrap();
    let least = client.call("VM.get_memory_static_min", &[vm]);
    assert_eq!(least, Ok(text("33554432")));
}

/// `actions_after_suspend` takes the values of `actions_after_shutdown`.
#[test]
fn actions_after_suspend_is_checked() {
    let client = Client::new();
    let created = |word: &str| {
        let entries = [
            ("name_label", text("a")),
            ("memory_dynamic_max", text("67108864")),
            ("actions_after_suspend", text(word)),
        ];
        client.call("VM.create", &[record(&entries)])
    };
    assert_eq!(created("fly").unwrap_err()[0], "VM_ON_NORMAL_EXIT_INVALID");
    let vm = created("").unwrap();
    let get = || client.call("VM.get_actions_after_suspend", std::slice::from_ref(&vm));
    assert_eq!(get(), Ok(text("restart")));
    let set = |word: Value| client.call("VM.set_actions_after_suspend", &[vm.clone(), word]);
    for wrong in ["fly", "", "coredump_and_destroy"] {
        assert_eq!(set(text(wrong)).unwrap_err()[0], "VM_ON_NORMAL_EXIT_INVALID", "{wrong}");
    }
    let error = set(Value::Nil).unwrap_err();
    assert_eq!(error[..3], ["VALUE_NOT_SUPPORTED", "actions_after_suspend", "nil"]);
    set(text("rename-restart")).unwrap();
    assert_eq!(get(), Ok(text("rename_restart")));
}

/// A location with `..` or a line break is refused.
#[test]
fn an_images_location_stays_where_it_is() {
    let client = Client::new();
    let created = |location: &str| {
        let entries = [
            ("SR", client.sr()),
            ("virtual_size", text("-1")),
            ("other_config", record(&[("location", text(location))])),
        ];
        client.call("VDI.create", &[record(&entries)])
    };
    for wrong in
        ["phy:../x", "/..", "/images/../a", "file:/images/../a", "phy:sda1\n", "/images/a\nb"]
    {
        let error = created(wrong).unwrap_err();
        assert_eq!(error[..3], ["VALUE_NOT_SUPPORTED", "other_config.location", wrong]);
    }
    for right in ["phy:sda1", "phy:/dev/vg0/a", "/images/a..b"] {
        created(right).unwrap();
    }
}

/// The guest `deaf` does not release its devices.
#[test]
fn a_busy_device_has_the_error_of_its_class() {
    let client = Client::new();
    let define = format!("op=new&config={}", encoded(&guest("deaf", "")));
    assert_eq!(client.daemon.post("/xend/domain", &define).code, 200);
    let vm = client.vm("deaf");
    let card = text(&strings(&client.call("PPCI.get_all", &[]).unwrap())[0]);
    let pci = client.call("DPCI.create", &[record(&[("VM", vm.clone()), ("PPCI", card)])]).unwrap();
    client.call("VM.start", &[vm.clone(), Value::Bool(false)]).unwrap();
    let error = client.call("DPCI.destroy", &[pci]).unwrap_err();
    assert!(error[0] == "DIRECT_PCI_ERROR" && error[1].contains("does not let go"), "{error:?}");
    let vbd = client.one("VM.get_VBDs", &[vm]);
    let error = client.call("VBD.destroy", &[vbd]).unwrap_err();
    assert!(
        error[0] == "INVALID_DEVICE_ERROR" && error[1].contains("does not let go"),
        "{error:?}"
    );
}
