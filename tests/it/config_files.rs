//! `xend-config.sxp` as people had it: what is served of each file of `sexpr-fixtures/config`, what
//! is warned of, and what it does to domains.

use crate::http_support::{Daemon, fixture, guest};
use std::path::Path;
use tempfile::TempDir;

/// A file, what is announced beside HTTP, and what the log says of it: a level and words of each
/// line.
struct Case {
    file: &'static str,
    served: &'static [&'static str],
    said: &'static [(&'static str, &'static str)],
}

const XMLRPC: &str = "XML-RPC on unix:";
const XEN_API: &str = "Xen-API on unix:";
const NETWORK: (&str, &str) = ("WARN", "network-script has no effect");

const CASES: &[Case] = &[
    Case { file: "debian-lenny", served: &[XEN_API, XMLRPC], said: &[NETWORK] },
    Case { file: "debian-squeeze-routed", served: &[XEN_API, XMLRPC], said: &[NETWORK] },
    Case {
        file: "sles11",
        served: &["Relocation on 127.0.0.1:28202", XEN_API, XMLRPC],
        said: &[("WARN", "xend-domain-lock has no effect: domains are not locked")],
    },
    Case {
        file: "fedora8",
        served: &[XEN_API, XMLRPC],
        said: &[
            NETWORK,
            ("WARN", "vnc-tls has no effect"),
            ("WARN", "vnc-x509-verify has no effect"),
        ],
    },
    Case {
        file: "hoster-relocation",
        served: &["Relocation on 127.0.0.1:28002", XEN_API, XMLRPC],
        said: &[
            ("WARN", "xend-relocation-ssl has no effect: domains move unencrypted"),
            ("WARN", "xend-relocation-ssl-server has no effect"),
            NETWORK,
            ("WARN", "dom0-cpus has no effect"),
            ("WARN", "console-limit has no effect"),
        ],
    },
    Case {
        file: "hoster-broken-expressions",
        served: &[XEN_API, XMLRPC],
        said: &[
            (
                "ERROR",
                ":5:1: the relocation server on 127.0.0.1:8002 is left out: '^xen[0-9+\\.hoster\\.example$' is not a \
                 regular expression, see xend-relocation-hosts-allow",
            ),
            ("WARN", ":7:1: xend-port is given again and ignored, the first one counts"),
            (
                "WARN",
                ":8:1: xend-tcp-xmlrpc-server is ignored: write (xend-tcp-xmlrpc-server VALUE)",
            ),
            ("WARN", ":9:1: Unknown key vif-scirpt is ignored, vif-script is one"),
        ],
    },
    Case {
        file: "ganeti",
        served: &["Relocation on 127.0.0.1:28102", XEN_API, XMLRPC],
        said: &[NETWORK],
    },
    #[cfg(feature = "pam")]
    Case {
        file: "xenapi-pam",
        served: &["Xen-API on http://127.0.0.1:", XEN_API, XMLRPC],
        said: &[],
    },
    #[cfg(not(feature = "pam"))]
    Case {
        file: "xenapi-pam",
        served: &[XEN_API, XMLRPC],
        said: &[(
            "ERROR",
            ":2:18: the Xen-API on 127.0.0.1:0 is left out: this xend was built without PAM",
        )],
    },
    Case {
        file: "xenapi-none",
        served: &[XEN_API, XMLRPC],
        said: &[
            (
                "ERROR",
                ":2:18: the Xen-API on 0.0.0.0:9363 is left out: whoever reaches it could do everything",
            ),
            (
                "ERROR",
                ":3:1: XML-RPC on 0.0.0.0:8006 is left out: whoever reaches it could do everything",
            ),
            ("WARN", "xen-tcp-xmlrpc-server-port has no effect: xend never read it"),
        ],
    },
    Case {
        file: "xenapi-none-meant",
        served: &[
            "Xen-API on http://127.0.0.1:",
            XEN_API,
            XMLRPC,
            "XML-RPC on http://127.0.0.1:28006/",
        ],
        said: &[],
    },
    Case {
        file: "xenapi-tls",
        served: &[
            "Xen-API on https://127.0.0.1:",
            XEN_API,
            XMLRPC,
            "XML-RPC on https://127.0.0.1:28106/",
        ],
        said: &[],
    },
    Case {
        file: "xend-3.0.4",
        served: &[XEN_API, XMLRPC],
        said: &[
            (
                "ERROR",
                ":2:24: xen-api-server: 'localhost' is not one of none, pam, password: write (9225 pam)",
            ),
            (
                "ERROR",
                ":2:41: xen-api-server: '^localhost$ example\\\\.com$' is not one of none, pam, password",
            ),
            NETWORK,
        ],
    },
];

