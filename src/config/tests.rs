use std::io::Write as _;

use super::*;

fn load(text: &str, options: &RunOptions) -> Result<(Config, Vec<String>), String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let name = file.path().display().to_string();
    let short = |text: String| text.replace(&name, "FILE");
    let options = RunOptions { config: Some(file.path().to_owned()), ..options.clone() };
    let environment = Environment { home: Some("/home/u".into()), ..Environment::default() };
    match Config::load(&options, &environment) {
        Ok((config, warnings)) => {
            Ok((config, warnings.iter().map(|warning| short(warning.to_string())).collect()))
        }
        Err(error) => Err(short(error.to_string())),
    }
}

fn config(text: &str) -> Config {
    load(text, &RunOptions::default()).unwrap().0
}

fn on(address: &str) -> Switch<SocketAddr> {
    Switch::On(address.parse().unwrap())
}

#[test]
fn nothing_said_is_the_default() {
    let environment = Environment { home: Some("/nonexistent".into()), ..Environment::default() };
    let (config, warnings) = Config::load(&RunOptions::default(), &environment).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(config.http, on("127.0.0.1:8000"));
    let path = PathBuf::from("/nonexistent/.local/state/xend/xend-socket");
    assert_eq!(config.unix, Switch::On(UnixSocket { path, mode: 0o600, group: None }));
    assert_eq!(config.state_dir, PathBuf::from("/nonexistent/.local/state/xend"));
    assert_eq!(config.scheduler, Scheduler::Credit);
    assert_eq!(config.sim, SimHost { cpus: 4, memory_mib: 16384 });
    assert_eq!(config.max_connections, 512);
    assert_eq!(config.logfile, None);
    assert_eq!(config.tunables, Tunables::default());
}

#[test]
fn without_a_home_the_paths_must_be_given() {
    let nobody = Environment::default();
    let mut options = RunOptions { unix: Some(Switch::Off), ..RunOptions::default() };
    let error = Config::load(&options, &nobody).unwrap_err();
    assert_eq!(error.to_string(), "No home directory: set HOME or give --state-dir");
    options.state_dir = Some("/s".into());
    Config::load(&options, &nobody).unwrap();
}

#[test]
fn a_file_named_on_the_command_line_must_exist() {
    let options = RunOptions { config: Some("/nonexistent/x".into()), ..RunOptions::default() };
    let error = Config::load(&options, &Environment::default()).unwrap_err();
    assert_eq!(error.to_string(), "Cannot read the configuration /nonexistent/x");
}

#[test]
fn the_command_line_is_over_the_file() {
    let text = "(xend-port 9000) (xend-address '') (xend-unix-path /f/sock) (xend-unix-mode 0660)
                (xend-unix-group xen) (loglevel DEBUG) (scheduler sedf)";
    let file_only = config(text);
    assert_eq!(file_only.http, on("0.0.0.0:9000"));
    let socket = |path: &str| UnixSocket { path: path.into(), mode: 0o660, group: Some("xen".into()) };
    assert_eq!(file_only.unix, Switch::On(socket("/f/sock")));
    assert_eq!(file_only.tunables.log, "warn,xend=debug");
    assert_eq!(file_only.scheduler, Scheduler::Sedf);

    let options = RunOptions {
        http: Some(on("127.0.0.1:0")),
        unix: Some(Switch::On("/o/sock".into())),
        state_dir: Some("/o/state".into()),
        scheduler: Some(Scheduler::Rtds),
        log: Some("trace".into()),
        ..RunOptions::default()
    };
    let both = load(text, &options).unwrap().0;
    assert_eq!(both.http, on("127.0.0.1:0"));
    assert_eq!(both.unix, Switch::On(socket("/o/sock")), "mode and group remain the file's");
    assert_eq!(both.state_dir, PathBuf::from("/o/state"));
    assert_eq!(both.tunables.log, "trace");
    assert_eq!(both.scheduler, Scheduler::Rtds);

    let off = RunOptions { http: Some(Switch::Off), unix: Some(Switch::Off), ..RunOptions::default() };
    let off = load(text, &off).unwrap().0;
    assert_eq!((off.http, off.unix), (Switch::Off, Switch::Off));
    let forced = RunOptions { http: Some(on("127.0.0.1:1")), ..RunOptions::default() };
    assert_eq!(load("(xend-http-server no)", &forced).unwrap().0.http, on("127.0.0.1:1"));
}

