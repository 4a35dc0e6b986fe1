//! xm 3.0.0: the requests of each command as its Python sent them over the unix socket, and the
//! parts of the answers that it reads.

use crate::http_support::{Answer, Daemon, Listener, ask};
use std::fmt::Write as _;
use xend::sxp::Sxp;

/// xm's `urllib.urlencode`: a blank becomes `+`, other special characters become `%XX`.
fn urlencoded(form: &[(&str, &str)]) -> String {
    let quoted = |text: &str| {
        text.bytes().fold(String::new(), |mut out, byte| {
            match byte {
                b' ' => out.push('+'),
                b if b.is_ascii_alphanumeric() || b"_.-".contains(&b) => out.push(char::from(b)),
                b => write!(out, "%{b:02X}").unwrap(),
            }
            out
        })
    };
    form.iter()
        .map(|(key, value)| format!("{}={}", quoted(key), quoted(value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// xm reads the status, the type and the body.
struct Xm<'a>(&'a Daemon);

impl Xm<'_> {
    fn request(&self, head: &str, body: &str) -> Answer {
        let request = format!("{head}\r\n\r\n{body}");
        let answer = ask(&Listener::Unix(self.0.socket()), request.as_bytes());
        // xm dies of an empty body with the type of an S-expression. It compares the whole header.
        match answer.header("content-type") {
            None => assert!(answer.body.is_empty(), "{request}: {answer:?}"),
            Some(media) => assert!(
                ["application/sxp", "text/plain"].contains(&media) && !answer.body.is_empty(),
                "{request}: {answer:?}"
            ),
        }
        assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
        answer
    }

    fn get(&self, path: &str) -> Answer {
        self.request(
            &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: identity"),
            "",
        )
    }

    fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = urlencoded(form);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: identity\r\n\
             Content-Length: {}\r\nContent-type: application/x-www-form-urlencoded",
            body.len()
        );
        self.request(&head, &body)
    }

    /// An operation on a domain that succeeds for xm.
    fn succeed(&self, name: &str, form: &[(&str, &str)]) -> Answer {
        let answer = self.post(&format!("/xend/domain/{name}"), form);
        assert!(
            (200..300).contains(&answer.code),
            "{form:?}: {} {}",
            answer.status(),
            answer.text()
        );
        assert!(!answer.text().contains("xend.err"), "{form:?}: {}", answer.text());
        answer
    }

    /// An operation for which xm prints `Error: ` and the returned reason.
    fn fail(&self, name: &str, form: &[(&str, &str)]) -> String {
        let answer = self.post(&format!("/xend/domain/{name}"), form);
        let op = form.iter().find(|(key, _)| *key == "op").unwrap().1;
        assert_eq!(answer.status(), format!("500 Request failed: {op}"), "{form:?}");
        let error = answer.sxp();
        assert_eq!(error.head(), Some("xend.err"));
        error.tail()[0].as_str().unwrap().to_owned()
    }

    fn create(&self, config: &str) -> Answer {
        self.post("/xend/domain", &[("config", config), ("op", "create")])
    }

    fn domain(&self, name: &str) -> Sxp {
        let answer = self.get(&format!("/xend/domain/{name}"));
        assert_eq!(
            (answer.status().as_str(), answer.header("content-type")),
            ("200 OK", Some("application/sxp"))
        );
        answer.sxp()
    }

    fn value(&self, name: &str, key: &str) -> String {
        self.domain(name).value(key).unwrap().as_str().unwrap().to_owned()
    }

    fn devices(&self, class: &str) -> Vec<String> {
        let answer = self.succeed("pvx", &[("type", class), ("op", "devices")]).sxp();
        let number = |device: &Sxp| device.head().unwrap().to_owned();
        let devices = answer.as_list().unwrap();
        for device in devices {
            // The fields that `xm block-list` and `xm network-list` print.
            let properties = &device.tail()[0];
            for key in ["backend-id", "state", "event-channel", "backend"] {
                assert!(
                    properties.as_list().unwrap().iter().any(|p| p.head() == Some(key)),
                    "{key} {device}"
                );
            }
        }
        devices.iter().map(number).collect()
    }
}

