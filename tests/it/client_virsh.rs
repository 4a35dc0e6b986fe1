//! What libvirt 0.10.2's xend driver sends for each of virsh's commands, in the pieces that it
//! sends it in, and what it reads of the answer.

use crate::http_support::{Answer, Daemon, GENEROUS, encoded};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use xend::sxp::Sxp;

/// The most that libvirt takes of a body.
const MOST: usize = 262_144;

struct Virsh<'a>(&'a Daemon);

impl Virsh<'_> {
    /// One connection a request, written in small pieces, read to its end.
    fn request(&self, method: &str, path: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.0.tcp).unwrap();
        stream.set_read_timeout(Some(GENEROUS)).unwrap();
        stream.set_nodelay(true).unwrap();
        let length = if body.is_empty() {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        for piece in [
            format!("{method} ").as_str(),
            path,
            " HTTP/1.1\r\n",
            "Host: localhost:8000\r\nAccept-Encoding: identity\r\n",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            &length,
            "\r\n",
            body,
        ] {
            stream.write_all(piece.as_bytes()).unwrap();
            stream.flush().unwrap();
        }
        let mut raw = Vec::new();
        let mut buffer = [0; 4096];
        let answer = loop {
            let answer = Answer::parse(&raw);
            let complete = |answer: &Answer| {
                let length: usize = answer.header("content-length").unwrap().parse().unwrap();
                answer.body.len() >= length
            };
            if let Some(answer) = answer.filter(complete) {
                break answer;
            }
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "{method} {path}: the connection ended early");
            raw.extend_from_slice(&buffer[..count]);
        };
        assert!(raw.starts_with(b"HTTP/1.1 "), "{path}");
        let head = String::from_utf8_lossy(&raw).into_owned().to_ascii_lowercase();
        assert!(
            head.contains(&format!("\r\ncontent-length: {}\r\n", answer.body.len())),
            "one blank after the colon"
        );
        assert!(answer.body.len() <= MOST && !answer.body.contains(&0));
        answer
    }

    fn get(&self, path: &str) -> Answer {
        let answer = self.request("GET", path, "");
        assert!(!answer.body.is_empty(), "{path}: GET needs a body");
        answer
    }

    fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let field = |(key, value): &(&str, &str)| format!("{}={}", encoded(key), encoded(value));
        self.request("POST", path, &form.iter().map(field).collect::<Vec<_>>().join("&"))
    }

    fn good(&self, name: &str, form: &[(&str, &str)]) {
        let answer = self.post(&format!("/xend/domain/{name}"), form);
        let text = answer.text();
        assert!([200, 201, 202].contains(&answer.code), "{form:?}: {} {text}", answer.status());
        assert!(
            !(text.contains("xend.err") || answer.code == 202 && text.contains("failed")),
            "{form:?}: {text}"
        );
    }

    /// A failure whose text virsh shows: 500 or 404.
    fn bad(&self, name: &str, form: &[(&str, &str)]) -> String {
        let answer = self.post(&format!("/xend/domain/{name}"), form);
        assert!([500, 404].contains(&answer.code), "{form:?}: {}", answer.status());
        answer.text()
    }

    fn domain(&self, name: &str) -> Sxp {
        let answer = self.get(&format!("/xend/domain/{name}?detail=1"));
        assert_eq!(answer.code, 200, "{name}: {}", answer.text());
        let domain = answer.sxp();
        assert!(
            domain.head() == Some("domain")
                && domain.value("name").is_some()
                && domain.value("uuid").is_some()
        );
        domain
    }

    fn text(&self, name: &str, key: &str) -> String {
        self.domain(name).value(key).unwrap_or_else(|| panic!("{key}")).as_str().unwrap().to_owned()
    }

    fn names(&self, query: &str) -> Vec<String> {
        let list = self.get(&format!("/xend/domain{query}")).sxp();
        list.as_list().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    /// The state as libvirt works it out: the first of these letters; no letters and status 0 is
    /// shut off.
    fn state(&self, name: &str) -> char {
        let domain = self.domain(name);
        let letters = domain.value("state").and_then(Sxp::as_str).unwrap_or("").to_owned();
        "csdpbr".chars().find(|letter| letters.contains(*letter)).unwrap_or_else(|| {
            assert_eq!(domain.value("status").unwrap().as_str(), Some("0"), "{domain}");
            '0'
        })
    }
}

const UUID: &str = "596a5d21-71f4-8fb2-e068-e2386a5c413e";

