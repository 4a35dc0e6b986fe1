//! `xend.*` over a real socket: replays what xm 4.1.6 sent to the real xend, byte for byte, and
//! compares the structure of the answers.

use crate::http_support::ask;
use crate::legacy_support::{Answer, LegacyClient, array, device, field, fields, text, vm};
use crate::recorded_support::{Exceptions, differences, fixture};
use std::collections::HashMap;
use xend::wire::xmlrpc::Value;
use xend::wire::xmlrpc::codec::{self, XmlLimits};

fn replay(name: &str, options: &[&str]) {
    let client = LegacyClient::new(options);
    let files = client.daemon.dir.path().to_str().unwrap().to_owned();
    let mut except = Exceptions::read(&format!("{name}.EXCEPT"));
    for (number, line) in fixture(&format!("{name}.jsonl")).lines().enumerate() {
        let row: HashMap<String, String> = serde_json::from_str(line).unwrap();
        let method = row["method"].as_str();
        let theirs = codec::read_answer(&row["answer"], &XmlLimits::default()).unwrap();
        let ours = client.post(&row["request"].replace("/opt/legacy/tmp", &files));
        let difference = match (&theirs, &ours) {
            (Ok(theirs), Ok(ours)) => differences(theirs, ours),
            (Err((theirs, _)), Err((ours, _))) if theirs == ours => vec![],
            _ => vec![format!("{ours:?}, not {theirs:?}")],
        };
        except.judge(number, method, difference);
        // xm paused between two commands; here the guest needs the pause.
        if method == "xend.domain.shutdown" {
            std::thread::sleep(std::time::Duration::from_millis(1500));
        }
    }
    except.finish();
}

#[test]
fn recorded_calls_of_xm_are_answered_as_by_xend() {
    replay("legacy", &[]);
}

#[test]
fn recorded_calls_of_xm_with_sedf_are_answered_as_by_xend() {
    replay("legacy-sedf", &["--scheduler", "sedf"]);
}

#[test]
fn a_domain_is_created_saved_restored_and_destroyed() {
    let client = LegacyClient::new(&[]);
    let config = array([
        text("vm"),
        field("name", text("web")),
        field("memory", Value::Int(64)),
        field("image", array([text("linux"), field("kernel", text("/boot/vmlinuz"))])),
        field("device", array([text("vif"), field("bridge", text("xenbr0"))])),
        field(
            "device",
            array([text("vfb"), field("vnc", Value::Int(1)), field("vncpasswd", text("secret"))]),
        ),
    ]);
    let created = client.call("xend.domain.create", std::slice::from_ref(&config)).unwrap();
    let shown = fields(&created);
    assert_eq!((shown["name"], shown["memory"]), (&text("web"), &Value::Int(64)));
    assert!(!format!("{created:?}").contains("secret"));
    assert_eq!(client.call("xend.domain.getpauseflag", &[text("web")]), Ok(Value::Bool(true)));
    assert_eq!(client.call("xend.domain.waitForDevices", &[text("web")]), Ok(Value::Nil));
    assert_eq!(client.call("xend.domain.unpause", &[shown["domid"].clone()]), Ok(Value::Nil));
    assert_eq!(
        client.call("xend.domains", &[Value::Int(0)]),
        Ok(array([text("Domain-0"), text("web")]))
    );

    // A save with a checkpoint leaves the domain running; a save without takes it off the host.
    let file = text(client.daemon.dir.path().join("saved").to_str().unwrap());
    assert_eq!(
        client.call("xend.domain.save", &[text("web"), file.clone(), Value::Bool(true)]),
        Ok(Value::Nil)
    );
    assert_eq!(client.call("xend.domain.getpauseflag", &[text("web")]), Ok(Value::Bool(false)));
    assert_eq!(client.call("xend.domain.save", &[text("web"), file.clone()]), Ok(Value::Nil));
    assert_eq!(client.call("xend.domain", &[text("web")]), Err((3, "web".into())));
    let restored = client.call("xend.domain.restore", &[file, Value::Bool(true)]).unwrap();
    assert_eq!(fields(&restored)["name"], &text("web"));
    assert_eq!(client.call("xend.domain.destroy", &[text("web")]), Ok(Value::Nil));

    // HTTP shows the same host.
    client.call("xend.domain.new", &[config]).unwrap();
    assert_eq!(client.daemon.get("/xend/domain?state=halted").text(), "(web)");
    assert_eq!(client.call("xend.domain.delete", &[text("web")]), Ok(Value::Nil));
}

