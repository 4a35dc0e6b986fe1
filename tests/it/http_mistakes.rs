//! The commonest mistakes of people who type requests, and what each is told.

use crate::http_support::{Answer, Daemon, Listener, ask, encoded, guest, post};

/// The message of a failure.
fn message(answer: &Answer) -> String {
    assert_eq!(answer.code, 500, "{answer:?}");
    answer.sxp().as_list().unwrap()[1].as_str().unwrap().to_owned()
}

#[test]
fn an_unknown_operation_names_the_nearest_or_its_page() {
    let daemon = Daemon::start(&[]);
    assert_eq!(daemon.create(&guest("web", "")).code, 201);
    for (target, op, advice) in [
        ("/xend/domain/web", "paus", ", did you mean pause?"),
        ("/xend/domain/web", "create", ", it is an operation of /xend/domain"),
        ("/xend/domain", "pause", ", it is an operation of /xend/domain/NAME"),
        ("/xend/node/dmesg", "claer", ", did you mean clear?"),
        // Of xm 3.0.
        ("/xend/domain/web", "cpu_bvt_set", ""),
        ("/xend/domain/web", "\u{1b}[31m", ""),
    ] {
        let answer = daemon.post(target, &format!("op={}", encoded(op)));
        let body = format!("Operation not implemented: {op}{advice}");
        assert_eq!((answer.code, answer.text()), (501, body), "{target}");
        // Old clients show the reason phrase: it is xend's.
        assert!(!answer.reason.contains(','), "{}", answer.reason);
    }
    let json = b"POST /xend/domain/web?op=pauze HTTP/1.1\r\nHost: localhost\r\n\
                 Accept: application/json\r\nUser-Agent: x\r\nContent-Length: 0\r\n\r\n";
    let answer = ask(&Listener::Tcp(daemon.tcp), json);
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem["detail"], "There is no operation pauze here: did you mean pause?");
}

#[test]
fn numbers_have_units_and_ranges() {
    let daemon = Daemon::start(&[]);
    assert_eq!(daemon.create(&guest("web", "")).code, 201);
    let value = "Invalid value for";
    for (form, expected) in [
        (
            "op=mem_target_set&target=2G",
            format!("{value} target: '2G' is not a whole number of MiB, write 2048"),
        ),
        (
            "op=maxmem_set&memory=512MB",
            format!("{value} memory: '512MB' is not a whole number of MiB, write 512"),
        ),
        (
            "op=cpu_sedf_set&period=20ms&slice=1&latency=0&extratime=0&weight=0",
            format!("{value} period: '20ms' is not a whole number of ns, write 20000000"),
        ),
        ("op=sysrq&key=300", format!("{value} key: '300' is out of range, 0 to 255")),
        ("op=set_vcpus&vcpus=-1", format!("{value} vcpus: '-1' is out of range, 1 to 128")),
        (
            "op=mem_target_set&target=-1",
            format!("{value} target: '-1' is out of range, 1 to 64 MiB"),
        ),
        (
            "op=mem_target_set&target=99999999999999999999",
            format!("{value} target: '99999999999999999999' is out of range, 1 to 64 MiB"),
        ),
        (
            "op=maxmem_set&memory=-1",
            format!("{value} memory: '-1' is out of range, 1 to 4294967296"),
        ),
        (
            "op=domain_sched_credit_set&cap=999999",
            format!("{value} cap: '999999' is out of range, 0 to 200 for 2 VCPUs (100 is one CPU)"),
        ),
        (
            "op=domain_sched_credit_set&weight=0",
            format!("{value} weight: '0' is out of range, 1 to 65535"),
        ),
        ("op=set_vcpus&vcpus=two", format!("{value} vcpus: 'two' is not a whole number")),
    ] {
        assert_eq!(message(&daemon.post("/xend/domain/web", form)), expected, "{form}");
    }
    let config = guest("big", "").replace("(memory 64)", "(memory 2G)");
    let said = message(&daemon.create(&config));
    assert!(said.ends_with("memory: \"2G\" is not a whole number of MiB, write 2048"), "{said}");
    let config = guest("big", "").replace("(vcpus 2)", "(vcpus 99999999999999999999)");
    let said = message(&daemon.create(&config));
    assert!(said.contains("vcpus: 99999999999999999999 is out of range, 1 to "), "{said}");
}

#[test]
fn a_configuration_that_curl_did_not_send_is_recognised() {
    let daemon = Daemon::start(&[]);
    let listener = Listener::Tcp(daemon.tcp);
    let said = |form: &str| message(&ask(&listener, &post("/xend/domain", form)));
    let how = "send the file with curl --data-urlencode config@web1.sxp";
    assert_eq!(
        said("op=create&config=@web1.sxp"),
        format!("Invalid value for config: it is '@web1.sxp' and not the text of that file; {how}")
    );
    assert_eq!(said("op=new&config@web1.sxp"), format!("Missing parameter: config; {how}"));
    assert_eq!(said("op=new"), "Missing parameter: config");
    let raw = said("op=create&config=(vm (name web1) (memory 64) (extra 'a&b'))");
    assert!(raw.contains("It came without URL-encoding"), "{raw}");
    let plus = said("op=create&config=(vm (name a+b) (memory 64) (image (hvm)))");
    assert!(plus.contains("name: one word") && plus.contains("+ is a blank"), "{plus}");
    let device = message(&daemon.post("/xend/domain/Domain-0", "op=device_create&config=@d.sxp"));
    assert!(device.ends_with("--data-urlencode config@d.sxp"), "{device}");
}

