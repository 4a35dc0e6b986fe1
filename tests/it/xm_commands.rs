//! Our xm: what no recorded session shows.

use crate::http_support::{Daemon, GENEROUS};
use crate::tls_support::write_certificate;
use crate::xm_support::{PV, Printed, Xm, program};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A host with the guest `oldvm`.
fn host() -> Daemon {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    xm.write("pv.cfg", PV);
    assert_eq!(
        xm.good("create pv.cfg"),
        "Using config file \"pv.cfg\".\nStarted domain oldvm (id=1)\n"
    );
    daemon.until("the guest boots", |daemon| {
        daemon.value("oldvm", "online_vcpus") == "2" && daemon.value("oldvm", "state") == "-b----"
    });
    daemon
}

#[test]
fn listings_are_json_too() {
    let daemon = host();
    let xm = Xm(&daemon);
    let domains = json(&xm.good("list --json"));
    assert_eq!(domains.as_array().unwrap().len(), 2);
    let one = json(&xm.good("list --json oldvm"));
    assert_eq!((&one[0]["name"], &one[0]["memory_mib"]), (&"oldvm".into(), &96.into()));
    assert_eq!(json(&xm.good("list --json --state=paused")), Value::Array(vec![]));
    assert_eq!(json(&xm.good("list --json --state=paused --pool Pool-0")), Value::Array(vec![]));
    let places = json(&xm.good("info -n --json"));
    assert_eq!(places["cpu_topology"][1]["cpu"], 1);
    assert!(places["cpu_topology"][1]["socket"].is_u64(), "{places}");
    for long in ["block-list", "network-list", "usb-list"] {
        let line = format!("{long} --json oldvm");
        let both = if long == "usb-list" { line.clone() } else { format!("{line} -l") };
        assert_eq!(json(&xm.good(&both)), json(&xm.good(&line)), "{long}");
    }
    assert!(json(&xm.good("cpupool-list -l --json")).is_array());
    let disk = json(&xm.good("block-list --json oldvm"));
    assert_eq!((&disk[0]["backend_id"], &disk[0]["mac"]), (&0.into(), &Value::Null));
    for listing in ["labels", "resources"] {
        assert_eq!(json(&xm.good(&format!("{listing} --json"))), Value::Array(vec![]));
    }
    let vcpus = json(&xm.good("vcpu-list --json oldvm"));
    assert_eq!((&vcpus[1]["number"], &vcpus[1]["online"]), (&1.into(), &true.into()));
    assert_eq!(json(&xm.good("block-list --json oldvm"))[0]["id"], 2049);
    assert_eq!(json(&xm.good("network-list --json oldvm"))[0]["mac"], "00:16:3e:5a:00:01");
    assert!(vcpus[0]["cpu_time_seconds"].is_number(), "{vcpus}");
    let share = json(&xm.good("sched-credit --json -d oldvm"));
    assert_eq!(share[0]["cap_percent"], 0, "{share}");
    assert_eq!((&share[0]["weight"], &share[0]["domid"]), (&256.into(), &1.into()));
    let uptime = json(&xm.good("uptime --json oldvm"));
    assert!(uptime[0]["domid"] == 1 && uptime[0]["uptime_seconds"].is_u64(), "{uptime}");
    assert_eq!(json(&xm.good("cpupool-list --json"))[0]["name"], "Pool-0");
    assert_eq!(json(&xm.good("info --json"))["cpus"], 4);
    assert_eq!(json(&xm.good("dominfo --json oldvm"))["name"], "oldvm");
    let sedf = json(&xm.good("sched-sedf --json oldvm"));
    assert!(sedf[0]["name"] == "oldvm" && sedf[0]["period_ns"].is_number(), "{sedf}");
    for empty in ["vnet-list", "vtpm-list", "pci-list", "scsi-list", "usb-list"] {
        let domain = if empty == "vnet-list" { "" } else { "oldvm" };
        assert_eq!(json(&xm.good(&format!("{empty} --json {domain}"))), Value::Array(vec![]));
        assert_eq!(xm.good(&format!("{empty} {domain}")), "", "{empty}");
    }
}

