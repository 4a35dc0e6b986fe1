//! The Xen-API as monitors, panels and tools of the time use it: what they look up, and what they
//! send.

use crate::http_support::{Door, ask, encoded, guest};
use crate::xenapi_support::{Client, members, strings, text};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use xend::wire::xmlrpc::Value;

fn record(entries: &[(&str, Value)]) -> Value {
    Value::Struct(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

fn records(client: &Client, class: &str) -> BTreeMap<String, BTreeMap<String, Value>> {
    let all = members(client.call(&format!("{class}.get_all_records"), &[]).unwrap());
    all.into_iter().map(|(reference, record)| (reference, members(record))).collect()
}

fn word(value: &Value) -> &str {
    let Value::Text(text) = value else { panic!("{value:?}") };
    text
}

/// Monitors look up `CLASS_metrics.get_all_records()[record.metrics]`, or take a device's own
/// reference for its metrics.
#[test]
fn metrics_are_found_by_every_reference_to_them() {
    let client = Client::populated();
    let classes = ["VM", "VBD", "VIF", "PIF", "host"];
    for class in classes {
        let metrics = records(&client, &format!("{class}_metrics"));
        let objects = records(&client, class);
        assert!(!objects.is_empty(), "{class}");
        for (reference, object) in objects {
            let its = word(&object["metrics"]);
            let found = metrics.get(its).unwrap_or_else(|| panic!("{class}: {its} is not there"));
            assert_eq!(found["uuid"], text(its));
            let is_own = ["VBD", "VIF"].contains(&class);
            assert_eq!(its == reference, is_own, "{class}");
            if class == "PIF" {
                assert_eq!(found["pif"], text(&reference));
            }
        }
    }
    let guests = records(&client, "VM_guest_metrics");
    assert!(
        records(&client, "VM").values().all(|vm| guests.contains_key(word(&vm["guest_metrics"])))
    );
}

/// A monitor multiplies them by 1024, or reads them with `float()`.
#[test]
fn interfaces_tell_how_much_they_have_moved() {
    let client = Client::populated();
    let vif = client.one("VM.get_VIFs", &[client.vm("web")]);
    client.daemon.until("the interface has moved something", |_| {
        let moved = |direction: &str| {
            let getter = format!("VIF_metrics.get_io_total_{direction}_kbs");
            match client.call(&getter, std::slice::from_ref(&vif)) {
                Ok(Value::Double(kib)) => kib,
                said => panic!("{said:?}"),
            }
        };
        moved("read") > 0.0 && moved("write") > 0.0
    });
}

/// libxen and others read them as times.
#[test]
fn times_are_times() {
    let client = Client::populated();
    let is_time =
        |field: &str| ["last_updated", "last_active", "start_time", "timestamp"].contains(&field);
    let mut seen = 0;
    let mut check = |class: &str, record: BTreeMap<String, Value>| {
        for (field, value) in record {
            assert_eq!(
                matches!(value, Value::Time(_)),
                is_time(&field),
                "{class}.{field}: {value:?}"
            );
            seen += usize::from(is_time(&field));
        }
    };
    let methods = strings(&client.call("host.list_methods", &[]).unwrap());
    let listed = methods.iter().filter_map(|method| method.strip_suffix(".get_all_records"));
    for class in listed.filter(|class| !class.starts_with("Async.")) {
        for (_, record) in records(&client, class) {
            check(class, record);
        }
    }
    check(
        "session",
        members(client.call("session.get_record", std::slice::from_ref(&client.session)).unwrap()),
    );
    client.call("event.register", &[Value::Array(vec![])]).unwrap();
    client.daemon.post("/xend/domain/web", "op=pause");
    let Value::Array(events) = client.call("event.next", &[]).unwrap() else { panic!() };
    assert!(!events.is_empty());
    for event in events {
        check("event", members(event));
    }
    assert!(seen > 8, "{seen}");
}

/// xm takes the SR of one type, and others the other one; each has its PBD and the images that are
/// in it.
#[test]
fn there_are_both_kinds_of_storage() {
    let client = Client::new();
    let repositories = records(&client, "SR");
    let said =
        |key: &str| repositories.values().map(|sr| word(&sr[key]).to_owned()).collect::<Vec<_>>();
    let (mut labels, mut kinds) = (said("name_label"), said("type"));
    labels.sort_unstable();
    kinds.sort_unstable();
    assert_eq!(
        (labels, kinds),
        (vec!["Local".into(), "QCoW".into()], vec!["local".into(), "qcow_file".into()])
    );
    // The first one is where clients that look no further put things.
    let first = strings(&client.call("SR.get_all", &[]).unwrap()).remove(0);
    assert_eq!(text(&first), client.sr());
    let attached = records(&client, "PBD");
    for (sr, record) in &repositories {
        let pbd = strings(&record["PBDs"]).remove(0);
        assert_eq!(attached[&pbd]["SR"], text(sr));
        assert_eq!(attached[&pbd]["currently_attached"], Value::Bool(true));
    }
    let make = |sr: &str, location: Option<&str>| {
        let mut entries = vec![("SR", text(sr)), ("virtual_size", text("1048576"))];
        if let Some(location) = location {
            entries.push(("other_config", record(&[("location", text(location))])));
        }
        client.call("VDI.create", &[record(&entries)]).unwrap()
    };
    for sr in repositories.keys() {
        let image = make(sr, None);
        assert_eq!(client.call("VDI.get_SR", std::slice::from_ref(&image)), Ok(text(sr)));
        let within = client.call("SR.get_VDIs", &[text(sr)]).unwrap();
        assert_eq!(strings(&within), [word(&image)]);
        let allocated = client.call("SR.get_virtual_allocation", &[text(sr)]);
        assert_eq!(allocated, Ok(text("1048576")));
    }
    // What a VM uses without a VDI of its own is where its format belongs.
    let config = guest("web", "(device (tap (uname tap:qcow:/images/a.qcow) (dev xvdb) (mode w)))");
    assert_eq!(client.daemon.create(&config).code, 201);
    let qcow = client.one("SR.get_by_name_label", &[text("QCoW")]);
    assert_eq!(strings(&client.call("SR.get_VDIs", &[qcow]).unwrap()).len(), 2);
}

/// What a panel of 2009 sends for an interface.
#[test]
fn an_interface_without_a_network_is_on_the_default_bridge() {
    let client = Client::new();
    // It comes before xenbr0 in the alphabet, and is not the host's own.
    client.call("network.create", &[record(&[("name_label", text("br7"))])]).unwrap();
    let define = format!("op=new&config={}", encoded(&guest("web", "")));
    assert_eq!(client.daemon.post("/xend/domain", &define).code, 200);
    let vm = client.vm("web");
    let vif = record(&[("VM", vm), ("type", text("ioemu")), ("MAC", text("00:16:3e:00:00:09"))]);
    let vif = client.call("VIF.create", &[vif]).unwrap();
    let network = client.call("VIF.get_network", &[vif]).unwrap();
    assert_eq!(client.call("network.get_name_label", &[network]), Ok(text("xenbr0")));
    let shown = client.daemon.get("/xend/domain/web").text();
    assert!(shown.contains("(type ioemu)") && shown.contains("(bridge xenbr0)"), "{shown}");
}

/// Everything that `xm info` of 4.1.6 puts together in its Xen-API mode.
#[test]
fn xm_info_finds_what_it_reads() {
    let client = Client::new();
    let host = members(client.call("host.get_record", &[client.one("host.get_all", &[])]).unwrap());
    let of = |map: &str, key: &str| word(&members(host[map].clone())[key]).to_owned();
    for key in ["xen_pagesize", "platform_params", "xen_commandline"] {
        of("other_config", key);
    }
    assert_eq!(of("other_config", "xen_pagesize"), "4096");
    assert!(of("other_config", "platform_params").starts_with("virt_start="));
    for key in [
        "release",
        "version",
        "machine",
        "xen_major",
        "xen_minor",
        "xen_extra",
        "xen_changeset",
        "cc_compiler",
        "cc_compile_by",
        "cc_compile_domain",
        "cc_compile_date",
        "xend_config_format",
    ] {
        of("software_version", key);
    }
    for key in ["nr_cpus", "nr_nodes", "cores_per_socket", "threads_per_core"] {
        assert!(of("cpu_configuration", key).parse::<u32>().is_ok());
    }
    assert!(!strings(&host["capabilities"]).is_empty());
    assert!(!word(&host["name_label"]).is_empty() && !word(&host["sched_policy"]).is_empty());
    let cpus = strings(&host["host_CPUs"]);
    for cpu in cpus {
        let cpu = members(client.call("host_cpu.get_record", &[text(&cpu)]).unwrap());
        assert!(word(&cpu["speed"]).parse::<u32>().is_ok() && !word(&cpu["features"]).is_empty());
        strings(&cpu["cpu_pool"]);
    }
    let metrics =
        members(client.call("host_metrics.get_record", &[host["metrics"].clone()]).unwrap());
    assert!(word(&metrics["memory_total"]).parse::<u64>().is_ok());
    assert!(word(&metrics["memory_free"]).parse::<u64>().is_ok());
}

/// Sizes that are no whole MiB stay in the order in which they were given, and are what Xen gives
/// out.
#[test]
fn all_sizes_of_memory_are_rounded_alike() {
    let client = Client::new();
    let sizes = [
        ("memory_static_min", "512000000"),
        ("memory_dynamic_min", "512000000"),
        ("memory_dynamic_max", "512000000"),
        ("memory_static_max", "512000000"),
    ];
    let mut entries = vec![("name_label", text("odd")), ("PV_kernel", text("/k"))];
    entries.extend(sizes.map(|(field, size)| (field, text(size))));
    let vm = client.call("VM.create", &[record(&entries)]).unwrap();
    let rounded = (488_u64 << 20).to_string();
    let one = std::slice::from_ref(&vm);
    for (field, _) in sizes {
        assert_eq!(client.call(&format!("VM.get_{field}"), one), Ok(text(&rounded)), "{field}");
    }
    let set = |call: &str, bytes: u64| {
        client.call(&format!("VM.{call}"), &[vm.clone(), text(&bytes.to_string())])
    };
    let (mib, odd) = (64_u64 << 20, (64_u64 << 20) + 12345);
    for call in [
        "set_memory_static_min",
        "set_memory_dynamic_min",
        "set_memory_dynamic_max",
        "set_memory_static_max",
    ] {
        assert_eq!(set(call, odd), Ok(text("")), "{call}");
        let getter = call.replacen("set_", "get_", 1);
        assert_eq!(client.call(&format!("VM.{getter}"), one), Ok(text(&mib.to_string())), "{call}");
    }
    client.call("VM.start", &[vm.clone(), Value::Bool(true)]).unwrap();
    assert_eq!(set("set_memory_dynamic_min_live", (48 << 20) + 1), Ok(text("")));
    assert_eq!(set("set_memory_dynamic_max_live", (48 << 20) + 1), Ok(text("")));
    let live = (48_u64 << 20).to_string();
    for field in ["memory_dynamic_min", "memory_dynamic_max"] {
        assert_eq!(client.call(&format!("VM.get_{field}"), one), Ok(text(&live)), "{field}");
    }
    // xm mem-max counts in KiB here: less than a MiB is no size.
    let tiny = record(&[("name_label", text("tiny")), ("memory_static_max", text("204800"))]);
    let said = client.call("VM.create", &[tiny]).unwrap_err();
    assert_eq!(said[..3], ["VALUE_NOT_SUPPORTED", "memory_static_max", "204800"]);
}

/// `xm sched-credit -w` alone sends nil for the cap, `xm pause` of what is paused is no mistake.
#[test]
fn nil_leaves_a_value_and_a_state_that_is_so_already_is_no_error() {
    let client = Client::populated();
    let vm = client.vm("web");
    let add = |key: &str, value: Value| {
        client.call("VM.add_to_VCPUs_params_live", &[vm.clone(), text(key), value])
    };
    assert_eq!(add("weight", text("512")), Ok(text("")));
    assert_eq!(add("cap", text("50")), Ok(text("")));
    assert_eq!(add("weight", Value::Nil), Ok(text("")));
    assert_eq!(add("cap", Value::Nil), Ok(text("")));
    let params = members(client.call("VM.get_VCPUs_params", std::slice::from_ref(&vm)).unwrap());
    assert_eq!((&params["weight"], &params["cap"]), (&text("512"), &text("50")));
    let maps = [
        ("VM", vm.clone()),
        ("host", client.one("host.get_all", &[])),
        ("pool", client.one("pool.get_all", &[])),
        ("network", client.one("network.get_by_name_label", &[text("xenbr0")])),
        ("cpu_pool", client.one("cpu_pool.get_by_name_label", &[text("Pool-0")])),
    ];
    for (class, object) in maps {
        let call = |verb: &str, more: &[Value]| {
            let params = [std::slice::from_ref(&object), more].concat();
            client.call(&format!("{class}.{verb}other_config"), &params)
        };
        call("set_", &[record(&[("a", text("1")), ("b", text("2"))])]).unwrap();
        call("set_", &[record(&[("a", Value::Nil), ("c", text("3")), ("d", Value::Nil)])]).unwrap();
        call("add_to_", &[text("c"), Value::Nil]).unwrap();
        let mut noted = members(call("get_", &[]).unwrap());
        noted.retain(|key, _| key.len() == 1);
        assert_eq!(
            noted,
            [("a".to_owned(), text("1")), ("c".to_owned(), text("3"))].into(),
            "{class}"
        );
    }
    for (verb, state) in
        [("pause", "Paused"), ("pause", "Paused"), ("unpause", "Running"), ("unpause", "Running")]
    {
        assert_eq!(client.call(&format!("VM.{verb}"), std::slice::from_ref(&vm)), Ok(text("")));
        assert_eq!(client.power_state(&vm), state);
    }
    let define = format!("op=new&config={}", encoded(&guest("halted", "")));
    assert_eq!(client.daemon.post("/xend/domain", &define).code, 200);
    for verb in ["pause", "unpause"] {
        let said = client.call(&format!("VM.{verb}"), &[client.vm("halted")]).unwrap_err();
        assert_eq!(said[0], "VM_BAD_POWER_STATE");
    }
}

/// `memory_static_min` is never above `memory_static_max`, and a size of 0 is too small and not
/// missing.
#[test]
fn memory_static_min_is_not_above_memory_static_max() {
    let client = Client::new();
    let created = |entries: &[(&str, &str)]| {
        let entries: Vec<_> = entries.iter().map(|(field, value)| (*field, text(value))).collect();
        client.call("VM.create", &[record(&entries)])
    };
    let most = ("memory_static_max", "67108864");
    let far = "99999999999999";
    let said = created(&[("name_label", "a"), most, ("memory_static_min", far)]).unwrap_err();
    assert_eq!(said[..3], ["VALUE_NOT_SUPPORTED", "memory_static_min", far]);
    let said =
        created(&[("name_label", "a"), ("memory_static_max", "0"), ("memory_dynamic_max", "0")]);
    assert_eq!(said.unwrap_err()[..3], ["VALUE_NOT_SUPPORTED", "memory_dynamic_max", "0"]);
    let said = created(&[("name_label", "a"), ("memory_static_max", "0")]).unwrap_err();
    assert_eq!(said[..3], ["VALUE_NOT_SUPPORTED", "memory_static_max", "0"]);
    let said = created(&[("name_label", "a")]).unwrap_err();
    assert_eq!(said[..2], ["CREATE_UNSPECIFIED_ATTRIBUTE", "memory_dynamic_max"]);

    let vm = created(&[("name_label", "a"), most, ("memory_static_min", "67108864")]).unwrap();
    let set = |field: &str, value: &str| {
        client.call(&format!("VM.set_{field}"), &[vm.clone(), text(value)])
    };
    let said = set("memory_static_min", "68157440").unwrap_err();
    assert_eq!(said[..3], ["VALUE_NOT_SUPPORTED", "memory_static_min", "68157440"]);
    set("memory_dynamic_max", "33554432").unwrap();
    set("memory_static_max", "33554432").unwrap();
    let least = client.call("VM.get_memory_static_min", &[vm]);
    assert_eq!(least, Ok(text("33554432")));
}

/// `actions_after_suspend` takes the words of `actions_after_shutdown`.
#[test]
fn actions_after_suspend_are_checked() {
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
    let said = set(Value::Nil).unwrap_err();
    assert_eq!(said[..3], ["VALUE_NOT_SUPPORTED", "actions_after_suspend", "nil"]);
    set(text("rename-restart")).unwrap();
    assert_eq!(get(), Ok(text("rename_restart")));
}

/// A location that leads somewhere else, or has a line break in it, is refused.
#[test]
fn locations_of_images_lead_where_they_say() {
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
        let said = created(wrong).unwrap_err();
        assert_eq!(said[..3], ["VALUE_NOT_SUPPORTED", "other_config.location", wrong]);
    }
    for right in ["phy:sda1", "phy:/dev/vg0/a", "/images/a..b"] {
        created(right).unwrap();
    }
}

/// A managed VM that runs has a console that its definition has not.
#[test]
fn the_default_console_of_a_managed_vm_can_be_labelled() {
    let client = Client::new();
    let define = format!("op=new&config={}", encoded(&guest("kept", "")));
    assert_eq!(client.daemon.post("/xend/domain", &define).code, 200);
    let vm = client.vm("kept");
    client.call("VM.start", &[vm.clone(), Value::Bool(false)]).unwrap();
    let console = client.one("VM.get_consoles", &[vm]);
    let wanted = record(&[("a", text("1"))]);
    client.call("console.set_other_config", &[console.clone(), wanted.clone()]).unwrap();
    let set = client.call("console.get_other_config", &[console]);
    assert_eq!(set, Ok(wanted));
}

/// What a VM is like when nobody said anything.
#[test]
fn defaults_are_those_of_xend() {
    let client = Client::populated();
    for vm in records(&client, "VM").values() {
        assert_eq!(vm["actions_after_suspend"], text("restart"));
        let platform = members(vm["platform"].clone());
        assert_eq!((&platform["tsc_mode"], &platform["nomigrate"]), (&text("0"), &text("0")));
    }
}

/// A guest that does not let go of its devices.
#[test]
fn a_busy_device_is_refused_in_words_of_its_class() {
    let client = Client::new();
    let define = format!("op=new&config={}", encoded(&guest("deaf", "")));
    assert_eq!(client.daemon.post("/xend/domain", &define).code, 200);
    let vm = client.vm("deaf");
    let card = text(&strings(&client.call("PPCI.get_all", &[]).unwrap())[0]);
    let pci = client.call("DPCI.create", &[record(&[("VM", vm.clone()), ("PPCI", card)])]).unwrap();
    client.call("VM.start", &[vm.clone(), Value::Bool(false)]).unwrap();
    let said = client.call("DPCI.destroy", &[pci]).unwrap_err();
    assert!(said[0] == "DIRECT_PCI_ERROR" && said[1].contains("does not let go"), "{said:?}");
    let vbd = client.one("VM.get_VBDs", &[vm]);
    let said = client.call("VBD.destroy", &[vbd]).unwrap_err();
    assert!(said[0] == "INVALID_DEVICE_ERROR" && said[1].contains("does not let go"), "{said:?}");
}

/// What was sent comes back, unless it is a password.
#[test]
fn a_refused_value_is_named_with_its_field() {
    let client = Client::populated();
    let vm = client.vm("web");
    let refused = |method: &str, params: &[Value]| {
        let said = client.call(method, params).unwrap_err();
        assert_eq!(
            (said[0].as_str(), said.len()),
            ("VALUE_NOT_SUPPORTED", 4),
            "{method}: {said:?}"
        );
        (said[1].clone(), said[2].clone())
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

/// One domain with every password that there can be, running and defined; every answer of every
/// wire.
#[test]
fn no_answer_of_any_wire_has_a_password() {
    const SECRET: &str = "hunter2";
    let dir = tempfile::tempdir().unwrap();
    let rpc = dir.path().join("rpc");
    let api = dir.path().join("api");
    let options = ["--xen-api", api.to_str().unwrap(), "--xmlrpc", rpc.to_str().unwrap()];
    let daemon = crate::http_support::Daemon::start_in(dir, &options);
    let mut client = Client { daemon, door: Door::Unix(api), session: Value::Nil };
    client.session = client.bare("session.login_with_password", &[text("root"), text("")]).unwrap();
    let hvm = format!(
        "(vm (name web) (memory 64) (note (list (password {SECRET}))) (rootpasswd {SECRET}) \
         (image (hvm (kernel /usr/lib/xen/boot/hvmloader) (vnc 1) (vncpasswd {SECRET}) (spicepasswd {SECRET}))) \
         (device (vbd (uname phy:/dev/a) (dev xvda) (mode w) (diskpasswd {SECRET}))) \
         (device (vif (bridge xenbr0) (vifpassword {SECRET}))) \
         (device (vfb (vnc 1) (vncpasswd {SECRET}))) (device (vkbd (vkbdpasswd {SECRET}))) \
         (device (pci (dev (domain 0x0) (bus 0x1) (slot 0x0) (func 0x0) (pcipasswd {SECRET})) (buspasswd {SECRET}))) \
         (device (vtpm (backend Domain-0) (tpmpasswd {SECRET}))) (device (vusb (usbpasswd {SECRET}))))"
    );
    let pv = guest("pv", &format!("(device (vfb (vnc 1) (vncpasswd {SECRET})))"));
    client.call("event.register", &[Value::Array(vec![])]).unwrap();
    let mut answers: Vec<(String, String)> = Vec::new();
    for (at, config) in [&hvm, &pv].into_iter().enumerate() {
        let name = ["web", "pv"][at];
        let define = format!("op=new&config={}", encoded(config));
        let defined = client.daemon.post("/xend/domain", &define);
        assert_eq!(defined.code, 200, "{}", defined.text());
        answers.push(("new".into(), defined.text()));
        let vm = client.vm(name);
        let secrets = record(&[
            ("vncpasswd", text(SECRET)),
            ("adminPassword", text(SECRET)),
            ("owner", text("me")),
        ]);
        client.call("VM.set_other_config", &[vm.clone(), secrets.clone()]).unwrap();
        client
            .call("VM.add_to_platform", &[vm.clone(), text("spicepasswd"), text(SECRET)])
            .unwrap();
        client.call("VM.add_to_VCPUs_params", &[vm.clone(), text("passwd"), text(SECRET)]).unwrap();
        if name == "web" {
            client
                .call("VM.add_to_HVM_boot_params", &[vm.clone(), text("pxepasswd"), text(SECRET)])
                .unwrap();
        }
        for (class, mut entries) in [
            ("VTPM", vec![("VM", vm.clone())]),
            ("console", vec![("VM", vm.clone()), ("protocol", text("vt100"))]),
            ("console", vec![("VM", vm.clone()), ("protocol", text("rfb"))]),
            ("VDI", vec![("SR", client.sr()), ("virtual_size", text("4096"))]),
            ("network", vec![("name_label", text(["br7", "br8"][at]))]),
            ("cpu_pool", vec![("name_label", text(["fast", "slow"][at]))]),
        ] {
            entries.push(("other_config", secrets.clone()));
            client.call(&format!("{class}.create"), &[record(&entries)]).unwrap();
        }
        let (host, sr) = (client.one("host.get_all", &[]), client.sr());
        client.call("host.set_other_config", &[host.clone(), secrets.clone()]).unwrap();
        client
            .call(
                "PBD.create",
                &[record(&[("host", host), ("SR", sr), ("device_config", secrets)])],
            )
            .unwrap();
        // What was read is written back: the passwords stay, and are shown no more than before.
        let shown = client.call("VM.get_other_config", std::slice::from_ref(&vm)).unwrap();
        assert_eq!(shown, record(&[("owner", text("me"))]));
        client.call("VM.set_other_config", &[vm.clone(), shown]).unwrap();
    }
    for running in [false, true] {
        for name in ["web", "pv"] {
            if running {
                client.call("VM.start", &[client.vm(name), Value::Bool(false)]).unwrap();
            }
        }
        look_everywhere(&client, &rpc, &mut answers);
    }
    let Value::Array(events) = client.call("event.next", &[]).unwrap() else { panic!() };
    answers.push(("event.next".into(), format!("{events:?}")));
    answers.push(("the log".into(), client.daemon.log()));
    assert!(answers.len() > 400, "{}", answers.len());
    let told: Vec<&String> = answers
        .iter()
        .filter(|(_, answer)| answer.contains(SECRET))
        .map(|(what, _)| what)
        .collect();
    assert!(told.is_empty(), "{told:?}");
    // They are stored, and go to the hypervisor.
    let state = client.daemon.dir.path().join("state");
    let stored = walk(&state).iter().filter(|text| text.contains(SECRET)).count();
    assert!(stored > 2, "{stored}");
}

/// What is wrongly put together is refused, and neither the answer nor the log shows what was sent.
#[test]
fn no_error_of_any_wire_has_a_password() {
    const SECRET: &str = "hunter2";
    let dir = tempfile::tempdir().unwrap();
    let rpc = dir.path().join("rpc");
    let options = ["--xmlrpc", rpc.to_str().unwrap(), "--relocation", "127.0.0.1:0"];
    let daemon = crate::http_support::Daemon::start_in(dir, &options);
    assert_eq!(
        daemon.post("/xend/domain", &format!("op=new&config={}", encoded(&guest("web", "")))).code,
        200
    );
    let mut answers: Vec<(String, String)> = Vec::new();
    let device = |text: &str| guest("bad", &format!("(device {text})"));
    let broken = [
        guest("bad", &format!("((vncpasswd {SECRET}))")),
        guest("bad", SECRET),
        device(&format!("(vfb ((vncpasswd {SECRET})))")),
        device(&format!("(vfb vncpasswd {SECRET})")),
        device(&format!("(vncpasswd {SECRET})")),
        device(&format!("(vncpasswd ((a {SECRET})))")),
        device(&format!("(pci (dev ((vncpasswd {SECRET}))))")),
        format!("(vm (name bad) (memory 64) (image (hvm (kernel /l) ((vncpasswd {SECRET})))))"),
        format!("(vm (name bad) (memory 64) (xenapi ((vncpasswd {SECRET}))))"),
        format!("(vm (name bad) (memory 64) (sedf ((vncpasswd {SECRET}))))"),
        format!("((vncpasswd {SECRET}))"),
        format!("(vncpasswd {SECRET})"),
    ];
    for config in &broken {
        for op in ["create", "new"] {
            let answer =
                daemon.post("/xend/domain", &format!("op={op}&config={}", encoded(config)));
            assert_ne!(answer.code, 200, "{config}");
            answers
                .push((format!("{op} {config}"), format!("{} {}", answer.reason, answer.text())));
        }
    }
    for config in [format!("(vncpasswd {SECRET})"), format!("(vfb ((vncpasswd {SECRET})))")] {
        let form = format!("op=device_create&config={}", encoded(&config));
        answers.push((form.clone(), daemon.post("/xend/domain/web", &form).text()));
    }
    // A struct where xm sends pairs.
    let vfb = Value::Array(vec![text("vfb"), record(&[("vncpasswd", text(SECRET))])]);
    let pair = |key: &str, value: Value| Value::Array(vec![text(key), value]);
    let vm = [
        text("vm"),
        pair("name", text("bad")),
        pair("memory", text("64")),
        pair("device", vfb.clone()),
    ];
    for (method, params) in [
        ("xend.domain.create", vec![Value::Array(vm.to_vec())]),
        ("xend.domain.new", vec![Value::Array(vm.to_vec())]),
        ("xend.domain.device_create", vec![text("web"), vfb]),
        ("xend.domain.device_create", vec![text("web"), pair("vncpasswd", text(SECRET))]),
    ] {
        let body = xend::wire::xmlrpc::codec::call(method, &params);
        let request = format!(
            "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = ask(&Door::Unix(rpc.clone()), request.as_bytes()).text();
        assert!(answer.contains("<fault>"), "{method}: {answer}");
        answers.push((method.to_owned(), answer));
    }
    let first = &answers.iter().find(|(what, _)| what == "xend.domain.device_create").unwrap().1;
    assert!(first.contains("vfb: an item of it is not of the form (key value)"), "{first}");
    for config in &broken {
        let mut stream = std::net::TcpStream::connect(daemon.relocation.unwrap()).unwrap();
        let id = "00000000-0000-0000-0000-000000000001";
        writeln!(stream, "(receive (version 1) (id {id}) (config {config}))").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("(err "), "{config}: {answer}");
        answers.push((format!("relocation {config}"), answer));
    }
    let (_, dir) = daemon.end(nix::sys::signal::Signal::SIGKILL);
    let only =
        std::fs::read_dir(dir.path().join("state/domains")).unwrap().next().unwrap().unwrap();
    std::fs::write(
        only.path().join("config.sxp"),
        device(&format!("(vfb ((vncpasswd {SECRET})))")),
    )
    .unwrap();
    let daemon = crate::http_support::Daemon::start_in(dir, &[]);
    let log = daemon.log();
    assert!(log.contains("A damaged file is set aside: "), "{log}");
    answers.push(("the log".into(), log));
    let told: Vec<_> = answers.iter().filter(|(_, answer)| answer.contains(SECRET)).collect();
    assert!(told.is_empty(), "{told:#?}");
}

/// Everything that can be asked, over HTTP in three formats, xm's calls and the Xen-API, and as a
/// task.
fn look_everywhere(client: &Client, rpc: &std::path::Path, answers: &mut Vec<(String, String)>) {
    let http = [
        "/xend/domain?detail=1",
        "/xend/domain",
        "/xend/domain/NAME",
        "/xend/domain/NAME?op=vcpuinfo",
        "/xend/domain/NAME/config",
        "/xend/node",
        "/xend/node/log",
        "/xend/vnet",
        "/xend/domain/NAME?op=devices&type=vfb",
        "/xend/domain/NAME?op=devices&type=vbd",
        "/xend/domain/NAME?op=devices&type=console",
        "/confirm?op=destroy&name=NAME",
        "/xend",
        "/xend/help",
    ];
    for target in http {
        for name in ["web", "pv"] {
            for accept in ["application/sxp", "application/json", "text/html"] {
                let target = target.replace("NAME", name);
                let request =
                    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n");
                let answer = ask(&Door::Tcp(client.daemon.tcp), request.as_bytes());
                answers.push((format!("{target} as {accept}"), answer.text()));
            }
            for class in ["vbd", "vif", "vfb", "vkbd", "pci", "vtpm", "vusb", "console"] {
                let form = format!("op=devices&type={class}");
                answers.push((
                    form.clone(),
                    client.daemon.post(&format!("/xend/domain/{name}"), &form).text(),
                ));
            }
        }
    }
    let legacy = |method: &str, params: &[Value]| {
        let body = xend::wire::xmlrpc::codec::call(method, params);
        let request = format!(
            "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        (method.to_owned(), ask(&Door::Unix(rpc.to_owned()), request.as_bytes()).text())
    };
    answers.push(legacy("xend.domains", &[Value::Bool(true), Value::Bool(true)]));
    answers.push(legacy(
        "xend.domains_with_state",
        &[Value::Bool(true), text("all"), Value::Bool(true)],
    ));
    answers.push(legacy("xend.node.log", &[]));
    for name in ["web", "pv"] {
        for full in [false, true] {
            answers.push(legacy("xend.domain", &[text(name), Value::Bool(full)]));
        }
        for class in ["vbd", "vif", "vfb", "vkbd", "pci", "vtpm", "vusb", "console"] {
            answers.push(legacy("xend.domain.getDeviceSxprs", &[text(name), text(class)]));
        }
    }
    let methods = strings(&client.call("host.list_methods", &[]).unwrap());
    for class in methods.iter().filter_map(|method| method.strip_suffix(".get_all")) {
        if class.starts_with("Async.") {
            continue;
        }
        let all = strings(&client.call(&format!("{class}.get_all"), &[]).unwrap());
        for reference in &all {
            let getters =
                methods.iter().filter(|method| method.starts_with(&format!("{class}.get_")));
            for getter in getters {
                let answer = client.call(getter, &[text(reference)]);
                answers.push((getter.clone(), format!("{answer:?}")));
            }
        }
        if let Ok(task) = client.call(&format!("Async.{class}.get_all_records"), &[]) {
            client.daemon.until("the task ends", |_| {
                let said = client.call("task.get_record", std::slice::from_ref(&task)).unwrap();
                answers.push((class.to_owned(), format!("{said:?}")));
                members(said)["status"] != text("pending")
            });
        }
    }
}

/// The texts of all files below a directory.
fn walk(dir: &std::path::Path) -> Vec<String> {
    let mut texts = vec![];
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        if entry.path().is_dir() {
            texts.extend(walk(&entry.path()));
        } else if let Ok(text) = std::fs::read(entry.path()) {
            texts.push(String::from_utf8_lossy(&text).into_owned());
        }
    }
    texts
}
