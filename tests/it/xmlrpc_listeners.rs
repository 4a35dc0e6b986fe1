//! Listeners of the Xen-API: with passwords and encryption, for some hosts, and without passwords.

use crate::http_support::{Answer, Daemon, Listener, ask};
use crate::tls_support::{encrypted, write_certificate};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
#[cfg(feature = "pam")]
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use xend::wire::xmlrpc::Value;
use xend::wire::xmlrpc::codec::{self, XmlLimits};

fn text(text: &str) -> Value {
    Value::text(text)
}

/// A directory with key and certificate of `localhost`, and a password file with the user `admin`.
fn prepared() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_certificate(dir.path());
    let mut hashing = Command::new(env!("CARGO_BIN_EXE_xend"))
        .args(["password", "admin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    hashing.stdin.take().unwrap().write_all(b"geheim\n").unwrap();
    let line = hashing.wait_with_output().unwrap();
    assert!(line.status.success());
    let passwords = dir.path().join("passwords");
    std::fs::write(&passwords, line.stdout).unwrap();
    std::fs::set_permissions(&passwords, std::fs::Permissions::from_mode(0o600)).unwrap();
    dir
}

/// A daemon with these listeners. `DIR` stands for its directory.
fn daemon(dir: TempDir, listeners: &str) -> Daemon {
    let config = dir.path().join("config.sxp");
    let path = dir.path().to_str().unwrap().to_owned();
    let text = format!("(xen-api-server ({listeners})) (xend-password-file DIR/passwords)")
        .replace("DIR", &path);
    std::fs::write(&config, text).unwrap();
    Daemon::start_with_config(dir, &config, &[])
}

fn addresses(daemon: &Daemon, scheme: &str) -> Vec<SocketAddr> {
    let prefix = format!("Xen-API on {scheme}://");
    let found = daemon.announced.iter().filter_map(|line| line.strip_prefix(&prefix));
    found.map(|address| address.trim_end_matches('/').parse().unwrap()).collect()
}

fn request(method: &str, params: &[Value]) -> String {
    let body = codec::call(method, params);
    format!(
        "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The result of a Xen-API call: a value, or the error description.
fn result(answer: &str) -> Result<Value, String> {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    result_in(body)
}

fn result_in(body: &str) -> Result<Value, String> {
    let value = match codec::read_answer(body, &XmlLimits::default()).unwrap() {
        Ok(value) => value,
        Err((code, reason)) => return Err(format!("fault {code}: {reason}")),
    };
    let Value::Struct(members) = value else { return Ok(value) };
    match (members[0].1.clone(), members[1].1.clone()) {
        (status, value) if status == text("Success") => Ok(value),
        (_, Value::Array(description)) => Err(format!("{description:?}")),
        other => panic!("{other:?}"),
    }
}

fn plain(address: SocketAddr, method: &str, params: &[Value]) -> Answer {
    ask(&Listener::Tcp(address), request(method, params).as_bytes())
}

#[test]
fn passwords_are_required_encrypted_and_not_logged() {
    let daemon = daemon(prepared(), "(127.0.0.1:0 password '' DIR/key DIR/cert)");
    let [address] = addresses(&daemon, "https")[..] else { panic!("{:?}", daemon.announced) };
    let cert = daemon.dir.path().join("cert");
    let call = |method: &str, params: &[Value]| {
        result(&encrypted(address, &cert, &request(method, params)))
    };
    let login = |user: &str, password: &str| {
        call("session.login_with_password", &[text(user), text(password)])
    };
    for (user, password) in [("admin", "wrong"), ("nobody", "geheim")] {
        assert!(login(user, password).unwrap_err().contains("SESSION_AUTHENTICATION_FAILED"));
    }
    let session = login("admin", "geheim").unwrap();
    assert!(matches!(call("VM.get_all", std::slice::from_ref(&session)), Ok(Value::Array(_))));
    assert_eq!(call("session.get_this_user", &[session.clone(), session]), Ok(text("admin")));
    // xend's own functions have no sessions, so they are refused without a password.
    assert!(call("xend.domains", &[]).unwrap_err().contains("asks for passwords"));
    let log = daemon.log();
    assert!(!log.contains("geheim") && !log.contains("wrong\""), "{log}");
    // There is no plain HTTP.
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request("VM.get_all", &[]).as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"));
}

#[test]
fn hosts_that_are_not_allowed_are_refused() {
    let daemon = daemon(
        tempfile::tempdir().unwrap(),
        "(127.0.0.1:0 none '^192\\\\.0\\\\.2\\\\.') (127.0.0.1:0 none '^localhost$')",
    );
    let [closed, open] = addresses(&daemon, "http")[..] else { panic!("{:?}", daemon.announced) };
    let mut stream = TcpStream::connect(closed).unwrap();
    let _ = stream.write_all(request("xend.domains", &[]).as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert_eq!(answer, b"");
    // This listener takes any name without a password.
    let session =
        result_in(&plain(open, "session.login_with_password", &[text("x"), text("")]).text())
            .unwrap();
    assert!(result_in(&plain(open, "VM.get_all", &[session]).text()).is_ok());
    assert!(result_in(&plain(open, "xend.domains", &[Value::Int(0)]).text()).is_ok());
}

#[test]
fn wrong_listeners_are_logged_and_the_others_served() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let busy = format!("({taken} none)");
    let cases: &[(&str, &[&str])] = &[
        ("(127.0.0.1:0 password '' DIR/nosuch DIR/cert)", &["nosuch"]),
        ("(127.0.0.1:0 password '' DIR/key DIR/nosuch)", &["nosuch"]),
        ("(127.0.0.1:0 password '' DIR/cert DIR/cert)", &["Cannot use"]),
        ("(127.0.0.1:0 none '(')", &["'(' is not a regular expression"]),
        (
            "(9363 none)",
            &["0.0.0.0:9363", "without a password", "(xend-access-without-password yes)"],
        ),
        ("(9225 localhost)", &["'localhost' is not one of none, pam, password", "9225"]),
        ("(0.0.0.0:0 users)", &["0.0.0.0:0", "unencrypted", "give it a key and a certificate"]),
        (&busy, &["Cannot listen on", &taken.to_string()]),
        #[cfg(not(feature = "pam"))]
        (
            "(127.0.0.1:0 pam '^localhost$')",
            &["127.0.0.1:0", "built without PAM", "xend-password-file"],
        ),
    ];
    for (broken, words) in cases {
        let daemon = daemon(prepared(), &format!("(127.0.0.1:0 none) {broken}"));
        // The other listeners are served.
        let [address] = addresses(&daemon, "http")[..] else {
            panic!("{broken}: {:?}", daemon.announced)
        };
        assert!(
            result_in(
                &plain(address, "session.login_with_password", &[text("x"), text("")]).text()
            )
            .is_ok()
        );
        assert_eq!(daemon.get("/xend/node/").code, 200);
        let log = daemon.log();
        let error = log
            .lines()
            .find(|line| line.contains("ERROR"))
            .unwrap_or_else(|| panic!("{broken}: {log}"));
        assert!(error.contains("config.sxp:1:") && error.contains("not served"), "{error}");
        assert!(words.iter().all(|word| error.contains(word)), "{broken}: {error}");
        assert!(addresses(&daemon, "https").is_empty());
    }
}

#[test]
fn the_daemon_does_not_start_without_listeners() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.sxp");
    std::fs::write(&config, "(xend-http-server no) (xen-api-server ((9363 none)))").unwrap();
    let start = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_xend"))
            .args(["--unix", "off", "--state-dir"])
            .arg(dir.path().join("state"))
            .arg("--config")
            .arg(&config)
            .args(more)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, stderr) = start(&[]);
    assert_eq!(status, Some(1));
    assert!(
        stderr.contains("config.sxp:1:40: ") && stderr.contains("Nothing to listen on"),
        "{stderr}"
    );
    // --check-config has the same message.
    let (status, stderr) = start(&["--check-config"]);
    assert_eq!(status, Some(1));
    assert!(stderr.starts_with("Error: ") && stderr.contains("config.sxp:1:40: "), "{stderr}");
    std::fs::write(&config, "(xend-port 1) (network-script network-bridge)").unwrap();
    let (status, stderr) = start(&["--check-config"]);
    assert_eq!(status, Some(0));
    assert!(
        stderr.starts_with("Warning: ") && stderr.contains("network-script has no effect"),
        "{stderr}"
    );
}

/// PAM for one process: Samba's `pam_wrapper`, whose module takes users and passwords from a file.
#[cfg(feature = "pam")]
#[test]
fn the_machines_own_users_log_in_by_pam() {
    let module = Path::new("/usr/lib/x86_64-linux-gnu/pam_wrapper/pam_matrix.so");
    if !module.exists() {
        println!("SKIPPED: libpam-wrapper is not installed");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(at("services")).unwrap();
    let service: String = ["auth", "account"]
        .map(|kind| format!("{kind} required {} passdb={}\n", module.display(), at("users")))
        .concat();
    std::fs::write(at("services/login"), service).unwrap();
    std::fs::write(at("users"), "joe:geheim:login\nann:geheim:other\n").unwrap();
    std::fs::write(at("config.sxp"), "(xen-api-server ((127.0.0.1:0 pam)))").unwrap();
    let config = dir.path().join("config.sxp");
    let services = at("services");
    let environment = [
        ("LD_PRELOAD", "libpam_wrapper.so"),
        ("PAM_WRAPPER", "1"),
        ("PAM_WRAPPER_SERVICE_DIR", services.as_str()),
    ];
    let daemon = Daemon::start_with_environment(dir, &config, &[], &environment);
    let [address] = addresses(&daemon, "http")[..] else { panic!("{:?}", daemon.announced) };
    let login = |user: &str, password: &str| {
        result_in(
            &plain(address, "session.login_with_password", &[text(user), text(password)]).text(),
        )
    };
    let session = login("joe", "geheim").unwrap();
    assert!(result_in(&plain(address, "VM.get_all", &[session]).text()).is_ok());
    // A wrong password, a user who may not log in, and an unknown user.
    for (user, password) in [("joe", "wrong"), ("ann", "geheim"), ("nobody", "geheim")] {
        assert!(
            login(user, password).unwrap_err().contains("SESSION_AUTHENTICATION_FAILED"),
            "{user}"
        );
    }
    assert!(!daemon.log().contains("geheim"));
}

fn has_blank_text(xml: &str) -> bool {
    xml.split('>').skip(1).any(|piece| {
        let text = piece.split('<').next().unwrap_or_default();
        !text.is_empty() && text.trim().is_empty()
    })
}

#[test]
fn every_listener_lists_its_methods() {
    let dir = prepared();
    let path = |name: &str| dir.path().join(name);
    let legacy = path("legacy");
    let api = path("api");
    let config = path("config.sxp");
    let listeners = "(127.0.0.1:0 none) (127.0.0.1:0 password)";
    let text_of = format!(
        "(xen-api-server ({listeners})) (xend-password-file {})",
        path("passwords").display()
    );
    std::fs::write(&config, text_of).unwrap();
    let options = ["--xmlrpc", legacy.to_str().unwrap(), "--xen-api", api.to_str().unwrap()];
    let daemon = Daemon::start_with_config(dir, &config, &options);
    let call = |listener: &Listener, method: &str, params: &[Value]| {
        let answer = ask(listener, request(method, params).as_bytes());
        assert!(!has_blank_text(&answer.text()), "{}", answer.text());
        codec::read_answer(&answer.text(), &XmlLimits::default()).unwrap()
    };
    let tcp = addresses(&daemon, "http");
    let mut cases = vec![(Listener::Unix(legacy), true, false), (Listener::Unix(api), true, true)];
    cases.extend(tcp.iter().map(|address| (Listener::Tcp(*address), false, true)));
    for (listener, vouched, xenapi) in cases {
        let Ok(Value::Array(names)) = call(&listener, "system.listMethods", &[]) else { panic!() };
        let names: Vec<&str> = names
            .iter()
            .map(|name| match name {
                Value::Text(name) => name.as_str(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(names.is_sorted(), "{names:?}");
        for name in ["system.listMethods", "system.methodHelp", "system.methodSignature"] {
            assert!(names.contains(&name), "{name}");
        }
        for name in ["session.login_with_password", "VM.start"] {
            assert_eq!(names.contains(&name), xenapi, "{name}");
        }
        // Some clients take the part before the first dot for a class.
        assert!(!names.iter().any(|name| name.starts_with("Async.")));
        // A listener with passwords does not offer xend.*.
        let legacy = names.contains(&"xend.domain.create");
        assert!(legacy || !vouched);
        let help = |name: &str| call(&listener, "system.methodHelp", &[text(name)]);
        let wanted = if legacy { "xend.domain.pause(dom, [state])" } else { "" };
        assert_eq!(help("xend.domain.pause"), Ok(text(wanted)));
        let wanted = if xenapi { "VM.start(session, vm, start_paused)" } else { "" };
        assert_eq!(help("VM.start"), Ok(text(wanted)));
        assert_eq!(help("no.such"), Ok(text("")));
        let signature = call(&listener, "system.methodSignature", &[text("VM.start")]);
        assert_eq!(signature, Ok(text("signatures not supported")));
        let error = call(&listener, "system.methodHelp", &[]).unwrap_err();
        assert_eq!(error, (1, "system.methodHelp() takes 1 parameters, 0 were given".to_owned()));
        assert_eq!(call(&listener, "system.listMethods", &[text("x")]).unwrap_err().0, 1);
        assert_eq!(call(&listener, "system.methodHelp", &[Value::Int(1)]).unwrap_err().0, 1);
    }
    // A success and a failure.
    let listener = Listener::Tcp(tcp[0]);
    for (method, params) in
        [("session.login_with_password", vec![text("root"), text("")]), ("no.such", vec![])]
    {
        let raw = ask(&listener, request(method, &params).as_bytes()).text();
        assert!(
            raw.starts_with("<?xml version='1.0'?><methodResponse><params><param><value><struct>"),
            "{raw}"
        );
        assert!(!has_blank_text(&raw));
    }
}
