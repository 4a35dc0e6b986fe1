//! Small requests that ask for much work: they are refused with the field and its range, and others
//! are answered meanwhile.

use crate::http_support::{Daemon, Listener, ask, guest, post};
use crate::legacy_support::{LegacyClient, array, device, field, text, vm};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use xend::wire::xmlrpc::Value;

/// A configuration with these fields.
fn config(fields: &str) -> String {
    format!("(vm (name large) (memory 64) (image (linux (kernel /boot/vmlinuz))) {fields})")
}

#[test]
fn what_is_too_much_is_refused_by_its_field_and_range() {
    let daemon = Daemon::start(&[]);
    let ranges = "0-4095,".repeat(75_000);
    for (fields, refusal) in [
        (
            "(device (irq (irq 7)))".repeat(20_000),
            "device: 20000 devices are too many, at most 1024",
        ),
        (
            format!("(device (pci {}))", "(dev (bus 1) (slot 2))".repeat(257)),
            "pci dev: 257 functions are too many, at most 256",
        ),
        (
            format!("(cpus '{ranges}')"),
            "cpus: 525000 bytes are too many for a list of CPUs, at most 32768",
        ),
        (
            "(vcpus 128) (cpus 0-4095)".to_owned(),
            "cpus: the VCPUs name 524288 CPUs together, at most 131072",
        ),
        (
            format!("(vcpus 1) (cpus (({})))", "1 ".repeat(5000)),
            "cpus: 5000 CPUs for a VCPU, at most 4096",
        ),
        (
            "(k v)".repeat(10_000),
            "configuration: 20000 keys and values of its own are too many, at most 16384",
        ),
        (
            format!("(device (vfb {}))", "(k v)".repeat(10_000)),
            "configuration: 20000 keys and values of its own are too many, at most 16384",
        ),
        (
            format!("(xenapi (other_config ((key {}))))", "x".repeat(70_000)),
            "xenapi: 70003 bytes are too many, at most 65536",
        ),
    ] {
        for op in ["create", "new"] {
            let form = format!("op={op}&config={}", config(&fields));
            let answer = daemon.post("/xend/domain", &form);
            assert_eq!(answer.status(), format!("500 Request failed: {op}"));
            assert!(answer.text().contains(refusal), "{refusal}: {:.300}", answer.text());
        }
    }
    let cpumap = "0-1,".repeat(20_000);
    let answer = daemon.post("/xend/domain/0", &format!("op=pincpu&vcpu=all&cpumap={cpumap}0"));
    assert!(answer.text().contains("cpumap: 80001 bytes are too many"), "{:.300}", answer.text());
}

#[test]
fn xml_rpc_has_the_bounds_of_http() {
    let client = LegacyClient::new(&[]);
    let refusal = |method: &str, params: &[Value]| client.call(method, params).unwrap_err().1;
    let irqs = |count| (0..count).map(|_| device([text("irq"), field("irq", Value::Int(7))]));
    for method in ["xend.domain.create", "xend.domain.new"] {
        let devices = refusal(method, &[vm("a", irqs(20_000))]);
        let expected = "device: 20000 devices are too many, at most 1024";
        assert!(devices.contains(expected), "{devices:.300}");
        let values = refusal(method, &[vm("a", (0..70_000).map(|n| field("k", Value::Int(n))))]);
        let expected = "config: an S-expression has at most 200000 values and 1048576 bytes";
        assert!(values.contains(expected), "{values:.300}");
    }
    client.call("xend.domain.create", &[vm("a", [])]).unwrap();
    let cpumap = "0-1,".repeat(20_000);
    let pinned = refusal("xend.domain.pincpu", &["a", "all", &cpumap].map(text));
    assert!(pinned.contains("cpumap: 80000 bytes are too many"), "{pinned:.300}");
    let scsi = |state: &str, units: u32| {
        let unit = |n: u32| {
            let at = format!("0:0:{n}:0");
            array([text("dev"), field("state", text(state)), field("v-dev", text(&at))])
        };
        array([text("vscsi")].into_iter().chain((0..units).map(unit)))
    };
    let configure = |config| client.call("xend.domain.device_configure", &[text("a"), config]);
    assert_eq!(configure(scsi("1", 1)), Ok(Value::Bool(true)));
    let units = configure(scsi("1", 5000)).unwrap_err().1;
    assert!(units.contains("The virtual device \"0:0:0:0\" is already defined"), "{units}");
    assert_eq!(configure(scsi("5", 1)), Ok(Value::Bool(true)));
}

