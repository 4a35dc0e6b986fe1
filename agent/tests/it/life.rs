//! The start, the end, and connections that are lost.

use crate::guest::{Guest, HOME};
use crate::machine::{AGENT, returncode_and_message, wait};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use xend_xenstore::Nodes;

/// A plug-in that takes a while and counts its runs.
fn with_slow_command() -> Guest {
    let guest = Guest::new();
    guest.configure("[plugins]\ndirectory = \"/commands\"");
    guest.script("/commands/slow", "echo run >> \"$0.runs\"\nsleep 1\necho done");
    guest
}

#[test]
fn the_agent_makes_the_directory_of_requests() {
    let mut guest = Guest::with("");
    let path = format!("{HOME}/data/host");
    assert!(wait(|| guest.host.read_if_exists(&path).unwrap()).is_some());
    assert!(
        wait(|| guest.host.read_if_exists(&format!("{HOME}/attr/PVAddons/MajorVersion")).unwrap())
            .is_some()
    );
}

#[test]
fn a_signal_ends_the_agent_between_requests() {
    let mut guest = with_slow_command();
    guest.start();
    let id = guest.put_request("slow", "");
    assert!(wait(|| guest.path("/commands/slow.runs").exists().then_some(())).is_some());
    let second = guest.put_request("slow", "");
    let status = guest.terminate();
    assert_eq!(status.code(), Some(0));
    let response = guest.wait_for(&id);
    assert_eq!(returncode_and_message(&response).1, "done");
    assert!(guest.has_request(&second));
}

#[test]
fn systemd_is_told_when_the_waiting_requests_are_done() {
    let mut guest = with_slow_command();
    let path = guest.outside("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let id = guest.put_request("slow", "");
    let mut command = guest.command();
    command.env("NOTIFY_SOCKET", &path);
    guest.start_command(command);
    let mut buffer = [0; 64];
    let length = socket.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"READY=1");
    assert!(!guest.has_request(&id));
    guest.terminate();
    let length = socket.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"STOPPING=1");
}