#[test]
fn devices_go_by_their_names_too() {
    let daemon = Daemon::start(&[]);
    assert_eq!(daemon.create(&guest("web", "")).code, 201);
    let attach = "op=device_create&config=(vbd (uname phy:/dev/vg0/z) (dev xvdz) (mode w))";
    let attached = daemon.post("/xend/domain/web", attach);
    assert_eq!(attached.text(), "(vbd (dom 1 id 268441856))");
    let detach = |class: &str, dev: &str| {
        daemon.post("/xend/domain/web", &format!("op=device_destroy&type={class}&dev={dev}"))
    };
    let present = "not connected: the domain has vbd xvda (51712), xvdz (268441856)";
    for (dev, shown) in
        [("xvdb", "xvdb (51728)"), ("51728", "51728"), ("268441600", "xvdy (268441600)")]
    {
        assert_eq!(message(&detach("vbd", dev)), format!("Device {shown} {present}"));
    }
    let none = "Device 7 not connected: the domain has vif 0";
    assert_eq!(message(&detach("vif", "vif7")), none);
    let odd = message(&detach("vif", "eth0"));
    assert_eq!(odd, "Invalid value for dev: 'eth0' is not the number of a vif, like 0 or vif0");
    assert_eq!(detach("vif", "vif0").code, 200);
    assert_eq!(detach("vbd", "xvdz").code, 200);
    let broken = attach.replace("/z", "/hotplugerror").replace("xvdz", "xvdy");
    let said = message(&daemon.post("/xend/domain/web", &broken));
    assert!(said.starts_with("Device 268441600 (vbd xvdy) could not be connected."), "{said}");
}

#[test]
fn a_new_domain_does_not_write_one_image_twice_or_have_one_address_twice() {
    let daemon = Daemon::start(&[]);
    let disk = |dev: &str| format!("(device (vbd (uname phy:/dev/vg0/data) (dev {dev}) (mode w)))");
    let disks = disk("xvdy") + &disk("xvdz");
    let vifs = "(device (vif (mac 00:16:3e:00:00:01)))".repeat(2);
    for (devices, reason) in [
        (disks.as_str(), "The file \"/dev/vg0/data\" is already used"),
        (&vifs, "The device \"00:16:3e:00:00:01\" is already defined"),
    ] {
        for op in ["create", "new"] {
            let config = encoded(&guest("web", devices));
            let said = message(&daemon.post("/xend/domain", &format!("op={op}&config={config}")));
            assert!(said.ends_with(reason), "{op}: {said}");
        }
    }
    assert_eq!(daemon.create(&guest("web", "")).code, 201);
}

#[test]
fn pages_name_devices() {
    let daemon = Daemon::start(&[]);
    assert_eq!(daemon.create(&guest("web", "")).code, 201);
    let page = |form: &str| {
        let length = form.len();
        let request = format!(
            "POST /xend/domain/web HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\
             User-Agent: Mozilla/5.0\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {length}\r\n\r\n{form}"
        );
        ask(&Listener::Tcp(daemon.tcp), request.as_bytes()).text()
    };
    let attached = page("op=device_create&config=(vbd (uname phy:/dev/vg0/z) (dev xvdz) (mode w))");
    assert!(attached.contains("Device vbd xvdz (268441856) is attached."), "{attached}");
    assert!(page("op=devices&type=vbd").contains("vbd xvdz (268441856)"));
}

#[test]
fn every_answer_names_the_server() {
    let daemon = Daemon::start(&[]);
    let server = format!("xend/{}", env!("CARGO_PKG_VERSION"));
    let listener = Listener::Tcp(daemon.tcp);
    let nosuch = b"GET /nosuch HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let foreign = b"GET /xend/node HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    for request in [&nosuch[..], foreign, b"nonsense\r\n\r\n"] {
        let answer = ask(&listener, request);
        assert_eq!(answer.header("server"), Some(server.as_str()), "{answer:?}");
    }
    assert_eq!(daemon.get("/xend/node").header("server"), Some(server.as_str()));
}

#[test]
fn the_simulator_says_that_it_is_one() {
    let daemon = Daemon::start(&[]);
    let node = daemon.get("/xend/node").sxp();
    let last = node.as_list().unwrap().last().unwrap();
    assert_eq!(last.to_string(), "(xend_hypervisor sim)");
    assert!(daemon.log().contains("The host is simulated: none of its domains is real"));
    for (path, more) in [("/xend/domain", ""), ("/nosuch", "Upgrade-Insecure-Requests: 1\r\n")] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\
             User-Agent: Mozilla/5.0\r\n{more}\r\n"
        );
        let page = ask(&Listener::Tcp(daemon.tcp), request.as_bytes()).text();
        assert!(page.contains(">Simulator</span>"), "{page}");
        let footer = format!("<footer>xend {}</footer>", env!("CARGO_PKG_VERSION"));
        assert!(page.contains(&footer), "{page}");
    }
}
