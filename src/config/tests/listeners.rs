//! Listeners that are served, and those that are not.

use super::*;
use crate::peer_tls::PeerTlsFiles;

#[test]
fn a_wrong_entry_turns_its_listener_off() {
    const IP: &str = "'eth0' is not an IP address, localhost or ''";
    for (text, position, problem, listener) in [
        (
            "(xend-port 99999)",
            "1:12",
            "xend-port: '99999' is not a port (1 to 65535)".to_owned(),
            "HTTP over TCP",
        ),
        ("(xend-port)", "1:1", "xend-port: needs a value".to_owned(), "HTTP over TCP"),
        ("(xend-address eth0)", "1:15", format!("xend-address: {IP}"), "HTTP over TCP"),
        (
            "(xend-unix-path s)",
            "1:17",
            "xend-unix-path: 's' is not an absolute path".to_owned(),
            "HTTP on the unix socket",
        ),
        (
            "(xend-unix-xmlrpc-server maybe)",
            "1:26",
            "xend-unix-xmlrpc-server: 'maybe' is not yes or no".to_owned(),
            "XML-RPC on the unix socket",
        ),
        (
            "(xend-tcp-xmlrpc-server yes) (xend-tcp-xmlrpc-server-port x)",
            "1:59",
            "xend-tcp-xmlrpc-server-port: 'x' is not a port (1 to 65535)".to_owned(),
            "XML-RPC over TCP",
        ),
        (
            "(xen-api-server unix)",
            "1:17",
            "xen-api-server: needs a list of listeners, like ((unix))".to_owned(),
            "the Xen-API",
        ),
        (
            "(argo-server yes) (argo-port 0)",
            "1:30",
            "argo-port: '0' is not a port (1 to 65535)".to_owned(),
            "Argo",
        ),
        (
            "(xend-metrics-server yes) (xend-metrics-port 0)",
            "1:46",
            "xend-metrics-port: '0' is not a port (1 to 65535)".to_owned(),
            "the metrics server",
        ),
        (
            "(xend-relocation-server yes) (xend-relocation-address eth0)",
            "1:55",
            format!("xend-relocation-address: {IP}"),
            "the relocation server",
        ),
        (
            "(xend-relocation-ssl-server yes) (xend-relocation-ssl-port 0)",
            "1:60",
            "xend-relocation-ssl-port: '0' is not a port (1 to 65535)".to_owned(),
            "the relocation server",
        ),
    ] {
        let message = format!("FILE:{position}: {problem}: {listener} is not served");
        let (broken, messages) = load(text, &RunOptions::default()).unwrap();
        assert_eq!(messages, [message], "{text}");
        let whole = config("");
        let served = |config: &Config| {
            let switches =
                usize::from(config.http != Switch::Off) + usize::from(config.unix != Switch::Off);
            switches + config.xmlrpc.len() + config.xen_api.len()
        };
        let off = ["(xend-tcp", "(xend-relocation", "(argo", "(xend-metrics"];
        let extra = off.iter().any(|start| text.starts_with(start));
        assert_eq!(served(&broken), served(&whole) - usize::from(!extra), "{text}");
        assert_eq!((broken.relocation, broken.argo, broken.metrics), (Switch::Off, None, None));
    }
    // The command line replaces a listener with a wrong entry.
    let options = RunOptions { http: Some(on("127.0.0.1:1")), ..RunOptions::default() };
    let (config, messages) = load("(xend-port 99999)", &options).unwrap();
    assert_eq!(config.http, on("127.0.0.1:1"));
    assert_eq!(
        messages,
        ["FILE:1:12: xend-port: '99999' is not a port (1 to 65535): \
          the command line decides about HTTP over TCP"]
    );
}

/// Whether it is turned on by default or not.
#[test]
fn a_wrong_switch_turns_its_listener_off() {
    for (key, listener) in [
        ("xend-http-server", "HTTP over TCP"),
        ("xend-unix-server", "HTTP on the unix socket"),
        ("xend-unix-xmlrpc-server", "XML-RPC on the unix socket"),
        ("xend-tcp-xmlrpc-server", "XML-RPC over TCP"),
        ("argo-server", "Argo"),
        ("xend-metrics-server", "the metrics server"),
        ("xend-relocation-server", "the relocation server"),
    ] {
        let column = key.len() + 3;
        let message =
            format!("FILE:1:{column}: {key}: 'maybe' is not yes or no: {listener} is not served");
        assert_eq!(messages(&format!("({key} maybe)")), [message]);
    }
}

