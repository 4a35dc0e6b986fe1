//! The same operation over HTTP, `xend.*` and the Xen-API, each on a domain of its own. After each
//! step the three domains are alike, and a refusal on one wire is a refusal on all.

use crate::http_support::{encoded, guest};
use crate::xenapi_support::{Client, text};
use xend::sxp::Sxp;
use xend::wire::xmlrpc::Value;

/// Fields that differ between domains with the same configuration.
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

/// A domain without the fields that may differ.
fn comparable(tree: &Sxp, name: &str) -> String {
    match tree.as_list() {
        None => String::from_utf8_lossy(tree.as_bytes().unwrap_or_default()).replace(name, "NAME"),
        Some(items) => {
            let kept =
                items.iter().filter(|item| item.head().is_none_or(|head| !OWN.contains(&head)));
            format!("({})", kept.map(|item| comparable(item, name)).collect::<Vec<_>>().join(" "))
        }
    }
}

/// A client of each wire of one daemon.
struct Wires {
    client: Client,
}

/// `Err` has the text of the refusal.
type Done = Result<(), String>;

impl Wires {
    fn http(&self, target: &str, form: &str) -> Done {
        let answer = self.client.daemon.post(target, form);
        if answer.code < 400 { Ok(()) } else { Err(answer.text()) }
    }

    fn xend(&self, method: &str, params: &[Value]) -> Done {
        let answer = self.client.raw(&format!("xend.domain.{method}"), params);
        answer.map(drop).map_err(|(_, text)| text)
    }

    fn api(&self, method: &str, params: &[Value]) -> Done {
        self.client.call(method, params).map(drop).map_err(|error| error.join(" "))
    }

    fn vm(&self) -> Value {
        self.client.vm("web-api")
    }

    /// Executes an operation on each wire and compares the results.
    fn step(
        &self,
        what: &str,
        http: &str,
        legacy: (&str, Vec<Value>),
        api: &dyn Fn(&Self, Value) -> Done,
    ) {
        self.compare(what, &self.execute(http, legacy, api));
    }

    fn execute(
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
        let seen = |name: &str| self.client.daemon.domain(name).map(|tree| comparable(&tree, name));
        let wanted = seen("web-http");
        assert_eq!(seen("web-rpc"), wanted, "{what}: xm's call, {done:?}");
        assert_eq!(seen("web-api"), wanted, "{what}: the Xen-API's, {done:?}");
        let states = ["web-http", "web-rpc", "web-api"].map(|name| {
            self.client.daemon.domain(name).map(|tree| {
                let state = tree.value("state").and_then(Sxp::as_str).unwrap_or("none").to_owned();
                // Whether a guest is blocked or running is chance.
                state.replace(['r', 'b'], "-")
            })
        });
        assert!(states[0] == states[1] && states[1] == states[2], "{what}: {states:?}");
    }

    /// Waits until all guests are in a state.
    fn settle(&self, state: &str) {
        for name in ["web-http", "web-rpc", "web-api"] {
            let gone = || {
                self.client.daemon.domain(name).is_some_and(|tree| tree.value("domid").is_none())
            };
            // A stopped domain is halted already, and on the host for a moment.
            let vm = || {
                self.client.power_state(&self.client.vm(name)) == state
                    && (state != "Halted" || gone())
            };
            self.client.daemon.until("the guests are in that state", |_| vm());
        }
    }
}

fn on(method: &'static str, more: Vec<Value>) -> impl Fn(&Wires, Value) -> Done {
    move |wires, vm| {
        let mut params = vec![vm];
        params.extend(more.clone());
        wires.api(method, &params)
    }
}

fn mib(mib: u64) -> Value {
    text(&(mib << 20).to_string())
}

fn array(values: &[&str]) -> Value {
    Value::Array(values.iter().map(|value| text(value)).collect())
}

fn config(name: &str) -> String {
    let disks = "(device (vbd (uname phy:/dev/vg0/b) (dev xvdb) (mode r)))\
                 (device (vbd (uname '') (dev hdc:cdrom) (mode r)))";
    guest(name, disks)
}

