//! No answer, error or log line of any wire has a password.

use crate::http_support::{Daemon, Listener, ask, encoded, guest};
use crate::xenapi_support::{Client, members, record, strings, text};
use rustix::process::Signal;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use xend::wire::xmlrpc::Value;
use xend::wire::xmlrpc::codec;

/// Two domains with every password that a domain can have, defined and running.
#[test]
fn no_answer_of_any_wire_has_a_password() {
    const SECRET: &str = "hunter2";
    let dir = tempfile::tempdir().unwrap();
    let rpc = dir.path().join("rpc");
    let api = dir.path().join("api");
    let options = ["--xen-api", api.to_str().unwrap(), "--xmlrpc", rpc.to_str().unwrap()];
    let daemon = Daemon::start_in(dir, &options);
    let mut client = Client { daemon, listener: Listener::Unix(api), session: Value::Nil };
    client.session = client.bare("session.login_with_password", &[text("root"), text("")]).unwrap();
    let hvm = format!(
        "(vm (name web) (memory 64) (note (list (password {SECRET}))) (rootpasswd {SECRET}) \
         (image (hvm (kernel /usr/lib/xen/boot/hvmloader) (vnc 1) (vncpasswd {SECRET}) \
         (spicepasswd {SECRET}))) \
         (device (vbd (uname phy:/dev/a) (dev xvda) (mode w) (diskpasswd {SECRET}))) \
         (device (vif (bridge xenbr0) (vifpassword {SECRET}))) \
         (device (vfb (vnc 1) (vncpasswd {SECRET}))) (device (vkbd (vkbdpasswd {SECRET}))) \
         (device (pci (dev (domain 0x0) (bus 0x1) (slot 0x0) (func 0x0) (pcipasswd {SECRET})) \
         (buspasswd {SECRET}))) \
         (device (vtpm (backend Domain-0) (tpmpasswd {SECRET}))) \
         (device (vusb (usbpasswd {SECRET}))))"
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
        let host = client.one("host.get_all", &[]);
        let sr = client.sr();
        client.call("host.set_other_config", &[host.clone(), secrets.clone()]).unwrap();
        client
            .call(
                "PBD.create",
                &[record(&[("host", host), ("SR", sr), ("device_config", secrets)])],
            )
            .unwrap();
        // A map that is written back as it was read keeps its passwords, and shows none.
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
        ask_everything(&client, &rpc, &mut answers);
    }
    let Value::Array(events) = client.call("event.next", &[]).unwrap() else { panic!() };
    answers.push(("event.next".into(), format!("{events:?}")));
    answers.push(("the log".into(), client.daemon.log()));
    assert!(answers.len() > 400, "{}", answers.len());
    let leaking: Vec<&String> = answers
        .iter()
        .filter(|(_, answer)| answer.contains(SECRET))
        .map(|(what, _)| what)
        .collect();
    assert!(leaking.is_empty(), "{leaking:?}");
    // The passwords are stored, and handed to the hypervisor.
    let state = client.daemon.dir.path().join("state");
    let stored = walk(&state).iter().filter(|text| text.contains(SECRET)).count();
    assert!(stored > 2, "{stored}");
}

/// Malformed configurations are refused, and neither the answer nor the log shows the password.
#[test]
fn no_error_of_any_wire_has_a_password() {
    const SECRET: &str = "hunter2";
    let dir = tempfile::tempdir().unwrap();
    let rpc = dir.path().join("rpc");
    let options = ["--xmlrpc", rpc.to_str().unwrap(), "--relocation", "127.0.0.1:0"];
    let daemon = Daemon::start_in(dir, &options);
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
        let body = codec::call(method, &params);
        let request = format!(
            "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = ask(&Listener::Unix(rpc.clone()), request.as_bytes()).text();
        assert!(answer.contains("<fault>"), "{method}: {answer}");
        answers.push((method.to_owned(), answer));
    }
    let first = &answers.iter().find(|(what, _)| what == "xend.domain.device_create").unwrap().1;
    assert!(first.contains("vfb: an item of it is not of the form (key value)"), "{first}");
    for config in &broken {
        let mut stream = TcpStream::connect(daemon.relocation.unwrap()).unwrap();
        let id = "00000000-0000-0000-0000-000000000001";
        writeln!(stream, "(receive (version 1) (id {id}) (config {config}))").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("(err "), "{config}: {answer}");
        answers.push((format!("relocation {config}"), answer));
    }
    let (_, dir) = daemon.end(Signal::KILL);
    let only =
        std::fs::read_dir(dir.path().join("state/domains")).unwrap().next().unwrap().unwrap();
    std::fs::write(
        only.path().join("config.sxp"),
        device(&format!("(vfb ((vncpasswd {SECRET})))")),
    )
    .unwrap();
    let daemon = Daemon::start_in(dir, &[]);
    let log = daemon.log();
    assert!(log.contains("A damaged file is set aside: "), "{log}");
    answers.push(("the log".into(), log));
    let leaking: Vec<_> = answers.iter().filter(|(_, answer)| answer.contains(SECRET)).collect();
    assert!(leaking.is_empty(), "{leaking:#?}");
}

/// Everything that can be read: over HTTP in three formats, with xm's calls, with the Xen-API, and
/// by tasks.
fn ask_everything(client: &Client, rpc: &Path, answers: &mut Vec<(String, String)>) {
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
                let answer = ask(&Listener::Tcp(client.daemon.tcp), request.as_bytes());
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
        let body = codec::call(method, params);
        let request = format!(
            "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        (method.to_owned(), ask(&Listener::Unix(rpc.to_owned()), request.as_bytes()).text())
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
                let record = client.call("task.get_record", std::slice::from_ref(&task)).unwrap();
                answers.push((class.to_owned(), format!("{record:?}")));
                members(record)["status"] != text("pending")
            });
        }
    }
}

/// The texts of all files below a directory.
fn walk(dir: &Path) -> Vec<String> {
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