/// Ports of the fixtures that are free on no particular machine: each stands for one that is free
/// on this one.
const PORTS: [&str; 5] = ["28002", "28006", "28102", "28106", "28202"];

fn free_ports() -> Vec<(&'static str, String)> {
    let free = |port| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, (port, address.port().to_string()))
    };
    // All of them are open at the same time, so that no two are the same.
    let (_open, ports): (Vec<_>, Vec<_>) = PORTS.into_iter().map(free).unzip();
    ports
}

fn replaced(text: &str, ports: &[(&str, String)]) -> String {
    ports.iter().fold(text.to_owned(), |text, (port, free)| text.replace(port, free))
}

/// A daemon with a file of the fixtures, `more` in front of what it says.
fn daemon(file: &str, more: &str) -> Daemon {
    daemon_on(file, more, &free_ports())
}

fn daemon_on(file: &str, more: &str, ports: &[(&str, String)]) -> Daemon {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    for name in ["xen-api", "xmlrpc"] {
        std::fs::write(dir.path().join(format!("{name}.key")), made.signing_key.serialize_pem())
            .unwrap();
        std::fs::write(dir.path().join(format!("{name}.crt")), made.cert.pem()).unwrap();
    }
    let config = dir.path().join(format!("{file}.sxp"));
    let text = std::fs::read_to_string(fixture(&format!("config/{file}.sxp"))).unwrap();
    std::fs::write(&config, format!("{more}{}", replaced(&text, ports))).unwrap();
    start(dir, &config)
}

fn start(dir: TempDir, config: &Path) -> Daemon {
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (xmlrpc, xen_api) = (at("xmlrpc.sock"), at("xen-api.sock"));
    Daemon::start_with_config(dir, config, &["--xmlrpc", &xmlrpc, "--xen-api", &xen_api])
}

/// A daemon with a file that says this.
fn with(text: &str) -> Daemon {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.sxp");
    std::fs::write(&config, text).unwrap();
    start(dir, &config)
}

/// A group that is not there costs the unix sockets, wherever their paths come from, and nothing
/// else.
#[test]
fn unix_sockets_of_an_unknown_group_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.sxp");
    let text = "(loglevel INFO)\n(xend-unix-group nosuchgroup)\n(xen-api-server ((127.0.0.1:0 none) (unix none)))";
    std::fs::write(&config, text).unwrap();
    let daemon = start(dir, &config);
    assert_eq!(daemon.get("/xend/node").code, 200);
    assert!(!daemon.announced.iter().any(|line| line.contains("unix:")), "{:?}", daemon.announced);
    assert!(daemon.announced.iter().any(|line| line.starts_with("Xen-API on http://")));
    let log = daemon.log();
    let dir = daemon.dir.path();
    for (what, path) in
        [("HTTP", "sock"), ("XML-RPC", "xmlrpc.sock"), ("the Xen-API", "xen-api.sock")]
    {
        let said = format!(
            "config.sxp:2:1: {what} on {} is left out: No group nosuchgroup: create it, or name another one, see \
             xend-unix-group",
            dir.join(path).display()
        );
        assert!(
            log.lines().any(|line| line.contains("ERROR") && line.contains(&said)),
            "{said}\n{log}"
        );
    }
    let xend = |http: &str, more: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_xend"))
            .args(["--http", http, "--unix"])
            .arg(dir.join("sock"))
            .arg("--state-dir")
            .arg(dir.join("state2"))
            .arg("--config")
            .arg(dir.join("config.sxp"))
            .args(["--xmlrpc", "off", "--xen-api", "off"])
            .args(more)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, said) = xend("127.0.0.1:0", &["--check-config"]);
    assert_eq!(status, Some(1));
    assert!(said.contains(":2:1: HTTP on ") && said.contains("see xend-unix-group"), "{said}");
    // With nothing else to serve there is no start.
    std::fs::write(dir.join("config.sxp"), "(xend-unix-group nosuchgroup) (xen-api-server ())")
        .unwrap();
    let (status, said) = xend("off", &[]);
    assert_eq!(status, Some(1));
    assert!(said.contains("Nothing to listen on"), "{said}");
}

