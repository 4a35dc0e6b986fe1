mod fleet;
mod listeners;

use super::*;
use crate::core::model::{
    DeviceDefaults, DomainLookup, Password, Policy, RelocationDefaults, Scheduler, Text,
};
use std::collections::HashSet;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Loads a file with this text, and its messages with the file called FILE.
fn load(text: &str, options: &RunOptions) -> Result<(Config, Vec<String>), String> {
    let environment = Environment { home: Some("/home/u".into()), ..Environment::default() };
    load_in(text, options, &environment)
}

fn load_in(
    text: &str,
    options: &RunOptions,
    environment: &Environment,
) -> Result<(Config, Vec<String>), String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let name = file.path().display().to_string();
    let short = |text: String| text.replace(&name, "FILE");
    let options = RunOptions { config: Some(file.path().to_owned()), ..options.clone() };
    match Config::load(&options, environment) {
        Ok((config, diagnostics)) => {
            Ok((config, diagnostics.iter().map(|message| short(message.to_string())).collect()))
        }
        Err(error) => Err(short(error.to_string())),
    }
}

fn config(text: &str) -> Config {
    load(text, &RunOptions::default()).unwrap().0
}

/// The messages about a file.
fn messages(text: &str) -> Vec<String> {
    load(text, &RunOptions::default()).unwrap().1
}

fn on(address: &str) -> Switch<SocketAddr> {
    Switch::On(address.parse().unwrap())
}

#[test]
fn an_empty_configuration_has_the_defaults() {
    let environment = Environment { home: Some("/nonexistent".into()), ..Environment::default() };
    let (config, diagnostics) = Config::load(&RunOptions::default(), &environment).unwrap();
    assert_eq!(diagnostics, []);
    assert_eq!(config.http, on("127.0.0.1:8000"));
    let path = PathBuf::from("/nonexistent/.local/state/xend/xend-socket");
    assert_eq!(
        config.unix,
        Switch::On(UnixSocket { path, is_default: true, mode: 0o600, group: None })
    );
    assert_eq!(config.state_dir, PathBuf::from("/nonexistent/.local/state/xend"));
    assert_eq!(config.storage, PathBuf::from("/nonexistent/.local/state/xend/storage"));
    assert_eq!(config.scheduler, Scheduler::Credit);
    assert_eq!(config.sim, SimHost { cpus: 4, memory_mib: 16384 });
    assert_eq!(config.hypervisor_limit, Duration::from_secs(120));
    assert_eq!(config.relocation, Switch::Off);
    assert_eq!(config.relocation_ssl, Switch::Off);
    let missing = "xend-relocation-server-ssl-key-file is not set";
    assert_eq!(config.relocation_tls, Err(missing.to_owned()));
    assert_eq!(config.relocation_hosts, r"^localhost$ ^localhost\.localdomain$");
    assert_eq!((config.max_connections, config.body_memory), (512, 256 << 20));
    assert_eq!((config.http_auth, &config.http_tls, &config.argo), (Auth::None, &None, &None));
    assert_eq!(config.metrics, None);
    assert_eq!(config.users_file, Some("/nonexistent/.config/xend/users.sxp".into()));
    assert!(!config.needs_accounts());
    assert_eq!(config.logfile, None);
    let tunables = Tunables {
        log_filter: "warn,xend=info".into(),
        allowed_hosts: Vec::new(),
        max_body: 1 << 20,
        request_timeout: Duration::from_secs(30),
        trusted_users: Vec::new(),
        trust_loopback: false,
        policy: Policy {
            node_shutdown: false,
            dom0_min_mem_mib: 196,
            dom0_ballooning: true,
            enable_dump: false,
            file_dirs: Vec::new(),
            devices: DeviceDefaults::default(),
            relocation: RelocationDefaults { plain_port: 8002, ssl_port: 8003, ssl: false },
            lookup: DomainLookup::ThisHost,
        },
    };
    assert_eq!(config.tunables, tunables);
    assert_eq!(Tunables::default(), tunables);
}

#[test]
fn without_a_home_directory_the_paths_must_be_given() {
    let environment = Environment::default();
    let mut options = RunOptions { unix: Some(Switch::Off), ..RunOptions::default() };
    let error = Config::load(&options, &environment).unwrap_err();
    assert_eq!(error.to_string(), "No home directory: set HOME or give --state-dir");
    options.state_dir = Some("/s".into());
    Config::load(&options, &environment).unwrap();
}

