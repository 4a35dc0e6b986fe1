mod listeners;

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
    let socket =
        |path: &str| UnixSocket { path: path.into(), mode: 0o660, group: Some("xen".into()) };
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

    let off =
        RunOptions { http: Some(Switch::Off), unix: Some(Switch::Off), ..RunOptions::default() };
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
    for (word, value) in [
        ("yes", true),
        ("TRUE", true),
        ("1", true),
        ("On", true),
        ("no", false),
        ("f", false),
        ("0", false),
    ] {
        assert_eq!(
            config(&format!("(xend-node-shutdown {word})")).tunables.node_shutdown,
            value,
            "{word}"
        );
    }
}

#[test]
fn a_bad_value_is_an_error_with_its_place() {
    let cases = [
        ("(xend-node-shutdown)", "FILE:1:1: xend-node-shutdown: needs a value"),
        ("(xend-node-shutdown maybe)", "FILE:1:21: xend-node-shutdown: 'maybe' is not yes or no"),
        ("\n\n  (sim-cpus +80)", "FILE:3:13: sim-cpus: '+80' is not a number of CPUs (1 to 4096)"),
        ("(sim-cpus 1 2)", "FILE:1:13: sim-cpus: takes one value only"),
        ("(sim-cpus (1))", "FILE:1:11: sim-cpus: needs a plain value, not a list"),
        (
            "(loglevel LOUD)",
            "FILE:1:11: loglevel: 'LOUD' is not DEBUG, INFO, WARNING, ERROR or CRITICAL",
        ),
        ("(scheduler fair)", "FILE:1:12: scheduler: 'fair' is not credit, credit2, sedf or rtds"),
        ("(logfile s)", "FILE:1:10: logfile: 's' is not an absolute path"),
        (
            "(vnc-listen eth0)",
            "FILE:1:13: vnc-listen: 'eth0' is not an IP address, localhost or ''",
        ),
        (
            "(vnc-listen 0.0.0.0:5900)",
            "FILE:1:13: vnc-listen: '0.0.0.0:5900' is not an IP address, localhost or ''",
        ),
        ("(keymap ../../x)", "FILE:1:9: keymap: '../../x' is not a file name without a directory"),
        (
            "(keymap /etc/keys)",
            "FILE:1:9: keymap: '/etc/keys' is not a file name without a directory",
        ),
        ("(keymap ..)", "FILE:1:9: keymap: '..' is not a file name without a directory"),
        (
            "(vif-script ../../x)",
            "FILE:1:13: vif-script: '../../x' is neither a file name nor an absolute path",
        ),
        (
            "(vif-script 'a/b bridge=br1')",
            "FILE:1:13: vif-script: 'a/b' is neither a file name nor an absolute path",
        ),
        (
            "(vif-script /)",
            "FILE:1:13: vif-script: '/' is neither a file name nor an absolute path",
        ),
        (
            "(vncpasswd (ge heim))",
            "FILE:1:12: vncpasswd: takes one plain value, in quotes if it has blanks",
        ),
        (
            "(vncpasswd ge heim)",
            "FILE:1:12: vncpasswd: takes one plain value, in quotes if it has blanks",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(load(text, &RunOptions::default()).unwrap_err(), message, "{text}");
    }
}

#[test]
fn a_broken_limit_has_its_default() {
    for (text, message) in [
        (
            "(xend-unix-mode rw)",
            "FILE:1:17: xend-unix-mode: 'rw' is not a mode in octal (such as 0600): the default counts, 0600",
        ),
        (
            "(xend-unix-mode 1777)",
            "FILE:1:17: xend-unix-mode: '1777' is not a mode in octal (such as 0600): the default counts, 0600",
        ),
        (
            "(xend-http-hosts a:80)",
            "FILE:1:18: xend-http-hosts: 'a:80' is not a host name: the default counts, nothing",
        ),
        (
            "(xend-request-timeout 0)",
            "FILE:1:23: xend-request-timeout: '0' is not a number of seconds (1 to 86400): the default counts, 30",
        ),
        (
            "(xend-access-without-password maybe)",
            "FILE:1:31: xend-access-without-password: 'maybe' is not yes or no: the default counts, no",
        ),
    ] {
        let (found, findings) = load(text, &RunOptions::default()).unwrap();
        assert_eq!(findings, [message], "{text}");
        assert_eq!(found, config(""), "{text}");
    }
}

#[test]
fn what_is_no_entry_is_ignored() {
    let (found, findings) = load(
        "xend-port 80\n(xend-unix-mode 0660) geheim\n() ((xend-port) 81) vncpasswd geheim",
        &RunOptions::default(),
    )
    .unwrap();
    assert_eq!(found.http, on("127.0.0.1:8000"));
    assert_eq!(
        findings,
        [
            "FILE:1:1: xend-port is ignored: write (xend-port VALUE), in parentheses",
            "FILE:2:23: This is ignored: an entry is (key value), in parentheses",
            "FILE:3:1: This is ignored: an entry is (key value), in parentheses",
            "FILE:3:4: This is ignored: an entry is (key value), in parentheses",
            "FILE:3:21: vncpasswd is ignored: write (vncpasswd VALUE), in parentheses",
        ]
    );
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
        load("(xend-port 1)\n(xend-prot 80)\n(xend-port 2)\n(colour red)", &RunOptions::default())
            .unwrap();
    assert_eq!(config.http, on("127.0.0.1:1"));
    assert_eq!(
        warnings,
        [
            "FILE:2:1: Unknown key xend-prot is ignored, xend-port is one",
            "FILE:3:1: xend-port is given again and ignored, the first one counts",
            "FILE:4:1: Unknown key colour is ignored"
        ]
    );
}

#[test]
fn keys_without_effect_are_named_if_they_ask_for_something() {
    let silent = "(network-script) (dom0-cpus 0) (total_available_memory 0) (pscsi-device-mask ('*')) (vnc-tls 0)
                  (xend-domain-lock no) (xend-domains-path /var/lib/xend/domains) (xend-relocation-ssl-port 8003)
                  (console-limit 1024) (external-migration-tool '') (xen-tcp-xmlrpc-server-port 8006)
                  (block-file block-file) (block-drbd block-drbd) (block-iscsi)";
    assert_eq!(load(silent, &RunOptions::default()).unwrap().1, [""; 0]);
    let said = |text: &str| load(text, &RunOptions::default()).unwrap().1.concat();
    for (text, why) in [
        (
            "(network-script 'network-bridge netdev=eth1')",
            "FILE:1:1: network-script has no effect: make bridges",
        ),
        (
            "(vnc-tls 1)",
            "FILE:1:1: vnc-tls has no effect: today's libxl starts VNC servers without TLS",
        ),
        ("(dom0-cpus 2)", "FILE:1:1: dom0-cpus has no effect: give Xen dom0_max_vcpus"),
        (
            "(xend-domain-lock yes)",
            "FILE:1:1: xend-domain-lock has no effect: domains are not locked",
        ),
        (
            "(xend-relocation-ssl yes)",
            "FILE:1:1: xend-relocation-ssl has no effect: domains move unencrypted",
        ),
        ("(pscsi-device-mask ('1:0:0:0' '2:0'))", "FILE:1:1: pscsi-device-mask has no effect: "),
        (
            "(block-gnbd my-gnbd)",
            "FILE:1:1: block-gnbd has no effect: the type in a disk's uname names its script",
        ),
        ("(block-iscsi 'block-iscsi-ours')", "FILE:1:1: block-iscsi has no effect: "),
        ("(block- x)", "FILE:1:1: Unknown key block- is ignored"),
        ("(device-create-timeout 300)", "FILE:1:1: device-create-timeout has no effect: "),
        ("(xen-tcp-xmlrpc-server-port 8007)", "xend never read it, write xend-tcp-xmlrpc-server"),
    ] {
        assert!(said(text).contains(why), "{text}: {}", said(text));
    }
}

/// `sexpr-fixtures/config/keys.txt` holds every key that some xend read.
#[test]
fn every_key_of_every_xend_is_known() {
    let names = include_str!("../../sexpr-fixtures/config/keys.txt");
    let names: Vec<&str> = names.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(names.len(), 68);
    for name in names {
        let (used, unused) = (keys::find(name).is_some(), unused::find(name).is_some());
        assert!(used != unused, "{name}: is it known, and once?");
        assert!(reference().contains(&format!("({name}")), "{name}");
    }
    for key in keys::KEYS {
        let sample = include_str!("../../dist/xend-config.sxp");
        assert!(
            sample.contains(&format!("({}", key.name)),
            "{} is not in the sample file",
            key.name
        );
        let shown = sample.lines().filter_map(|line| line.strip_prefix("#(")?.strip_suffix(')'));
        for (name, default) in shown.map(|entry| entry.split_once(' ').unwrap_or((entry, ""))) {
            let same = default == key.default || (default == "''" && key.default.is_empty());
            assert!(name != key.name || same, "{name}: {default} is not {}", key.default);
        }
    }
}

#[test]
fn what_devices_have_that_leave_it_open() {
    let devices = |text: &str| config(text).tunables.devices;
    let text = |text: &str| Some(Text::from(text));
    let given = devices("(vif-script 'vif-nat bridge=br1') (vnc-listen 0.0.0.0) (keymap de)");
    let wanted = DeviceDefaults {
        vif_script: text("vif-nat"),
        vif_bridge: text("br1"),
        vnc_listen: text("0.0.0.0"),
        keymap: text("de"),
    };
    assert_eq!(given, wanted);
    // What Xen does by itself, and what xend's own sample file said.
    for usual in [
        "(vif-script vif-bridge) (vnc-listen '127.0.0.1')",
        "(vif-script )(keymap '')(vif-bridge)(vncpasswd)",
    ] {
        assert_eq!(devices(usual), DeviceDefaults::default(), "{usual}");
    }
    assert_eq!(devices("(vnc-listen '')").vnc_listen, text("0.0.0.0"), "every interface");
    assert_eq!(devices("(vnc-listen ::1)").vnc_listen, text("::1"));
    assert_eq!(devices("(vnc-listen localhost)").vnc_listen, None, "Xen's own");
    assert_eq!(devices("(vif-script '/opt/x/vif bridge=b')").vif_script, text("/opt/x/vif"));
    assert_eq!(devices("(vif-bridge xen-br0)").vif_bridge, text("xen-br0"));
    let (_, findings) =
        load("(vif-script 'vif-bridge netdev=eth0')", &RunOptions::default()).unwrap();
    assert_eq!(
        findings,
        ["FILE:1:1: vif-script: 'netdev=eth0' has no effect, only bridge=NAME has"]
    );
    let secret = config("(vncpasswd 'geheim') (enable-dump yes)");
    assert_eq!(secret.vnc_password, Password::new("geheim".into()));
    assert!(secret.tunables.enable_dump && !format!("{secret:?}").contains("geheim"));
    assert_eq!(config("(vncpasswd '')").vnc_password, None);
}

#[test]
fn the_sample_file_is_the_default() {
    let sample = include_str!("../../dist/xend-config.sxp");
    let plain = config("");
    assert_eq!(load(sample, &RunOptions::default()).unwrap(), (plain.clone(), Vec::new()));

    // Its commented-out entries show the defaults, so that taking the `#` away changes nothing
    // either.
    let active: String = sample.lines().filter_map(|line| line.strip_prefix("#(")).fold(
        String::new(),
        |mut text, entry| {
            text.push('(');
            text.push_str(entry);
            text.push('\n');
            text
        },
    );
    let (mut config, warnings) = load(&active, &RunOptions::default()).unwrap();
    assert_eq!(warnings, [""; 0]);
    config.unix = plain.unix.clone();
    assert_eq!(config, plain);
}

#[test]
fn a_reload_says_what_needs_a_restart() {
    let old = config("(xend-port 1) (loglevel INFO)");
    let tuned = config(
        "(xend-port 1) (loglevel DEBUG) (xend-max-body 5) (dom0-min-mem 5) (xend-http-hosts a)",
    );
    assert_eq!(old.needs_restart(&tuned), [""; 0]);
    let moved = config("(xend-port 2) (xend-unix-server no) (sim-cpus 8)");
    assert_eq!(
        old.needs_restart(&moved),
        ["the HTTP address", "the unix socket", "the simulated host"]
    );
}