#[test]
fn a_domain_with_the_most_devices_gets_no_more() {
    let daemon = Daemon::start(&[]);
    // xend adds a console.
    let created = daemon.create(&config(&"(device (irq (irq 7)))".repeat(1023)));
    assert_eq!(created.status(), "201 created", "{:.300}", created.text());
    let form = "op=device_create&config=(vif (bridge xenbr0))";
    let refused = daemon.post("/xend/domain/large", form);
    let expected = "device: 1025 devices are too many, at most 1024";
    assert!(refused.text().contains(expected), "{}", refused.text());
    let devices = |class: &str| {
        let answer = daemon.post("/xend/domain/large", &format!("op=devices&type={class}"));
        assert_eq!(answer.code, 200, "{:.300}", answer.text());
        answer.sxp().as_list().unwrap().len()
    };
    assert_eq!((devices("console"), devices("vif")), (1, 0));
    let domain = daemon.domain("large").unwrap();
    let shown = domain.tail().iter().filter(|item| item.head() == Some("device"));
    assert_eq!(shown.count(), 1024);
    let destroyed = daemon.post("/xend/domain/large", "op=device_destroy&type=irq&dev=1022");
    assert_eq!(destroyed.code, 200, "{}", destroyed.text());
    let attached = daemon.post("/xend/domain/large", form);
    assert_eq!(attached.code, 200, "{}", attached.text());
}

#[test]
fn a_definition_beyond_a_bound_is_set_aside_and_the_others_are_loaded() {
    let daemon = Daemon::start(&[]);
    for name in ["large", "other"] {
        daemon.post("/xend/domain", &format!("op=new&config={}", guest(name, "")));
    }
    let uuid = daemon.value("large", "uuid");
    let file = daemon.dir.path().join("state/domains").join(uuid).join("config.sxp");
    let stored = fs::read_to_string(&file).unwrap();
    let (inside, _) = stored.rsplit_once(')').unwrap();
    let more = "(device (irq (irq 7)))".repeat(1024);
    fs::write(&file, format!("{inside}{more})\n")).unwrap();
    let daemon = daemon.killed_and_restarted();
    assert!(daemon.domain("large").is_none() && daemon.domain("other").is_some());
    let log = daemon.log();
    assert!(log.contains("device: 1026 devices are too many, at most 1024"), "{log}");
    let names = fs::read_dir(file.parent().unwrap()).unwrap();
    let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!file.exists() && names.any(|name| name.starts_with("config.sxp.damaged-")));
}

/// Large requests of several clients are worked on without a pause, and each answer to the others
/// is complete and right.
#[test]
fn others_are_answered_while_large_requests_are_worked_on() {
    let daemon = Daemon::start(&[]);
    let define = |devices: usize, name: &str| {
        let config = config(&"(device (irq (irq 7)))".repeat(devices)).replace("large", name);
        let form = format!("op=new&config={config}");
        ask(&Listener::Tcp(daemon.tcp), &post("/xend/domain", &form)).code
    };
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|client| {
                scope.spawn(move || {
                    for round in 0..5 {
                        assert_eq!(define(20_000, "large"), 500);
                        assert_eq!(define(1023, &format!("large{client}-{round}")), 200);
                    }
                })
            })
            .collect();
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !is_over.load(Ordering::Relaxed) {
                let answer = daemon.get("/xend/domain/0");
                assert_eq!(answer.sxp().value("name").unwrap().as_str(), Some("Domain-0"));
                reads += 1;
            }
            reads
        });
        for client in clients {
            client.join().unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
    assert!(!daemon.log().contains("panick"), "{}", daemon.log());
}