#[test]
fn every_key_has_its_effect() {
    let config = config(
        "(xend-http-server no) (xend-unix-server OFF) (xend-max-connections 9) (logfile /var/log/x)
         (xend-max-body 2000) (xend-request-timeout 5) (xend-node-shutdown Yes)
         (xend-http-hosts Xen.Example.ORG. (proxy)) (dom0-min-mem 0) (sim-cpus 2) (sim-memory 512)"
            .replace("(proxy)", "'a b'")
            .as_str(),
    );
    assert_eq!((config.http, config.unix), (Switch::Off, Switch::Off));
    assert_eq!(config.max_connections, 9);
    assert_eq!(config.logfile, Some("/var/log/x".into()));
    assert_eq!(config.sim, SimHost { cpus: 2, memory_mib: 512 });
    let tunables = Tunables {
        allowed_hosts: vec!["xen.example.org".into(), "a".into(), "b".into()],
        max_body: 2000,
        request_timeout: Duration::from_secs(5),
        node_shutdown: true,
        dom0_min_mem_mib: 0,
        dom0_ballooning: false,
        ..Tunables::default()
    };
    assert_eq!(config.tunables, tunables);
}

#[test]
fn booleans_are_xends() {
    for (word, value) in
        [("yes", true), ("TRUE", true), ("1", true), ("On", true), ("no", false), ("f", false), ("0", false)]
    {
        assert_eq!(config(&format!("(xend-node-shutdown {word})")).tunables.node_shutdown, value, "{word}");
    }
}

#[test]
fn a_bad_value_is_an_error_with_its_place() {
    let cases = [
        ("(xend-port 99999)", "FILE:1:12: xend-port: '99999' is not a port (1 to 65535)"),
        ("\n\n  (xend-port 0)", "FILE:3:14: xend-port: '0' is not a port (1 to 65535)"),
        ("(xend-port +80)", "FILE:1:12: xend-port: '+80' is not a port (1 to 65535)"),
        ("(xend-port)", "FILE:1:1: xend-port: needs a value"),
        ("(xend-port 80 81)", "FILE:1:15: xend-port: takes one value only"),
        ("(xend-port (80))", "FILE:1:12: xend-port: needs a plain value, not a list"),
        ("(xend-http-server maybe)", "FILE:1:19: xend-http-server: 'maybe' is not yes or no"),
        ("(xend-address eth0)", "FILE:1:15: xend-address: 'eth0' is not an IP address, localhost or ''"),
        ("(xend-unix-mode rw)", "FILE:1:17: xend-unix-mode: 'rw' is not a mode in octal (such as 0600)"),
        ("(xend-unix-mode 1777)", "FILE:1:17: xend-unix-mode: '1777' is not a mode in octal (such as 0600)"),
        ("(xend-unix-path s)", "FILE:1:17: xend-unix-path: 's' is not an absolute path"),
        ("(xend-http-hosts a:80)", "FILE:1:18: xend-http-hosts: 'a:80' is not a host name"),
        ("(loglevel LOUD)", "FILE:1:11: loglevel: 'LOUD' is not DEBUG, INFO, WARNING, ERROR or CRITICAL"),
        ("(scheduler fair)", "FILE:1:12: scheduler: 'fair' is not credit, credit2, sedf or rtds"),
        (
            "(xend-request-timeout 0)",
            "FILE:1:23: xend-request-timeout: '0' is not a number of seconds (1 to 86400)",
        ),
        ("(sim-cpus none)", "FILE:1:11: sim-cpus: 'none' is not a number of CPUs (1 to 4096)"),
        ("xend-port 80", "FILE:1:1: Expected (key value)"),
        ("()", "FILE:1:1: Expected (key value)"),
        ("((xend-port) 80)", "FILE:1:1: Expected (key value)"),
    ];
    for (text, message) in cases {
        assert_eq!(load(text, &RunOptions::default()).unwrap_err(), message, "{text}");
    }
}

#[test]
fn bad_syntax_is_an_error_with_its_place() {
    for (text, start) in [("(xend-port 80", "FILE:1:"), ("\n(loglevel INFO))", "FILE:2:16: ")] {
        let message = load(text, &RunOptions::default()).unwrap_err();
        assert!(message.starts_with(start), "{message}");
    }
}

#[test]
fn unknown_and_repeated_keys_are_warnings() {
    let (config, warnings) =
        load("(xend-port 1)\n(xend-prot 80)\n(xend-port 2)\n", &RunOptions::default()).unwrap();
    assert_eq!(config.http, on("127.0.0.1:2"));
    assert_eq!(
        warnings,
        ["FILE:2:1: Unknown key xend-prot is ignored", "FILE:3:1: xend-port is given again, this one counts"]
    );
}

#[test]
fn keys_of_xend_without_effect_are_silent() {
    let text = "(xend-relocation-server yes) (xend-relocation-hosts-allow '^localhost$')
                (xend-tcp-xmlrpc-server no) (vif-script vif-bridge) (network-script 'network-bridge netdev=eth1')
                (vncpasswd 'secret') (console-limit 1024) (keymap 'de') (xend-domains-path /d) (vncpasswd)";
    let (config, warnings) = load(text, &RunOptions::default()).unwrap();
    assert_eq!(warnings, [""; 0]);
    assert!(!format!("{config:?}").contains("secret"));
}