/// As libvirt writes it: no `vcpu_avail`, single quotes, everything but the image before the
/// devices.
fn config(name: &str) -> String {
    format!(
        "(vm (name '{name}') (memory 128) (maxmem 256) (vcpus 2) (uuid '{UUID}') (on_poweroff 'destroy') \
         (on_reboot 'restart') (on_crash 'destroy') (image (linux (kernel '/boot/vmlinuz') (args 'root=/dev/xvda1'))) \
         (device (vbd (dev 'xvda') (uname 'phy:/dev/vg0/{name}') (mode 'w'))) \
         (device (vif (mac '00:16:3e:01:02:03') (bridge 'xenbr0') (script 'vif-bridge'))))"
    )
}

/// What `virsh -c http://...` does first.
fn open(daemon: &Daemon) -> Virsh<'_> {
    drop(TcpStream::connect(daemon.tcp).unwrap());
    let virsh = Virsh(daemon);
    for _ in 0..2 {
        let node = virsh.get("/xend/node/").sxp();
        assert_eq!(node.head(), Some("node"));
        assert_eq!(node.value("xend_config_format").unwrap().as_str(), Some("4"));
        for key in [
            "machine",
            "total_memory",
            "nr_cpus",
            "cpu_mhz",
            "nr_nodes",
            "cores_per_socket",
            "threads_per_core",
        ] {
            assert!(node.value(key).is_some(), "{key}");
        }
    }
    virsh
}

fn running(daemon: &Daemon) -> Virsh<'_> {
    let virsh = open(daemon);
    virsh.good("", &[("op", "create"), ("config", &config("web"))]);
    virsh.domain("web");
    virsh.good("web", &[("op", "wait_for_devices")]);
    virsh.good("web", &[("op", "unpause")]);
    daemon.until("the guest boots", |daemon| daemon.value("web", "online_vcpus") == "2");
    virsh
}

#[test]
fn version_list_and_lookups() {
    let daemon = Daemon::start(&[]);
    let virsh = running(&daemon);
    let node = virsh.get("/xend/node/").sxp();
    assert!(node.value("xen_major").is_some() && node.value("xen_minor").is_some());
    // list, list --all
    assert_eq!(virsh.names(""), ["Domain-0", "web"]);
    assert_eq!(virsh.get("/xend/domain?state=halted").text(), "()");
    let domid = virsh.text("web", "domid");
    for path in [domid.as_str(), UUID, "web"] {
        assert_eq!(virsh.text(path, "uuid"), UUID);
    }
    // A name goes into the path as it is.
    let odd = virsh.request("GET", "/xend/domain/my dom?detail=1", "");
    assert_eq!((odd.code, odd.text().as_str()), (404, "No such domain my dom"));
}

#[test]
fn dominfo_and_dumpxml() {
    let daemon = Daemon::start(&[]);
    let virsh = running(&daemon);
    let domain = virsh.domain("web");
    let number = |key: &str| domain.value(key).unwrap().as_str().unwrap().parse::<u64>().unwrap();
    assert_eq!(
        (number("memory"), number("maxmem"), number("vcpus"), number("vcpu_avail")),
        (128, 256, 2, 3)
    );
    assert!(domain.value("cpu_time").unwrap().as_str().unwrap().parse::<f64>().unwrap() > 0.0);
    for key in [
        "on_poweroff",
        "on_reboot",
        "on_crash",
        "bootloader",
        "on_xend_start",
        "cpu_weight",
        "cpu_cap",
    ] {
        assert!(domain.value(key).is_some(), "{key}");
    }
    assert_eq!(domain.value("image").unwrap().head(), Some("linux"));
    let devices: Vec<&Sxp> =
        domain.tail().iter().filter(|d| d.head() == Some("device")).map(|d| &d.tail()[0]).collect();
    let of = |class: &str| *devices.iter().find(|d| d.head() == Some(class)).unwrap();
    let text = |device: &Sxp, key: &str| device.value(key).unwrap().as_str().unwrap().to_owned();
    assert_eq!(
        (text(of("vbd"), "uname"), text(of("vbd"), "mode")),
        ("phy:/dev/vg0/web".into(), "w".into())
    );
    assert!(text(of("vbd"), "dev").starts_with("xvda"));
    assert_eq!(text(of("vif"), "mac"), "00:16:3e:01:02:03");
    // vcpuinfo
    let info = virsh.get("/xend/domain/web?op=vcpuinfo").sxp();
    let vcpus: Vec<&Sxp> = info.tail().iter().filter(|item| item.head() == Some("vcpu")).collect();
    assert_eq!(vcpus.len(), 2);
    for vcpu in vcpus {
        for key in ["number", "online", "running", "blocked", "cpu_time", "cpu"] {
            assert!(vcpu.value(key).unwrap().as_str().is_some(), "{key}");
        }
        assert!(!vcpu.value("cpumap").unwrap().as_list().unwrap().is_empty());
    }
    assert_eq!(virsh.state("web"), 'b');
}

