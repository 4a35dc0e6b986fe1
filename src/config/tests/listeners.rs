//! Which listeners are served, and which are left out.

use super::*;

#[test]
fn a_broken_entry_leaves_its_listener_out() {
    for (text, message) in [
        (
            "(xend-port 99999)",
            "FILE:1:12: xend-port: '99999' is not a port (1 to 65535): HTTP over TCP is left out",
        ),
        ("(xend-port)", "FILE:1:1: xend-port: needs a value: HTTP over TCP is left out"),
        (
            "(xend-address eth0)",
            "FILE:1:15: xend-address: 'eth0' is not an IP address, localhost or '': HTTP over TCP is left out",
        ),
        (
            "(xend-unix-path s)",
            "FILE:1:17: xend-unix-path: 's' is not an absolute path: HTTP on the unix socket is left out",
        ),
        (
            "(xend-unix-xmlrpc-server maybe)",
            "FILE:1:26: xend-unix-xmlrpc-server: 'maybe' is not yes or no: XML-RPC on the unix socket is left out",
        ),
        (
            "(xend-tcp-xmlrpc-server yes) (xend-tcp-xmlrpc-server-port x)",
            "FILE:1:59: xend-tcp-xmlrpc-server-port: 'x' is not a port (1 to 65535): XML-RPC over TCP is left out",
        ),
        (
            "(xen-api-server unix)",
            "FILE:1:17: xen-api-server: needs a list of listeners, like ((unix)): the Xen-API is left out",
        ),
        (
            "(xend-relocation-server yes) (xend-relocation-address eth0)",
            "FILE:1:55: xend-relocation-address: 'eth0' is not an IP address, localhost or '': the relocation server is \
             left out",
        ),
    ] {
        let (broken, findings) = load(text, &RunOptions::default()).unwrap();
        assert_eq!(findings, [message], "{text}");
        let whole = config("");
        let served = |config: &Config| {
            let switches =
                usize::from(config.http != Switch::Off) + usize::from(config.unix != Switch::Off);
            switches + config.xmlrpc.len() + config.xen_api.len()
        };
        let extra = text.starts_with("(xend-tcp") || text.starts_with("(xend-relocation");
        assert_eq!(served(&broken), served(&whole) - usize::from(!extra), "{text}");
        assert_eq!(broken.relocation, Switch::Off);
    }
    // What the command line says counts.
    let options = RunOptions { http: Some(on("127.0.0.1:1")), ..RunOptions::default() };
    let (config, findings) = load("(xend-port 99999)", &options).unwrap();
    assert_eq!(config.http, on("127.0.0.1:1"));
    assert_eq!(
        findings,
        [
            "FILE:1:12: xend-port: '99999' is not a port (1 to 65535): the command line counts for HTTP over TCP"
        ]
    );
}

#[test]
fn the_xen_api_is_served_where_the_file_says() {
    let xen_api = |text: &str| config(text).xen_api;
    let text = "(xen-api-server ((localhost:9363 password '^localhost$ ^10\\.' /k /c) (127.0.0.1:9364 none) (9365 password) (UNIX none)))";
    let listeners = xen_api(text);
    let places: Vec<_> = listeners.iter().map(|one| (one.place.clone(), one.auth)).collect();
    let tcp = |address: &str| Place::Tcp(address.parse().unwrap());
    assert_eq!(
        places[..3],
        [
            (tcp("127.0.0.1:9363"), Auth::Password),
            (tcp("127.0.0.1:9364"), Auth::None),
            (tcp("0.0.0.0:9365"), Auth::Password)
        ]
    );
    assert!(matches!(&places[3], (Place::Unix(_), Auth::None)));
    assert_eq!(listeners[0].hosts, "^localhost$ ^10\\.");
    assert_eq!(listeners[0].tls, Some(TlsFiles { key: "/k".into(), cert: "/c".into() }));
    // xend's documentation, and not its code: who says nothing wants a password.
    if cfg!(feature = "pam") {
        assert_eq!(xen_api("(xen-api-server ((127.0.0.1:9363)))")[0].auth, Auth::Pam);
    } else {
        let (config, findings) =
            load("(xen-api-server ((127.0.0.1:9363) (unix)))", &RunOptions::default()).unwrap();
        assert_eq!((config.xen_api.len(), config.xen_api[0].auth), (1, Auth::Pam));
        assert!(
            findings[0].starts_with(
                "FILE:1:18: the Xen-API on 127.0.0.1:9363 is left out: this xend was built without PAM"
            ),
            "{findings:?}"
        );
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
            "'localhost' is not one of none, pam, password: write (9225 pam) or (9225 password)",
        ),
        ("(9363 unix)", "'unix' is not one of none, pam, password"),
        ("(9363 none)", "(xend-access-without-password yes)"),
        ("(here none)", "'here' is not unix, PORT or ADDRESS:PORT: here is left out"),
        ("(9363 password '' /k)", "a key needs a certificate"),
        ("(unix none '' /k /c)", "a unix socket is not encrypted"),
        ("(9363 password '' /k /c more)", "takes a place, a method"),
    ] {
        let text = format!("(xen-api-server ((127.0.0.1:1 none) {entry} (unix)))");
        let (config, findings) = load(&text, &RunOptions::default()).unwrap();
        assert!(
            findings.len() == 1 && findings[0].starts_with("FILE:1:") && findings[0].contains(why),
            "{findings:?}"
        );
        assert!(findings[0].contains("left out"), "{findings:?}");
        assert_eq!(config.xen_api.len(), 2, "{text}");
    }
    // An instance with a socket of its own is none that takes xend's place.
    let own = RunOptions { unix: Some(Switch::On("/run/own".into())), ..RunOptions::default() };
    let (config, _) = load("", &own).unwrap();
    assert_eq!((config.xen_api, config.xmlrpc), (vec![], vec![]));
}

#[test]
fn nobody_is_let_in_from_everywhere_by_mistake() {
    for text in [
        "(xen-api-server ((9363 none)))",
        "(xend-tcp-xmlrpc-server yes) (xend-tcp-xmlrpc-server-address '')",
    ] {
        let (closed, findings) = load(text, &RunOptions::default()).unwrap();
        assert!(findings[0].contains("without a password"), "{findings:?}");
        assert!(!closed.xmlrpc.iter().chain(&closed.xen_api).any(RpcListener::is_open));
        let meant = config(&format!("{text} (xend-access-without-password yes)"));
        assert!(meant.xmlrpc.iter().chain(&meant.xen_api).any(RpcListener::is_open));
    }
    let text = "(xend-tcp-xmlrpc-server yes) (xend-tcp-xmlrpc-server-ssl-key-file /k)";
    let (half, findings) = load(text, &RunOptions::default()).unwrap();
    assert!(
        findings[0].contains("belong together")
            && findings[0].contains("127.0.0.1:8006 is left out"),
        "{findings:?}"
    );
    assert!(!half.xmlrpc.iter().any(|one| matches!(one.place, Place::Tcp(_))), "not in the clear");
    let encrypted = config(&format!("{text} (xend-tcp-xmlrpc-server-ssl-cert-file /c)"));
    let tcp = encrypted.xmlrpc.iter().find(|one| matches!(one.place, Place::Tcp(_))).unwrap();
    assert_eq!(tcp.place, Place::Tcp("127.0.0.1:8006".parse().unwrap()));
    assert!(tcp.tls.is_some());
}