/// The listener is named, and the key to change, in the log and by `--check-config`.
#[test]
fn a_listener_that_is_left_out_is_named_with_its_key() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let cases = [
        (
            "(xen-api-server ((unix) (127.0.0.1:21017 none '' /nocrt.key /nocrt.pem)))".to_owned(),
            "config.sxp:1:25: the Xen-API on 127.0.0.1:21017 is left out: Cannot use /nocrt.pem: ",
            "see xen-api-server",
            true,
        ),
        (
            "(xen-api-server ((127.0.0.1:21017 none '(')))".to_owned(),
            "config.sxp:1:18: the Xen-API on 127.0.0.1:21017 is left out: '(' is not a regular expression",
            "see xen-api-server",
            true,
        ),
        (
            "(xend-tcp-xmlrpc-server yes)\n(xend-tcp-xmlrpc-server-ssl-key-file k)\n\
             (xend-tcp-xmlrpc-server-ssl-cert-file nosuch)"
                .to_owned(),
            "config.sxp:3:1: XML-RPC on 127.0.0.1:8006 is left out: Cannot use ",
            "see xend-tcp-xmlrpc-server-ssl-cert-file",
            true,
        ),
        (
            format!("(xend-tcp-xmlrpc-server yes)\n(xend-tcp-xmlrpc-server-port {port})"),
            "config.sxp:2:1: XML-RPC on 127.0.0.1:",
            "see xend-tcp-xmlrpc-server-port",
            false,
        ),
        (
            format!(
                "(xend-relocation-server yes)\n(xend-relocation-address localhost)\n(xend-relocation-port {port})"
            ),
            "config.sxp:3:1: the relocation server on 127.0.0.1:",
            "see xend-relocation-port",
            false,
        ),
        (
            "(xend-relocation-server yes)\n(xend-relocation-port 1)\n(xend-relocation-hosts-allow '(')"
                .to_owned(),
            "config.sxp:3:1: the relocation server on 0.0.0.0:1 is left out: '(' is not a regular expression",
            "see xend-relocation-hosts-allow",
            true,
        ),
    ];
    for (text, start, end, checked) in cases {
        let daemon = with(&text);
        let log = daemon.log();
        let named = |line: &str| {
            line.contains(start) && line.contains(" is left out: ") && line.contains(end)
        };
        assert!(log.lines().any(|line| line.contains("ERROR") && named(line)), "{text}: {log}");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_xend"))
            .args(["--check-config", "--config"])
            .arg(daemon.dir.path().join("config.sxp"))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.success(), said.lines().any(named)),
            (!checked, checked),
            "{text}: {said}"
        );
    }
}

#[test]
fn what_people_had_is_served_and_what_is_missing_is_said() {
    for Case { file, served, said } in CASES {
        let ports = free_ports();
        let daemon = daemon_on(file, "", &ports);
        let (http, others) = daemon.announced.split_last().unwrap();
        assert!(http.starts_with("Listening on http://127.0.0.1:"), "{file}");
        assert_eq!(others.len(), served.len(), "{file}: {others:?}");
        for (other, wanted) in others.iter().zip(*served) {
            let wanted = replaced(wanted, &ports);
            assert!(other.starts_with(&wanted), "{file}: {other} is not {wanted}");
        }
        assert_eq!(daemon.get("/xend/node/").code, 200, "{file}");
        let log = daemon.log();
        let found: Vec<&str> =
            log.lines().filter(|line| line.contains(&format!("{file}.sxp:"))).collect();
        assert_eq!(found.len(), said.len(), "{file}: {found:#?}");
        for (level, words) in *said {
            let line = found.iter().find(|line| line.contains(words));
            let line = line.unwrap_or_else(|| panic!("{file}: {words} is not in {found:#?}"));
            assert!(line.contains(level), "{file}: {line}");
        }
    }
}

