//! `xend fleet` on a real etcd, with the configurations of two hosts.

use crate::etcd_server::EtcdServer;
use crate::ports::free_port;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Output {
    /// What a command prints that succeeds.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert!(self.status == Some(0) && self.err.is_empty(), "{self:?}");
        self.out
    }

    /// The error of a command that fails.
    #[track_caller]
    pub(crate) fn error(self) -> String {
        assert!(self.status == Some(1) && self.out.is_empty(), "{self:?}");
        self.err
    }
}

/// A host: its configuration and its state directory.
pub(crate) struct Host {
    pub(crate) dir: TempDir,
}

impl Host {
    pub(crate) fn new(name: &str, etcd: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        fs::write(dir.path().join("key"), made.signing_key.serialize_pem()).unwrap();
        fs::write(dir.path().join("cert"), made.cert.pem()).unwrap();
        let port = free_port();
        let config = format!(
            "(xend-fleet lab) (xend-fleet-host {name}) (xend-fleet-etcd {etcd})
             (xend-fleet-old-etcd yes)
             (xend-relocation-ssl-server yes) (xend-relocation-ssl-port {port})
             (xend-relocation-address 127.0.0.1)
             (xend-relocation-server-ssl-key-file key)
             (xend-relocation-server-ssl-cert-file cert)"
        );
        fs::write(dir.path().join("config.sxp"), config).unwrap();
        Self { dir }
    }

    /// The program with the host's files.
    pub(crate) fn xend(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xend"));
        command.args(arguments).args(["--config", "config.sxp", "--state-dir", "state"]);
        command.current_dir(self.dir.path()).env("HOME", self.dir.path());
        command
    }

    pub(crate) fn fleet(&self, arguments: &[&str]) -> Output {
        self.fleet_with(arguments, "")
    }