#[test]
fn a_domain_has_a_state_in_words() {
    let daemon = host();
    let xm = Xm(&daemon);
    assert_eq!(xm.good("domstate oldvm"), "idle\n");
    xm.good("pause oldvm");
    assert!(xm.good("domstate oldvm").starts_with("paused"));
    assert_eq!(
        xm.good("list --state paused").lines().nth(1).unwrap().split_whitespace().next(),
        Some("oldvm")
    );
    xm.good("unpause oldvm");
    let info = xm.good("dominfo 1");
    assert!(info.starts_with("Id:             1\nName:           oldvm\nUUID:           "));
    assert!(info.contains("\nUsed memory:    98304 kB\n"), "{info}");
    xm.good("destroy oldvm");
    xm.good("new -q pv.cfg");
    assert_eq!(xm.good("domstate oldvm"), "shutoff\n");
    assert_eq!(xm.good("domid oldvm"), "None\n");
    let list = xm.good("list oldvm");
    assert_eq!(
        list.lines().nth(1).unwrap(),
        "oldvm                                             96     2                 0.0"
    );
    let vcpus = xm.good("vcpu-list oldvm");
    assert_eq!(
        vcpus.lines().nth(1).unwrap(),
        "oldvm                                      0                   0.0 any cpu"
    );
    assert!(xm.good("uptime oldvm").ends_with("oldvm                                   0:00:00\n"));
    xm.good("delete oldvm");
    xm.fail("domstate oldvm", 3);
}

#[test]
fn mistakes_are_one_line() {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    for (line, status, error) in [
        ("lsit", 1, "Subcommand lsit not found! Did you mean 'list'?"),
        ("list --lnog", 1, "option --lnog not recognized, --long is one. Usage: xm list"),
        ("pause", 1, "'xm pause' requires 1 argument. Usage: xm pause <Domain>"),
        ("pause nosuch", 3, "Domain 'nosuch' does not exist."),
        ("list --state=paused x", 1, "--state and names of domains exclude each other"),
        ("list --state=runing", 1, "There is no state 'runing', running is one"),
        ("list --state=x", 1, "There is no state 'x': give one of all, running, paused"),
        ("list --pool=nosuch", 1, "Pool 'nosuch' does not exist: xm cpupool-list lists those"),
        ("list --json --pool=Pool0", 1, "Pool 'Pool0' does not exist: did you mean Pool-0?"),
        ("destroy 0", 1, "Cannot destroy privileged domain 0"),
        ("shutdown", 1, "A domain is needed, or -a for all"),
        ("shutdown a b", 1, "One domain at a time, or -a for all"),
        ("shutdown -HR a", 1, "-H and -R exclude each other"),
        ("create nosuch.cfg", 1, "Unable to open config file: nosuch.cfg"),
        ("create -F nosuch.sxp", 1, "Unable to open config file: nosuch.sxp"),
        ("create", 1, "No configuration file is named"),
        ("create -x a", 4, "XML was for the Xen-API's VM.create, and is not made any more: -n"),
        ("new --xmldryrun a", 4, "XML was for the Xen-API's VM.create"),
        ("shutdown -a oldvm", 1, "-a means all domains: name one, or give -a alone"),
        ("reboot -a oldvm", 1, "-a means all domains: name one, or give -a alone"),
        ("list -H host1", 1, "-H goes before the command: xm -H HOST list"),
        ("vcpu-list --host=host1", 1, "-H goes before the command: xm -H HOST vcpu-list"),
        ("cpupool-cpu-add Pool-0 x", 1, "Invalid argument: <CPU nr> is the number of a CPU"),
        ("cpupool-cpu-remove Pool-0 x", 1, "Invalid argument: <CPU nr> is the number of a CPU"),
        ("-H https://localhost:1 serve", 1, "Unable to connect to xend"),
        ("vncviewer --autopass 0", 4, "xend gives no VNC passwords away"),
        ("change-vnc-passwd 0", 4, "The password of a display is changed in"),
        ("restore WORK/nosuch", 1, ""),
        ("sched-credit -w 5", 1, "No domain given."),
        ("sched-credit2", 1, "Xen is running with the credit scheduler"),
        ("sched-sedf -p 20", 1, "No domain given."),
        ("cpupool-list nosuch", 1, "Pool 'nosuch' does not exist."),
        ("network-attach 0 colour=red", 1, "Invalid argument: colour=red"),
        ("console 0", 1, "Cannot read the console of privileged domain 0"),
        ("console -n 1 0", 4, "A domain has one console, number 0"),
        ("console nosuch", 3, "Domain 'nosuch' does not exist."),
        ("vncviewer 0", 1, "Domain '0' has no display"),
        ("tmem-list -a", 4, "Today's Xen has no transcendent memory"),
        ("network2-list 0", 4, "No released Xen had version 2 network devices"),
        ("mem-swap-target 0 1", 4, "xend does not page the memory of domains"),
        ("addlabel x dom y", 4, "No security module with labels is loaded"),
        ("getlabel res phy:sda", 1, "Resource not labeled"),
        ("network-new x", 4, "Networks are objects of the Xen-API alone"),
        ("pci-list-assignable-devices", 1, "No PCI function can be passed through"),
        ("help nosuch", 1, "Subcommand nosuch not found!"),
    ] {
        let printed = xm.fail(line, status);
        assert!(printed.starts_with(error), "xm {line}: {printed}");
    }
    let nameless = Printed::of(&xm.command("save 0").arg("").output().unwrap());
    let advice = "Error: The name of the file is empty: give its path\n";
    assert_eq!((nameless.status, nameless.err.as_str()), (1, advice));
    let quiet = xm.run("console -q nosuch");
    assert_eq!((quiet.status, quiet.err.as_str()), (3, ""));
    assert_eq!(xm.good("labels"), "");
    let keyless = Printed::of(&xm.command("debug-keys").arg("").output().unwrap());
    let advice = "Error: Invalid argument: <Keys> is one key or more, as h for help, not ''.\n";
    assert_eq!((keyless.status, keyless.err.as_str()), (1, advice));
    assert!(xm.good("getpolicy").ends_with("No policy is installed.\n"));
    assert_eq!(xm.good("resources"), "");
    let deprecated = xm.run("balloon 0 800");
    assert_eq!(deprecated.status, 0);
    assert!(deprecated.err.contains("xm balloon is xm mem-set today"), "{deprecated:?}");
}