const CONFIG: &str = "(vm (name pvx) (memory 128) (on_crash destroy) \
    (image (linux (kernel /boot/vmlinuz-2.6-xenU) \
    (root '/dev/sda1 ro') (args 4) (vcpus 2) (vcpus 2) (boot c) (nics 1))) \
    (device (vbd (uname phy:/dev/vg0/pvx) (dev sda1) (mode w))) \
    (device (vbd (uname file:/var/images/t.img) (dev sdb1) (mode r))) \
    (device (vif (mac 00:16:3e:10:20:30) (bridge xenbr0))))";

fn with_domain(daemon: &Daemon) -> Xm<'_> {
    let xm = Xm(daemon);
    let created = xm.create(CONFIG);
    assert_eq!(created.status(), "201 created");
    assert_eq!(created.sxp().value("name").unwrap().as_str(), Some("pvx"));
    xm.succeed("pvx", &[("op", "wait_for_devices")]);
    xm.succeed("pvx", &[("op", "unpause")]);
    daemon.until("the guest boots", |daemon| daemon.value("pvx", "online_vcpus") == "2");
    xm
}

#[test]
fn list_info_and_log_commands() {
    let daemon = Daemon::start(&[]);
    let xm = with_domain(&daemon);
    // xm list, xm list -l
    let list = xm.get("/xend/domain/?detail=1").sxp();
    for domain in list.as_list().unwrap() {
        for key in ["domid", "name", "memory", "vcpus", "cpu_time", "state"] {
            assert!(domain.value(key).is_some(), "{key} in {domain}");
        }
        assert_eq!(domain.value("state").unwrap().as_str().unwrap().len(), 6);
    }
    // xm list X, domid, domname, console
    assert_eq!(xm.value(&xm.value("pvx", "domid"), "uuid"), xm.value("pvx", "uuid"));
    let console = xm.domain("pvx");
    let is_console = |device: &&Sxp| device.tail().first().and_then(Sxp::head) == Some("console");
    assert!(console.tail().iter().any(|d| d.head() == Some("device") && is_console(&d)));
    let missing = xm.get("/xend/domain/nosuch");
    assert_eq!((missing.code, missing.reason.as_str()), (404, "Not found"));
    // xm info, dmesg, log
    let node = xm.get("/xend/node/").sxp();
    for key in [
        "system",
        "host",
        "nr_cpus",
        "total_memory",
        "free_memory",
        "xen_major",
        "xen_caps",
        "cc_compiler",
    ] {
        assert!(node.value(key).is_some(), "{key}");
    }
    assert!(xm.get("/xend/node/dmesg").text().contains("Xen"));
    assert!(xm.get("/xend/node/log").text().contains("INFO"));
    assert_eq!(xm.post("/xend/node/dmesg", &[("op", "clear")]).status(), "200 OK");
    let cleared = ask(
        &Listener::Unix(daemon.socket()),
        b"GET /xend/node/dmesg HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: identity\r\n\r\n",
    );
    assert!(!cleared.text().contains("Xen version"));
}