    fn fleet_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.xend(&[&["fleet"], arguments].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Not every command reads it.
        child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
        let output = child.wait_with_output().unwrap();
        Output {
            status: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn uuid(&self) -> String {
        fs::read_to_string(self.dir.path().join("state/host-uuid")).unwrap().trim().to_owned()
    }

    pub(crate) fn status(&self) -> serde_json::Value {
        let output = self.fleet(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_str(&output.out).unwrap();
        let is_well = status["problems"].as_array().unwrap().is_empty();
        assert_eq!(output.status, Some(i32::from(!is_well)), "{status}");
        status
    }
}

#[test]
fn hosts_make_join_and_leave_a_fleet() {
    let Some(server) = EtcdServer::start() else { return };
    let [xen1, xen2] = ["xen1", "xen2"].map(|name| Host::new(name, &server.url()));
    let error = xen2.fleet(&["join", "x"]).error();
    assert!(error.contains("no fleet lab") && error.contains("xend fleet init"), "{error}");
    assert!(xen1.fleet(&["init"]).ok().contains("first host, xen1"));
    for host in [&xen1, &xen2] {
        let error = host.fleet(&["init"]).error();
        assert!(error.contains("xend fleet join"), "{error}");
    }
    assert!(xen2.fleet(&["token"]).error().contains("xen2 is not in the fleet"));
    let token = xen1.fleet(&["token"]).ok();
    assert_eq!(token.trim().len(), 43, "32 bytes");
    // A wrong token uses nothing up.
    assert!(xen2.fleet(&["join", "wrong"]).error().contains("xend fleet token"));
    assert!(xen2.fleet_with(&["join"], &token).ok().contains("xen2 has joined the fleet lab"));
    // Once more is no mistake, with whatever token.
    assert!(xen2.fleet(&["join", token.trim()]).ok().contains("already"));
    let xen3 = Host::new("xen3", &server.url());
    let error = xen3.fleet(&["join", token.trim()]).error();
    assert!(error.contains("used already"), "{error}");
    assert!(xen2.fleet(&["leave"]).ok().starts_with("xen2 has left the fleet lab."));
    assert!(xen2.fleet(&["leave"]).error().contains("not in the fleet"));
    let left = xen1.fleet(&["leave"]).ok();
    assert!(left.contains("the last host"), "{left}");
    assert!(xen1.fleet(&["token"]).error().contains("xend fleet init"));
    // Nothing is left, and another fleet begins.
    xen2.fleet(&["init"]).ok();
}

#[test]
fn a_name_and_a_uuid_are_of_one_host() {
    let Some(server) = EtcdServer::start() else { return };
    let [xen1, same, copy] = ["xen1", "xen1", "xen2"].map(|name| Host::new(name, &server.url()));
    xen1.fleet(&["init"]).ok();
    let token = xen1.fleet(&["token", "--minutes", "5"]).ok();
    let token = token.trim();
    let error = same.fleet(&["join", token]).error();
    assert!(error.contains(&xen1.uuid()) && error.contains("(xend-fleet-host NAME)"), "{error}");
    assert!(same.fleet(&["leave"]).error().contains(&xen1.uuid()));
    fs::create_dir(copy.dir.path().join("state")).unwrap();
    for file in ["host-uuid", "host-uuid.copy"] {
        let file = format!("state/{file}");
        fs::copy(xen1.dir.path().join(&file), copy.dir.path().join(&file)).unwrap();
    }
    let error = copy.fleet(&["join", token]).error();
    assert!(error.contains("as xen1") && error.contains("host-uuid.copy"), "{error}");
    // The token is not used up.
    for file in ["host-uuid", "host-uuid.copy"] {
        fs::remove_file(copy.dir.path().join("state").join(file)).unwrap();
    }
    copy.fleet(&["join", token]).ok();
}

#[test]
fn a_status_says_what_is_wrong_and_what_to_type() {
    let Some(server) = EtcdServer::start() else { return };
    let [xen1, xen2] = ["xen1", "xen2"].map(|name| Host::new(name, &server.url()));
    let problem = |host: &Host| host.status()["problems"].to_string();
    assert!(problem(&xen1).contains("xend fleet init"));
    xen1.fleet(&["init"]).ok();
    let status = xen2.status();
    assert_eq!((&status["is_member"], &status["host"]), (&false.into(), &"xen2".into()));
    assert!(status["problems"].to_string().contains("xend fleet join"), "{status}");
    let status = xen1.status();
    assert_eq!(status["uuid"], xen1.uuid());
    assert_eq!(status["etcd"][0]["endpoint"], server.url());
    assert!(status["etcd"][0]["version"].is_string(), "{status}");
    assert_eq!(status["members"][0]["is_alive"], false);
    assert!(status["problems"].to_string().contains("xen1, is silent"), "{status}");
    let text = xen1.fleet(&["status"]);
    assert_eq!(text.status, Some(1));
    assert!(text.out.contains("fleet  lab\n") && text.out.contains("systemctl"), "{}", text.out);
    drop(server);
    let dead = free_port();
    let cut_off = Host::new("xen1", &format!("http://127.0.0.1:{dead}"));
    let status = cut_off.status();
    assert!(status["etcd"][0]["error"].is_string(), "{status}");
    assert!(status["is_member"].is_null(), "{status}");
    assert!(status["problems"].to_string().contains("etcd cannot be reached"), "{status}");
    let error = cut_off.fleet(&["init"]).error();
    assert!(error.contains("etcd cannot be reached") && error.contains("refused"), "{error}");
}

#[test]
fn a_configuration_without_a_fleet_is_named() {
    let host = Host::new("xen1", "http://127.0.0.1:1");
    fs::write(host.dir.path().join("config.sxp"), "# empty\n").unwrap();
    let error = host.fleet(&["status"]).error();
    assert!(error.contains("config.sxp names no fleet"), "{error}");
    assert!(error.contains("(xend-fleet NAME)"), "{error}");
}

#[test]
fn a_check_of_the_configuration_reads_the_files_for_etcd() {
    let host = Host::new("xen1", "https://127.0.0.1:1");
    let file = host.dir.path().join("config.sxp");
    let config = fs::read_to_string(&file).unwrap() + "(xend-fleet-etcd-ca-file missing.crt)";
    fs::write(&file, config).unwrap();
    let mut check = host.xend(&["--check-config", "--http", "off", "--unix", "socket"]);
    let output = check.output().unwrap();
    let messages = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{messages}");
    assert!(messages.contains("The fleet's etcd cannot be reached: "), "{messages}");
    assert!(messages.contains("missing.crt"), "{messages}");
}