#[test]
fn a_file_named_on_the_command_line_must_exist() {
    let options = RunOptions { config: Some("/nonexistent/x".into()), ..RunOptions::default() };
    let error = Config::load(&options, &Environment::default()).unwrap_err();
    assert_eq!(error.to_string(), "Cannot read the configuration /nonexistent/x");
}

#[test]
fn the_command_line_overrides_the_file() {
    let text = "(xend-port 9000) (xend-address '') (xend-unix-path /f/sock) (xend-unix-mode 0660)
                (xend-unix-group xen) (loglevel DEBUG) (scheduler sedf)";
    let file_only = config(text);
    assert_eq!(file_only.http, on("0.0.0.0:9000"));
    let socket = |path: &str| UnixSocket {
        path: path.into(),
        is_default: false,
        mode: 0o660,
        group: Some("xen".into()),
    };
    assert_eq!(file_only.unix, Switch::On(socket("/f/sock")));
    assert_eq!(file_only.tunables.log_filter, "warn,xend=debug");
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
    let relative = RunOptions { state_dir: Some("state".into()), ..RunOptions::default() };
    let relative = load("", &relative).unwrap().0;
    let state_dir = std::env::current_dir().unwrap().join("state");
    assert_eq!((&relative.storage, &relative.state_dir), (&state_dir.join("storage"), &state_dir));
    assert_eq!(both.tunables.log_filter, "trace");
    assert_eq!(both.scheduler, Scheduler::Rtds);

    let off =
        RunOptions { http: Some(Switch::Off), unix: Some(Switch::Off), ..RunOptions::default() };
    let off = load(text, &off).unwrap().0;
    assert_eq!((off.http, off.unix), (Switch::Off, Switch::Off));
    let forced = RunOptions { http: Some(on("127.0.0.1:1")), ..RunOptions::default() };
    assert_eq!(load("(xend-http-server no)", &forced).unwrap().0.http, on("127.0.0.1:1"));
}

#[test]
fn a_users_file_or_a_login_with_accounts_says_that_the_host_has_accounts() {
    assert!(!config("(xend-trusted-users 7)").wants_accounts());
    for text in ["(xend-users-file /u)", "(argo-server yes)", "(xend-http-auth users)"] {
        assert!(config(text).wants_accounts(), "{text}");
    }
}

