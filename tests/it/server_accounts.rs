//! Listeners on which clients log in with an account: encryption, reloads, and what is not served.

use crate::http_support::{Daemon, Listener, ask, guest, post};
use crate::tls_support::{encrypted, write_certificate};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

const CONFIG: &str =
    "(xend-users-file users.sxp) (xend-http-auth users) (xend-http-key key) (xend-http-cert cert)";

/// `steve:geheim` and `steve:wrong`.
const STEVE: &str = "c3RldmU6Z2VoZWlt";
const WRONG: &str = "c3RldmU6d3Jvbmc=";

fn xend_user(dir: &Path, arguments: &[&str], password: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xend"))
        .arg("user")
        .args(arguments)
        .arg("--file")
        .arg(dir.join("users.sxp"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    command.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    assert!(command.wait().unwrap().success());
}

/// A directory with a certificate, and an account of steve, who has the domain `lj`.
fn prepared() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_certificate(dir.path());
    xend_user(dir.path(), &["add", "steve", "--domains", "lj", "--rights", "see"], "geheim\n");
    dir
}

fn start(dir: TempDir, config: &str) -> Daemon {
    let file = dir.path().join("config.sxp");
    std::fs::write(&file, config).unwrap();
    Daemon::start_with_config(dir, &file, &[])
}

fn list(authorization: Option<&str>) -> String {
    let header = authorization.map(|value| format!("Authorization: Basic {value}\r\n"));
    let header = header.unwrap_or_default();
    format!(
        "GET /xend/domain HTTP/1.1\r\nHost: localhost\r\nAccept: application/sxp\r\n{header}\
         Connection: close\r\n\r\n"
    )
}

fn reload(daemon: &Daemon) {
    kill_process(Pid::from_raw(daemon.pid()).unwrap(), Signal::HUP).unwrap();
}

#[test]
fn users_log_in_over_tls() {
    let daemon = start(prepared(), CONFIG);
    let cert = daemon.dir.path().join("cert");
    let last = daemon.announced.last().unwrap();
    assert!(last.starts_with("Listening on https://127.0.0.1:"), "{last}");
    for name in ["lj", "builder"] {
        let form = format!("op=create&config={}", crate::http_support::encoded(&guest(name, "")));
        // The unix socket needs no account.
        let answer = ask(&Listener::Unix(daemon.socket()), &post("/xend/domain", &form));
        assert_eq!(answer.code, 201, "{answer:?}");
    }
    let answer = |authorization| encrypted(daemon.tcp, &cert, &list(authorization));
    let steves = answer(Some(STEVE));
    assert!(steves.starts_with("HTTP/1.1 200 ") && steves.ends_with("\r\n\r\n(lj)"), "{steves}");
    let wrong = answer(Some(WRONG));
    assert!(wrong.starts_with("HTTP/1.1 401 "), "{wrong}");
    assert!(wrong.contains("\r\nWww-Authenticate: Basic realm=\"xend\""), "{wrong}");
    let json = list(Some(WRONG)).replace("application/sxp", "application/json");
    let wrong = encrypted(daemon.tcp, &cert, &json);
    assert!(wrong.starts_with("HTTP/1.1 401 "), "{wrong}");
    assert!(wrong.contains("\r\nWww-Authenticate: Basic realm=\"xend\""), "{wrong}");
    assert!(wrong.contains("\r\nContent-Type: application/problem+json\r\n"), "{wrong}");
    assert!(wrong.contains(r#""code":"wrong_password""#), "{wrong}");
    let nobodys = answer(None);
    assert!(!nobodys.contains("lj") && !nobodys.contains("builder"), "{nobodys}");
    let log = daemon.log();
    for secret in ["geheim", STEVE, WRONG] {
        assert!(!log.contains(secret), "{log}");
    }

    // The account goes, and its user with it.
    xend_user(daemon.dir.path(), &["del", "steve"], "");
    reload(&daemon);
    daemon.until("steve is gone", |_| answer(Some(STEVE)).starts_with("HTTP/1.1 401 "));
}

#[test]
fn a_reload_reads_key_and_certificate_again() {
    let daemon = start(prepared(), CONFIG);
    let path = |name: &str| daemon.dir.path().join(name);
    let works =
        |cert: &str| encrypted(daemon.tcp, &path(cert), &list(Some(STEVE))).contains(" 200 ");
    std::fs::copy(path("cert"), path("old")).unwrap();
    assert!(works("old"));
    write_certificate(daemon.dir.path());
    assert!(!works("cert") && works("old"), "before the reload");
    reload(&daemon);
    daemon.until("the new certificate", |_| works("cert"));
    assert!(!works("old"));

    std::fs::copy(path("cert"), path("current")).unwrap();
    std::fs::write(path("cert"), "broken").unwrap();
    reload(&daemon);
    let message = "Keeping the old key and certificate: Cannot use ";
    daemon.until("the error", |daemon| daemon.log().contains(message));
    let log = daemon.log();
    assert!(log.contains(&format!("{message}{}", path("cert").display())), "{log}");
    assert!(works("current"));
}

#[test]
fn without_accounts_the_log_says_that_nobody_can_log_in() {
    let dir = prepared();
    std::fs::remove_file(dir.path().join("users.sxp")).unwrap();
    let daemon = start(dir, CONFIG);
    let log = daemon.log();
    assert!(log.contains("Nobody can log in: there are no accounts in "), "{log}");
    let cert = daemon.dir.path().join("cert");
    let answer = encrypted(daemon.tcp, &cert, &list(Some(STEVE)));
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[test]
fn passwords_do_not_cross_a_network_unencrypted() {
    let dir = prepared();
    let file = dir.path().join("config.sxp");
    let start = |config: &str, options: &[&str]| {
        std::fs::write(&file, config).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_xend"))
            .args(["--unix", "off", "--state-dir"])
            .arg(dir.path().join("state"))
            .arg("--config")
            .arg(&file)
            .args(options)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (config, listener, key) in [
        ("(xend-http-auth users) (xend-address '')", "HTTP on 0.0.0.0:8000", "xend-http-key"),
        ("(argo-server yes) (argo-address '')", "Argo on 0.0.0.0:20203", "argo-key"),
        ("(xen-api-server ((9363 users)))", "the Xen-API on 0.0.0.0:9363", "xen-api-server"),
        (
            "(xend-tcp-xmlrpc-server yes) (xend-tcp-xmlrpc-server-auth users) \
             (xend-tcp-xmlrpc-server-address '')",
            "XML-RPC on 0.0.0.0:8006",
            "xend-tcp-xmlrpc-server-ssl-key-file",
        ),
    ] {
        let (status, stderr) = start(config, &["--check-config"]);
        assert_eq!(status, Some(1), "{stderr}");
        let message = format!(": {listener} is not served: Passwords to ");
        assert!(stderr.contains(&message) && stderr.contains("unencrypted"), "{stderr}");
        let first = stderr.lines().next().unwrap();
        assert!(first.ends_with(&format!("see {key}")), "{stderr}");
    }
    let (status, stderr) = start("(xend-users-file config.sxp)", &["--check-config"]);
    assert!(status == Some(1) && stderr.starts_with("Error: "), "{stderr}");
    // The command line has no position in a file: the daemon does not start.
    let (status, stderr) = start("(xend-http-auth users)", &["--http", "0.0.0.0:0"]);
    assert_eq!(status, Some(1));
    assert!(
        stderr.contains("Passwords to 0.0.0.0:0 would cross the network unencrypted"),
        "{stderr}"
    );
}

#[test]
fn argo_is_served_with_accounts() {
    let dir = prepared();
    let file = dir.path().join("config.sxp");
    std::fs::write(&file, "(xend-users-file users.sxp)").unwrap();
    let daemon = Daemon::start_with_config(dir, &file, &["--argo", "127.0.0.1:0"]);
    let address = daemon.announced.iter().find_map(|line| line.strip_prefix("Argo on "));
    let address: SocketAddr = address.unwrap().parse().unwrap();
    assert_eq!(daemon.create(&guest("lj", "")).code, 201);
    let mut stream = TcpStream::connect(address).unwrap();
    let lines = "list available\nauth steve geheim\nlist available\nexit\n";
    stream.write_all(lines.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let expected =
        "400 NOT AUTHENTICATED\n200 OK\n300 DONE\n200 OK\nlj\n300 DONE\n200 OK\n300 DONE\n";
    // Root over loopback is nobody here as well.
    assert_eq!(answer.replace("\r\n", "\n").replace("300 END", "300 DONE"), expected);
}
