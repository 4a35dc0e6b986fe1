//! Requests and answers that clients and scripts of 2005 to 2014 depend on.

use crate::http_support::{Answer, Daemon, Listener, ask, encoded, guest};
use std::fmt::Write as _;
use xend::sxp::Sxp;

/// The answer to a client that accepts this type.
fn get_as(daemon: &Daemon, target: &str, accept: &str) -> Answer {
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: x\r\nAccept: {accept}\r\n\r\n"
    );
    ask(&Listener::Tcp(daemon.tcp), request.as_bytes())
}

fn post_as(daemon: &Daemon, target: &str, accept: &str, media: &str, body: &str) -> Answer {
    let request = format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: x\r\nAccept: {accept}\r\nContent-Type: {media}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    ask(&Listener::Tcp(daemon.tcp), request.as_bytes())
}

fn keys(record: &Sxp) -> Vec<&str> {
    let mut keys: Vec<&str> = record.tail().iter().filter_map(Sxp::head).collect();
    keys.sort_unstable();
    keys
}

fn devices(domain: &Sxp) -> Vec<Sxp> {
    let devices = domain.tail().iter().filter(|item| item.head() == Some("device"));
    devices.map(|device| device.tail()[0].clone()).collect()
}

#[test]
fn a_restored_domain_is_in_pages_and_json_only() {
    let daemon = Daemon::start(&[]);
    let file = encoded(daemon.dir.path().join("saved").to_str().unwrap());
    for accept in ["application/sxp", "application/json", "text/html"] {
        daemon.create(&guest("web", ""));
        daemon.post("/xend/domain/web", "op=unpause");
        assert_eq!(daemon.post("/xend/domain/web", &format!("op=save&file={file}")).code, 202);
        let form = "application/x-www-form-urlencoded";
        let answer =
            post_as(&daemon, "/xend/domain", accept, form, &format!("op=restore&file={file}"));
        assert_eq!(answer.status(), "201 Created", "{accept}");
        assert!(answer.header("location").unwrap().ends_with("/xend/domain/web"));
        let media = answer.header("content-type");
        let body = answer.text();
        match accept {
            "application/sxp" => assert_eq!((media, body.as_str()), (None, "")),
            "application/json" => assert!(body.starts_with("{\"domid\":"), "{body}"),
            _ => assert!(media.unwrap().starts_with("text/html") && body.contains("web"), "{body}"),
        }
        daemon.post("/xend/domain/web", "op=destroy");
    }
}

#[test]
fn multipart_forms_of_xm_3_0_0_have_bare_line_feeds() {
    let daemon = Daemon::start(&[]);
    let part = |name: &str, more: &str, value: &str| {
        format!(
            "--d6bcf3b1846b8fe9\nContent-Disposition: form-data; name=\"{name}\"{more}\n\n{value}"
        )
    };
    let file = "; filename=\"/etc/xen/vnet7.sxp\"\nContent-Type: application/octet-stream";
    let create = part("op", "", "create\n--d6bcf3b1846b8fe9--\n");
    let media = "multipart/form-data; boundary=d6bcf3b1846b8fe9";
    let vnet =
        part("config", file, "(vnet (id 7) (bridge vnet7) (vnetif vnif7) (security none))\n")
            + &create;
    for body in [vnet.clone(), vnet.replace('\n', "\r\n").replace("none))\r\n\r\n", "none))\r\n")] {
        let answer = post_as(&daemon, "/xend/vnet", "application/sxp", media, &body);
        assert_eq!(answer.code, 200, "{}", answer.text());
        assert!(daemon.get("/xend/vnet/7").text().contains("(vnetif vnif7)"));
        assert_eq!(daemon.post("/xend/vnet/7", "op=delete").code, 200);
    }
    let domain = part("config", file, &format!("{}\n", guest("web", ""))) + &create;
    let answer = post_as(&daemon, "/xend/domain", "application/sxp", media, &domain);
    assert_eq!(answer.status(), "201 created", "{}", answer.text());
    // Without a final line feed in the file, the boundary is in the middle of a line.
    let broken = part("config", file, "(vnet (id 7) (vnetif vnif7))") + &create;
    assert_eq!(post_as(&daemon, "/xend/vnet", "application/sxp", media, &broken).code, 406);
}

