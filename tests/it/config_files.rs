//! The files of `sexpr-fixtures/config`, which people used with xend: their listeners, the messages
//! about them, and their effect on domains.

use crate::http_support::{Daemon, fixture, guest};
use crate::ports::free_port;
use std::path::Path;
use tempfile::TempDir;

/// A file, the announcements of its listeners other than HTTP, and the log lines about it: level
/// and text.
struct Case {
    file: &'static str,
    announced: &'static [&'static str],
    logged: &'static [(&'static str, &'static str)],
}

const XMLRPC: &str = "XML-RPC on unix:";
const XEN_API: &str = "Xen-API on unix:";
const NETWORK: (&str, &str) = ("WARN", "network-script has no effect");

const CASES: &[Case] = &[
    Case { file: "debian-lenny", announced: &[XEN_API, XMLRPC], logged: &[NETWORK] },
    Case { file: "debian-squeeze-routed", announced: &[XEN_API, XMLRPC], logged: &[NETWORK] },
    Case {
        file: "sles11",
        announced: &["Relocation on 127.0.0.1:28202", XEN_API, XMLRPC],
        logged: &[("WARN", "xend-domain-lock has no effect: domains are not locked")],
    },
    Case {
        file: "fedora8",
        announced: &[XEN_API, XMLRPC],
        logged: &[
            NETWORK,
            ("WARN", "vnc-tls has no effect"),
            ("WARN", "vnc-x509-verify has no effect"),
        ],
    },
    Case {
        file: "hoster-relocation",
        announced: &["Relocation on 127.0.0.1:28002", XEN_API, XMLRPC],
        logged: &[
            (
                "ERROR",
                ":8:1: the encrypted relocation server on 127.0.0.1:8003 is not served: \
                 xend-relocation-server-ssl-key-file is not set",
            ),
            NETWORK,
            ("WARN", "dom0-cpus has no effect"),
            ("WARN", "console-limit has no effect"),
        ],
    },
    Case {
        file: "hoster-broken-expressions",
        announced: &[XEN_API, XMLRPC],
        logged: &[
            (
                "ERROR",
                ":5:1: the relocation server on 127.0.0.1:8002 is not served: '^xen[0-9+\\.hoster\\.example$' is not a \
                 regular expression, see xend-relocation-hosts-allow",
            ),
            ("WARN", ":7:1: xend-port is repeated and ignored, the first one counts"),
            (
                "WARN",
                ":8:1: xend-tcp-xmlrpc-server is ignored: write (xend-tcp-xmlrpc-server VALUE)",
            ),
            ("WARN", ":9:1: Unknown key vif-scirpt is ignored, did you mean vif-script?"),
        ],
    },
    Case {
        file: "ganeti",
        announced: &["Relocation on 127.0.0.1:28102", XEN_API, XMLRPC],
        logged: &[NETWORK],
    },
    #[cfg(feature = "pam")]
    Case {
        file: "xenapi-pam",
        announced: &["Xen-API on http://127.0.0.1:", XEN_API, XMLRPC],
        logged: &[],
    },
    #[cfg(not(feature = "pam"))]
    Case {
        file: "xenapi-pam",
        announced: &[XEN_API, XMLRPC],
        logged: &[(
            "ERROR",
            ":2:18: the Xen-API on 127.0.0.1:0 is not served: this xend was built without PAM",
        )],
    },
    Case {
        file: "xenapi-none",
        announced: &[XEN_API, XMLRPC],
        logged: &[
            (
                "ERROR",
                ":2:18: the Xen-API on 0.0.0.0:9363 is not served: whoever can connect could do everything",
            ),
            (
                "ERROR",
                ":3:1: XML-RPC on 0.0.0.0:8006 is not served: whoever can connect could do everything",
            ),
            ("WARN", "xen-tcp-xmlrpc-server-port has no effect: xend never read this key"),
        ],
    },
    Case {
        file: "xenapi-none-meant",
        announced: &[
            "Xen-API on http://127.0.0.1:",
            XEN_API,
            XMLRPC,
            "XML-RPC on http://127.0.0.1:28006/",
        ],
        logged: &[],
    },
    Case {
        file: "xenapi-tls",
        announced: &[
            "Xen-API on https://127.0.0.1:",
            XEN_API,
            XMLRPC,
            "XML-RPC on https://127.0.0.1:28106/",
        ],
        logged: &[],
    },
    Case {
        file: "xend-3.0.4",
        announced: &[XEN_API, XMLRPC],
        logged: &[
            (
                "ERROR",
                ":2:24: xen-api-server: 'localhost' is not one of none, pam, password, users: write (9225 pam)",
            ),
            (
                "ERROR",
                ":2:41: xen-api-server: '^localhost$ example\\\\.com$' is not one of none, pam, password, users",
            ),
            NETWORK,
        ],
    },
];

/// Ports of the fixtures, each of which is replaced by a free port of this machine.
const PORTS: [&str; 5] = ["28002", "28006", "28102", "28106", "28202"];

fn free_ports() -> Vec<(&'static str, String)> {
    PORTS.into_iter().map(|port| (port, free_port().to_string())).collect()
}

fn replaced(text: &str, ports: &[(&str, String)]) -> String {
    ports.iter().fold(text.to_owned(), |text, (port, free)| text.replace(port, free))
}

/// A daemon with a file of the fixtures, preceded by `more`.
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
    let xmlrpc = at("xmlrpc.sock");
    let xen_api = at("xen-api.sock");
    Daemon::start_with_config(dir, config, &["--xmlrpc", &xmlrpc, "--xen-api", &xen_api])
}

/// A daemon with this configuration.
fn with(text: &str) -> Daemon {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.sxp");
    std::fs::write(&config, text).unwrap();
    start(dir, &config)
}