#[test]
fn the_xen_api_has_the_listeners_of_the_file() {
    let xen_api = |text: &str| config(text).xen_api;
    let text = "(xen-api-server ((localhost:9363 password '^localhost$ ^10\\.' /k /c)
                                 (127.0.0.1:9364 none) (9365 password) (UNIX none)))";
    let listeners = xen_api(text);
    let addresses: Vec<_> = listeners.iter().map(|one| (one.address.clone(), one.auth)).collect();
    let tcp = |address: &str| ListenAddress::Tcp(address.parse().unwrap());
    assert_eq!(
        addresses[..3],
        [
            (tcp("127.0.0.1:9363"), Auth::Password),
            (tcp("127.0.0.1:9364"), Auth::None),
            (tcp("0.0.0.0:9365"), Auth::Password)
        ]
    );
    assert!(matches!(&addresses[3], (ListenAddress::Unix(_), Auth::None)));
    assert_eq!(listeners[0].hosts, "^localhost$ ^10\\.");
    assert_eq!(listeners[0].tls, Some(TlsFiles { key: "/k".into(), cert: "/c".into() }));
    // As in xend's documentation, and unlike in its code, passwords are the default.
    if cfg!(feature = "pam") {
        assert_eq!(xen_api("(xen-api-server ((127.0.0.1:9363)))")[0].auth, Auth::Pam);
    } else {
        let (config, messages) =
            load("(xen-api-server ((127.0.0.1:9363) (unix)))", &RunOptions::default()).unwrap();
        assert_eq!((config.xen_api.len(), config.xen_api[0].auth), (1, Auth::Pam));
        let start = "FILE:1:18: the Xen-API on 127.0.0.1:9363 is not served: \
                     this xend was built without PAM";
        assert!(messages[0].starts_with(start), "{messages:?}");
    }
    assert_eq!(xen_api("(xen-api-server ())"), []);
    let relative =
        xen_api("(xen-api-server ((127.0.0.1:1 none '' xen-api.key /c)))").remove(0).tls.unwrap();
    assert!(
        relative.key.is_absolute() && relative.key.ends_with("xen-api.key"),
        "beside the file: {relative:?}"
    );
    for (entry, why) in [
        ("unix", "needs lists like (unix)"),
        (
            "(9225 localhost)",
            "'localhost' is not one of none, pam, password, users: write (9225 pam) or (9225 password)",
        ),
        ("(9363 unix)", "'unix' is not one of none, pam, password, users"),
        ("(9363 none)", "(xend-access-without-password yes)"),
        ("(here none)", "'here' is not unix, PORT or ADDRESS:PORT: here is not served"),
        ("(9363 password '' /k)", "a key needs a certificate"),
        ("(unix none '' /k /c)", "a unix socket is not encrypted"),
        ("(9363 password '' /k /c more)", "takes an address, a method"),
    ] {
        let text = format!("(xen-api-server ((127.0.0.1:1 none) {entry} (unix)))");
        let (config, messages) = load(&text, &RunOptions::default()).unwrap();
        let [message] = messages.as_slice() else { panic!("{text}: {messages:?}") };
        assert!(message.starts_with("FILE:1:") && message.contains(why), "{message}");
        assert!(message.contains("is not served"), "{message}");
        assert_eq!(config.xen_api.len(), 2, "{text}");
    }
    // A second daemon, with a socket of its own, does not take xend's.
    let own = RunOptions { unix: Some(Switch::On("/run/own".into())), ..RunOptions::default() };
    let (config, _) = load("", &own).unwrap();
    assert_eq!((config.xen_api, config.xmlrpc), (vec![], vec![]));
}

