//! virsh with the xend driver of libvirt 0.10.2: the requests of each command in the pieces in
//! which libvirt sends them, and the parts of the answers that it reads.

use crate::http_support::{Answer, Daemon, GENEROUS, encoded};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use xend::sxp::Sxp;

/// libvirt's limit of a body, in bytes.
const MAX_BODY: usize = 262_144;

struct Virsh<'a>(&'a Daemon);

impl Virsh<'_> {
    /// Sends a request in small pieces on a connection of its own and reads the whole answer.
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
            "a single blank after the colon"
        );
        assert!(answer.body.len() <= MAX_BODY && !answer.body.contains(&0));
        answer
    }

    fn get(&self, path: &str) -> Answer {
        let answer = self.request("GET", path, "");
        assert!(!answer.body.is_empty(), "{path}: libvirt expects a body");
        answer
    }

    fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let field = |(key, value): &(&str, &str)| format!("{}={}", encoded(key), encoded(value));
        self.request("POST", path, &form.iter().map(field).collect::<Vec<_>>().join("&"))
    }

    fn succeed(&self, name: &str, form: &[(&str, &str)]) {
        let answer = self.post(&format!("/xend/domain/{name}"), form);
        let text = answer.text();
        assert!([200, 201, 202].contains(&answer.code), "{form:?}: {} {text}", answer.status());
        assert!(
            !(text.contains("xend.err") || answer.code == 202 && text.contains("failed")),
            "{form:?}: {text}"
        );
    }

    /// An operation that fails with 500 or 404, for which virsh shows the text.
    fn fail(&self, name: &str, form: &[(&str, &str)]) -> String {
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

    /// The state as libvirt derives it: the first of these letters in the flags. No letter and
    /// status 0 mean shut off.
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

/// A configuration as libvirt writes it: without `vcpu_avail`, with single quotes, devices last.
fn config(name: &str) -> String {
    format!(
        "(vm (name '{name}') (memory 128) (maxmem 256) (vcpus 2) (uuid '{UUID}') \
         (on_poweroff 'destroy') (on_reboot 'restart') (on_crash 'destroy') \
         (image (linux (kernel '/boot/vmlinuz') (args 'root=/dev/xvda1'))) \
         (device (vbd (dev 'xvda') (uname 'phy:/dev/vg0/{name}') (mode 'w'))) \
         (device (vif (mac '00:16:3e:01:02:03') (bridge 'xenbr0') (script 'vif-bridge'))))"
    )
}

/// Connects like `virsh -c http://...`.
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
    virsh.succeed("", &[("op", "create"), ("config", &config("web"))]);
    virsh.domain("web");
    virsh.succeed("web", &[("op", "wait_for_devices")]);
    virsh.succeed("web", &[("op", "unpause")]);
    daemon.until("the guest boots", |daemon| daemon.value("web", "online_vcpus") == "2");
    virsh
}

#[test]
fn version_list_and_lookup_commands() {
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
    // libvirt puts a name into the path unescaped.
    let odd = virsh.request("GET", "/xend/domain/my dom?detail=1", "");
    assert_eq!((odd.code, odd.text().as_str()), (404, "No such domain my dom"));
}