/// An entry of each key that differs from its default.
const CHANGED: &[&str] = &[
    "(xend-hypervisor sim)",
    "(xend-http-server no)",
    "(xend-port 1)",
    "(xend-address '')",
    "(xend-http-auth users)",
    "(xend-http-key k)",
    "(xend-http-cert c)",
    "(xend-http-hosts a)",
    "(xend-unix-server OFF)",
    "(xend-unix-path /x)",
    "(xend-unix-mode 0660)",
    "(xend-unix-group xen)",
    "(xend-users-file u)",
    "(xend-trusted-users 7)",
    "(xend-http-trust-loopback yes)",
    "(xend-file-dirs /d)",
    "(xend-max-body 5)",
    "(xend-body-memory 200)",
    "(xend-max-connections 9)",
    "(xend-request-timeout 5)",
    "(loglevel DEBUG)",
    "(logfile /var/log/x)",
    "(xend-log-format json)",
    "(dom0-min-mem 5)",
    "(enable-dom0-ballooning no)",
    "(xend-node-shutdown Yes)",
    "(enable-dump yes)",
    "(vif-script vif-nat)",
    "(vif-bridge br1)",
    "(vnc-listen '')",
    "(vncpasswd geheim)",
    "(keymap de)",
    "(xend-unix-xmlrpc-server no)",
    "(xend-tcp-xmlrpc-server yes)",
    "(xend-tcp-xmlrpc-server-auth users)",
    "(xend-tcp-xmlrpc-server-address 127.0.0.2)",
    "(xend-tcp-xmlrpc-server-port 1)",
    "(xend-tcp-xmlrpc-server-ssl-key-file k)",
    "(xend-tcp-xmlrpc-server-ssl-cert-file c)",
    "(xen-api-server ())",
    "(xend-password-file /p)",
    "(xend-access-without-password yes)",
    "(xend-storage-path /s)",
    "(argo-server yes)",
    "(argo-port 1)",
    "(argo-address 127.0.0.2)",
    "(argo-key k)",
    "(argo-cert c)",
    "(argo-commands-path /a)",
    "(xend-domain-files /d)",
    "(xend-metrics-server yes)",
    "(xend-metrics-port 1)",
    "(xend-metrics-address 127.0.0.2)",
    "(xend-metrics-hosts-allow '^10')",
    "(xend-metrics-key k)",
    "(xend-metrics-cert c)",
    "(xend-relocation-server yes)",
    "(xend-relocation-port 1)",
    "(xend-relocation-address localhost)",
    "(xend-relocation-hosts-allow '')",
    "(xend-relocation-ssl-server yes)",
    "(xend-relocation-ssl-port 1)",
    "(xend-relocation-server-ssl-key-file k)",
    "(xend-relocation-server-ssl-cert-file c)",
    "(xend-relocation-ssl-ca-file c)",
    "(xend-relocation-ssl yes)",
    "(xend-fleet lab)",
    "(xend-fleet-host other)",
    "(xend-fleet-etcd https://b)",
    "(xend-fleet-etcd-ca-file c)",
    "(xend-fleet-etcd-key-file k)",
    "(xend-fleet-etcd-cert-file c)",
    "(xend-fleet-etcd-user u)",
    "(xend-fleet-etcd-password-file p)",
    "(xend-fleet-old-etcd yes)",
    "(xend-fleet-route yes)",
    "(xend-fleet-xenapi yes)",
    "(xend-fleet-users no)",
    "(xend-fleet-key-file k)",
    "(xend-fleet-storages nfs)",
    "(xend-hypervisor-limit 10)",
    "(scheduler sedf)",
    "(sim-cpus 2)",
    "(sim-memory 2048)",
];

/// A file in which each key of [`CHANGED`] alone makes a difference: listeners that are off by
/// default are on, and encrypted.
const ALL_ON: &str = "(xend-tcp-xmlrpc-server yes) (xend-relocation-server yes)
    (xend-tcp-xmlrpc-server-ssl-key-file /k) (xend-tcp-xmlrpc-server-ssl-cert-file /c)
    (xend-http-key /k) (xend-http-cert /c) (argo-server yes) (argo-key /k) (argo-cert /c)
    (xend-metrics-server yes) (xend-metrics-key /k) (xend-metrics-cert /c)
    (xend-relocation-ssl-server yes) (xend-relocation-server-ssl-key-file /k)
    (xend-relocation-server-ssl-cert-file /c) (xend-relocation-ssl-ca-file /c)";

/// The same of a fleet.
const FLEET: &str = "(xend-fleet lab) (xend-fleet-etcd https://a) (xend-fleet-etcd-ca-file /c)
    (xend-fleet-etcd-key-file /k) (xend-fleet-etcd-cert-file /c) (xend-fleet-etcd-user a)
    (xend-fleet-etcd-password-file /p)";

#[test]
fn a_change_of_each_key_is_reloaded_or_needs_a_restart() {
    let names: Vec<_> = table::keys().map(|key| key.name).collect();
    let changed: Vec<_> =
        CHANGED.iter().map(|entry| entry[1..].split([' ', ')']).next().unwrap()).collect();
    assert_eq!(changed, names, "an entry for each key");
    for (key, entry) in table::keys().zip(CHANGED) {
        // A build without Xen has one value.
        if key.name == "xend-hypervisor" {
            assert!(!key.reload);
            continue;
        }
        // A build without fleets has none.
        let is_fleet = key.name.starts_with("xend-fleet");
        if is_fleet && cfg!(not(feature = "fleet")) {
            continue;
        }
        let all_on = if is_fleet { FLEET } else { ALL_ON };
        // The keys that turn a listener on by default no longer differ when all are on.
        let is_switch = all_on.contains(entry);
        let base = if is_switch { "" } else { all_on };
        let old = config(base);
        // The first entry of a key counts.
        let new = config(&format!("{entry} {base}"));
        // It affects only listeners that are not in this file.
        if key.name == "xend-access-without-password" {
            assert!(new.file.access_without_password && !key.reload);
            continue;
        }
        if key.reload {
            assert_eq!(old.needs_restart(&new), [""; 0], "{entry}");
            let files = Config { file: new.file.clone(), ..old.clone() };
            assert_ne!(files, new, "{entry}: it has an effect");
        } else {
            assert_eq!(old.needs_restart(&new), [key.name], "{entry}");
            assert_eq!(old.tunables, new.tunables, "{entry}");
        }
        assert_eq!(old.reloaded(&new) == new, key.reload, "{entry}");
    }
}

