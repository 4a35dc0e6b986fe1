//! One operation, three wires: HTTP forms, xm's calls and the Xen-API's, each on a domain of its
//! own. After each step the three domains are the same, whoever did it, and what one refuses all
//! refuse.

use crate::http_support::{Daemon, Door, ask, encoded, guest};
use crate::xenapi_support::{Client, text};
use xend::sxp::Sxp;
use xend::wire::xmlrpc::Value;
use xend::wire::xmlrpc::codec::{self, Limits};

/// What differs between two domains that are the same: who they are, and what the moment makes of
/// them.
const OWN: [&str; 14] = [
    "name",
    "uuid",
    "domid",
    "cpu_time",
    "start_time",
    "store_mfn",
    "console_mfn",
    "mac",
    "location",
    "state",
    "notes",
    "online_vcpus",
    "VDI",
    "vcpu_avail",
];

/// What of a domain must be the same on all wires.
fn essence(tree: &Sxp, name: &str) -> String {
    match tree.as_list() {
        None => String::from_utf8_lossy(tree.as_bytes().unwrap_or_default()).replace(name, "NAME"),
        Some(items) => {
            let kept =
                items.iter().filter(|item| item.head().is_none_or(|head| !OWN.contains(&head)));
            format!("({})", kept.map(|item| essence(item, name)).collect::<Vec<_>>().join(" "))
        }
    }
}

/// A domain of one wire.
struct Three {
    client: Client,
    legacy: Door,
}

/// Whether it was done.
type Done = Result<(), String>;

impl Three {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let api = dir.path().join("api");
        let rpc = dir.path().join("rpc");
        let options = ["--xen-api", api.to_str().unwrap(), "--xmlrpc", rpc.to_str().unwrap()];
        let daemon = Daemon::start_in(dir, &options);
        let mut client = Client { daemon, door: Door::Unix(api), session: Value::Nil };
        client.session =
            client.bare("session.login_with_password", &[text("root"), text("")]).unwrap();
        Self { client, legacy: Door::Unix(rpc) }
    }

    fn http(&self, target: &str, form: &str) -> Done {
        let answer = self.client.daemon.post(target, form);
        if answer.code < 400 { Ok(()) } else { Err(answer.text()) }
    }

    fn xend(&self, method: &str, params: &[Value]) -> Done {
        let body = codec::call(&format!("xend.domain.{method}"), params);
        let request =
            format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let answer = ask(&self.legacy, request.as_bytes()).text();
        codec::read_answer(&answer, &Limits::default()).unwrap().map(drop).map_err(|(_, text)| text)
    }

    fn api(&self, method: &str, params: &[Value]) -> Done {
        self.client.call(method, params).map(drop).map_err(|said| said.join(" "))
    }

    fn vm(&self) -> Value {
        self.client.vm("web-api")
    }

    /// Does the same on each wire, and looks whether the same has come of it.
    fn step(
        &self,
        what: &str,
        http: &str,
        legacy: (&str, Vec<Value>),
        api: &dyn Fn(&Self, Value) -> Done,
    ) {
        self.compare(what, &self.play(http, legacy, api));
    }

    fn play(
        &self,
        http: &str,
        legacy: (&str, Vec<Value>),
        api: &dyn Fn(&Self, Value) -> Done,
    ) -> [Done; 3] {
        let (method, mut params) = legacy;
        if !method.starts_with("restore") {
            params.insert(0, text("web-rpc"));
        }
        [self.http("/xend/domain/web-http", http), self.xend(method, &params), api(self, self.vm())]
    }

    fn compare(&self, what: &str, done: &[Done; 3]) {
        let outcomes: Vec<bool> = done.iter().map(Result::is_ok).collect();
        assert!(outcomes.iter().all(|ok| *ok == outcomes[0]), "{what}: {done:?}");
        let seen = |name: &str| self.client.daemon.domain(name).map(|tree| essence(&tree, name));
        let wanted = seen("web-http");
        assert_eq!(seen("web-rpc"), wanted, "{what}: xm's call, {done:?}");
        assert_eq!(seen("web-api"), wanted, "{what}: the Xen-API's, {done:?}");
        let states = ["web-http", "web-rpc", "web-api"].map(|name| {
            self.client.daemon.domain(name).map(|tree| {
                let state = tree.value("state").and_then(Sxp::as_str).unwrap_or("none").to_owned();
                // A guest that waits and one that works are the same.
                state.replace(['r', 'b'], "-")
            })
        });
        assert!(states[0] == states[1] && states[1] == states[2], "{what}: {states:?}");
    }

    /// The guests have done what they were asked to.
    fn settle(&self, state: &str) {
        for name in ["web-http", "web-rpc", "web-api"] {
            let gone = || {
                self.client.daemon.domain(name).is_some_and(|tree| tree.value("domid").is_none())
            };
            // One that has stopped is halted already, and still there for a moment.
            let vm = || {
                self.client.power_state(&self.client.vm(name)) == state
                    && (state != "Halted" || gone())
            };
            self.client.daemon.until("the guests get there", |_| vm());
        }
    }
}

