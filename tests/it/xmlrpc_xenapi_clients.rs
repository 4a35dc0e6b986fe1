//! The Xen-API as monitors, panels and tools of the time use it: the objects that they look up, and
//! the values that they send.

use crate::http_support::{encoded, guest};
use crate::xenapi_support::{Client, as_text, members, record, records, strings, text};
use std::collections::BTreeMap;
use xend::wire::xmlrpc::Value;

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
            let its = as_text(&object["metrics"]);
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
        records(&client, "VM")
            .values()
            .all(|vm| guests.contains_key(as_text(&vm["guest_metrics"])))
    );
}

/// A monitor multiplies the numbers by 1024, or reads them with `float()`.
#[test]
fn interfaces_show_their_traffic() {
    let client = Client::populated();
    let vif = client.one("VM.get_VIFs", &[client.vm("web")]);
    client.daemon.until("the interface has traffic", |_| {
        let moved = |direction: &str| {
            let getter = format!("VIF_metrics.get_io_total_{direction}_kbs");
            match client.call(&getter, std::slice::from_ref(&vif)) {
                Ok(Value::Double(kib)) => kib,
                error => panic!("{error:?}"),
            }
        };
        moved("read") > 0.0 && moved("write") > 0.0
    });
}

#[test]
fn times_have_the_type_of_times() {
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

/// xm uses the SR of one type, other clients that of the other. Each has a PBD and its own images.
#[test]
fn both_types_of_storage_repositories_exist() {
    let client = Client::new();
    let repositories = records(&client, "SR");
    let values = |key: &str| {
        repositories.values().map(|sr| as_text(&sr[key]).to_owned()).collect::<Vec<_>>()
    };
    let mut labels = values("name_label");
    let mut kinds = values("type");
    labels.sort_unstable();
    kinds.sort_unstable();
    assert_eq!(
        (labels, kinds),
        (vec!["Local".into(), "QCoW".into()], vec!["local".into(), "qcow_file".into()])
    );
    // Clients that take the first one get the local one.
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
        assert_eq!(strings(&within), [as_text(&image)]);
        let allocated = client.call("SR.get_virtual_allocation", &[text(sr)]);
        assert_eq!(allocated, Ok(text("1048576")));
    }
    // An implied VDI is in the repository of its format.
    let config = guest("web", "(device (tap (uname tap:qcow:/images/a.qcow) (dev xvdb) (mode w)))");
    assert_eq!(client.daemon.create(&config).code, 201);
    let qcow = client.one("SR.get_by_name_label", &[text("QCoW")]);
    assert_eq!(strings(&client.call("SR.get_VDIs", &[qcow]).unwrap()).len(), 2);
}

/// A panel of 2009 sends such an interface.
#[test]
fn an_interface_without_a_network_is_on_the_default_bridge() {
    let client = Client::new();
    // It comes before xenbr0 in the alphabet, and is not a bridge of the host's own.
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

/// All fields that `xm info` of 4.1.6 reads in its Xen-API mode.
#[test]
fn xm_info_finds_what_it_reads() {
    let client = Client::new();
    let host = members(client.call("host.get_record", &[client.one("host.get_all", &[])]).unwrap());
    let of = |map: &str, key: &str| as_text(&members(host[map].clone())[key]).to_owned();
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
    assert_eq!(of("software_version", "xend_hypervisor"), "sim");
    for key in ["nr_cpus", "nr_nodes", "cores_per_socket", "threads_per_core"] {
        assert!(of("cpu_configuration", key).parse::<u32>().is_ok());
    }
    assert!(!strings(&host["capabilities"]).is_empty());
    assert!(!as_text(&host["name_label"]).is_empty() && !as_text(&host["sched_policy"]).is_empty());
    let cpus = strings(&host["host_CPUs"]);
    for cpu in cpus {
        let cpu = members(client.call("host_cpu.get_record", &[text(&cpu)]).unwrap());
        assert!(
            as_text(&cpu["speed"]).parse::<u32>().is_ok() && !as_text(&cpu["features"]).is_empty()
        );
        strings(&cpu["cpu_pool"]);
    }
    let metrics =
        members(client.call("host_metrics.get_record", &[host["metrics"].clone()]).unwrap());
    assert!(as_text(&metrics["memory_total"]).parse::<u64>().is_ok());
    assert!(as_text(&metrics["memory_free"]).parse::<u64>().is_ok());
}

/// All sizes are rounded alike, so that a smaller one is not above a larger one afterwards.
#[test]
fn memory_sizes_are_rounded_down_to_mib() {
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
    let mib = 64_u64 << 20;
    let odd = mib + 12345;
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
    // xm mem-max sends KiB here: less than a MiB is refused.
    let tiny = record(&[("name_label", text("tiny")), ("memory_static_max", text("204800"))]);
    let error = client.call("VM.create", &[tiny]).unwrap_err();
    assert_eq!(error[..3], ["VALUE_NOT_SUPPORTED", "memory_static_max", "204800"]);
}

/// `xm sched-credit -w` without `-c` sends nil for the cap.
#[test]
fn nil_keeps_a_value_and_a_repeated_pause_is_no_error() {
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
        let error = client.call(&format!("VM.{verb}"), &[client.vm("halted")]).unwrap_err();
        assert_eq!(error[0], "VM_BAD_POWER_STATE");
    }
}

/// A running VM has a console that its definition lacks.
#[test]
fn the_default_console_of_a_managed_vm_takes_client_data() {
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

#[test]
fn a_vms_defaults_are_xends() {
    let client = Client::populated();
    for vm in records(&client, "VM").values() {
        assert_eq!(vm["actions_after_suspend"], text("restart"));
        let platform = members(vm["platform"].clone());
        assert_eq!((&platform["tsc_mode"], &platform["nomigrate"]), (&text("0"), &text("0")));
    }
}