/// Even if the command line has their paths. Other listeners are served.
#[test]
fn unix_sockets_of_an_unknown_group_are_not_served() {
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
        let message = format!(
            "config.sxp:2:1: {what} on {} is not served: No group nosuchgroup: create it, or name another one, see \
             xend-unix-group",
            dir.join(path).display()
        );
        assert!(
            log.lines().any(|line| line.contains("ERROR") && line.contains(&message)),
            "{message}\n{log}"
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
    let (status, stderr) = xend("127.0.0.1:0", &["--check-config"]);
    assert_eq!(status, Some(1));
    assert!(
        stderr.contains(":2:1: HTTP on ") && stderr.contains("see xend-unix-group"),
        "{stderr}"
    );
    // Without any other listener the daemon does not start.
    std::fs::write(dir.join("config.sxp"), "(xend-unix-group nosuchgroup) (xen-api-server ())")
        .unwrap();
    let (status, stderr) = xend("off", &[]);
    assert_eq!(status, Some(1));
    assert!(stderr.contains("Nothing to listen on"), "{stderr}");
}

/// In the log and by `--check-config`.
#[test]
fn messages_about_unserved_listeners_name_the_listener_and_its_key() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let cases = [
        (
            "(xen-api-server ((unix) (127.0.0.1:21017 none '' /nocrt.key /nocrt.pem)))".to_owned(),
            "config.sxp:1:25: the Xen-API on 127.0.0.1:21017 is not served: Cannot use /nocrt.pem: ",
            "see xen-api-server",
            true,
        ),
        (
            "(xen-api-server ((127.0.0.1:21017 none '(')))".to_owned(),
            "config.sxp:1:18: the Xen-API on 127.0.0.1:21017 is not served: '(' is not a regular expression",
            "see xen-api-server",
            true,
        ),
        (
            "(xend-tcp-xmlrpc-server yes)\n(xend-tcp-xmlrpc-server-ssl-key-file k)\n\
             (xend-tcp-xmlrpc-server-ssl-cert-file nosuch)"
                .to_owned(),
            "config.sxp:3:1: XML-RPC on 127.0.0.1:8006 is not served: Cannot use ",
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
            "config.sxp:3:1: the relocation server on 0.0.0.0:1 is not served: '(' is not a regular expression",
            "see xend-relocation-hosts-allow",
            true,
        ),
    ];
    for (text, start, end, checked) in cases {
        let daemon = with(&text);
        let log = daemon.log();
        let named = |line: &str| {
            line.contains(start) && line.contains(" is not served: ") && line.contains(end)
        };
        assert!(log.lines().any(|line| line.contains("ERROR") && named(line)), "{text}: {log}");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_xend"))
            .args(["--check-config", "--config"])
            .arg(daemon.dir.path().join("config.sxp"))
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.success(), stderr.lines().any(named)),
            (!checked, checked),
            "{text}: {stderr}"
        );
    }
}

#[test]
fn old_configuration_files_are_served_with_messages_about_missing_features() {
    for Case { file, announced, logged } in CASES {
        let ports = free_ports();
        let daemon = daemon_on(file, "", &ports);
        let (http, others) = daemon.announced.split_last().unwrap();
        assert!(http.starts_with("Listening on http://127.0.0.1:"), "{file}");
        assert_eq!(others.len(), announced.len(), "{file}: {others:?}");
        for (other, wanted) in others.iter().zip(*announced) {
            let wanted = replaced(wanted, &ports);
            assert!(other.starts_with(&wanted), "{file}: {other} is not {wanted}");
        }
        assert_eq!(daemon.get("/xend/node/").code, 200, "{file}");
        let log = daemon.log();
        let found: Vec<&str> =
            log.lines().filter(|line| line.contains(&format!("{file}.sxp:"))).collect();
        assert_eq!(found.len(), logged.len(), "{file}: {found:#?}");
        for (level, words) in *logged {
            let line = found.iter().find(|line| line.contains(words));
            let line = line.unwrap_or_else(|| panic!("{file}: {words} is not in {found:#?}"));
            assert!(line.contains(level), "{file}: {line}");
        }
    }
}

#[test]
fn domains_have_the_hosts_default_script_screen_and_keyboard() {
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
    // Devices that are attached later have them, too; a definition stays as it is.
    daemon.post("/xend/domain/own", "op=device_create&config=(vif%20(mac%2000:16:3e:00:00:01))");
    assert!(daemon.get("/xend/domain/own").text().contains("vif-route"));
    daemon.post(
        "/xend/domain",
        "op=new&config=(vm%20(name%20kept)(memory%2064)(image(linux(kernel%20/k)))(device(vif)))",
    );
    assert!(!daemon.get("/xend/domain/kept").text().contains("vif-route"));
    daemon.post("/xend/domain/kept", "op=start");
    assert!(daemon.get("/xend/domain/kept").text().contains("vif-route"));
    // The screens' password is not shown, and in no file but the operator's.
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
fn enable_dump_dumps_every_crashed_domain() {
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
    // A preserved domain is dumped once only.
    daemon.post("/xend/domain/preserve", "op=mem_target_set&target=8");
    daemon.post("/xend/domain/preserve", "op=sysrq&key=104");
    assert_eq!((dumps(&daemon), daemon.domain("preserve").is_some()), (2, true));
}

#[test]
fn domain_0_gives_memory_unless_that_is_turned_off() {
    // Xen uses 64 MiB and Domain-0 1024: 412 are free.
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
        // An explicit request still works.
        assert_eq!(
            kept.post("/xend/domain/0", "op=mem_target_set&target=1000").code,
            200,
            "{refusal}"
        );
    }
}