fn on(method: &'static str, more: Vec<Value>) -> impl Fn(&Three, Value) -> Done {
    move |three, vm| {
        let mut params = vec![vm];
        params.extend(more.clone());
        three.api(method, &params)
    }
}

fn mib(mib: u64) -> Value {
    text(&(mib << 20).to_string())
}

fn array(values: &[&str]) -> Value {
    Value::Array(values.iter().map(|value| text(value)).collect())
}

fn config(name: &str) -> String {
    let disks = "(device (vbd (uname phy:/dev/vg0/b) (dev xvdb) (mode r)))(device (vbd (uname '') (dev hdc:cdrom) (mode r)))";
    guest(name, disks)
}

#[test]
#[allow(clippy::too_many_lines, reason = "one session")]
fn what_is_done_is_the_same_whoever_asks_for_it() {
    let three = Three::new();
    for name in ["web-http", "web-rpc", "web-api"] {
        three.http("/xend/domain", &format!("op=new&config={}", encoded(&config(name)))).unwrap();
    }
    let flag = Value::Bool;
    let dir = three.client.daemon.dir.path().to_str().unwrap().to_owned();
    three.step("pause what is halted", "op=pause", ("pause", vec![]), &on("VM.pause", vec![]));
    three.step(
        "start",
        "op=start&paused=1",
        ("start", vec![flag(true)]),
        &on("VM.start", vec![flag(true)]),
    );
    three.step(
        "start again",
        "op=start&paused=1",
        ("start", vec![flag(true)]),
        &on("VM.start", vec![flag(true)]),
    );
    three.step("unpause", "op=unpause", ("unpause", vec![]), &on("VM.unpause", vec![]));
    three.step("pause", "op=pause", ("pause", vec![]), &on("VM.pause", vec![]));
    three.step("unpause again", "op=unpause", ("unpause", vec![]), &on("VM.unpause", vec![]));
    three.step(
        "pin",
        "op=pincpu&vcpu=0&cpumap=1",
        ("pincpu", vec![text("0"), text("1")]),
        &on("VM.add_to_VCPUs_params_live", vec![text("cpumap0"), text("1")]),
    );
    three.step(
        "weight and cap",
        "op=domain_sched_credit_set&weight=512&cap=50",
        ("sched_credit_set", vec![Value::Int(512), Value::Int(50)]),
        &|three, vm| {
            three.api("VM.add_to_VCPUs_params_live", &[vm.clone(), text("weight"), text("512")])?;
            three.api("VM.add_to_VCPUs_params_live", &[vm, text("cap"), text("50")])
        },
    );
    three.step(
        "a cap beyond all CPUs",
        "op=domain_sched_credit_set&cap=5000",
        ("sched_credit_set", vec![Value::Nil, Value::Int(5000)]),
        &on("VM.add_to_VCPUs_params_live", vec![text("cap"), text("5000")]),
    );
    three.step(
        "VCPUs",
        "op=set_vcpus&vcpus=1",
        ("setVCpuCount", vec![Value::Int(1)]),
        &on("VM.set_VCPUs_number_live", vec![text("1")]),
    );
    three.step(
        "memory",
        "op=mem_target_set&target=48",
        ("setMemoryTarget", vec![Value::Int(48)]),
        &on("VM.set_memory_dynamic_max_live", vec![mib(48)]),
    );
    three.step(
        "more memory than it may have",
        "op=mem_target_set&target=4096",
        ("setMemoryTarget", vec![Value::Int(4096)]),
        &on("VM.set_memory_dynamic_max_live", vec![mib(4096)]),
    );
    three.step(
        "the most memory",
        "op=maxmem_set&memory=192",
        ("maxmem_set", vec![Value::Int(192)]),
        &on("VM.set_memory_static_max", vec![mib(192)]),
    );
    three.step(
        "a key",
        "op=sysrq&key=115",
        ("send_sysrq", vec![text("s")]),
        &on("VM.send_sysrq", vec![text("s")]),
    );
    three.step(
        "a trigger",
        "op=send_trigger&trigger=nmi&vcpu=0",
        ("send_trigger", vec![text("nmi"), Value::Int(0)]),
        &on("VM.send_trigger", vec![text("nmi"), text("0")]),
    );
    let disk = "(vbd (uname phy:/dev/vg0/c) (dev xvdc) (mode r) (bootable 0))";
    let nested = Value::Array(vec![
        text("vbd"),
        array(&["uname", "phy:/dev/vg0/c"]),
        array(&["dev", "xvdc"]),
        array(&["mode", "r"]),
        array(&["bootable", "0"]),
    ]);
    three.step(
        "plug a disk in",
        &format!("op=device_create&config={}", encoded(disk)),
        ("device_create", vec![nested]),
        &|three, vm| plug(three, vm, "xvdc", "phy:/dev/vg0/c"),
    );
    three.step(
        "and out",
        "op=device_destroy&type=vbd&dev=xvdc&force=0&rm_cfg=1",
        ("destroyDevice", vec![text("vbd"), text("xvdc"), flag(false), flag(true)]),
        &|three, vm| three.api("VBD.destroy", &[disk_of(three, vm, "xvdc")]),
    );
    let medium = "(vbd (uname file:/cd.iso) (dev hdc:cdrom) (mode r))";
    let nested = Value::Array(vec![
        text("vbd"),
        array(&["uname", "file:/cd.iso"]),
        array(&["dev", "hdc:cdrom"]),
        array(&["mode", "r"]),
    ]);
    three.step(
        "another medium",
        &format!("op=device_configure&config={}&dev=hdc", encoded(medium)),
        ("device_configure", vec![nested, text("hdc")]),
        &|three, vm| {
            let drive = disk_of(three, vm, "hdc");
            let vdi = image(three, "file:/cd.iso");
            three.api("VBD.media_change", &[drive, vdi])
        },
    );
    three.step("suspend", "op=suspend", ("suspend", vec![]), &on("VM.suspend", vec![]));
    three.step(
        "resume",
        "op=resume&paused=0",
        ("resume", vec![flag(false)]),
        &on("VM.resume", vec![flag(false)]),
    );
    let mine = format!("{dir}/http");
    let theirs = format!("{dir}/rpc.save");
    let ours = format!("{dir}/api.save");
    three.step(
        "save",
        &format!("op=save&file={}", encoded(&mine)),
        ("save", vec![text(&theirs), flag(false)]),
        &on("VM.save", vec![text(&ours), flag(false)]),
    );
    let done = [
        three.http("/xend/domain", &format!("op=restore&file={}", encoded(&mine))),
        three.xend("restore", &[text(&theirs), flag(false)]),
        three.api("VM.restore", &[text(&ours), flag(false)]),
    ];
    three.compare("restore", &done);
    three.step(
        "migrate to nobody",
        "op=migrate&destination=127.0.0.1&live=0&port=1",
        ("migrate", vec![text("127.0.0.1"), flag(false), Value::Int(1)]),
        &|three, vm| {
            let options = Value::Struct(vec![("port".to_owned(), text("1"))]);
            three.api("VM.migrate", &[vm, text("127.0.0.1"), flag(false), options])
        },
    );
    three.step("reset", "op=reset", ("reset", vec![]), &on("VM.hard_reboot", vec![]));
    three.settle("Running");
    let shutdown = ("shutdown", vec![text("poweroff")]);
    let done =
        three.play("op=shutdown&reason=poweroff", shutdown, &on("VM.clean_shutdown", vec![]));
    assert!(done.iter().all(Result::is_ok), "{done:?}");
    three.settle("Halted");
    three.compare("shut down", &[Ok(()), Ok(()), Ok(())]);
    three.step(
        "start once more",
        "op=start&paused=0",
        ("start", vec![flag(false)]),
        &on("VM.start", vec![flag(false)]),
    );
    three.step("delete what runs", "op=delete", ("delete", vec![]), &on("VM.destroy", vec![]));
    three.step("destroy", "op=destroy", ("destroy", vec![]), &on("VM.hard_shutdown", vec![]));
    three.step(
        "destroy what is halted",
        "op=destroy",
        ("destroy", vec![]),
        &on("VM.hard_shutdown", vec![]),
    );
    three.step("delete", "op=delete", ("delete", vec![]), &on("VM.destroy", vec![]));
    for name in ["web-http", "web-rpc", "web-api"] {
        assert!(three.client.daemon.domain(name).is_none());
    }
}

/// An image that is somewhere else.
fn image(three: &Three, location: &str) -> Value {
    let sr = three.client.sr();
    let location = Value::Struct(vec![("location".to_owned(), text(location))]);
    let record = Value::Struct(vec![
        ("SR".to_owned(), sr),
        ("type".to_owned(), text("system")),
        ("other_config".to_owned(), location),
    ]);
    three.client.call("VDI.create", &[record]).unwrap()
}

fn plug(three: &Three, vm: Value, device: &str, location: &str) -> Done {
    let vdi = image(three, location);
    let record = Value::Struct(vec![
        ("VM".to_owned(), vm),
        ("VDI".to_owned(), vdi),
        ("device".to_owned(), text(device)),
        ("mode".to_owned(), text("RO")),
        ("bootable".to_owned(), Value::Bool(false)),
    ]);
    three.api("VBD.create", &[record])
}

fn disk_of(three: &Three, vm: Value, device: &str) -> Value {
    let Value::Array(disks) = three.client.call("VM.get_VBDs", &[vm]).unwrap() else { panic!() };
    let is_it = |disk: &Value| {
        three.client.call("VBD.get_device", std::slice::from_ref(disk)) == Ok(text(device))
    };
    disks.into_iter().find(is_it).unwrap()
}