#[test]
fn the_first_expression_of_a_configuration_counts() {
    let daemon = Daemon::start(&[]);
    for more in [" (vm (name other) (memory 1))", " (garbage", " 'open", "\n# a comment", " )"] {
        let config = guest("web", "") + more;
        let answer = daemon.create(&config);
        assert_eq!(answer.code, 201, "{more}: {}", answer.text());
        daemon.post("/xend/domain/web", "op=destroy");
        let new = daemon.post("/xend/domain", &format!("op=new&config={}", encoded(&config)));
        assert_eq!(new.code, 200, "{more}: {}", new.text());
        let disk = format!("(vbd (uname phy:/dev/b) (dev xvdb) (mode w)){more}");
        let plugged =
            daemon.post("/xend/domain/web", &format!("op=device_create&config={}", encoded(&disk)));
        assert_eq!(plugged.code, 200, "{more}: {}", plugged.text());
        let drive = "(vbd (uname file:/cd.iso) (dev hdc:cdrom) (mode r))";
        assert_eq!(
            daemon
                .post("/xend/domain/web", &format!("op=device_create&config={}", encoded(drive)))
                .code,
            200
        );
        let changed =
            format!("op=device_configure&dev=hdc&config={}", encoded(&format!("{drive}{more}")));
        assert_eq!(daemon.post("/xend/domain/web", &changed).code, 200, "{more}");
        assert_eq!(daemon.post("/xend/domain/web", "op=delete").code, 202);
        let vnet =
            format!("op=create&config={}", encoded(&format!("(vnet (id 1) (vnetif v1)){more}")));
        assert_eq!(daemon.post("/xend/vnet", &vnet).code, 200, "{more}");
        daemon.post("/xend/vnet/1", "op=delete");
    }
    assert_eq!(daemon.create("").code, 500);
    assert_eq!(daemon.create(") (vm (name a) (memory 64))").code, 500);
}

#[test]
fn disks_of_any_type_are_accepted() {
    let daemon = Daemon::start(&[]);
    let disks = ["nbd:10.0.0.1:7000", "enbd:10.0.0.1:7001", "gnbd:gfs/disk1", "dmmd:md;/dev/md0"];
    let mut config = String::new();
    for (n, uname) in disks.iter().enumerate() {
        write!(
            config,
            "(device (vbd (uname '{uname}') (dev sd{}) (mode w)))",
            ["a", "b", "c", "d"][n]
        )
        .unwrap();
    }
    let answer =
        daemon.create(&format!("(vm (name web) (memory 64) (image (linux (kernel /k))) {config})"));
    assert_eq!(answer.code, 201, "{}", answer.text());
    for uname in disks {
        assert!(answer.text().contains(uname), "{uname}: {}", answer.text());
    }
    assert_eq!(daemon.post("/xend/domain/web", "op=wait_for_devices").code, 202);
    let plug = |uname: &str| {
        let config = encoded(&format!("(vbd (uname '{uname}') (dev sde) (mode w))"));
        daemon.post("/xend/domain/web", &format!("op=device_create&config={config}"))
    };
    let refused = plug("../../tmp/x:y").text();
    assert!(
        refused.contains("Block device type") && refused.contains("script block-TYPE"),
        "{refused}"
    );
    assert_eq!(plug("nbd:10.0.0.1:7002").code, 200);
}

/// libvirt fails on `(uname '')` as long as the domain exists.
#[test]
fn devices_have_no_keys_without_values() {
    let daemon = Daemon::start(&[]);
    let config = "(vm (name web) (memory 64) (image (linux (kernel /k))) \
        (device (vbd (dev hdc:cdrom))) (device (vif)) (device (vfb)) (device (vkbd)) (device (vtpm)) (device (vusb)) \
        (device (vscsi)) (device (pci (dev (bus 1) (slot 2)))) (device (console)))";
    assert_eq!(
        daemon.post("/xend/domain", &format!("op=new&config={}", encoded(config))).code,
        200
    );
    let wanted = |class: &str, running: bool| match (class, running) {
        ("vbd", false) => vec!["bootable", "dev", "driver", "mode", "uuid"],
        // Keys that xend derived for the backend.
        ("vbd", true) => vec!["VDI", "backend", "bootable", "dev", "mode", "protocol", "uuid"],
        ("vif", false) => vec!["mac", "uuid"],
        ("vif", true) => vec!["backend", "mac", "script", "uuid"],
        ("vkbd", true) => vec!["backend"],
        ("pci", false) => vec!["dev", "uuid"],
        ("pci", true) => vec!["backend", "dev", "uuid"],
        ("console", false) => vec!["protocol", "uuid"],
        ("console", true) => vec!["location", "protocol", "uuid"],
        _ => vec!["uuid"],
    };
    let look = |running: bool| {
        let domain = daemon.domain("web").unwrap();
        let devices = devices(&domain);
        assert_eq!(devices.len(), 9);
        for device in devices {
            let class = device.head().unwrap().to_owned();
            assert_eq!(keys(&device), wanted(&class, running), "{class} {running}");
        }
        assert!(!domain.to_string().contains("uname"), "{domain}");
        assert!(!get_as(&daemon, "/xend/domain/web", "application/json").text().contains("uname"));
    };
    look(false);
    let defined = daemon.post("/xend/domain/web", "op=devices&type=vbd").text();
    assert!(defined.contains("hdc:cdrom") && !defined.contains("uname"), "{defined}");
    assert!(!daemon.get("/xend/domain/web/config").text().contains("uname"));
    assert_eq!(daemon.post("/xend/domain/web", "op=start&paused=1").code, 202);
    look(true);
    // A drive without a medium.
    let medium = |uname: &str| {
        let config = encoded(&format!("(vbd {uname} (dev hdc:cdrom) (mode r))"));
        daemon.post("/xend/domain/web", &format!("op=device_configure&dev=hdc&config={config}"))
    };
    assert_eq!(medium("(uname file:/cd.iso)").code, 200);
    assert!(daemon.get("/xend/domain/web").text().contains("(uname file:/cd.iso)"));
    assert_eq!(medium("").code, 200);
    look(true);
}