#[test]
fn create_pause_rename_and_shutdown_commands() {
    let daemon = Daemon::start(&[]);
    let xm = with_domain(&daemon);
    assert!(xm.create(CONFIG).text().contains("already exists with ID"));
    for reason in ["", " "] {
        assert!(
            xm.create(&CONFIG.replace("(name pvx)", &format!("(name '{reason}')"))).code == 500
        );
    }
    // The smallest configuration that xm makes of its command line.
    let small = "(vm (name viacli) (memory 32) \
                 (image (linux (kernel /boot/vmlinuz) (vcpus 1) (vcpus 1) (boot c) (nics 1))) \
                 (device (vif)))";
    assert_eq!(xm.create(small).status(), "201 created");
    assert_eq!(
        xm.value("viacli", "state"),
        "--p---",
        "the domain stays paused, as `xm create -p` expects"
    );
    xm.succeed("viacli", &[("op", "destroy")]);
    assert_eq!(xm.get("/xend/domain/viacli").code, 404);
    // xm pause, unpause, rename
    xm.succeed("pvx", &[("op", "pause")]);
    assert_eq!(xm.value("pvx", "state"), "--p---");
    xm.succeed("pvx", &[("op", "unpause")]);
    xm.succeed("pvx", &[("name", "pvy"), ("op", "rename")]);
    xm.succeed("pvy", &[("name", "pvx"), ("op", "rename")]);
    assert!(xm.fail("pvx", &[("name", "a b"), ("op", "rename")]).contains("Invalid VM Name"));
    // xm shutdown -w polls the list.
    assert_eq!(xm.get("/xend/domain/0").code, 200);
    xm.succeed("pvx", &[("reason", "poweroff"), ("op", "shutdown")]);
    daemon.until("the domain is gone", |_| xm.get("/xend/domain/").text() == "(Domain-0)");
    // xm destroy 0, xm shutdown of an unknown domain
    assert!(xm.fail("0", &[("op", "destroy")]).contains("privileged"));
    let unknown = xm.post("/xend/domain/nosuch", &[("reason", "poweroff"), ("op", "shutdown")]);
    assert_eq!(
        (unknown.status().as_str(), unknown.text().as_str()),
        ("404 Not found", "No such domain nosuch")
    );
    // Halt, and a reboot right after the start.
    for reason in ["halt", "reboot"] {
        assert_eq!(xm.create(CONFIG).code, 201);
        xm.succeed("pvx", &[("op", "unpause")]);
        xm.succeed("pvx", &[("reason", reason), ("op", "shutdown")]);
        daemon.until("the domain is gone", |_| xm.get("/xend/domain/").text() == "(Domain-0)");
    }
}

#[test]
fn memory_cpu_and_scheduler_commands() {
    let daemon = Daemon::start(&[]);
    let xm = with_domain(&daemon);
    for (form, key, value) in [
        ([("target", "100"), ("op", "mem_target_set")], "memory", "100"),
        ([("memory", "200"), ("op", "maxmem_set")], "maxmem", "200"),
        ([("target", "128"), ("op", "mem_target_set")], "memory", "128"),
        ([("vcpus", "1"), ("op", "set_vcpus")], "online_vcpus", "1"),
        ([("vcpus", "2"), ("op", "set_vcpus")], "online_vcpus", "2"),
    ] {
        xm.succeed("pvx", &form);
        assert_eq!(xm.value("pvx", key), value, "{form:?}");
    }
    // xm vcpu-pin pvx 0 1-2, vcpu-list
    xm.succeed("pvx", &[("vcpu", "0"), ("cpumap", "[1, 2]"), ("op", "pincpu")]);
    let info = xm.get("/xend/domain/pvx?op=vcpuinfo").sxp();
    let vcpus: Vec<&Sxp> = info.tail().iter().filter(|item| item.head() == Some("vcpu")).collect();
    assert_eq!(vcpus.len(), 2);
    assert_eq!(vcpus[0].value("cpumap").unwrap().to_string(), "(1 2)");
    for key in ["number", "online", "blocked", "running", "cpu_time", "cpu"] {
        assert!(vcpus[1].value(key).is_some(), "{key}");
    }
    // xm sched-sedf, which ignores the answer
    let sedf = [
        ("latency", "0"),
        ("slice", "5000000"),
        ("weight", "0"),
        ("period", "20000000"),
        ("extratime", "0"),
        ("op", "cpu_sedf_set"),
    ];
    xm.succeed("pvx", &sedf);
    // xm sched-bvt: Xen dropped this scheduler of 3.0 long before xend.
    let bvt = xm.post("/xend/domain/pvx", &[("mcuadv", "10"), ("op", "cpu_bvt_set")]);
    assert_eq!(bvt.status(), "501 Operation not implemented: cpu_bvt_set");
    xm.succeed("pvx", &[("key", "115"), ("op", "sysrq")]);
}