#[test]
fn a_number_that_is_none_is_named_with_its_unit() {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    let memory = "<Mem> is a number of MiB, or with a unit such as 2g or 512k, not ";
    for (line, error) in [
        ("mem-set 0 fo", &format!("{memory}'fo'.")[..]),
        ("mem-set 0 12q", &format!("{memory}'12q'.")),
        ("mem-max 0 1.5", &format!("{memory}'1.5'.")),
        ("vcpu-set 0 many", "<vCPUs> is a number of VCPUs, not 'many'."),
        ("vcpu-pin 0 x 1", "<VCPU> is the number of a VCPU, or all, not 'x'."),
        ("vcpu-pin 0 0 x", "<CPUs> is a list of CPUs such as 0-3,^1, or all, not 'x'."),
        ("trigger 0 nmi x", "<VCPU> is the number of a VCPU, not 'x'."),
        ("sysrq 0 xy", "<letter> is one letter, not 'xy'."),
        ("sched-credit -d 0 -w 70000", "--weight is a share from 1 to 65535, not '70000'."),
        ("sched-credit -d 0 -c x", "--cap is a limit in percent of a CPU, 0 for none, not 'x'."),
        ("sched-sedf 0 -p x", "--period is a time in ms, not 'x'."),
        ("sched-sedf 0 -e x", "--extratime is 1 or 0, not 'x'."),
        ("sched-sedf 0 1 x 0 0 0", "<slice> is a time in ns, not 'x'."),
        ("migrate -p x 0 host", "--port is a TCP port from 1 to 65535, not 'x'."),
        ("migrate -n x 0 host", "--node is the number of a NUMA node, not 'x'."),
        ("migrate -r x 0 host", "--resource is a number of Mbit/s, not 'x'."),
        ("top -d x", "--delay is a number of seconds from 0 to 3600, not 'x'."),
        ("top -d 4000", "--delay is a number of seconds from 0 to 3600, not '4000'."),
        ("top -i x", "--iterations is a number of screens, not 'x'."),
        ("usb-detach 0 0 x", "<PortNumber> is the number of a port, not 'x'."),
        ("usb-hc-create 0 2 40", "<NumberOfPorts> is a number of ports from 1 to 31, not '40'."),
    ] {
        assert_eq!(xm.fail(line, 1), format!("Invalid argument: {error}"), "xm {line}");
    }
}