#[test]
fn a_key_that_the_command_line_overrides_needs_no_restart() {
    let options = RunOptions { http: Some(on("127.0.0.1:1")), ..RunOptions::default() };
    let load = |text: &str| load(text, &options).unwrap().0;
    assert_eq!(load("").needs_restart(&load("(xend-port 2)")), [""; 0]);
    let old = config("(xend-port 1) (loglevel INFO)");
    let moved = config("(xend-port 2) (xend-unix-server no) (sim-cpus 8) (loglevel DEBUG)");
    assert_eq!(old.needs_restart(&moved), ["xend-port", "xend-unix-server", "sim-cpus"]);
    assert_eq!(old.needs_restart(&config("\n (loglevel INFO) (xend-port 1)")), [""; 0]);
}

#[test]
fn values_are_read() {
    let config = config(
        "(xend-max-body 2000) (xend-body-memory 128) (xend-request-timeout 5)
         (xend-node-shutdown Yes)
         (xend-http-hosts Xen.Example.ORG. 'a b') (dom0-min-mem 0) (sim-cpus 2) (sim-memory 2048)
         (logfile /var/log/x) (xend-trusted-users root '1000 7') (xend-file-dirs (/d '/e f'))
         (xend-http-trust-loopback yes) (xend-users-file /u)",
    );
    assert_eq!(config.logfile, Some("/var/log/x".into()));
    assert_eq!(config.body_memory, 128 << 20);
    assert_eq!(config.users_file, Some("/u".into()));
    assert_eq!(config.sim, SimHost { cpus: 2, memory_mib: 2048 });
    let tunables = Tunables {
        allowed_hosts: vec!["xen.example.org".into(), "a".into(), "b".into()],
        max_body: 2000,
        request_timeout: Duration::from_secs(5),
        trusted_users: vec![0, 1000, 7],
        trust_loopback: true,
        policy: Policy {
            node_shutdown: true,
            file_dirs: vec!["/d".into(), "/e f".into()],
            dom0_min_mem_mib: 0,
            dom0_ballooning: false,
            ..Policy::default()
        },
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
        let config = config(&format!("(xend-node-shutdown {word})"));
        assert_eq!(config.tunables.policy.node_shutdown, value, "{word}");
    }
}