#[test]
fn malformed_calls_are_faults_that_quote_no_argument() {
    let client = LegacyClient::new(&[]);
    let fault = |answer: Answer| answer.unwrap_err();
    assert_eq!(fault(client.call("xend.domain.pause", &[text("nosuch")])), (3, "nosuch".into()));
    let (code, why) = fault(client.call("xend.domain.pause", &[]));
    assert_eq!(
        (code, why.as_str()),
        (1, "xend.domain.pause() takes 1 to 2 parameters, 0 were given")
    );
    let (code, why) =
        fault(client.call("xend.domain.setVCpuCount", &[text("Domain-0"), text("geheim")]));
    assert_eq!(
        (code, why.as_str()),
        (1, "xend.domain.setVCpuCount: vcpus: a whole number is expected, not a string")
    );
    let (code, why) =
        fault(client.call("xend.domain.shutdown", &[text("Domain-0"), text("sideways")]));
    assert_eq!((code, why.contains("poweroff")), (2, true), "{why}");
    assert_eq!(fault(client.post("<methodCall>geheim")).0, 1);
    assert_eq!(fault(client.post("")).0, 1);
    let unknown = client.call("no.such", &[]).unwrap();
    let Value::Struct(members) = unknown else { panic!() };
    assert_eq!(members[0], ("Status".into(), text("Failure")));
    assert_eq!(members[1].1, array([text("MESSAGE_METHOD_UNKNOWN"), text("no.such")]));
    let bare = ask(&client.listener, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(bare.code, 501);
    let log = client.daemon.log();
    assert!(!log.contains("geheim"), "{log}");
}

#[test]
fn messages_of_xen_are_escaped_as_xm_expects() {
    let client = LegacyClient::new(&[]);
    assert_eq!(client.call("xend.node.send_debug_keys", &[text("h")]), Ok(Value::Int(0)));
    let Ok(Value::Text(messages)) = client.call("xend.node.dmesg.clear", &[]) else { panic!() };
    assert!(messages.ends_with("(XEN) 'h' pressed\\n"), "{messages}");
    assert_eq!(client.call("xend.node.dmesg.info", &[]), Ok(text("")));
}

#[test]
fn cpu_pools_are_managed_by_name() {
    let client = LegacyClient::new(&[]);
    let pool = |name: &str| array([text(name)]);
    let config = array([field("name_label", text("fast")), field("ncpu", Value::Int(1))]);
    let Ok(Value::Text(uuid)) = client.call("xend.cpu_pool.new", &[config]) else { panic!() };
    assert!(
        client
            .call("xend.cpu_pool.start", &[text("fast")])
            .unwrap_err()
            .1
            .contains("Not enough free CPUs")
    );
    assert_eq!(
        client.call("xend.cpu_pool.cpu_remove", &[text("Pool-0"), text("3")]),
        Ok(Value::Nil)
    );
    assert_eq!(client.call("xend.cpu_pool.start", &[text("fast")]), Ok(Value::Nil));
    assert_eq!(client.daemon.create(&crate::http_support::guest("web", "")).code, 201);
    assert_eq!(client.call("xend.cpu_pool.migrate", &[text("web"), text("fast")]), Ok(Value::Nil));
    let Ok(Value::Array(listed)) = client.call("xend.cpu_pool.list", &[pool("fast")]) else {
        panic!()
    };
    let [shown] = listed.as_slice() else { panic!("{listed:?}") };
    let shown = fields(shown);
    assert_eq!((shown["uuid"], shown["host_CPU_numbers"]), (&text(&uuid), &Value::Int(3)));
    assert_eq!((shown["started_VM_names"], shown["activated"]), (&text("web"), &Value::Bool(true)));
    let fault = client.call("xend.cpu_pool.destroy", &[text("fast")]).unwrap_err();
    assert_eq!(fault, (2, "The CPU pool is in use".to_owned()));
    assert_eq!(
        client.call("xend.cpu_pool.migrate", &[text("web"), text("Pool-0")]),
        Ok(Value::Nil)
    );
    assert_eq!(client.call("xend.cpu_pool.destroy", &[text("fast")]), Ok(Value::Nil));
    assert_eq!(client.call("xend.cpu_pool.delete", &[text("fast")]), Ok(Value::Nil));
    assert_eq!(client.call("xend.cpu_pool.cpu_add", &[text("Pool-0"), text("3")]), Ok(Value::Nil));
    let create = array([text("pool"), field("name_label", text("x y"))]);
    assert!(client.call("xend.cpu_pool.create", &[create]).unwrap_err().1.contains("name_label"));
    assert_eq!(
        client.call("xend.cpu_pool.migrate", &[text("nosuch"), text("Pool-0")]),
        Err((3, "nosuch".to_owned()))
    );
}

#[test]
fn records_have_devices_unless_full_is_false() {
    let client = LegacyClient::new(&[]);
    client.call("xend.domain.create", &[vm("web", [device([text("vif")])])]).unwrap();
    let has_devices = |method: &str, params: &[Value]| {
        let answer = client.call(method, params).unwrap();
        let record = match &answer {
            Value::Array(all) if matches!(all.first(), Some(Value::Array(_))) => {
                all.last().unwrap()
            }
            _ => &answer,
        };
        fields(record).contains_key("device")
    };
    let one = Value::Int(1);
    for (full, wanted) in [
        (None, true),
        (Some(Value::Int(1)), true),
        (Some(Value::Int(0)), false),
        (Some(Value::Bool(false)), false),
        (Some(Value::Nil), false),
    ] {
        let with = |params: &[Value]| params.iter().chain(&full).cloned().collect::<Vec<_>>();
        assert_eq!(has_devices("xend.domain", &with(&[text("web")])), wanted, "{full:?}");
        assert_eq!(
            has_devices("xend.domains", &with(std::slice::from_ref(&one))),
            wanted,
            "{full:?}"
        );
        assert_eq!(
            has_devices("xend.domains_with_state", &with(&[one.clone(), text("all")])),
            wanted
        );
    }
    // The first parameter of xend.domains defaults to true.
    assert!(has_devices("xend.domains", &[]));
}

#[test]
fn parameters_have_xends_defaults() {
    let client = LegacyClient::new(&[]);
    let state = || client.call("xend.domain.getpauseflag", &[text("web")]).unwrap();
    for (given, topology) in
        [(None, true), (Some(Value::Int(1)), true), (Some(Value::Int(0)), false)]
    {
        let info = client.call("xend.node.info", given.as_slice()).unwrap();
        let info = fields(&info);
        for key in ["cpu_topology", "numa_info"] {
            assert_eq!(info.contains_key(key), topology, "{key} {given:?}");
        }
        assert!(info.contains_key("xen_scheduler"));
    }
    client.call("xend.domain.new", &[vm("web", [])]).unwrap();
    // A start leaves the domain paused; a resume lets it run.
    assert_eq!(client.call("xend.domain.start", &[text("web")]), Ok(Value::Nil));
    assert_eq!(state(), Value::Bool(true));
    assert_eq!(client.call("xend.domain.unpause", &[text("web")]), Ok(Value::Nil));
    assert_eq!(client.call("xend.domain.suspend", &[text("web")]), Ok(Value::Nil));
    assert_eq!(client.call("xend.domain.resume", &[text("web")]), Ok(Value::Nil));
    assert_eq!(state(), Value::Bool(false));
    // With `state`, pause answers the state before: 2 is running, 1 is paused.
    let pause = |more: &[Value]| client.call("xend.domain.pause", &[&[text("web")], more].concat());
    assert_eq!(pause(&[Value::Bool(true)]), Ok(Value::Int(2)));
    assert_eq!(pause(&[Value::Int(1)]), Ok(Value::Int(1)));
    assert_eq!(pause(&[Value::Bool(false)]), Ok(Value::Nil));
    assert_eq!(pause(&[]), Ok(Value::Nil));
}

#[test]
fn structs_in_a_configuration_are_read() {
    let client = LegacyClient::new(&[]);
    let member = |key: &str, value| (key.to_owned(), value);
    let cpuid = |bits: &str| {
        let registers = Value::Struct(vec![member("ecx", text(bits)), member("edx", text("x"))]);
        Value::Struct(vec![member("1", registers)])
    };
    let listed = |bits: &str| {
        let registers = array([array([text("ecx"), text(bits)]), array([text("edx"), text("x")])]);
        array([array([text("1"), registers])])
    };
    let image =
        array([text("hvm"), field("kernel", text("/loader")), field("cpuid_check", cpuid("1"))]);
    let config = array([
        text("vm"),
        field("name", text("web")),
        field("memory", Value::Int(64)),
        field("cpuid", cpuid("x0")),
        field("image", image),
    ]);
    let created = client.call("xend.domain.create", std::slice::from_ref(&config)).unwrap();
    assert_eq!(fields(&created)["cpuid"], &listed("x0"));
    let Value::Array(image) = fields(&created)["image"] else { panic!() };
    assert_eq!(fields(&array(image.clone()))["cpuid_check"], &listed("1"));
    // Structs in a device are read, too.
    let vif = array([text("vif"), field("opts", Value::Struct(vec![member("a", text("b"))]))]);
    assert!(client.call("xend.domain.device_create", &[text("web"), vif]).is_ok());
    let fault = client.call("xend.domain.device_create", &[text("web"), text("vif")]);
    assert_eq!(
        fault.unwrap_err().1,
        "xend.domain.device_create: config: an S-expression in nested arrays is expected, \
         not a string"
    );
}

#[test]
fn the_restart_count_survives_the_daemon() {
    let client = LegacyClient::new(&[]);
    let args = array([
        text("linux"),
        field("kernel", text("/boot/vmlinuz")),
        field("args", text("sim-reboot=61")),
    ]);
    let config = array([
        text("vm"),
        field("name", text("web")),
        field("memory", Value::Int(64)),
        field("image", args),
    ]);
    client.call("xend.domain.create", &[config]).unwrap();
    let count =
        |client: &LegacyClient| client.call("xend.domain.getRestartCount", &[text("web")]).unwrap();
    assert_eq!(count(&client), text("0"));
    client.call("xend.domain.reset", &[text("web")]).unwrap();
    assert_eq!(count(&client), text("1"));
    let client = client.killed_and_restarted();
    assert_eq!(count(&client), text("1"));
    client.call("xend.domain.reset", &[text("web")]).unwrap();
    assert_eq!(count(&client), text("2"));
    // The count is no part of a configuration.
    let shown = client.call("xend.domain", &[text("web")]).unwrap();
    assert!(!fields(&shown).contains_key("restart_count"));
    assert_eq!(client.call("xend.domain.destroy", &[text("web")]), Ok(Value::Nil));
    client
        .call("xend.domain.create", &[vm("web", [field("restart_count", Value::Int(7))])])
        .unwrap();
    assert_eq!(count(&client), text("0"));
}
