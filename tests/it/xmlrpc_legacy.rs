//! The legacy calls over a real socket: what xm 4.1.6 sent to the real xend, byte for byte, and
//! whether what comes back has the shape that it had there.

use crate::http_support::ask;
use crate::legacy_support::{Caller, Said, array, device, field, fields, text, vm};
use crate::recorded_support::{Exceptions, differences, fixture};
use std::collections::HashMap;
use xend::wire::xmlrpc::Value;
use xend::wire::xmlrpc::codec::{self, Limits};

fn replay(name: &str, options: &[&str]) {
    let caller = Caller::new(options);
    let files = caller.daemon.dir.path().to_str().unwrap().to_owned();
    let mut except = Exceptions::read(&format!("{name}.EXCEPT"));
    for (number, line) in fixture(&format!("{name}.jsonl")).lines().enumerate() {
        let row: HashMap<String, String> = serde_json::from_str(line).unwrap();
        let method = row["method"].as_str();
        let theirs = codec::read_answer(&row["answer"], &Limits::default()).unwrap();
        let ours = caller.post(&row["request"].replace("/opt/legacy/tmp", &files));
        let differ = match (&theirs, &ours) {
            (Ok(theirs), Ok(ours)) => differences(theirs, ours),
            (Err((theirs, _)), Err((ours, _))) if theirs == ours => vec![],
            _ => vec![format!("{ours:?} and not {theirs:?}")],
        };
        except.judge(number, method, differ);
        // xm took its time between two commands; here the guest has it.
        if method == "xend.domain.shutdown" {
            std::thread::sleep(std::time::Duration::from_millis(1500));
        }
    }
    except.finish();
}

#[test]
fn what_xm_sent_is_answered_as_xend_did() {
    replay("legacy", &[]);
}

#[test]
fn what_xm_sent_to_a_host_with_sedf_is_answered_as_xend_did() {
    replay("legacy-sedf", &["--scheduler", "sedf"]);
}

#[test]
fn a_domains_life() {
    let caller = Caller::new(&[]);
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
    let created = caller.call("xend.domain.create", std::slice::from_ref(&config)).unwrap();
    let shown = fields(&created);
    assert_eq!((shown["name"], shown["memory"]), (&text("web"), &Value::Int(64)));
    assert!(!format!("{created:?}").contains("secret"));
    assert_eq!(caller.call("xend.domain.getpauseflag", &[text("web")]), Ok(Value::Bool(true)));
    assert_eq!(caller.call("xend.domain.waitForDevices", &[text("web")]), Ok(Value::Nil));
    assert_eq!(caller.call("xend.domain.unpause", &[shown["domid"].clone()]), Ok(Value::Nil));
    assert_eq!(
        caller.call("xend.domains", &[Value::Int(0)]),
        Ok(array([text("Domain-0"), text("web")]))
    );

    // Saved, it goes on; saved and taken off, it comes back.
    let file = text(caller.daemon.dir.path().join("saved").to_str().unwrap());
    assert_eq!(
        caller.call("xend.domain.save", &[text("web"), file.clone(), Value::Bool(true)]),
        Ok(Value::Nil)
    );
    assert_eq!(caller.call("xend.domain.getpauseflag", &[text("web")]), Ok(Value::Bool(false)));
    assert_eq!(caller.call("xend.domain.save", &[text("web"), file.clone()]), Ok(Value::Nil));
    assert_eq!(caller.call("xend.domain", &[text("web")]), Err((3, "web".into())));
    let restored = caller.call("xend.domain.restore", &[file, Value::Bool(true)]).unwrap();
    assert_eq!(fields(&restored)["name"], &text("web"));
    assert_eq!(caller.call("xend.domain.destroy", &[text("web")]), Ok(Value::Nil));

    // Both wires show one host.
    caller.call("xend.domain.new", &[config]).unwrap();
    assert_eq!(caller.daemon.get("/xend/domain?state=halted").text(), "(web)");
    assert_eq!(caller.call("xend.domain.delete", &[text("web")]), Ok(Value::Nil));
}