#[test]
fn a_wrong_value_is_an_error_with_its_position() {
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
        ("(xend-http-auth user)", "FILE:1:17: xend-http-auth: 'user' is not none or users"),
        (
            "(xend-file-dirs /a b)",
            "FILE:1:20: xend-file-dirs: 'b' is not an absolute path without ..",
        ),
        (
            "(xend-file-dirs '/a/../b')",
            "FILE:1:17: xend-file-dirs: '/a/../b' is not an absolute path without ..",
        ),
        ("(xend-file-dirs)", "FILE:1:1: xend-file-dirs: needs a directory"),
        (
            "(xend-file-dirs ((/a) /b))",
            "FILE:1:18: xend-file-dirs: needs plain values, not lists in a list",
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
fn a_wrong_limit_has_its_default() {
    for (text, position, problem, default) in [
        (
            "(xend-unix-mode rw)",
            "1:17",
            "xend-unix-mode: 'rw' is not a mode in octal (such as 0600)",
            "0600",
        ),
        (
            "(xend-unix-mode 1777)",
            "1:17",
            "xend-unix-mode: '1777' is not a mode in octal (such as 0600)",
            "0600",
        ),
        (
            "(xend-http-hosts a:80)",
            "1:18",
            "xend-http-hosts: 'a:80' is not a host name, which has no port and no *",
            "none",
        ),
        (
            "(xend-trusted-users root no-such-user)",
            "1:26",
            "xend-trusted-users: 'no-such-user' is not a user of this machine",
            "none",
        ),
        (
            "(xend-request-timeout 0)",
            "1:23",
            "xend-request-timeout: '0' is not a number of seconds (1 to 86400)",
            "30",
        ),
        (
            "(xend-access-without-password maybe)",
            "1:31",
            "xend-access-without-password: 'maybe' is not yes or no",
            "no",
        ),
    ] {
        let (found, messages) = load(text, &RunOptions::default()).unwrap();
        let message = format!("FILE:{position}: {problem}: the default is used, {default}");
        assert_eq!(messages, [message], "{text}");
        assert_eq!(found, config(""), "{text}");
    }
}

#[test]
fn text_outside_of_entries_is_ignored() {
    let (found, messages) = load(
        "xend-port 80\n(xend-unix-mode 0660) geheim\n() ((xend-port) 81) vncpasswd geheim",
        &RunOptions::default(),
    )
    .unwrap();
    assert_eq!(found.http, on("127.0.0.1:8000"));
    assert_eq!(
        messages,
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
fn wrong_syntax_is_an_error_with_its_position() {
    for (text, start) in [("(xend-port 80", "FILE:1:"), ("\n(loglevel INFO))", "FILE:2:16: ")] {
        let message = load(text, &RunOptions::default()).unwrap_err();
        assert!(message.starts_with(start), "{message}");
    }
}

#[test]
fn unknown_and_repeated_keys_are_warnings() {
    let text = "(xend-port 1)\n(xend-prot 80)\n(xend-port 2)\n(colour red)";
    let (config, messages) = load(text, &RunOptions::default()).unwrap();
    assert_eq!(config.http, on("127.0.0.1:1"));
    assert_eq!(
        messages,
        [
            "FILE:2:1: Unknown key xend-prot is ignored, did you mean xend-port?",
            "FILE:3:1: xend-port is repeated and ignored, the first one counts",
            "FILE:4:1: Unknown key colour is ignored"
        ]
    );
}

#[test]
fn obsolete_keys_are_warnings_if_they_ask_for_something() {
    let harmless = "(network-script) (dom0-cpus 0) (total_available_memory 0)
        (pscsi-device-mask ('*')) (vnc-tls 0) (xend-domain-lock no)
        (xend-domains-path /var/lib/xend/domains)
        (console-limit 1024) (external-migration-tool '') (xen-tcp-xmlrpc-server-port 8006)
        (block-file block-file) (block-drbd block-drbd) (block-iscsi)";
    assert_eq!(messages(harmless), [""; 0]);
    for (text, message) in [
        ("(network-script 'network-bridge netdev=eth1')", "network-script has no effect: make br"),
        ("(vnc-tls 1)", "vnc-tls has no effect: today's libxl starts VNC servers without TLS"),
        ("(dom0-cpus 2)", "dom0-cpus has no effect: set dom0_max_vcpus"),
        ("(xend-domain-lock yes)", "xend-domain-lock has no effect: domains are not locked"),
        (
            "(xend-relocation-tls yes)",
            "xend-relocation-tls has no effect: write xend-relocation-ssl",
        ),
        ("(pscsi-device-mask ('1:0:0:0' '2:0'))", "pscsi-device-mask has no effect: "),
        ("(block-gnbd my-gnbd)", "block-gnbd has no effect: the type in a disk's uname selects"),
        ("(block-iscsi 'block-iscsi-ours')", "block-iscsi has no effect: "),
        ("(block- x)", "Unknown key block- is ignored"),
        ("(device-create-timeout 300)", "device-create-timeout has no effect: "),
        (
            "(xen-tcp-xmlrpc-server-port 8007)",
            "xen-tcp-xmlrpc-server-port has no effect: xend never read this key, write",
        ),
    ] {
        let found = messages(text);
        let start = format!("FILE:1:1: {message}");
        assert!(found.len() == 1 && found[0].starts_with(&start), "{text}: {found:?}");
    }
}

/// `sexpr-fixtures/config/keys.txt` holds every key that any xend read.
#[test]
fn every_key_of_every_xend_is_known() {
    let names = include_str!("../../sexpr-fixtures/config/keys.txt");
    let names: Vec<&str> = names.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(names.len(), 68);
    for name in names {
        let has_effect = table::find(name).is_some();
        let is_obsolete = obsolete::find(name).is_some();
        assert!(has_effect != is_obsolete, "{name} must be in one of the tables");
        assert!(reference().contains(&format!("({name}")), "{name}");
    }
    let mut seen = HashSet::new();
    assert!(table::keys().all(|key| seen.insert(key.name)), "a key is in the table twice");
}

#[test]
fn device_defaults_are_none_if_they_are_xens() {
    let devices = |text: &str| config(text).tunables.policy.devices;
    let text = |text: &str| Some(Text::from(text));
    let given = devices("(vif-script 'vif-nat bridge=br1') (vnc-listen 0.0.0.0) (keymap de)");
    let expected = DeviceDefaults {
        vif_script: text("vif-nat"),
        vif_bridge: text("br1"),
        vnc_listen: text("0.0.0.0"),
        keymap: text("de"),
    };
    assert_eq!(given, expected);
    // Xen's own defaults, and the entries of xend's sample file.
    for usual in [
        "(vif-script vif-bridge) (vnc-listen '127.0.0.1')",
        "(vif-script )(keymap '')(vif-bridge)(vncpasswd)",
    ] {
        assert_eq!(devices(usual), DeviceDefaults::default(), "{usual}");
    }
    assert_eq!(devices("(vnc-listen '')").vnc_listen, text("0.0.0.0"), "all interfaces");
    assert_eq!(devices("(vnc-listen)").vnc_listen, text("0.0.0.0"), "all interfaces");
    assert_eq!(devices("(vnc-listen ::1)").vnc_listen, text("::1"));
    assert_eq!(devices("(vnc-listen localhost)").vnc_listen, None, "Xen's own default");
    assert_eq!(devices("(vif-script '/opt/x/vif bridge=b')").vif_script, text("/opt/x/vif"));
    assert_eq!(devices("(vif-bridge xen-br0)").vif_bridge, text("xen-br0"));
    assert_eq!(
        messages("(vif-script 'vif-bridge netdev=eth0')"),
        ["FILE:1:1: vif-script: 'netdev=eth0' has no effect, only bridge=NAME has"]
    );
    let secret = config("(vncpasswd 'geheim') (enable-dump yes)");
    assert_eq!(secret.vnc_password, Password::new("geheim".into()));
    assert!(secret.tunables.policy.enable_dump && !format!("{secret:?}").contains("geheim"));
    assert_eq!(config("(vncpasswd '')").vnc_password, None);
}

#[test]
fn the_sample_file_is_printed_from_the_table() {
    let sample = include_str!("../../dist/xend-config.sxp");
    assert!(
        sample == sample_file(),
        "print it anew: cargo run -- keys --sample > dist/xend-config.sxp"
    );
    assert!(sample.lines().all(|line| line.chars().count() <= 100));
}

/// Root's, since the defaults in the sample file are.
#[test]
fn the_entries_of_the_sample_file_are_the_defaults() {
    let root = Environment { root: true, ..Environment::default() };
    let load = |text: &str| load_in(text, &RunOptions::default(), &root).unwrap();
    let sample = sample_file();
    let (plain, _) = load("");
    assert_eq!(load(&sample), (plain.clone(), Vec::new()));

    // Removing the # of an entry changes nothing.
    let entries = sample.lines().filter_map(|line| line.strip_prefix('#'));
    let active: Vec<&str> = entries.filter(|line| line.starts_with('(')).collect();
    let (mut config, messages) = load(&active.join("\n"));
    assert_eq!(messages, [""; 0]);
    config.file = plain.file.clone();
    assert_eq!(config, plain);
    for key in table::keys() {
        let is_active = active.contains(&format!("({} {})", key.name, key.default).as_str());
        assert_eq!(is_active, !key.default.is_empty(), "{}", key.name);
        assert!(is_active || !key.examples.is_empty(), "{} has an example", key.name);
    }

    // Examples are entries without any warning, too.
    let examples = sample.lines().filter_map(|line| line.strip_prefix("#   "));
    // Those of Xen and of a fleet are errors where the build has none.
    let is_possible = |line: &&str| {
        (cfg!(feature = "xen") || *line != "(xend-hypervisor xen)")
            && (cfg!(feature = "fleet") || *line != "(xend-fleet lab)")
    };
    for example in examples.filter(|line| line.starts_with('(')).filter(is_possible) {
        assert_eq!(load(example).1, [""; 0], "{example}");
    }
}