#[test]
fn an_image_has_given_keys_and_xend_defaults() {
    let daemon = Daemon::start(&[]);
    let image = |daemon: &Daemon, name: &str| {
        let domain = daemon.domain(name).unwrap();
        // ClientData come from the kernel.
        let image = domain.value("image").unwrap().as_list().unwrap().iter();
        image.filter(|item| item.head() != Some("notes")).cloned().collect::<Sxp>()
    };
    let base = [
        "device_model",
        "hpet",
        "kernel",
        "loader",
        "nomigrate",
        "pci",
        "rtc_timeoffset",
        "superpages",
        "timer_mode",
        "tsc_mode",
        "viridian",
        "vpt_align",
        "xen_platform_pci",
    ];
    assert_eq!(daemon.create("(vm (name bare) (memory 64) (image (hvm)))").code, 201);
    assert_eq!(keys(&image(&daemon, "bare")), base);
    let given = "(vm (name given) (memory 64) (image (hvm (kernel /l) (acpi 0) (apic 1) (pae 1) (stdvga 0) (sdl 0) (hpet 1))))";
    assert_eq!(daemon.create(given).code, 201);
    let with = image(&daemon, "given");
    let mut all = [base.as_slice(), &["acpi", "apic", "pae", "stdvga", "sdl"]].concat();
    all.sort_unstable();
    assert_eq!(keys(&with), all);
    assert_eq!(
        (with.value("hpet").unwrap().as_str(), with.value("acpi").unwrap().as_str()),
        (Some("1"), Some("0"))
    );
    assert_eq!(with.value("loader").unwrap().as_str(), Some("/l"));
    // The downloaded configuration has the same keys.
    let config = daemon.get("/xend/domain/bare/config").sxp();
    let printed = keys(config.value("image").unwrap()).join(" ");
    assert_eq!(printed, base.join(" ").replace(" pci", ""));
    assert!(!get_as(&daemon, "/xend/domain/bare", "application/json").text().contains("acpi"));
    // A paravirtualised guest with a screen has a device model.
    let pv = |more: &str| format!("(vm (name pv) (memory 64) (image (linux (kernel /k))) {more})");
    assert_eq!(daemon.create(&pv("")).code, 201);
    assert_eq!(
        keys(&image(&daemon, "pv")),
        ["kernel", "nomigrate", "pci", "superpages", "tsc_mode"]
    );
    daemon.post("/xend/domain/pv", "op=destroy");
    assert_eq!(daemon.create(&pv("(device (vfb (vnc 1)))")).code, 201);
    assert_eq!(
        image(&daemon, "pv").value("device_model").unwrap().as_str(),
        Some("/usr/lib/xen/bin/qemu-dm")
    );
}