#[test]
fn device_commands() {
    let daemon = Daemon::start(&[]);
    let xm = with_domain(&daemon);
    assert_eq!(
        (xm.devices("vbd"), xm.devices("vif")),
        (vec!["2049".into(), "2065".into()], vec!["0".to_owned()])
    );
    let attach = |config: &str| xm.succeed("pvx", &[("config", config), ("op", "device_create")]);
    attach("(vbd (uname phy:/dev/vg0/b) (dev sdc1) (mode w))");
    attach("(vbd (uname phy:/dev/vg0/d) (dev sdd1) (mode w) (backend Domain-0))");
    attach("(vbd (uname phy:/dev/vg0/e) (dev sde1) (mode 'w!'))");
    attach("(vif)");
    attach("(vif (mac 00:16:3e:44:44:44) (bridge xenbr0) (script vif-bridge))");
    attach("(vif (ip 10.0.0.9))");
    assert_eq!(xm.devices("vbd"), ["2049", "2065", "2081", "2097", "2113"]);
    assert_eq!(xm.devices("vif"), ["0", "1", "2", "3"]);
    let detach = |class, dev| [("type", class), ("dev", dev), ("op", "device_destroy")];
    xm.succeed("pvx", &detach("vbd", "sdc1"));
    xm.succeed("pvx", &detach("vbd", "2113"));
    xm.succeed("pvx", &detach("vif", "1"));
    assert_eq!((xm.devices("vbd").len(), xm.devices("vif").len()), (3, 3));
    let missing = xm.fail("pvx", &detach("vbd", "2096"));
    assert!(
        missing.starts_with("Device 2096 not connected: the domain has vbd sda1 "),
        "{missing}"
    );
    assert!(xm.fail("pvx", &detach("vif", "9")).contains("not connected"));
    xm.fail("pvx", &detach("vbd", "nosuch"));
    assert!(
        xm.fail(
            "pvx",
            &[
                ("config", "(vbd (uname phy:/dev/hotplugerror) (dev sdf) (mode w))"),
                ("op", "device_create")
            ]
        )
        .contains("Device 2128 (vbd) could not be connected. /dev/hotplugerror does not exist.")
    );
    assert_eq!(xm.devices("vbd").len(), 3, "the failed disk is removed");
}

#[test]
fn save_restore_and_migrate_commands() {
    let daemon = Daemon::start(&[]);
    let other = Daemon::start(&["--relocation", "127.0.0.1:0"]);
    let xm = with_domain(&daemon);
    let file = daemon.dir.path().join("pvx.save").to_str().unwrap().to_owned();
    xm.succeed("pvx", &[("file", &file), ("op", "save")]);
    assert_eq!(xm.get("/xend/domain/pvx").code, 404);
    let restored = xm.post("/xend/domain", &[("file", &file), ("op", "restore")]);
    // xm fails if the answer has a domid.
    assert_eq!((restored.status().as_str(), restored.text().as_str()), ("201 Created", ""));
    let domid = xm.value("pvx", "domid");
    xm.succeed(&domid, &[("op", "unpause")]);
    assert!(!xm.value("pvx", "state").contains('p'));
    // xm 3.0.0 itself sends no port.
    let port = other.relocation.unwrap().port().to_string();
    let form = [
        ("live", "0"),
        ("destination", "127.0.0.1"),
        ("resource", "0"),
        ("port", &port),
        ("op", "migrate"),
    ];
    xm.succeed("pvx", &form);
    assert!(daemon.domain("pvx").is_none() && other.domain("pvx").is_some());
    let unreachable =
        [("live", "1"), ("destination", "host.invalid"), ("resource", "10"), ("op", "migrate")];
    assert!(Xm(&other).fail("pvx", &unreachable).contains("host.invalid:8002 cannot be reached"));
}