#[test]
fn cpus_memory_and_scheduler() {
    let daemon = Daemon::start(&[]);
    let virsh = running(&daemon);
    virsh.good("web", &[("op", "pincpu"), ("vcpu", "1"), ("cpumap", "2,3")]);
    assert!(virsh.get("/xend/domain/web?op=vcpuinfo").text().contains("(cpumap (2 3))"));
    virsh.good("web", &[("op", "set_vcpus"), ("vcpus", "1")]);
    assert_eq!(virsh.text("web", "vcpu_avail"), "1");
    virsh.good("web", &[("op", "mem_target_set"), ("target", "200")]);
    virsh.good("web", &[("op", "maxmem_set"), ("memory", "300")]);
    assert_eq!(
        (virsh.text("web", "memory"), virsh.text("web", "maxmem")),
        ("200".into(), "300".into())
    );
    // schedinfo --set
    assert_eq!(
        virsh.get("/xend/node/").sxp().value("xen_scheduler").unwrap().as_str(),
        Some("credit")
    );
    virsh.good("web", &[("op", "domain_sched_credit_set"), ("weight", "512"), ("cap", "50")]);
    assert_eq!(
        (virsh.text("web", "cpu_weight"), virsh.text("web", "cpu_cap")),
        ("512".into(), "50".into())
    );
    assert!(virsh.bad("web", &[("op", "set_vcpus"), ("vcpus", "9")]).contains("out of range"));
}

#[test]
fn suspend_resume_shutdown_destroy() {
    let daemon = Daemon::start(&[]);
    let virsh = running(&daemon);
    virsh.good("web", &[("op", "pause")]);
    assert_eq!(virsh.state("web"), 'p');
    virsh.good("web", &[("op", "unpause")]);
    virsh.good("web", &[("op", "shutdown"), ("reason", "poweroff")]);
    daemon.until("it is gone", |_| virsh.names("") == ["Domain-0"]);
    assert_eq!(virsh.bad("web", &[("op", "destroy")]), "No such domain web");
    virsh.good("", &[("op", "create"), ("config", &config("web"))]);
    virsh.good("web", &[("op", "destroy")]);
    // Rebooted too soon after its start, it is taken for one that does nothing else.
    virsh.good("", &[("op", "create"), ("config", &config("web"))]);
    virsh.good("web", &[("op", "unpause")]);
    virsh.good("web", &[("op", "shutdown"), ("reason", "reboot")]);
    daemon.until("it is gone", |_| virsh.names("") == ["Domain-0"]);
}

#[test]
fn define_autostart_start_undefine() {
    let daemon = Daemon::start(&[]);
    let virsh = open(&daemon);
    virsh.good("", &[("op", "new"), ("config", &config("web"))]);
    assert_eq!(virsh.names("?state=halted"), ["web"]);
    let defined = virsh.domain("web");
    assert!(defined.value("domid").is_none(), "no domid is what tells an inactive domain");
    assert_eq!(virsh.state("web"), '0');
    virsh.good("web", &[("op", "start")]);
    assert_eq!(virsh.state("web"), 'b');
    let domid = virsh.text("web", "domid");
    // autostart: its own answer, with one word changed.
    let answer = virsh.get("/xend/domain/web?detail=1").text();
    assert!(answer.starts_with("(domain (domid "));
    let flipped = answer.replace("(on_xend_start ignore)", "(on_xend_start start)");
    virsh.good("", &[("op", "new"), ("config", &flipped)]);
    assert_eq!(virsh.text("web", "domid"), domid, "it goes on");
    virsh.good("web", &[("op", "destroy")]);
    assert_eq!(virsh.text(UUID, "on_xend_start"), "start");
    // What libvirt looks for to tell whether a domain is persistent.
    assert!(daemon.dir.path().join("state/domains").join(UUID).is_dir());
    virsh.good(UUID, &[("op", "delete")]);
    assert_eq!(virsh.get("/xend/domain?state=halted").text(), "()");
}