#[test]
fn dominfo_dumpxml_and_vcpuinfo_commands() {
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
fn cpu_memory_and_scheduler_commands() {
    let daemon = Daemon::start(&[]);
    let virsh = running(&daemon);
    virsh.succeed("web", &[("op", "pincpu"), ("vcpu", "1"), ("cpumap", "2,3")]);
    assert!(virsh.get("/xend/domain/web?op=vcpuinfo").text().contains("(cpumap (2 3))"));
    virsh.succeed("web", &[("op", "set_vcpus"), ("vcpus", "1")]);
    assert_eq!(virsh.text("web", "vcpu_avail"), "1");
    virsh.succeed("web", &[("op", "mem_target_set"), ("target", "200")]);
    virsh.succeed("web", &[("op", "maxmem_set"), ("memory", "300")]);
    assert_eq!(
        (virsh.text("web", "memory"), virsh.text("web", "maxmem")),
        ("200".into(), "300".into())
    );
    // schedinfo --set
    assert_eq!(
        virsh.get("/xend/node/").sxp().value("xen_scheduler").unwrap().as_str(),
        Some("credit")
    );
    virsh.succeed("web", &[("op", "domain_sched_credit_set"), ("weight", "512"), ("cap", "50")]);
    assert_eq!(
        (virsh.text("web", "cpu_weight"), virsh.text("web", "cpu_cap")),
        ("512".into(), "50".into())
    );
    assert!(virsh.fail("web", &[("op", "set_vcpus"), ("vcpus", "9")]).contains("out of range"));
}

#[test]
fn suspend_resume_shutdown_and_destroy_commands() {
    let daemon = Daemon::start(&[]);
    let virsh = running(&daemon);
    virsh.succeed("web", &[("op", "pause")]);
    assert_eq!(virsh.state("web"), 'p');
    virsh.succeed("web", &[("op", "unpause")]);
    virsh.succeed("web", &[("op", "shutdown"), ("reason", "poweroff")]);
    daemon.until("the domain is gone", |_| virsh.names("") == ["Domain-0"]);
    assert_eq!(virsh.fail("web", &[("op", "destroy")]), "No such domain web");
    virsh.succeed("", &[("op", "create"), ("config", &config("web"))]);
    virsh.succeed("web", &[("op", "destroy")]);
    // A reboot right after the start is taken for a loop.
    virsh.succeed("", &[("op", "create"), ("config", &config("web"))]);
    virsh.succeed("web", &[("op", "unpause")]);
    virsh.succeed("web", &[("op", "shutdown"), ("reason", "reboot")]);
    daemon.until("the domain is gone", |_| virsh.names("") == ["Domain-0"]);
}

#[test]
fn define_autostart_start_and_undefine_commands() {
    let daemon = Daemon::start(&[]);
    let virsh = open(&daemon);
    virsh.succeed("", &[("op", "new"), ("config", &config("web"))]);
    assert_eq!(virsh.names("?state=halted"), ["web"]);
    let defined = virsh.domain("web");
    assert!(
        defined.value("domid").is_none(),
        "libvirt takes a domain without a domid for inactive"
    );
    assert_eq!(virsh.state("web"), '0');
    virsh.succeed("web", &[("op", "start")]);
    assert_eq!(virsh.state("web"), 'b');
    let domid = virsh.text("web", "domid");
    // autostart sends the answer back with one word changed.
    let answer = virsh.get("/xend/domain/web?detail=1").text();
    assert!(answer.starts_with("(domain (domid "));
    let flipped = answer.replace("(on_xend_start ignore)", "(on_xend_start start)");
    virsh.succeed("", &[("op", "new"), ("config", &flipped)]);
    assert_eq!(virsh.text("web", "domid"), domid, "the domain runs on");
    virsh.succeed("web", &[("op", "destroy")]);
    assert_eq!(virsh.text(UUID, "on_xend_start"), "start");
    // libvirt looks for this directory to tell whether a domain is persistent.
    assert!(daemon.dir.path().join("state/domains").join(UUID).is_dir());
    virsh.succeed(UUID, &[("op", "delete")]);
    assert_eq!(virsh.get("/xend/domain?state=halted").text(), "()");
}

#[test]
fn save_dump_restore_and_migrate_commands() {
    let daemon = Daemon::start(&[]);
    let other = Daemon::start(&["--relocation", "127.0.0.1:0"]);
    let virsh = running(&daemon);
    let path = |name: &str| daemon.dir.path().join(name).to_str().unwrap().to_owned();
    virsh.succeed("web", &[("op", "dump"), ("file", &path("core")), ("live", "0"), ("crash", "0")]);
    assert!(std::fs::metadata(path("core")).unwrap().len() > 128 << 20);
    virsh.succeed("web", &[("op", "save"), ("file", &path("saved"))]);
    assert_eq!(virsh.names(""), ["Domain-0"]);
    virsh.succeed("", &[("op", "restore"), ("file", &path("saved"))]);
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
    virsh.succeed("web", &form);
    assert_eq!(virsh.names(""), ["Domain-0"]);
    assert_eq!(Virsh(&other).state("web"), 'b');
    virsh.succeed("", &[("op", "create"), ("config", &config("web"))]);
    virsh.succeed("web", &[("op", "unpause")]);
    virsh.succeed("web", &[("op", "dump"), ("file", &path("core")), ("live", "1"), ("crash", "1")]);
    assert_eq!(virsh.names(""), ["Domain-0"]);
}

#[test]
fn device_commands() {
    let daemon = Daemon::start(&[]);
    let virsh = open(&daemon);
    let hvm = format!(
        "(vm (name 'web') (memory 128) (maxmem 128) (vcpus 1) (uuid '{UUID}') \
         (image (hvm (kernel '/usr/lib/xen/boot/hvmloader') (boot c) \
         (device_model '/usr/lib/xen/bin/qemu-dm'))) \
         (device (vbd (dev 'hda:disk') (uname 'phy:/dev/vg0/web') (mode 'w'))) \
         (device (vbd (dev 'hdc:cdrom') (uname 'file:/srv/a.iso') (mode 'r'))))"
    );
    virsh.succeed("", &[("op", "create"), ("config", &hvm)]);
    virsh.succeed("web", &[("op", "unpause")]);
    let create =
        |config: &str| virsh.succeed("web", &[("op", "device_create"), ("config", config)]);
    create("(vbd (dev 'hdb:disk') (uname 'phy:/dev/vg0/data') (mode 'w'))");
    create("(tap (dev 'xvdc') (uname 'tap:aio:/srv/c.img') (mode 'w'))");
    create("(vif (mac '00:16:3e:01:02:04') (bridge 'xenbr0') (script 'vif-bridge') (type ioemu))");
    let shown = || virsh.get("/xend/domain/web?detail=1").text();
    for part in ["phy:/dev/vg0/data", "tap:aio:/srv/c.img", "00:16:3e:01:02:04"] {
        assert!(shown().contains(part), "{part}");
    }
    // update-device changes the medium.
    let medium = "(vbd (dev 'hdc:cdrom') (uname 'file:/srv/b.iso') (mode 'r'))";
    virsh.succeed("web", &[("op", "device_configure"), ("config", medium), ("dev", "5632")]);
    assert!(shown().contains("file:/srv/b.iso") && !shown().contains("file:/srv/a.iso"));
    // detach-device
    let gone = |class, dev| {
        [("op", "device_destroy"), ("type", class), ("dev", dev), ("force", "0"), ("rm_cfg", "1")]
    };
    virsh.succeed("web", &gone("vbd", "832"));
    virsh.succeed("web", &gone("tap", "51744"));
    assert!(!shown().contains("/dev/vg0/data") && !shown().contains("/srv/c.img"));
    assert!(virsh.fail("web", &gone("vbd", "832")).contains("Device 832 not connected"));
    // The first PCI function creates the device, others change it.
    let pci = |slot: &str, state: &str| {
        format!("(pci (dev (domain 0x0000)(bus 0x01)(slot {slot})(func 0x0))(state '{state}'))")
    };
    virsh.succeed("web", &[("op", "device_create"), ("config", &pci("0x1a", "Initialising"))]);
    virsh.succeed(
        "web",
        &[("op", "device_configure"), ("config", &pci("0x1b", "Initialising")), ("dev", "0")],
    );
    assert!(shown().contains("(slot 0x1a)") && shown().contains("(slot 0x1b)"));
    virsh.succeed(
        "web",
        &[("op", "device_configure"), ("config", &pci("0x1a", "Closing")), ("dev", "0")],
    );
    assert!(!shown().contains("(slot 0x1a)") && shown().contains("(slot 0x1b)"));
    virsh.succeed(
        "web",
        &[("op", "device_configure"), ("config", &pci("0x1b", "Closing")), ("dev", "0")],
    );
    assert!(!shown().contains("(pci (dev"));
}