#[test]
fn a_change_of_the_network_that_an_agent_was_killed_in_is_taken_back_at_the_start() {
    let mut guest = Guest::new();
    let kept = "/var/lib/xend-guest-agent/network.json";
    guest.write("/etc/network/interfaces", "new");
    guest.write("/etc/network/interfaces.d/60-xend", "new");
    let old = r#"{"path":"/etc/network/interfaces","text":"old","mode":420}"#;
    let none = r#"{"path":"/etc/network/interfaces.d/60-xend","text":null,"mode":0}"#;
    guest.write(kept, format!(r#"{{"files":[{old},{none}],"hostname":null}}"#));
    guest.start();
    assert_eq!(guest.ask("version", "").0, "0");
    assert_eq!(guest.read("/etc/network/interfaces"), "old");
    assert!(!guest.path("/etc/network/interfaces.d/60-xend").exists());
    assert!(!guest.path(kept).exists());
    assert!(guest.log().contains("old files back"), "{}", guest.log());
}

#[test]
fn once_answers_what_waits() {
    let mut guest = Guest::new();
    let ids = [guest.put_request("version", ""), guest.put_request("features", "")];
    let status = guest.command().arg("--once").status().unwrap();
    assert!(status.success());
    for id in ids {
        assert_eq!(returncode_and_message(&guest.wait_for(&id)).0, "0");
    }
    guest.stop_server();
    assert_eq!(guest.command().arg("--once").status().unwrap().code(), Some(1));
}

#[test]
fn a_guest_has_one_agent() {
    let mut guest = with_slow_command();
    let stdio = guest.outside("stdio");
    fs::write(&stdio, "[[pair]]\nexchange = \"stdio\"\n").unwrap();
    guest.start();
    assert_eq!(guest.ask("version", "").0, "0");
    let id = guest.put_request("slow", "");
    let lock = guest.path("/run/xend-guest-agent.lock");
    let expected = format!(
        "Another agent is already running, process {}: it holds {}",
        guest.pid(),
        lock.display()
    );
    for arguments in [&[][..], &["--once"], &["--config", stdio.to_str().unwrap()]] {
        let output = guest.command().args(arguments).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text, format!("xend-guest-agent: {expected}\n"));
    }
    assert_eq!(returncode_and_message(&guest.wait_for(&id)).1, "done");
    assert_eq!(guest.read("/commands/slow.runs"), "run\n");
    // The documentation and the configuration can be asked for at any time.
    for argument in ["--commands", "--check"] {
        assert!(guest.command().arg(argument).status().unwrap().success());
    }
    // The lock of a killed agent holds nobody back.
    guest.kill();
    guest.start();
    assert_eq!(guest.ask("version", "").0, "0");
}

#[test]
fn a_failure_is_logged_with_its_reason_and_no_secret() {
    let mut guest = Guest::new();
    guest.configure("[plugins]\ndirectory = \"/commands\"");
    guest.script("/commands/loud", "echo first >&2; echo why >&2; cat; echo; exit 3");
    guest.script("/commands/silent", "cat; echo; exit 4");
    guest.start();
    let value = "U2VjcmV0MQ";
    let requests = [
        ("injectfile", value, "500: Error doing base64 decoding of data"),
        ("injectfile", "L2V0YyxTZWNyZXQ=", "500: Couldn't write /etc: Is a directory"),
        ("password", value, "500: Password without key exchange"),
        ("keyinit", "1", "500: The public key is not between 2 and p - 2"),
        ("nothing", value, "404: No such agent command 'nothing'"),
        ("loud", value, "3: why"),
        ("silent", value, "4"),
        ("features", value, "0"),
    ];
    for (name, value, expected) in requests {
        let id = guest.put_request(name, value);
        guest.wait_for(&id);
        let log = guest.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(&id)).collect();
        assert_eq!(lines, [format!("xend-guest-agent: XenStore, {id}: {name}: {expected}")]);
    }
    let id = guest.put("{\"name\":");
    guest.wait_for(&id);
    let log = guest.log();
    let expected = format!("{id}: a request that cannot be read: 500: Request is malformed\n");
    assert!(log.contains(&expected), "{log}");
    assert!(!log.contains(value) && !log.contains("Secret") && !log.contains("first"), "{log}");
}