#[test]
fn an_output_that_cannot_be_written_is_an_error_and_a_closed_pipe_is_quiet() {
    let daemon = host();
    let xm = Xm(&daemon);
    for line in [
        "list",
        "list --long",
        "list --json",
        "vcpu-list",
        "info",
        "log",
        "dmesg",
        "domid oldvm",
        "domname 1",
        "domstate oldvm",
        "dominfo oldvm",
        "block-list oldvm",
        "network-list oldvm",
        "uptime",
        "sched-credit",
        "sched-sedf",
        "cpupool-list",
        "getpolicy",
        "top -b -i 1",
        "create --dryrun pv.cfg",
        "help",
        "help list",
        "help --man",
        "help --completions bash",
        "--help",
        "--version",
        "list --help",
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let printed = Printed::of(&xm.command(line).stdout(full).output().unwrap());
        let message = "Error: Unable to write the output: No space left on device\n";
        assert_eq!((printed.status, printed.err.as_str()), (1, message), "xm {line}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let printed = Printed::of(&xm.command(line).stdout(writer).output().unwrap());
        assert_eq!((printed.status, printed.err.as_str()), (141, ""), "xm {line}");
    }
}

#[test]
fn a_port_with_or_without_encryption_says_so() {
    let dir = tempfile::tempdir().unwrap();
    write_certificate(dir.path());
    let cert = dir.path().join("cert");
    let file = dir.path().join("config.sxp");
    std::fs::write(&file, "(xend-http-key key) (xend-http-cert cert)").unwrap();
    let encrypted = Daemon::start_with_config(dir, &file, &[]);
    let plain = Daemon::start(&[]);
    let said = |daemon: &Daemon, scheme: &str, line: &str| {
        let mut command = Xm(daemon).command(line);
        command.env("XM_SERVER", format!("{scheme}localhost:{}", daemon.tcp.port()));
        command.env("SSL_CERT_FILE", &cert);
        let printed = Printed::of(&command.output().unwrap());
        assert_eq!(printed.status, 1, "{printed:?}");
        printed.err
    };
    for line in ["list", "domstate 0", "event-monitor"] {
        let port = plain.tcp.port();
        let wanted =
            format!("Error: xend does not encrypt on this port: use http://localhost:{port}\n");
        assert_eq!(said(&plain, "https://", line), wanted);
        let port = encrypted.tcp.port();
        let wanted =
            format!("Error: xend expects encryption on this port: use https://localhost:{port}\n");
        assert_eq!(said(&encrypted, "http://", line), wanted);
    }
}

#[test]
fn standard_input_is_not_connected_to_an_encrypted_port() {
    let dir = tempfile::tempdir().unwrap();
    write_certificate(dir.path());
    let cert = dir.path().join("cert");
    let file = dir.path().join("config.sxp");
    std::fs::write(&file, "(xend-http-key key) (xend-http-cert cert)").unwrap();
    let daemon = Daemon::start_with_config(dir, &file, &[]);
    let mut command = Xm(&daemon).command("serve");
    command.env("XM_SERVER", format!("https://localhost:{}", daemon.tcp.port()));
    let printed = Printed::of(&command.env("SSL_CERT_FILE", &cert).output().unwrap());
    let advice =
        "Error: xm serve takes no encrypted connection: run xm serve on that host, by ssh\n";
    assert_eq!((printed.status, printed.err.as_str()), (4, advice));
}

#[test]
fn versions_are_printed() {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    let printed = xm.good("version");
    let lines: Vec<&str> = printed.lines().collect();
    let starts = ["xm ", "xend ", "Xen 4."];
    assert!(lines.iter().zip(starts).all(|(line, start)| line.starts_with(start)), "{printed}");
    assert_eq!(lines.len(), starts.len());
    let mut alone = xm.command("version");
    alone.env("XM_SERVER", format!("unix:{}", daemon.dir.path().join("none").display()));
    let alone = Printed::of(&alone.output().unwrap());
    assert_eq!((alone.status, alone.out.lines().count()), (0, 1), "{alone:?}");
    assert!(alone.err.starts_with("The versions of xend and Xen are unknown: "), "{alone:?}");
}

#[test]
fn a_daemon_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let run = |server: &str| {
        let output = Command::new(program()).arg("list").env("XM_SERVER", server).output();
        Printed::of(&output.unwrap())
    };
    let socket = dir.path().join("none");
    let printed = run(&format!("unix:{}", socket.display()));
    let expected = format!(
        "Error: Unable to connect to xend: No such file or directory. Is xend running? Its socket \
         is {}.\n",
        socket.display()
    );
    assert_eq!((printed.status, printed.err), (1, expected));
    let printed = run("http://127.0.0.1:1");
    assert!(printed.err.contains("Is xend running on 127.0.0.1, port 1?"), "{printed:?}");
    let printed = run("ftp://a");
    assert!(printed.err.starts_with("Error: XM_SERVER: 'ftp' is not supported"), "{printed:?}");
}