#[test]
fn the_sample_file_is_the_default() {
    let sample = include_str!("../../dist/xend-config.sxp");
    let plain = config("");
    assert_eq!(load(sample, &RunOptions::default()).unwrap(), (plain.clone(), Vec::new()));

    // Its commented-out entries show the defaults, so that taking the `#` away changes nothing either.
    let active: String =
        sample.lines().filter_map(|line| line.strip_prefix("#(")).fold(String::new(), |mut text, entry| {
            text.push('(');
            text.push_str(entry);
            text.push('\n');
            text
        });
    let (mut config, warnings) = load(&active, &RunOptions::default()).unwrap();
    assert_eq!(warnings, [""; 0]);
    config.unix = plain.unix.clone();
    assert_eq!(config, plain);
}

#[test]
fn a_reload_says_what_needs_a_restart() {
    let old = config("(xend-port 1) (loglevel INFO)");
    let tuned =
        config("(xend-port 1) (loglevel DEBUG) (xend-max-body 5) (dom0-min-mem 5) (xend-http-hosts a)");
    assert_eq!(old.needs_restart(&tuned), [""; 0]);
    let moved = config("(xend-port 2) (xend-unix-server no) (sim-cpus 8)");
    assert_eq!(old.needs_restart(&moved), ["the HTTP address", "the unix socket", "the simulated host"]);
}

#[test]
fn the_xen_api_is_served_where_the_file_says() {
    let xen_api = |text: &str| config(text).xen_api;
    let text = "(xen-api-server ((localhost:9363 pam '^localhost$ ^10\\.' /k /c) (127.0.0.1:9364 none) (9365 password) (unix none)))";
    let listeners = xen_api(text);
    let places: Vec<_> = listeners.iter().map(|one| (one.place.clone(), one.auth)).collect();
    let tcp = |address: &str| Place::Tcp(address.parse().unwrap());
    assert_eq!(
        places[..3],
        [
            (tcp("127.0.0.1:9363"), Auth::Pam),
            (tcp("127.0.0.1:9364"), Auth::None),
            (tcp("0.0.0.0:9365"), Auth::Password)
        ]
    );
    assert!(matches!(&places[3], (Place::Unix(_), Auth::None)));
    assert_eq!(listeners[0].hosts, "^localhost$ ^10\\.");
    assert_eq!(listeners[0].tls, Some(TlsFiles { key: "/k".into(), cert: "/c".into() }));
    // xend's documentation, and not its code: who says nothing wants a password.
    assert_eq!(xen_api("(xen-api-server ((127.0.0.1:9363)))")[0].auth, Auth::Pam);
    assert_eq!(xen_api("(xen-api-server ())"), []);
    for (text, why) in [
        ("(xen-api-server unix)", "needs a list of listeners"),
        ("(xen-api-server (unix))", "needs lists like (unix)"),
        ("(xen-api-server ((9363 maybe)))", "'maybe' is not one of none, pam, password"),
        ("(xen-api-server ((here none)))", "'here' is not unix, PORT or ADDRESS:PORT"),
        ("(xen-api-server ((9363 pam '' /k)))", "a key needs a certificate"),
        ("(xen-api-server ((unix none '' /k /c)))", "a unix socket is not encrypted"),
        ("(xen-api-server ((9363 pam '' /k /c more)))", "takes a place, a method"),
    ] {
        let said = load(text, &RunOptions::default()).unwrap_err();
        assert!(said.contains(why), "{text}: {said}");
    }
    // An instance with a socket of its own is none that takes xend's place.
    let own = RunOptions { unix: Some(Switch::On("/run/own".into())), ..RunOptions::default() };
    let (config, _) = load("", &own).unwrap();
    assert_eq!((config.xen_api, config.xmlrpc), (vec![], vec![]));
}

#[test]
fn nobody_is_let_in_from_everywhere_by_mistake() {
    for text in
        ["(xen-api-server ((9363 none)))", "(xend-tcp-xmlrpc-server yes) (xend-tcp-xmlrpc-server-address '')"]
    {
        let said = load(text, &RunOptions::default()).unwrap_err();
        assert!(said.contains("without a password"), "{said}");
        let meant = config(&format!("{text} (xend-access-without-password yes)"));
        assert!(meant.xmlrpc.iter().chain(&meant.xen_api).any(RpcListener::is_open));
    }
    let text = "(xend-tcp-xmlrpc-server yes) (xend-tcp-xmlrpc-server-ssl-key-file /k)";
    assert!(load(text, &RunOptions::default()).unwrap_err().contains("belong together"));
    let encrypted = config(&format!("{text} (xend-tcp-xmlrpc-server-ssl-cert-file /c)"));
    let tcp = encrypted.xmlrpc.iter().find(|one| matches!(one.place, Place::Tcp(_))).unwrap();
    assert_eq!(tcp.place, Place::Tcp("127.0.0.1:8006".parse().unwrap()));
    assert!(tcp.tls.is_some());
}