#[test]
fn listeners_without_passwords_are_local_unless_configured_otherwise() {
    for text in [
        "(xen-api-server ((9363 none)))",
        "(xend-tcp-xmlrpc-server yes) (xend-tcp-xmlrpc-server-address '')",
    ] {
        let (closed, messages) = load(text, &RunOptions::default()).unwrap();
        assert!(messages[0].contains("without a password"), "{messages:?}");
        assert!(!closed.xmlrpc.iter().chain(&closed.xen_api).any(ListenerConfig::is_open));
        let meant = config(&format!("{text} (xend-access-without-password yes)"));
        assert!(meant.xmlrpc.iter().chain(&meant.xen_api).any(ListenerConfig::is_open));
    }
    let text = "(xend-tcp-xmlrpc-server yes) (xend-tcp-xmlrpc-server-ssl-key-file /k)";
    let (half, messages) = load(text, &RunOptions::default()).unwrap();
    assert!(
        messages[0].contains("belong together")
            && messages[0].contains("127.0.0.1:8006 is not served"),
        "{messages:?}"
    );
    let is_tcp = |listener: &&ListenerConfig| matches!(listener.address, ListenAddress::Tcp(_));
    assert_eq!(half.xmlrpc.iter().filter(is_tcp).count(), 0, "not unencrypted");
    let encrypted = config(&format!("{text} (xend-tcp-xmlrpc-server-ssl-cert-file /c)"));
    let tcp = encrypted.xmlrpc.iter().find(is_tcp).unwrap();
    assert_eq!(tcp.address, ListenAddress::Tcp("127.0.0.1:8006".parse().unwrap()));
    assert!(tcp.tls.is_some());
}

#[test]
fn encrypted_migration_needs_three_files() {
    let mut text =
        "(xend-relocation-ssl-server yes) (xend-relocation-address 127.0.0.1)".to_owned();
    for key in [
        "xend-relocation-server-ssl-key-file",
        "xend-relocation-server-ssl-cert-file",
        "xend-relocation-ssl-ca-file",
    ] {
        let (found, messages) = load(&text, &RunOptions::default()).unwrap();
        assert_eq!(found.relocation_tls, Err(format!("{key} is not set")));
        assert_eq!(found.relocation_ssl, Switch::Off);
        let unserved = "FILE:1:1: the encrypted relocation server on 127.0.0.1:8003 is not served";
        assert_eq!(messages, [format!("{unserved}: {key} is not set")]);
        text = format!("{text} ({key} /etc/xen/{key})");
    }
    let found = config(&text);
    let file = |name: &str| PathBuf::from(format!("/etc/xen/xend-relocation-{name}"));
    let files = PeerTlsFiles {
        key: file("server-ssl-key-file"),
        cert: file("server-ssl-cert-file"),
        peers: Some(file("ssl-ca-file")),
    };
    assert_eq!(found.relocation_tls, Ok(files));
    assert_eq!(found.relocation_ssl, Switch::On("127.0.0.1:8003".parse().unwrap()));
    assert_eq!(found.relocation, Switch::Off);
    // A wrong address opens no port on all addresses.
    let wrong = text.replace("127.0.0.1", "eth0");
    assert_eq!(load(&wrong, &RunOptions::default()).unwrap().0.relocation_ssl, Switch::Off);
}

#[test]
fn http_and_argo_have_accounts_and_encryption() {
    let found = config("(xend-http-auth users) (xend-http-key k) (xend-http-cert /c)");
    let http = found.http_listener().unwrap();
    assert_eq!(http.auth, Auth::Users);
    let tls = http.tls.as_ref().unwrap();
    assert!(tls.key.is_absolute() && tls.key.ends_with("k"), "beside the file: {tls:?}");
    assert!(found.needs_accounts());

    let found = config("(argo-server yes) (argo-port 1) (argo-key /k) (argo-cert /c)");
    let argo = found.argo.clone().unwrap();
    assert_eq!(argo.address, ListenAddress::Tcp("127.0.0.1:1".parse().unwrap()));
    assert!(argo.auth == Auth::Users && argo.tls.is_some() && found.needs_accounts());
    let options = RunOptions { argo: Some(on("[::1]:2")), ..RunOptions::default() };
    let argo = load("", &options).unwrap().0.argo.unwrap();
    assert_eq!(argo.address, ListenAddress::Tcp("[::1]:2".parse().unwrap()));

    // Half of an encryption is none, and passwords do not go unencrypted.
    let text = "(argo-key /k) (argo-server yes)";
    let (config, messages) = load(text, &RunOptions::default()).unwrap();
    assert_eq!(config.argo, None);
    assert_eq!(
        messages,
        ["FILE:1:1: Argo on 127.0.0.1:20203 is not served: \
          argo-key and argo-cert belong together, give both"]
    );
    let options = RunOptions { http: Some(on("127.0.0.1:1")), ..RunOptions::default() };
    for options in [options, RunOptions::default()] {
        assert_eq!(
            load("(xend-http-cert /c)", &options).unwrap_err(),
            "FILE:1:1: xend-http-key and xend-http-cert belong together, give both"
        );
    }
}

