//! Which user of this machine connects over TCP, and what that user may do. Root can be any user;
//! without root, these tests skip visibly.

use crate::http_support::{Daemon, Listener, ask, guest, post};
use crate::ports::free_address;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use xend::wire::xmlrpc::Value;
use xend::wire::xmlrpc::codec;

/// Users of this machine, who need no name.
const STRANGER: u32 = 64_001;
const TRUSTED: u32 = 64_002;
const STEVE: u32 = 64_003;
const ROOT: u32 = 0;

const LIST: &str =
    "GET /xend/domain HTTP/1.0\r\nHost: localhost\r\nAccept: application/sxp\r\n\r\n";

pub(crate) fn may_be_others() -> bool {
    let found = Command::new("setpriv").arg("--version").output().is_ok();
    if !found || !geteuid().is_root() {
        println!("SKIPPED: this test needs root and setpriv");
    }
    found && geteuid().is_root()
}

/// What a client of this user is answered until the server closes the connection.
pub(crate) fn answer_to(uid: u32, address: SocketAddr, request: &str) -> String {
    let script = r#"exec 3<>"/dev/tcp/$0/$1" && cat >&3 && exec cat <&3"#;
    let mut client = Command::new("setpriv")
        .args([format!("--reuid={uid}"), format!("--regid={uid}")])
        .args(["--clear-groups", "bash", "-c", script])
        .args([address.ip().to_string(), address.port().to_string()])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The server may refuse it before it is sent.
    client.stdin.take().unwrap().write_all(request.as_bytes()).ok();
    String::from_utf8_lossy(&client.wait_with_output().unwrap().stdout).into_owned()
}

fn call(method: &str, params: &[Value]) -> String {
    let body = codec::call(method, params);
    let length = body.len();
    format!("POST /RPC2 HTTP/1.0\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// A daemon with two domains, of which the local user `STEVE` has `lj`, and its TCP listeners.
struct Host {
    daemon: Daemon,
    xmlrpc: SocketAddr,
    xen_api: SocketAddr,
    relocation: SocketAddr,
}

const CONFIG: &str = "(xend-users-file users.sxp) (xend-trusted-users 64002)
    (xend-tcp-xmlrpc-server yes) (xend-tcp-xmlrpc-server-port PORT)
    (xen-api-server ((127.0.0.1:0 none)))";

impl Host {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let users = dir.path().join("users.sxp");
        let text = format!("(user steve (uid {STEVE}) (domains lj) (rights see power))");
        std::fs::write(&users, text).unwrap();
        std::fs::set_permissions(&users, std::fs::Permissions::from_mode(0o600)).unwrap();
        let free = free_address();
        let config = dir.path().join("config.sxp");
        std::fs::write(&config, CONFIG.replace("PORT", &free.port().to_string())).unwrap();
        let daemon = Daemon::start_with_config(dir, &config, &["--relocation", "127.0.0.1:0"]);
        let prefix = "Xen-API on http://";
        let xen_api = daemon.announced.iter().find_map(|line| line.strip_prefix(prefix));
        let xen_api = xen_api.unwrap().trim_end_matches('/').parse().unwrap();
        for name in ["lj", "builder"] {
            assert_eq!(daemon.create(&guest(name, "")).code, 201);
        }
        let relocation = daemon.relocation.unwrap();
        Self { daemon, xmlrpc: free, xen_api, relocation }
    }

    /// The domains in the list that a user gets.
    fn domains_of(&self, uid: u32) -> Vec<&'static str> {
        let answer = answer_to(uid, self.daemon.tcp, LIST);
        ["Domain-0", "builder", "lj"].into_iter().filter(|name| answer.contains(name)).collect()
    }
}