#[test]
fn what_makes_no_sense_is_a_fault_that_tells_no_secret() {
    let caller = Caller::new(&[]);
    let fault = |said: Said| said.unwrap_err();
    assert_eq!(fault(caller.call("xend.domain.pause", &[text("nosuch")])), (3, "nosuch".into()));
    let (code, why) = fault(caller.call("xend.domain.pause", &[]));
    assert_eq!(
        (code, why.as_str()),
        (1, "xend.domain.pause() takes 1 to 2 parameters, 0 were given")
    );
    let (code, why) =
        fault(caller.call("xend.domain.setVCpuCount", &[text("Domain-0"), text("geheim")]));
    assert_eq!(
        (code, why.as_str()),
        (1, "xend.domain.setVCpuCount: vcpus: a whole number is expected, not a string")
    );
    let (code, why) =
        fault(caller.call("xend.domain.shutdown", &[text("Domain-0"), text("sideways")]));
    assert_eq!((code, why.contains("poweroff")), (2, true), "{why}");
    assert_eq!(fault(caller.post("<methodCall>geheim")).0, 1);
    assert_eq!(fault(caller.post("")).0, 1);
    let unknown = caller.call("no.such", &[]).unwrap();
    let Value::Struct(members) = unknown else { panic!() };
    assert_eq!(members[0], ("Status".into(), text("Failure")));
    assert_eq!(members[1].1, array([text("MESSAGE_METHOD_UNKNOWN"), text("no.such")]));
    let bare = ask(&caller.door, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(bare.code, 501);
    let log = caller.daemon.log();
    assert!(!log.contains("geheim"), "{log}");
}

#[test]
fn a_message_of_xens_is_escaped_as_xm_expects_it() {
    let caller = Caller::new(&[]);
    assert_eq!(caller.call("xend.node.send_debug_keys", &[text("h")]), Ok(Value::Int(0)));
    let Ok(Value::Text(messages)) = caller.call("xend.node.dmesg.clear", &[]) else { panic!() };
    assert!(messages.ends_with("(XEN) 'h' pressed\\n"), "{messages}");
    assert_eq!(caller.call("xend.node.dmesg.info", &[]), Ok(text("")));
}

#[test]
fn cpu_pools_come_and_go_by_their_names() {
    let caller = Caller::new(&[]);
    let pool = |name: &str| array([text(name)]);
    let config = array([field("name_label", text("fast")), field("ncpu", Value::Int(1))]);
    let Ok(Value::Text(uuid)) = caller.call("xend.cpu_pool.new", &[config]) else { panic!() };
    assert!(
        caller
            .call("xend.cpu_pool.start", &[text("fast")])
            .unwrap_err()
            .1
            .contains("Not enough free CPUs")
    );
    assert_eq!(
        caller.call("xend.cpu_pool.cpu_remove", &[text("Pool-0"), text("3")]),
        Ok(Value::Nil)
    );
    assert_eq!(caller.call("xend.cpu_pool.start", &[text("fast")]), Ok(Value::Nil));
    assert_eq!(caller.daemon.create(&crate::http_support::guest("web", "")).code, 201);
    assert_eq!(caller.call("xend.cpu_pool.migrate", &[text("web"), text("fast")]), Ok(Value::Nil));
    let Ok(Value::Array(listed)) = caller.call("xend.cpu_pool.list", &[pool("fast")]) else {
        panic!()
    };
    let [shown] = listed.as_slice() else { panic!("{listed:?}") };
    let shown = fields(shown);
    assert_eq!((shown["uuid"], shown["host_CPU_numbers"]), (&text(&uuid), &Value::Int(3)));
    assert_eq!((shown["started_VM_names"], shown["activated"]), (&text("web"), &Value::Bool(true)));
    let told = caller.call("xend.cpu_pool.destroy", &[text("fast")]).unwrap_err();
    assert_eq!(told, (2, "The CPU pool is in use".to_owned()));
    assert_eq!(
        caller.call("xend.cpu_pool.migrate", &[text("web"), text("Pool-0")]),
        Ok(Value::Nil)
    );
    assert_eq!(caller.call("xend.cpu_pool.destroy", &[text("fast")]), Ok(Value::Nil));
    assert_eq!(caller.call("xend.cpu_pool.delete", &[text("fast")]), Ok(Value::Nil));
    assert_eq!(caller.call("xend.cpu_pool.cpu_add", &[text("Pool-0"), text("3")]), Ok(Value::Nil));
    let create = array([text("pool"), field("name_label", text("x y"))]);
    assert!(caller.call("xend.cpu_pool.create", &[create]).unwrap_err().1.contains("name_label"));
    assert_eq!(
        caller.call("xend.cpu_pool.migrate", &[text("nosuch"), text("Pool-0")]),
        Err((3, "nosuch".to_owned()))
    );
}

#[test]
fn devices_are_told_where_full_is_left_out() {
    let caller = Caller::new(&[]);
    caller.call("xend.domain.create", &[vm("web", [device([text("vif")])])]).unwrap();
    let has_devices = |method: &str, params: &[Value]| {
        let answer = caller.call(method, params).unwrap();
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
    // The first parameter of xend.domains is true where it is left out.
    assert!(has_devices("xend.domains", &[]));
}

#[test]
fn parameters_that_are_left_out_have_xends_defaults() {
    let caller = Caller::new(&[]);
    let state = || caller.call("xend.domain.getpauseflag", &[text("web")]).unwrap();
    for (given, topology) in
        [(None, true), (Some(Value::Int(1)), true), (Some(Value::Int(0)), false)]
    {
        let info = caller.call("xend.node.info", given.as_slice()).unwrap();
        let info = fields(&info);
        for key in ["cpu_topology", "numa_info"] {
            assert_eq!(info.contains_key(key), topology, "{key} {given:?}");
        }
        assert!(info.contains_key("xen_scheduler"));
    }
    caller.call("xend.domain.new", &[vm("web", [])]).unwrap();
    // A start leaves the domain paused; a resume lets it run.
    assert_eq!(caller.call("xend.domain.start", &[text("web")]), Ok(Value::Nil));
    assert_eq!(state(), Value::Bool(true));
    assert_eq!(caller.call("xend.domain.unpause", &[text("web")]), Ok(Value::Nil));
    assert_eq!(caller.call("xend.domain.suspend", &[text("web")]), Ok(Value::Nil));
    assert_eq!(caller.call("xend.domain.resume", &[text("web")]), Ok(Value::Nil));
    assert_eq!(state(), Value::Bool(false));
    // With `state`, pause answers what the domain did before: 2 is running, 1 is paused.
    let pause = |more: &[Value]| caller.call("xend.domain.pause", &[&[text("web")], more].concat());
    assert_eq!(pause(&[Value::Bool(true)]), Ok(Value::Int(2)));
    assert_eq!(pause(&[Value::Int(1)]), Ok(Value::Int(1)));
    assert_eq!(pause(&[Value::Bool(false)]), Ok(Value::Nil));
    assert_eq!(pause(&[]), Ok(Value::Nil));
}

#[test]
fn structs_in_a_configuration_are_read() {
    let caller = Caller::new(&[]);
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
    let created = caller.call("xend.domain.create", std::slice::from_ref(&config)).unwrap();
    assert_eq!(fields(&created)["cpuid"], &listed("x0"));
    let Value::Array(image) = fields(&created)["image"] else { panic!() };
    assert_eq!(fields(&array(image.clone()))["cpuid_check"], &listed("1"));
    // A device's, too.
    let vif = array([text("vif"), field("opts", Value::Struct(vec![member("a", text("b"))]))]);
    assert!(caller.call("xend.domain.device_create", &[text("web"), vif]).is_ok());
    let told = caller.call("xend.domain.device_create", &[text("web"), text("vif")]).unwrap_err().1;
    assert_eq!(
        told,
        "xend.domain.device_create: config: an S-expression in nested arrays is expected, not a string"
    );
}

#[test]
fn restarts_are_counted_and_outlive_the_daemon() {
    let caller = Caller::new(&[]);
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
    caller.call("xend.domain.create", &[config]).unwrap();
    let count =
        |caller: &Caller| caller.call("xend.domain.getRestartCount", &[text("web")]).unwrap();
    assert_eq!(count(&caller), text("0"));
    caller.call("xend.domain.reset", &[text("web")]).unwrap();
    assert_eq!(count(&caller), text("1"));
    let caller = caller.killed_and_restarted();
    assert_eq!(count(&caller), text("1"));
    caller.call("xend.domain.reset", &[text("web")]).unwrap();
    assert_eq!(count(&caller), text("2"));
    // It is xend's own and no part of a configuration.
    let shown = caller.call("xend.domain", &[text("web")]).unwrap();
    assert!(!fields(&shown).contains_key("restart_count"));
    assert_eq!(caller.call("xend.domain.destroy", &[text("web")]), Ok(Value::Nil));
    caller
        .call("xend.domain.create", &[vm("web", [field("restart_count", Value::Int(7))])])
        .unwrap();
    assert_eq!(count(&caller), text("0"));
}