#[test]
fn a_domain_is_created_in_many_ways() {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    xm.write("pv.cfg", PV);
    let dry = xm.good("create --dryrun pv.cfg name=other memory=128");
    assert!(dry.starts_with("Using config file \"pv.cfg\".\n(vm\n    (name other)\n"), "{dry}");
    assert!(dry.contains("\n    (memory 128)\n"), "{dry}");
    let sxp: String = dry.lines().skip(1).flat_map(|line| [line, "\n"]).collect();
    xm.write("other.sxp", &sxp);
    assert_eq!(xm.good("create -F other.sxp"), "Started domain other (id=1)\n");
    assert_eq!(xm.good("create -q -f WORK/pv.cfg -p"), "");
    assert_eq!(daemon.value("oldvm", "state"), "--p---");
    assert!(xm.fail("create -q pv.cfg", 1).contains("already exists"));
    // There is no DTD that could be skipped.
    xm.good("create -q --skipdtd pv.cfg name=skips vif=");
    xm.write("broken.cfg", "kernel = '/k'\nlambda\n");
    let error = xm.fail("create broken.cfg", 1);
    assert!(error.starts_with("broken.cfg: line 2, column 1: "), "{error}");
    xm.write("typing.cfg", "kernel = '/k'\nvcpsu = 2\nname = 'typing'\n");
    let printed = xm.run("create typing.cfg");
    assert_eq!(printed.status, 0, "{printed:?}");
    assert!(printed.err.starts_with("Warning: typing.cfg: line 2, column 1: vcpsu"), "{printed:?}");
    // A disk that does not connect: the domain goes again.
    let bad = "kernel = '/k'\nname = 'bad'\ndisk = ['phy:/dev/hotplugerror,xvda,w']\n";
    xm.write("bad.cfg", bad);
    assert!(xm.fail("create -q bad.cfg", 1).contains("could not be connected"));
    assert!(daemon.domain("bad").is_none());
    // The viewer asks for the password itself.
    let shown = xm.run("create -q --vncviewer-autopass pv.cfg name=third vif=");
    assert_eq!(shown.status, 1, "{shown:?}");
    assert!(shown.err.starts_with("Warning: xend gives no VNC passwords away"), "{shown:?}");
    assert!(shown.err.contains("Domain 'third' has no display"), "{shown:?}");
    assert!(daemon.domain("third").is_some());
    let unmanaged = xm.fail("suspend third", 1);
    assert!(unmanaged.contains("is not managed: define it first (op=new, xm new)"), "{unmanaged}");
    // Nobody has written the text that xm sends.
    let blank = Printed::of(&xm.command("create -q pv.cfg vif=").arg("name=a b").output().unwrap());
    assert!(blank.status == 1 && !blank.err.contains("line 1"), "{blank:?}");
    let pathless = xm.fail("block-attach third /dev/vg0/c xvdc w", 1);
    assert!(!pathless.contains("line 1"), "{pathless}");
    xm.write("vif.cfg", "kernel = '/k'\nvif = ['brige=x']\n");
    let key = xm.fail("create -q vif.cfg", 1);
    assert_eq!(key, "vif.cfg: line 2, column 8: vif: there is no key brige, bridge is one");
    assert!(
        xm.good("dry-run pv.cfg").ends_with("   phy:/dev/vg0/oldvm: PERMITTED\nDry Run: PASSED\n")
    );
}

#[test]
fn files_are_saved_restored_and_dumped() {
    let daemon = host();
    let xm = Xm(&daemon);
    xm.good("save --checkpoint oldvm WORK/point");
    assert_eq!(xm.good("domid oldvm"), "1\n", "it goes on");
    assert_eq!(xm.good("dump-core -L oldvm core"), "Dumping core of domain: oldvm ...\n");
    assert!(daemon.dir.path().join("core").exists());
    xm.good("save oldvm relative");
    xm.good("restore -p relative");
    assert_eq!(daemon.value("oldvm", "state"), "--p---");
    xm.good("unpause oldvm");
    xm.good("sysrq oldvm s");
    xm.good("trigger oldvm nmi 0");
    xm.good("debug-keys q");
    xm.good("dmesg -c");
    assert!(!xm.good("dmesg").contains("Xen version"));
    assert!(xm.good("log").contains("INFO"));
}

#[test]
fn waiting_ends_with_the_guests() {
    let daemon = host();
    let xm = Xm(&daemon);
    xm.write("second.cfg", &PV.replace("oldvm", "second"));
    xm.good("create -q second.cfg vif=");
    daemon.until("the guest boots", |d| d.value("second", "state") == "-b----");
    // A guest that does not listen is reset while its reboot is waited for.
    xm.good("create -q pv.cfg name=deaf vif=");
    let mut waiting = xm.command("reboot -w deaf").stdout(Stdio::piped()).spawn().unwrap();
    daemon.until("the wait ends", |_| {
        xm.good("reset deaf");
        waiting.try_wait().unwrap().is_some()
    });
    let rebooted = Printed::of(&waiting.wait_with_output().unwrap()).good();
    assert_eq!(rebooted, "Domain deaf rebooted\nAll domains rebooted\n");
    xm.good("destroy deaf");
    let stopped = xm.good("shutdown -a -w");
    assert!(stopped.contains("Domain second terminated\n"), "{stopped}");
    assert!(stopped.ends_with("All domains terminated\n"), "{stopped}");
    assert_eq!(xm.good("list").lines().count(), 2);
    assert_eq!(xm.good("shutdown -a -w"), "All domains terminated\n");
}