#[test]
fn vcpus_of_a_halted_domain_are_offline() {
    let daemon = Daemon::start(&[]);
    let config =
        "(vm (name web) (memory 64) (vcpus 2) (cpus ((1) ())) (image (linux (kernel /k))))";
    assert_eq!(
        daemon.post("/xend/domain", &format!("op=new&config={}", encoded(config))).code,
        200
    );
    let any: Vec<String> = (0..64).map(|cpu| cpu.to_string()).collect();
    let vcpu = |number: u32, cpus: &str| {
        format!(
            "(vcpu (number {number}) (online 0) (blocked 0) (running 0) (cpu_time 0.0) (cpu -1) (cpumap ({cpus})))"
        )
    };
    let wanted = format!(
        "(domain (domid None) (name web) (vcpu_count 2) {} {})",
        vcpu(0, "1"),
        vcpu(1, &any.join(" "))
    );
    assert_eq!(daemon.post("/xend/domain/web", "op=vcpuinfo").text(), wanted);
    assert_eq!(daemon.get("/xend/domain/web?op=vcpuinfo").text(), wanted);
    let json = get_as(&daemon, "/xend/domain/web?op=vcpuinfo", "application/json").text();
    assert!(
        json.contains(r#""domid":null"#) && json.contains(r#""cpu":null,"cpus":[1]"#),
        "{json}"
    );
    assert_eq!(get_as(&daemon, "/xend/domain/web?op=vcpuinfo", "text/html").code, 200);
}

/// `check_xendomains`, a Nagios plug-in of 2007, drops the last character of each line.
#[test]
fn the_list_has_the_lines_of_xend_3_0() {
    let daemon = Daemon::start(&[]);
    daemon.create("(vm (name web) (memory 128) (image (linux (kernel /k))))");
    let page = get_as(&daemon, "/xend/domain/", "text/html").text();
    let domid = daemon.value("web", "domid");
    let line = format!(">Domain web</a>: id = {domid}, memory = 128, ssidref = 0.</li>");
    assert!(page.contains(&line), "{page}");
}

/// A megabyte of bytes, each of which is printed as four characters.
#[test]
fn long_configurations_are_printed() {
    let daemon = Daemon::start(&[]);
    let description = "%fc".repeat(900_000);
    let form = format!(
        "op=new&config={}{description}{}",
        encoded("(vm (name large) (memory 64) (description '"),
        encoded("') (image (linux (kernel /k))))")
    );
    // The encoded form is longer than the default limit.
    let answer = daemon.post("/xend/domain", &form);
    assert_eq!(answer.code, 413);
    let config = daemon.dir.path().join("large.sxp");
    std::fs::write(&config, "(xend-max-body 8388608)\n").unwrap();
    let (_, dir) = daemon.end(rustix::process::Signal::TERM);
    let daemon = Daemon::start_with_config(dir, &config, &[]);
    let answer = daemon.post("/xend/domain", &form);
    assert_eq!(answer.code, 200, "{}", answer.text());
    let printed = daemon.get("/xend/domain/large/config");
    assert_eq!(printed.code, 200);
    assert!(printed.body.len() > 3_600_000, "{}", printed.body.len());
    let description = printed.sxp().value("description").unwrap().as_bytes().unwrap().len();
    assert_eq!(description, 900_000);
    let page = get_as(&daemon, "/xend/domain/large", "text/html");
    assert!(page.code == 200 && page.text().contains("(name large)"), "{}", page.body.len());
}

#[test]
fn invalid_queries_are_errors_for_pages_and_json() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("web", ""));
    daemon.create("(vm (name big) (memory 512) (image (linux (kernel /k))))");
    for (query, reason) in [
        (
            "state=foo",
            "Invalid value for state: 'foo' is not one of all, running, paused, halted, suspended, crashed",
        ),
        (
            "sort=foo",
            "Invalid value for sort: 'foo' is not one of name, id, state, type, memory, vcpus, cpu, uptime",
        ),
        ("desc=foo", "Invalid value for desc: 'foo' is neither 0 nor 1"),
        ("state=all&state=paused", "Too many values for state"),
    ] {
        let json = get_as(&daemon, &format!("/xend/domain?{query}"), "application/json");
        assert_eq!(json.status(), "422 Unprocessable Entity", "{query}");
        assert!(json.text().contains(&format!("\"detail\":\"{reason}\"")), "{}", json.text());
        let page = get_as(&daemon, &format!("/xend/domain?{query}"), "text/html");
        assert_eq!(page.code, 500, "{query}");
        assert!(page.text().replace("&#39;", "'").contains(reason), "{}", page.text());
        let form = format!("op=list&{query}");
        let listed = post_as(
            &daemon,
            "/xend/domain",
            "text/html",
            "application/x-www-form-urlencoded",
            &form,
        );
        assert_eq!(listed.code, 500, "{query}");
    }
    // xend's answer.
    assert_eq!(daemon.get("/xend/domain?state=foo").text(), "()");
    assert_eq!(daemon.get("/xend/domain?sort=foo").text(), "(Domain-0 big web)");
    let json = |query: &str| -> Vec<String> {
        let list = get_as(&daemon, &format!("/xend/domain?{query}"), "application/json");
        let list: Vec<serde_json::Value> = serde_json::from_slice(&list.body).unwrap();
        list.iter().map(|domain| domain["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(json("state=PAUSED"), ["big", "web"]);
    assert_eq!(json("state=paused&sort=memory"), ["web", "big"]);
    assert_eq!(json("state=paused&sort=memory&desc=1"), ["big", "web"]);
    assert_eq!(json("q=we"), ["web"]);
    let template = get_as(&daemon, "/xend/new?template=foo", "text/html");
    assert!(
        template.code == 422 && template.text().contains("is not one of pv, pvh, hvm"),
        "{}",
        template.text()
    );
    let events = get_as(&daemon, "/xend/events?figures=foo", "application/json");
    assert!(
        events.code == 422 && events.text().contains("Invalid value for figures"),
        "{}",
        events.text()
    );
}