#[test]
fn a_xenstore_that_is_none_is_named_and_not_written_to() {
    let guest = Guest::new();
    let file = guest.outside("file");
    fs::write(&file, "text").unwrap();
    let run = |arguments: &[&str], variable: &Path| {
        let mut command = Command::new(AGENT);
        command.arg("--root").arg(guest.path("")).arg("--once").args(arguments);
        command.env("XENSTORED_PATH", variable);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let shown = file.display();
    let (code, text) = run(&[], &file);
    let expected = format!(
        "Cannot open XenStore at {shown}, as XENSTORED_PATH says: It is neither a socket nor a device"
    );
    assert!(code == Some(1) && text.contains(&expected), "{text}");
    let (code, text) = run(&["--xenstore", file.to_str().unwrap()], Path::new(""));
    let expected = format!("Cannot open XenStore at {shown}: It is neither a socket nor a device");
    assert!(code == Some(1) && text.contains(&expected), "{text}");
    assert_eq!(fs::read(&file).unwrap(), b"text");
}

#[test]
fn a_lost_connection_is_made_again() {
    let mut guest = with_slow_command();
    guest.start();
    assert_eq!(guest.ask("version", "").0, "0");
    for _ in 0..2 {
        guest.stop_server();
        let id = guest.put_request("version", "");
        std::thread::sleep(Duration::from_millis(200));
        guest.start_server();
        assert_eq!(returncode_and_message(&guest.wait_for(&id)).0, "0");
    }
}

#[test]
fn a_response_outlives_the_connection() {
    let mut guest = with_slow_command();
    guest.start();
    let id = guest.put_request("slow", "");
    assert!(wait(|| guest.path("/commands/slow.runs").exists().then_some(())).is_some());
    guest.stop_server();
    std::thread::sleep(Duration::from_millis(1500));
    guest.start_server();
    assert_eq!(returncode_and_message(&guest.wait_for(&id)).1, "done");
    assert_eq!(guest.ask("version", "").0, "0");
    assert_eq!(guest.read("/commands/slow.runs"), "run\n");
}

#[test]
fn an_agent_that_starts_before_xenstore_waits_for_it() {
    let mut guest = Guest::new();
    guest.stop_server();
    guest.start();
    std::thread::sleep(Duration::from_millis(300));
    guest.start_server();
    assert_eq!(guest.ask("version", "").0, "0");
    // The failure is logged once.
    assert_eq!(guest.log().matches("XenStore: ").count(), 1, "{}", guest.log());
}

#[test]
fn a_domain_that_is_gone_does_not_end_the_agent() {
    let mut guest = Guest::with("");
    assert_eq!(guest.ask("version", "").0, "0");
    guest.store.release(crate::guest::DOMID).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(guest.terminate().code(), Some(0));
}

#[test]
fn wrong_options_and_configurations_say_where() {
    let guest = Guest::new();
    let run = |args: &[&str]| {
        let output = Command::new(AGENT).args(args).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = run(&["--colour"]);
    assert_eq!((code, text.lines().count()), (Some(2), 1), "{text}");
    guest.configure("version = \"1\"\n\n[pluggins]\n");
    let root = guest.path("");
    let (code, text) = run(&["--root", root.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(
        text.contains("/etc/xend-guest-agent.conf: line 3: unknown field `pluggins`"),
        "{text}"
    );
    let (code, text) = run(&["--config", "/no/such/file"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("/no/such/file"), "{text}");
    let (code, _) = run(&["--root", "/no/such/directory"]);
    assert_eq!(code, Some(2));
    let (code, text) = run(&["--root", ""]);
    assert_eq!(code, Some(2));
    assert!(text.contains("the path of the option '--root' is empty"), "{text}");
    for (config, expected) in [("pair = []", Some(2)), ("", Some(0))] {
        guest.configure(config);
        let (code, text) = run(&["--root", root.to_str().unwrap(), "--check"]);
        assert_eq!((code, text.is_empty()), (expected, expected == Some(0)), "{text}");
    }
    // Nothing was started, and nothing left.
    assert!(!guest.path("/run").exists() && !guest.path("/var").exists());
}

#[test]
fn help_and_version_are_printed() {
    let help = "--shadow FILE";
    let version = "xend-guest-agent 0.";
    for (option, expected) in
        [("--help", help), ("-h", help), ("--version", version), ("-V", version)]
    {
        let output = Command::new(AGENT).arg(option).output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains(expected));
    }
}

#[test]
fn a_machine_without_xen_is_left_alone() {
    let kind = fs::read_to_string("/sys/hypervisor/type").unwrap_or_default();
    if kind.trim() == "xen" {
        eprintln!("SKIPPED: this machine is a guest of Xen");
        return;
    }
    let guest = Guest::new();
    let config = guest.outside("conf");
    fs::write(&config, "").unwrap();
    // A variable that is empty names nothing.
    for variable in [None, Some("")] {
        let mut command = Command::new(AGENT);
        command.arg("--config").arg(&config).env_remove("XENSTORED_PATH");
        command.envs(variable.map(|value| ("XENSTORED_PATH", value)));
        let output = command.output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("no guest of Xen"), "{text}");
    }
}

#[test]
fn an_idle_agent_sleeps() {
    let mut guest = Guest::with("");
    assert_eq!(guest.ask("version", "").0, "0");
    std::thread::sleep(Duration::from_millis(1500));
    let used = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", guest.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = (used(), Instant::now());
    std::thread::sleep(Duration::from_secs(2));
    // In hundredths of a second.
    assert!(used() - before.0 <= 2, "{:?}", before.1.elapsed());
}