#[test]
fn devices_come_and_go() {
    let daemon = host();
    let xm = Xm(&daemon);
    xm.good("network-attach oldvm mac=00:16:3E:5A:00:44 bridge=xenbr0");
    xm.good("network-detach oldvm 00:16:3e:5a:00:44");
    assert_eq!(xm.good("network-list oldvm").lines().count(), 2);
    let error = xm.fail("network-detach oldvm 00:16:3e:5a:00:99", 1);
    assert_eq!(error, "Cannot find device '00:16:3e:5a:00:99' in domain 'oldvm'");
    xm.good("block-attach oldvm phy:/dev/vg0/b xvdb w");
    let long = xm.good("block-list -l oldvm");
    assert!(long.starts_with("(2049\n    (\n        (virtual-device 2049)\n"), "{long}");
    xm.good("block-detach -f oldvm xvdb");
    assert!(xm.fail("block-detach oldvm xvdz", 1).contains("not connected"));
    xm.good("pci-attach oldvm 0000:02:1a.0");
    assert_eq!(xm.good("pci-list oldvm"), "Device\n0000:02:1a.0\n");
    xm.good("pci-detach oldvm 02:1a.0");
    assert_eq!(xm.good("pci-list oldvm"), "");
    xm.good("usb-hc-create oldvm 2 2");
    let listed = xm.good("usb-list oldvm");
    assert!(listed.starts_with("Idx BE  state usb-ver  BE-path "), "{listed}");
    assert!(listed.ends_with("port 1: \nport 2: \n") && listed.contains(" USB2.0 "), "{listed}");
    xm.good("usb-hc-destroy oldvm 0");
    assert_eq!(xm.good("usb-list oldvm"), "");
}

#[test]
fn processors_and_memory_are_shared_out() {
    let daemon = host();
    let xm = Xm(&daemon);
    xm.good("sched-sedf oldvm 20000000 5000000 0 0 0");
    let sedf = xm.good("sched-sedf oldvm");
    let row: Vec<&str> = sedf.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, ["oldvm", "1", "20.0", "5.0", "0.0", "0", "0"]);
    xm.good("sched-sedf oldvm -p 40 --slice 10 -e 1");
    let sedf = xm.good("sched-sedf oldvm");
    let row: Vec<&str> = sedf.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, ["oldvm", "1", "40.0", "10.0", "0.0", "1", "0"]);
    xm.good("sched-credit -d oldvm -w 300");
    xm.good("mem-max oldvm 1g");
    assert_eq!(daemon.value("oldvm", "maxmem"), "1024");
    xm.good("vcpu-pin oldvm all 0,2-3");
    assert!(xm.good("vcpu-list oldvm").lines().skip(1).all(|line| line.ends_with(" 0,2-3")));
    let top = xm.good("top -b -i 2 -d 0");
    assert_eq!(top.lines().filter(|line| line.contains("oldvm")).count(), 2);
}

#[test]
fn pools_are_defined_started_and_deleted() {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    xm.write("pool.cfg", "name = 'p1'\nsched = 'credit'\ncpus = [3]\n");
    xm.good("cpupool-cpu-remove Pool-0 3");
    assert_eq!(xm.good("cpupool-new pool.cfg"), "Using config file \"pool.cfg\".\n");
    let list = xm.good("cpupool-list p1");
    assert_eq!(
        list,
        "Name               CPUs   Sched     Active   Domain count\n\
         p1                   1    credit       n          0\n"
    );
    xm.good("cpupool-start p1");
    assert_eq!(xm.good("cpupool-list -c p1"), "Name             CPU list\np1               3\n");
    let printed = xm.run("pool-list --long p1");
    assert!(printed.out.contains("(name_label p1)"), "{printed:?}");
    assert!(printed.err.contains("xm pool-list is xm cpupool-list today"), "{printed:?}");
    xm.good("cpupool-destroy p1");
    xm.good("cpupool-delete p1");
    // No CPU is free for the second one, of which nothing stays.
    xm.write("second.cfg", "name = 'p2'\nsched = 'credit'\ncpus = [0]\n");
    assert_eq!(xm.run("cpupool-create second.cfg").status, 1);
    xm.fail("cpupool-list p2", 1);
    xm.fail("cpupool-list p1", 1);
}