#[test]
fn save_dump_restore_migrate() {
    let daemon = Daemon::start(&[]);
    let other = Daemon::start(&["--relocation", "127.0.0.1:0"]);
    let virsh = running(&daemon);
    let path = |name: &str| daemon.dir.path().join(name).to_str().unwrap().to_owned();
    virsh.good("web", &[("op", "dump"), ("file", &path("core")), ("live", "0"), ("crash", "0")]);
    assert!(std::fs::metadata(path("core")).unwrap().len() > 128 << 20);
    virsh.good("web", &[("op", "save"), ("file", &path("saved"))]);
    assert_eq!(virsh.names(""), ["Domain-0"]);
    virsh.good("", &[("op", "restore"), ("file", &path("saved"))]);
    assert_eq!(virsh.state("web"), 'b');
    let port = other.relocation.unwrap().port().to_string();
    let form = [
        ("op", "migrate"),
        ("destination", "localhost"),
        ("live", "1"),
        ("port", port.as_str()),
        ("node", "-1"),
        ("ssl", "0"),
        ("change_home_server", "0"),
        ("resource", "0"),
    ];
    virsh.good("web", &form);
    assert_eq!(virsh.names(""), ["Domain-0"]);
    assert_eq!(Virsh(&other).state("web"), 'b');
    virsh.good("", &[("op", "create"), ("config", &config("web"))]);
    virsh.good("web", &[("op", "unpause")]);
    virsh.good("web", &[("op", "dump"), ("file", &path("core")), ("live", "1"), ("crash", "1")]);
    assert_eq!(virsh.names(""), ["Domain-0"]);
}

#[test]
fn devices_come_and_go() {
    let daemon = Daemon::start(&[]);
    let virsh = open(&daemon);
    let hvm = format!(
        "(vm (name 'web') (memory 128) (maxmem 128) (vcpus 1) (uuid '{UUID}') (image (hvm (kernel '/usr/lib/xen/boot/hvmloader') \
         (boot c) (device_model '/usr/lib/xen/bin/qemu-dm'))) (device (vbd (dev 'hda:disk') (uname 'phy:/dev/vg0/web') (mode 'w'))) \
         (device (vbd (dev 'hdc:cdrom') (uname 'file:/srv/a.iso') (mode 'r'))))"
    );
    virsh.good("", &[("op", "create"), ("config", &hvm)]);
    virsh.good("web", &[("op", "unpause")]);
    let create = |config: &str| virsh.good("web", &[("op", "device_create"), ("config", config)]);
    create("(vbd (dev 'hdb:disk') (uname 'phy:/dev/vg0/data') (mode 'w'))");
    create("(tap (dev 'xvdc') (uname 'tap:aio:/srv/c.img') (mode 'w'))");
    create("(vif (mac '00:16:3e:01:02:04') (bridge 'xenbr0') (script 'vif-bridge') (type ioemu))");
    let shown = || virsh.get("/xend/domain/web?detail=1").text();
    for part in ["phy:/dev/vg0/data", "tap:aio:/srv/c.img", "00:16:3e:01:02:04"] {
        assert!(shown().contains(part), "{part}");
    }
    // update-device: another medium.
    let medium = "(vbd (dev 'hdc:cdrom') (uname 'file:/srv/b.iso') (mode 'r'))";
    virsh.good("web", &[("op", "device_configure"), ("config", medium), ("dev", "5632")]);
    assert!(shown().contains("file:/srv/b.iso") && !shown().contains("file:/srv/a.iso"));
    // detach-device
    let gone = |class, dev| {
        [("op", "device_destroy"), ("type", class), ("dev", dev), ("force", "0"), ("rm_cfg", "1")]
    };
    virsh.good("web", &gone("vbd", "832"));
    virsh.good("web", &gone("tap", "51744"));
    assert!(!shown().contains("/dev/vg0/data") && !shown().contains("/srv/c.img"));
    assert!(virsh.bad("web", &gone("vbd", "832")).contains("Device 832 not connected"));
    // PCI: the first one makes the device, others change it.
    let pci = |slot: &str, state: &str| {
        format!("(pci (dev (domain 0x0000)(bus 0x01)(slot {slot})(func 0x0))(state '{state}'))")
    };
    virsh.good("web", &[("op", "device_create"), ("config", &pci("0x1a", "Initialising"))]);
    virsh.good(
        "web",
        &[("op", "device_configure"), ("config", &pci("0x1b", "Initialising")), ("dev", "0")],
    );
    assert!(shown().contains("(slot 0x1a)") && shown().contains("(slot 0x1b)"));
    virsh.good(
        "web",
        &[("op", "device_configure"), ("config", &pci("0x1a", "Closing")), ("dev", "0")],
    );
    assert!(!shown().contains("(slot 0x1a)") && shown().contains("(slot 0x1b)"));
    virsh.good(
        "web",
        &[("op", "device_configure"), ("config", &pci("0x1b", "Closing")), ("dev", "0")],
    );
    assert!(!shown().contains("(pci (dev"));
}