#[test]
#[allow(clippy::too_many_lines, reason = "one session")]
fn every_wire_has_the_same_effect() {
    let wires = Wires { client: Client::new() };
    for name in ["web-http", "web-rpc", "web-api"] {
        wires.http("/xend/domain", &format!("op=new&config={}", encoded(&config(name)))).unwrap();
    }
    let flag = Value::Bool;
    let dir = wires.client.daemon.dir.path().to_str().unwrap().to_owned();
    wires.step("pause what is halted", "op=pause", ("pause", vec![]), &on("VM.pause", vec![]));
    wires.step(
        "start",
        "op=start&paused=1",
        ("start", vec![flag(true)]),
        &on("VM.start", vec![flag(true)]),
    );
    wires.step(
        "start again",
        "op=start&paused=1",
        ("start", vec![flag(true)]),
        &on("VM.start", vec![flag(true)]),
    );
    wires.step("unpause", "op=unpause", ("unpause", vec![]), &on("VM.unpause", vec![]));
    wires.step("pause", "op=pause", ("pause", vec![]), &on("VM.pause", vec![]));
    wires.step("unpause again", "op=unpause", ("unpause", vec![]), &on("VM.unpause", vec![]));
    wires.step(
        "pin",
        "op=pincpu&vcpu=0&cpumap=1",
        ("pincpu", vec![text("0"), text("1")]),
        &on("VM.add_to_VCPUs_params_live", vec![text("cpumap0"), text("1")]),
    );
    wires.step(
        "weight and cap",
        "op=domain_sched_credit_set&weight=512&cap=50",
        ("sched_credit_set", vec![Value::Int(512), Value::Int(50)]),
        &|wires, vm| {
            wires.api("VM.add_to_VCPUs_params_live", &[vm.clone(), text("weight"), text("512")])?;
            wires.api("VM.add_to_VCPUs_params_live", &[vm, text("cap"), text("50")])
        },
    );
    wires.step(
        "a cap beyond all CPUs",
        "op=domain_sched_credit_set&cap=5000",
        ("sched_credit_set", vec![Value::Nil, Value::Int(5000)]),
        &on("VM.add_to_VCPUs_params_live", vec![text("cap"), text("5000")]),
    );
    wires.step(
        "VCPUs",
        "op=set_vcpus&vcpus=1",
        ("setVCpuCount", vec![Value::Int(1)]),
        &on("VM.set_VCPUs_number_live", vec![text("1")]),
    );
    wires.step(
        "memory",
        "op=mem_target_set&target=48",
        ("setMemoryTarget", vec![Value::Int(48)]),
        &on("VM.set_memory_dynamic_max_live", vec![mib(48)]),
    );
    wires.step(
        "more memory than it may have",
        "op=mem_target_set&target=4096",
        ("setMemoryTarget", vec![Value::Int(4096)]),
        &on("VM.set_memory_dynamic_max_live", vec![mib(4096)]),
    );
    wires.step(
        "the most memory",
        "op=maxmem_set&memory=192",
        ("maxmem_set", vec![Value::Int(192)]),
        &on("VM.set_memory_static_max", vec![mib(192)]),
    );
    wires.step(
        "a key",
        "op=sysrq&key=115",
        ("send_sysrq", vec![text("s")]),
        &on("VM.send_sysrq", vec![text("s")]),
    );
    wires.step(
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
    wires.step(
        "plug a disk in",
        &format!("op=device_create&config={}", encoded(disk)),
        ("device_create", vec![nested]),
        &|wires, vm| plug(wires, vm, "xvdc", "phy:/dev/vg0/c"),
    );
    wires.step(
        "and out",
        "op=device_destroy&type=vbd&dev=xvdc&force=0&rm_cfg=1",
        ("destroyDevice", vec![text("vbd"), text("xvdc"), flag(false), flag(true)]),
        &|wires, vm| wires.api("VBD.destroy", &[disk_of(wires, vm, "xvdc")]),
    );
    let medium = "(vbd (uname file:/cd.iso) (dev hdc:cdrom) (mode r))";
    let nested = Value::Array(vec![
        text("vbd"),
        array(&["uname", "file:/cd.iso"]),
        array(&["dev", "hdc:cdrom"]),
        array(&["mode", "r"]),
    ]);
    wires.step(
        "another medium",
        &format!("op=device_configure&config={}&dev=hdc", encoded(medium)),
        ("device_configure", vec![nested, text("hdc")]),
        &|wires, vm| {
            let drive = disk_of(wires, vm, "hdc");
            let vdi = image(wires, "file:/cd.iso");
            wires.api("VBD.media_change", &[drive, vdi])
        },
    );
    wires.step("suspend", "op=suspend", ("suspend", vec![]), &on("VM.suspend", vec![]));
    wires.step(
        "resume",
        "op=resume&paused=0",
        ("resume", vec![flag(false)]),
        &on("VM.resume", vec![flag(false)]),
    );
    let mine = format!("{dir}/http");
    let theirs = format!("{dir}/rpc.save");
    let ours = format!("{dir}/api.save");
    wires.step(
        "save",
        &format!("op=save&file={}", encoded(&mine)),
        ("save", vec![text(&theirs), flag(false)]),
        &on("VM.save", vec![text(&ours), flag(false)]),
    );
    let done = [
        wires.http("/xend/domain", &format!("op=restore&file={}", encoded(&mine))),
        wires.xend("restore", &[text(&theirs), flag(false)]),
        wires.api("VM.restore", &[text(&ours), flag(false)]),
    ];
    wires.compare("restore", &done);
    wires.step(
        "migrate to a closed port",
        "op=migrate&destination=127.0.0.1&live=0&port=1",
        ("migrate", vec![text("127.0.0.1"), flag(false), Value::Int(1)]),
        &|wires, vm| {
            let options = Value::Struct(vec![("port".to_owned(), text("1"))]);
            wires.api("VM.migrate", &[vm, text("127.0.0.1"), flag(false), options])
        },
    );
    wires.step("reset", "op=reset", ("reset", vec![]), &on("VM.hard_reboot", vec![]));
    wires.settle("Running");
    let shutdown = ("shutdown", vec![text("poweroff")]);
    let done =
        wires.execute("op=shutdown&reason=poweroff", shutdown, &on("VM.clean_shutdown", vec![]));
    assert!(done.iter().all(Result::is_ok), "{done:?}");
    wires.settle("Halted");
    wires.compare("shut down", &[Ok(()), Ok(()), Ok(())]);
    wires.step(
        "start once more",
        "op=start&paused=0",
        ("start", vec![flag(false)]),
        &on("VM.start", vec![flag(false)]),
    );
    wires.step("delete what runs", "op=delete", ("delete", vec![]), &on("VM.destroy", vec![]));
    wires.step("destroy", "op=destroy", ("destroy", vec![]), &on("VM.hard_shutdown", vec![]));
    wires.step(
        "destroy what is halted",
        "op=destroy",
        ("destroy", vec![]),
        &on("VM.hard_shutdown", vec![]),
    );
    wires.step("delete", "op=delete", ("delete", vec![]), &on("VM.destroy", vec![]));
    for name in ["web-http", "web-rpc", "web-api"] {
        assert!(wires.client.daemon.domain(name).is_none());
    }
}

/// A disk image at a location outside of the storage.
fn image(wires: &Wires, location: &str) -> Value {
    let sr = wires.client.sr();
    let location = Value::Struct(vec![("location".to_owned(), text(location))]);
    let record = Value::Struct(vec![
        ("SR".to_owned(), sr),
        ("type".to_owned(), text("system")),
        ("other_config".to_owned(), location),
    ]);
    wires.client.call("VDI.create", &[record]).unwrap()
}

fn plug(wires: &Wires, vm: Value, device: &str, location: &str) -> Done {
    let vdi = image(wires, location);
    let record = Value::Struct(vec![
        ("VM".to_owned(), vm),
        ("VDI".to_owned(), vdi),
        ("device".to_owned(), text(device)),
        ("mode".to_owned(), text("RO")),
        ("bootable".to_owned(), Value::Bool(false)),
    ]);
    wires.api("VBD.create", &[record])
}

fn disk_of(wires: &Wires, vm: Value, device: &str) -> Value {
    let Value::Array(disks) = wires.client.call("VM.get_VBDs", &[vm]).unwrap() else { panic!() };
    let is_it = |disk: &Value| {
        wires.client.call("VBD.get_device", std::slice::from_ref(disk)) == Ok(text(device))
    };
    disks.into_iter().find(is_it).unwrap()
}