#[test]
fn metrics_have_a_listener_of_their_own() {
    let text = "(xend-metrics-server yes) (xend-metrics-address '') (xend-metrics-port 1)
        (xend-metrics-hosts-allow '^192\\.0\\.2\\.') (xend-metrics-key /k) (xend-metrics-cert /c)";
    let metrics = config(text).metrics.unwrap();
    assert_eq!(metrics.address, ListenAddress::Tcp("0.0.0.0:1".parse().unwrap()));
    assert_eq!((metrics.auth, metrics.hosts.as_str()), (Auth::None, r"^192\.0\.2\."));
    assert!(metrics.tls.is_some());
    let default = config("(xend-metrics-server yes)").metrics.unwrap();
    assert_eq!(default.address, ListenAddress::Tcp("127.0.0.1:8007".parse().unwrap()));
    let options = RunOptions { metrics: Some(on("[::1]:2")), ..RunOptions::default() };
    let metrics = load("", &options).unwrap().0.metrics.unwrap();
    assert_eq!(metrics.address, ListenAddress::Tcp("[::1]:2".parse().unwrap()));
    let options = RunOptions { metrics: Some(Switch::Off), ..RunOptions::default() };
    assert_eq!(load("(xend-metrics-server yes)", &options).unwrap().0.metrics, None);
    // One without the other would be an unencrypted listener.
    let text = "(xend-metrics-key /k) (xend-metrics-server yes)";
    assert_eq!(config(text).metrics, None);
    assert_eq!(
        messages(text),
        ["FILE:1:1: Metrics on 127.0.0.1:8007 is not served: \
          xend-metrics-key and xend-metrics-cert belong together, give both"]
    );
}

#[test]
fn passwords_of_accounts_are_encrypted_or_local() {
    let shows = |text: &str| {
        let config = config(text);
        let http = config.http_listener();
        let listeners = http.iter().chain(&config.xmlrpc).chain(&config.xen_api);
        let shown = listeners.chain(&config.argo).filter(|one| one.shows_passwords());
        shown.map(|one| one.address.clone()).collect::<Vec<_>>()
    };
    for text in [
        "(xend-http-auth users)",
        "(xend-address '')",
        "(xend-http-auth users) (xend-address '') (xend-http-key /k) (xend-http-cert /c)",
        "(xen-api-server ((unix users) (127.0.0.1:1 users) (9363 users '' /k /c)))",
        "(xen-api-server ((9363 password)))",
        "(xend-tcp-xmlrpc-server yes) (xend-tcp-xmlrpc-server-auth users)",
        "(argo-server yes)",
    ] {
        assert_eq!(shows(text), [], "{text}");
    }
    for (text, port) in [
        ("(xend-http-auth users) (xend-address '')", 8000),
        ("(xen-api-server ((9363 users)))", 9363),
        (
            "(xend-tcp-xmlrpc-server yes) (xend-tcp-xmlrpc-server-auth users)
             (xend-tcp-xmlrpc-server-address '')",
            8006,
        ),
        ("(argo-server yes) (argo-address '')", 20203),
    ] {
        let address = ListenAddress::Tcp(SocketAddr::from(([0, 0, 0, 0], port)));
        assert_eq!(shows(text), [address], "{text}");
    }
}