#[test]
fn virtual_networks_are_made_of_files() {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    xm.write("net", "(vnet (id 7) (vnetif v7))");
    xm.good("vnet-create net");
    let ids = xm.good("vnet-list");
    let id = ids.trim();
    assert_eq!(ids.lines().count(), 1, "{ids}");
    assert!(xm.good("vnet-list -l").starts_with("(vnet (id "), "{}", xm.good("vnet-list -l"));
    assert_eq!(json(&xm.good("vnet-list --json"))[0]["settings"]["vnetif"], "v7");
    xm.good(&format!("vnet-delete {id}"));
    assert_eq!(xm.good("vnet-list"), "");
    assert_eq!(xm.fail("vnet-create nosuch", 1), "File not found: nosuch");
}

#[test]
fn a_domain_migrates_and_its_host_is_another() {
    let daemon = host();
    let other = Daemon::start(&["--relocation", "127.0.0.1:0"]);
    let xm = Xm(&daemon);
    let port = other.relocation.unwrap().port();
    xm.good(&format!("migrate --live -p {port} oldvm 127.0.0.1"));
    xm.fail("domid oldvm", 3);
    // The other host by its address.
    let server = format!("http://{}", other.tcp);
    assert_eq!(xm.good(&format!("-H {server} domname oldvm")), "oldvm\n");
    assert_eq!(xm.good(&format!("--host={server} cpupool-list -c")).lines().count(), 2);
    let error = xm.fail("-H http://xen.example.org save oldvm relative", 1);
    assert!(error.starts_with("relative is relative to this machine"), "{error}");
}

#[test]
fn a_user_logs_in_over_an_encrypted_connection() {
    let dir = tempfile::tempdir().unwrap();
    write_certificate(dir.path());
    let users = dir.path().join("users.sxp");
    let mut user = Command::new(env!("CARGO_BIN_EXE_xend"))
        .args(["user", "add", "steve", "--domains", "lj", "--rights", "see,power", "--file"])
        .arg(&users)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    user.stdin.take().unwrap().write_all(b"geheim\n").unwrap();
    assert!(user.wait().unwrap().success());
    let config = dir.path().join("config.sxp");
    let text = "(xend-users-file users.sxp) (xend-http-auth users) (xend-http-key key) \
                (xend-http-cert cert)";
    std::fs::write(&config, text).unwrap();
    std::fs::write(dir.path().join("password"), "geheim\n").unwrap();
    std::fs::write(dir.path().join("wrong"), "secret7\n").unwrap();
    let daemon = Daemon::start_with_config(dir, &config, &[]);
    let xm = Xm(&daemon);
    xm.write("pv.cfg", PV);
    xm.good("create -q pv.cfg name=lj");
    xm.good("create -q pv.cfg name=foreign vif=");
    let work = daemon.dir.path();
    let run = |server: &str, password: &str, line: &str| {
        let mut command = xm.command(line);
        command.env("XM_SERVER", server.replace("PORT", &daemon.tcp.port().to_string()));
        command.env("XM_PASSWORD_FILE", work.join(password));
        command.env("SSL_CERT_FILE", work.join("cert"));
        Printed::of(&command.output().unwrap())
    };
    let server = "https://steve@localhost:PORT";
    let list = run(server, "password", "list").good();
    assert!(list.contains("lj ") && !list.contains("foreign"), "{list}");
    run(server, "password", "pause lj").good();
    // A call of XML-RPC has the same address and account.
    assert_eq!(run(server, "password", "domstate lj").good(), "paused by admin\n");
    assert_eq!(run(server, "password", "pause foreign").status, 3);
    let wrong = run(server, "wrong", "list");
    let refused = "Error: xend refuses steve: the name or the password is wrong\n";
    assert_eq!((wrong.status, wrong.err.as_str()), (1, refused));
    let nobody = run("https://localhost:PORT", "password", "list");
    assert_eq!(nobody.err, "Error: xend asks for an account: give it as USER@HOST\n");
    let missing = run(server, "none", "list");
    assert!(missing.err.contains("none: No such file or directory"), "{missing:?}");
    let mut untrusted = xm.command("list");
    untrusted.env("XM_SERVER", format!("https://localhost:{}", daemon.tcp.port()));
    let untrusted = Printed::of(&untrusted.output().unwrap());
    assert!(untrusted.status == 1 && untrusted.err.contains("SSL_CERT_FILE"), "{untrusted:?}");
    let mut endless = xm.command("list");
    endless.env("XM_SERVER", format!("https://localhost:{}", daemon.tcp.port()));
    endless.env("SSL_CERT_FILE", "/dev/zero");
    let endless = Printed::of(&endless.output().unwrap());
    assert!(endless.err.contains("/dev/zero: it is longer than 16 MiB"), "{endless:?}");
}

#[test]
fn events_are_printed_as_json_lines() {
    let daemon = host();
    let xm = Xm(&daemon);
    let mut child = xm.command("event-monitor --json").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["event"]["kind"], "listening", "{line}");
}