#[test]
fn over_loopback_users_of_this_machine_are_what_the_configuration_says() {
    if !may_be_others() {
        return;
    }
    let host = Host::start();
    for operator in [ROOT, TRUSTED] {
        assert_eq!(host.domains_of(operator), ["Domain-0", "builder", "lj"]);
    }
    assert_eq!(host.domains_of(STEVE), ["lj"]);
    assert_eq!(host.domains_of(STRANGER), [""; 0]);
    let log = host.daemon.log();
    assert!(log.contains("User 64001 of this machine is not trusted"), "{log}");

    let destroy = |uid: u32, name: &str| {
        let request = post(&format!("/xend/domain/{name}"), "op=destroy");
        let request = String::from_utf8(request).unwrap().replace("HTTP/1.1", "HTTP/1.0");
        answer_to(uid, host.daemon.tcp, &request)
    };
    for (uid, name) in [(STRANGER, "lj"), (STEVE, "builder")] {
        let answer = destroy(uid, name);
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    assert_eq!(host.domains_of(ROOT), ["Domain-0", "builder", "lj"]);
    destroy(STEVE, "lj");
    assert_eq!(host.domains_of(ROOT), ["Domain-0", "builder"]);
    assert!(host.daemon.log().contains("steve at 127.0.0.1:"), "{}", host.daemon.log());
}

#[test]
fn every_listener_without_a_login_asks_for_the_user() {
    if !may_be_others() {
        return;
    }
    let host = Host::start();
    let domains = call("xend.domains", &[Value::Int(0)]);
    for address in [host.xmlrpc, host.xen_api] {
        assert!(answer_to(TRUSTED, address, &domains).contains("builder"));
        let steves = answer_to(STEVE, address, &domains);
        assert!(steves.contains("lj") && !steves.contains("builder"), "{steves}");
        let answer = answer_to(STRANGER, address, &domains);
        assert!(!answer.contains("lj") && !answer.contains("builder"), "{answer}");
    }
    let login = call("session.login_with_password", &[Value::text("root"), Value::text("")]);
    let answer = answer_to(TRUSTED, host.xen_api, &login);
    assert!(answer.contains("Success"), "{answer}");
    let answer = answer_to(STRANGER, host.xen_api, &login);
    assert!(answer.contains("PERMISSION_DENIED"), "{answer}");

    let verdict = "(verdict (id 0f6c1a52-7d3e-4b8a-9c11-52d0a7e40002))\n";
    let answer = answer_to(TRUSTED, host.relocation, verdict);
    assert!(answer.contains("not-taken"), "{answer}");
    for uid in [STRANGER, STEVE] {
        let answer = answer_to(uid, host.relocation, verdict);
        assert!(answer.contains("see xend-trusted-users"), "{answer}");
    }
}

#[test]
fn a_reload_trusts_other_users() {
    if !may_be_others() {
        return;
    }
    let host = Host::start();
    let reload = |text: &str| {
        std::fs::write(host.daemon.dir.path().join("config.sxp"), text).unwrap();
        kill_process(Pid::from_raw(host.daemon.pid()).unwrap(), Signal::HUP).unwrap();
    };
    reload("(xend-trusted-users 64001)");
    let sees_all = |uid: u32| host.domains_of(uid).contains(&"builder");
    host.daemon.until("another user is trusted", |_| sees_all(STRANGER));
    assert!(!sees_all(TRUSTED));
    reload("(xend-http-trust-loopback yes)");
    host.daemon.until("everybody is trusted", |_| sees_all(TRUSTED));
    assert!(sees_all(STRANGER) && sees_all(STEVE));
}

/// What a client of this user is answered on the unix socket of a daemon.
fn answer_on_socket(uid: u32, daemon: &Daemon) -> String {
    let output = Command::new("setpriv")
        .args([format!("--reuid={uid}"), format!("--regid={uid}")])
        .args(["--clear-groups", "curl", "--silent", "--unix-socket"])
        .arg(daemon.socket())
        .args(["-H", "Accept: application/sxp", "http://localhost/xend/domain"])
        .current_dir("/")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn who_loses_an_account_is_no_operator_on_the_unix_socket() {
    if !may_be_others() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let users = dir.path().join("users.sxp");
    let write = |text: &str| {
        std::fs::write(&users, text).unwrap();
        std::fs::set_permissions(&users, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("(user steve (uid 64003)");
    let config = dir.path().join("config.sxp");
    let text = "(xend-users-file users.sxp) (xend-unix-mode 0666) (xend-trusted-users 64002)";
    std::fs::write(&config, text).unwrap();
    let daemon = Daemon::start_with_config(dir, &config, &[]);
    let sees_host = |uid: u32| answer_on_socket(uid, &daemon).contains("Domain-0");
    let is_known = |uid: u32| !answer_on_socket(uid, &daemon).contains("not known");
    assert!(sees_host(ROOT) && sees_host(TRUSTED));
    assert!(!is_known(STEVE) && !is_known(STRANGER), "nobody has an account after a mistake");
    assert!(daemon.log().contains("Nobody has an account: "), "{}", daemon.log());

    let reload = || kill_process(Pid::from_raw(daemon.pid()).unwrap(), Signal::HUP).unwrap();
    write("(user steve (uid 64003) (domains lj) (rights see))");
    reload();
    daemon.until("steve has an account", |_| is_known(STEVE));
    assert!(!sees_host(STEVE) && !is_known(STRANGER));
    std::fs::remove_file(&users).unwrap();
    reload();
    daemon.until("the error", |daemon| daemon.log().contains("users.sxp: is gone"));
    assert!(is_known(STEVE) && !sees_host(STEVE) && !is_known(STRANGER));
    write("");
    reload();
    daemon.until("steve has no account", |_| !is_known(STEVE));
    assert!(sees_host(ROOT) && sees_host(TRUSTED) && !is_known(STRANGER));
}

#[test]
fn without_accounts_the_permissions_of_the_unix_socket_say_who_is_an_operator() {
    if !may_be_others() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let config = dir.path().join("config.sxp");
    std::fs::write(&config, "(xend-unix-mode 0666)").unwrap();
    let daemon = Daemon::start_with_config(dir, &config, &[]);
    assert!(answer_on_socket(STRANGER, &daemon).contains("Domain-0"));
}

#[test]
fn the_unix_socket_knows_accounts_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let users = dir.path().join("users.sxp");
    let own = geteuid().as_raw();
    if own == 0 {
        println!("SKIPPED: root has no account; the tests as other users are for root");
        return;
    }
    std::fs::write(&users, format!("(user steve (uid {own}) (domains lj) (rights see))")).unwrap();
    std::fs::set_permissions(&users, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = dir.path().join("config.sxp");
    std::fs::write(&config, "(xend-users-file users.sxp)").unwrap();
    let daemon = Daemon::start_with_config(dir, &config, &[]);
    for listener in [Listener::Unix(daemon.socket()), Listener::Tcp(daemon.tcp)] {
        let answer = ask(&listener, LIST.as_bytes());
        assert!(answer.code == 200 && !answer.text().contains("Domain-0"), "{answer:?}");
    }
}