#[test]
fn a_hosts_own_script_screen_and_keyboard_are_what_domains_get() {
    let daemon = daemon("debian-squeeze-routed", "(vif-bridge xenbr7)(vnc-listen 192.0.2.7)");
    let create = |name: &str, devices: &str| {
        let config =
            format!("(vm (name {name}) (memory 64) (image (linux (kernel /k))) {devices})");
        assert_eq!(daemon.create(&config).code, 201);
        daemon.get(&format!("/xend/domain/{name}")).text()
    };
    let plain = create("plain", "(device (vif)) (device (vfb (type vnc)))");
    for wanted in [
        "(script /etc/xen/scripts/vif-route)",
        "(bridge xenbr7)",
        "(vnclisten 192.0.2.7)",
        "(keymap de)",
    ] {
        assert!(plain.contains(wanted), "{wanted}: {plain}");
    }
    let own = create(
        "own",
        "(device (vif (script vif-nat) (bridge b))) (device (vfb (vnc 1) (vnclisten 0.0.0.0) (keymap ja)))",
    );
    for wanted in
        ["(script /etc/xen/scripts/vif-nat)", "(bridge b)", "(vnclisten 0.0.0.0)", "(keymap ja)"]
    {
        assert!(own.contains(wanted) && !own.contains("vif-route"), "{wanted}: {own}");
    }
    // What is plugged in later, too; a definition keeps what it was given.
    daemon.post("/xend/domain/own", "op=device_create&config=(vif%20(mac%2000:16:3e:00:00:01))");
    assert!(daemon.get("/xend/domain/own").text().contains("vif-route"));
    daemon.post(
        "/xend/domain",
        "op=new&config=(vm%20(name%20kept)(memory%2064)(image(linux(kernel%20/k)))(device(vif)))",
    );
    assert!(!daemon.get("/xend/domain/kept").text().contains("vif-route"));
    daemon.post("/xend/domain/kept", "op=start");
    assert!(daemon.get("/xend/domain/kept").text().contains("vif-route"));
    // The password of the screens is nowhere to be seen, and in no file but the operator's.
    assert!(!plain.contains("geheim") && !daemon.log().contains("geheim"));
    for page in
        ["/xend/node/log", "/xend/domain/plain/config", "/xend/domain/plain?op=devices&type=vfb"]
    {
        assert!(!daemon.get(page).text().contains("geheim"), "{page}");
    }
    let mut dirs = vec![daemon.dir.path().join("state")];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => dirs.push(entry.path()),
                kind if kind.is_file() => {
                    let text = std::fs::read(entry.path()).unwrap();
                    assert!(
                        !text.windows(6).any(|window| window == b"geheim"),
                        "{}",
                        entry.path().display()
                    );
                }
                _ => {}
            }
        }
    }
}

#[test]
fn every_crash_is_dumped_if_the_operator_wants_that() {
    let daemon = with("(enable-dump yes)");
    let dumps =
        |daemon: &Daemon| std::fs::read_dir(daemon.dir.path().join("state/dump")).unwrap().count();
    for (policy, so_far) in [("destroy", 1), ("preserve", 2)] {
        let config = format!(
            "(vm (name {policy}) (memory 8) (on_crash {policy}) (image (linux (kernel /k) (args sim-crash))))"
        );
        assert_eq!(daemon.create(&config).code, 201);
        daemon.post(&format!("/xend/domain/{policy}"), "op=unpause");
        daemon.until("a dump", |daemon| dumps(daemon) == so_far);
    }
    daemon.until("the one that is destroyed", |daemon| daemon.domain("destroy").is_none());
    // The one that stays is not dumped again when it is looked at.
    daemon.post("/xend/domain/preserve", "op=mem_target_set&target=8");
    daemon.post("/xend/domain/preserve", "op=sysrq&key=104");
    assert_eq!((dumps(&daemon), daemon.domain("preserve").is_some()), (2, true));
}

#[test]
fn domain_0_gives_memory_unless_it_must_not() {
    // Xen has 64 MiB of these, and Domain-0 1024: 412 are free.
    let host = "(sim-memory 1500)";
    let memory = |daemon: &Daemon| daemon.value("Domain-0", "memory").parse::<u64>().unwrap();
    let big = guest("big", "").replace("(memory 64)", "(memory 600)");
    let given = with(host);
    assert_eq!(given.create(&big).code, 201);
    assert!((700..=1024 - (600 - 412)).contains(&memory(&given)), "{}", memory(&given));
    for refusal in ["(enable-dom0-ballooning no)", "(dom0-min-mem 0)", "(dom0-min-mem 900)"] {
        let kept = with(&format!("{host} {refusal}"));
        let answer = kept.create(&big);
        assert!(
            answer.code == 500 && answer.text().contains("Not enough free memory"),
            "{refusal}: {answer:?}"
        );
        assert_eq!(memory(&kept), 1024, "{refusal}");
        // Whoever asks for it gets it.
        assert_eq!(
            kept.post("/xend/domain/0", "op=mem_target_set&target=1000").code,
            200,
            "{refusal}"
        );
    }
}