#[test]
fn a_line_of_the_shell_has_an_end() {
    let daemon = host();
    let mut child = Xm(&daemon).command("shell");
    let child = child.stdin(File::open("/dev/zero").unwrap()).output().unwrap();
    let printed = Printed::of(&child);
    let said = "Error: A line is longer than 131072 bytes\n";
    assert_eq!((printed.status, printed.err.as_str()), (1, said));
}

#[test]
fn changes_are_watched() {
    let daemon = host();
    let xm = Xm(&daemon);
    let mut child = xm.command("list --watch").stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        output.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
    });
    let next = |what: &str| loop {
        let line = lines.recv_timeout(GENEROUS).unwrap_or_else(|_| panic!("no {what}"));
        if line.contains(what) {
            return;
        }
    };
    next("oldvm");
    xm.good("pause oldvm");
    next("--p---");
    xm.good("rename oldvm newvm");
    next("newvm");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_shell_and_the_proxy_read_standard_input() {
    let daemon = host();
    let xm = Xm(&daemon);
    let run = |line: &str, input: &str| {
        let mut command = xm.command(line);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Printed::of(&child.wait_with_output().unwrap())
    };
    let shell =
        run("shell", "domid oldvm\n\nxm domname 1\nnosuch\nrename 'oldvm' \"new\"\nexit\nlist\n");
    assert_eq!(shell.out, "1\noldvm\n");
    assert!(shell.err.contains("Subcommand nosuch not found!"), "{shell:?}");
    assert_eq!(daemon.value("new", "domid"), "1");
    let body = "<methodCall><methodName>xend.domains</methodName><params><param><value><int>0\
                </int></value></param></params></methodCall>";
    let request = format!(
        "POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = run("serve", &request).good();
    assert!(answer.starts_with("HTTP/1.") && answer.contains("<string>new</string>"), "{answer}");
}

#[test]
fn help_manual_and_completions_can_be_used() {
    let run = |words: &[&str]| {
        let output = Command::new(program()).args(words).output().unwrap();
        Printed::of(&output)
    };
    let short = run(&[]);
    assert_eq!(short.status, 1);
    assert!(short.err.contains(" list                 List domains, or some of them.\n"));
    assert!(run(&["help"]).good().contains(" vcpu-pin             Bind a VCPU to CPUs.\n"));
    let usage = run(&["help", "pause"]).good();
    assert_eq!(usage, "Usage: xm pause <Domain>\n\nStop the VCPUs of a domain.\n");
    assert_eq!(run(&["pause", "-h"]).good(), usage);
    assert!(
        run(&["help", "--long"]).good().contains("  -w WEIGHT, --weight=WEIGHT     Its weight\n")
    );
    assert!(run(&["--version"]).good().starts_with("xm "));
    assert!(run(&["help", "version"]).good().starts_with("Usage: xm version\n"));
    let dir = tempfile::tempdir().unwrap();
    let checked = |program: &str, arguments: &[&str], text: String| {
        let file = dir.path().join("file");
        std::fs::write(&file, text).unwrap();
        let output = Command::new(program).args(arguments).arg(&file).output();
        // What is not installed checks nothing.
        if let Ok(output) = output {
            let printed = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && printed.is_empty(), "{program}: {printed}");
        }
    };
    checked("bash", &["-n"], run(&["help", "--completions=bash"]).good());
    for (line, words, completed) in [
        ("xm vcpu-p", "xm vcpu-p", "vcpu-pin\n"),
        ("xm -H host1 vcpu-p", "xm -H host1 vcpu-p", "vcpu-pin\n"),
        ("xm -H https://a:1 list --wa", "xm -H https : //a : 1 list --wa", "--watch\n"),
        ("xm --host=a list --wa", "xm --host = a list --wa", "--watch\n"),
        ("xm -H hos", "xm -H hos", ""),
    ] {
        let script = format!(
            "eval \"$(\"$1\" help --completions=bash)\"; COMP_LINE='{line}' COMP_WORDS=({words})
             COMP_POINT=${{#COMP_LINE}} COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _xm
             printf '%s\\n' \"${{COMPREPLY[@]}}\" | grep ."
        );
        let bash = Command::new("bash").args(["-c", &script, "bash"]).arg(program()).output();
        // What is not installed completes nothing.
        if let Ok(bash) = bash {
            assert_eq!(String::from_utf8_lossy(&bash.stdout), completed, "{line}");
        }
    }
    checked("fish", &["-n"], run(&["help", "--completions", "fish"]).good());
    let page = run(&["help", "--man"]).good();
    checked("groff", &["-man", "-Tutf8", "-ww", "-z"], page);
    assert_eq!(run(&["help", "--completions=tcsh"]).status, 1);
}
