//! Every command, and requests that are none.

use crate::guest::{Guest, HOME};
use crate::machine::{AGENT, failure, success};
use serde_json::{Value, json};
use std::process::Command;
use xend_xenstore::Nodes;

const FEATURES: &str = "agentupdate,features,file_inject,injectfile,keyinit,password,password_user,resetnetwork,version";

#[test]
fn version_and_features_are_what_hosts_compare() {
    let mut guest = Guest::with("");
    for value in [json!("agent"), json!(""), Value::Null, json!({"a": 1})] {
        assert_eq!(guest.ask("version", value), ("0".to_owned(), "1.39.1".to_owned()));
    }
    assert_eq!(guest.ask("features", ""), ("0".to_owned(), FEATURES.to_owned()));
}

#[test]
fn commands_that_are_not_there() {
    let mut guest = Guest::with("");
    let unknown = |name: &str| ("404".to_owned(), format!("No such agent command '{name}'"));
    for name in ["kmsactivate", "password_user", "", "Version", "../sh", "__init__"] {
        assert_eq!(guest.ask(name, ""), unknown(name), "{name}");
    }
    // What does not fit into a message is replaced, and what is too long is cut.
    assert_eq!(guest.ask("a\"\\\u{e4}\n", ""), unknown("a'/? "));
    let (code, message) = guest.ask("x".repeat(3000).as_str(), "");
    assert_eq!((code.as_str(), message.len()), ("404", 1900));
}

#[test]
fn an_update_is_refused() {
    let mut guest = Guest::with("");
    let (code, message) = guest.ask("agentupdate", "http://192.0.2.1/agent.tar,0123");
    assert_eq!(code, "500");
    assert!(message.contains("updated by its system's packages"), "{message}");
}

#[test]
fn what_is_no_request_is_answered() {
    let mut guest = Guest::with("");
    let malformed: [&[u8]; 12] = [
        b"",
        b"x",
        b"[]",
        b"1",
        b"null",
        b"\"version\"",
        b"{",
        b"\xff\xfe",
        b"{\"name\":1}",
        b"{\"name\":null}",
        b"{\"name\":\"\xff\"}",
        b"{\"name\":[\"version\"]}",
    ];
    for text in malformed {
        assert_eq!(guest.ask_raw(text), failure("Request is malformed"), "{text:?}");
    }
    assert_eq!(guest.ask_raw("{}"), failure("Request is missing 'name' key"));
    let nested =
        format!("{{\"name\":\"version\",\"value\":{}1{}}}", "[".repeat(900), "]".repeat(900));
    assert_eq!(guest.ask_raw(nested).0, "500");
    // The original's plug-in makes a raw newline of an escaped one.
    let raw = "{\"name\":\"version\",\"value\":\"a\nb\tc\"}";
    assert_eq!(guest.ask_raw(raw).0, "0");
}

#[test]
fn values_of_any_kind_are_answered() {
    let mut guest = Guest::with("");
    // There is a name to be set, which the guest has already.
    guest.write("/proc/sys/kernel/hostname", "web1\n");
    guest.host.write(&format!("{HOME}/vm-data/hostname"), b"web1").unwrap();
    let values = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(1e300),
        json!([]),
        json!([[{}]]),
        json!({}),
        json!({"user": 1, "password": []}),
        json!({"b64_path": 1}),
        json!("\u{0}\u{7f}\u{10ffff}"),
        json!("None"),
        json!("===="),
    ];
    for command in FEATURES.split(',').filter(|name| *name != "password_user") {
        for value in &values {
            let (code, _) = guest.ask(command, value.clone());
            let always = ["version", "features", "resetnetwork"].contains(&command);
            assert_eq!(code, if always { "0" } else { "500" }, "{command} {value}");
        }
    }
}

#[test]
fn a_command_that_is_off_is_unknown() {
    let off =
        "[commands]\nversion = false\ninjectfile = false\npassword = false\nkeyinit = false\n";
    let mut guest = Guest::with(off);
    for name in ["version", "injectfile", "password", "keyinit"] {
        assert_eq!(guest.ask(name, "").0, "404", "{name}");
    }
    let features = "agentupdate,features,file_inject,resetnetwork".to_owned();
    assert_eq!(guest.ask("features", ""), ("0".to_owned(), features));
}

#[test]
fn an_agent_that_only_reports_changes_nothing() {
    let mut guest = Guest::with("report_only = \"yes\"");
    let refused = failure("This agent only reports: its configuration says so");
    assert_eq!(guest.ask("file_inject", json!({"b64_path": "L2E=", "b64_file": ""})), refused);
    assert_eq!(guest.ask("injectfile", "L2EsYg=="), refused);
    assert_eq!(guest.ask("password", ""), refused);
    assert_eq!(guest.ask("keyinit", "5").0, "D0");
    assert_eq!(guest.ask("version", "").0, "0");
    assert_eq!(guest.ask("nothing", "").0, "404");
    assert!(!guest.path("/a").exists());
}

#[test]
fn the_network_is_reset_as_vm_data_says() {
    let mut guest = Guest::new();
    // The running system has the name already: no program of it is run.
    guest.write("/proc/sys/kernel/hostname", "web1\n");
    guest.start();
    let nothing = "vm-data has neither networking nor hostname: there is nothing to set";
    assert_eq!(guest.ask("resetnetwork", ""), failure(nothing));
    assert!(!guest.path("/etc/hostname").exists());
    guest.host.write(&format!("{HOME}/vm-data/hostname"), b"web1").unwrap();
    assert_eq!(guest.ask("resetnetwork", ""), success());
    assert_eq!(guest.read("/etc/hostname"), "web1\n");
    let settings = br#"{"label":"public","mac":"00:16:3e:11:22:33","ips":[{"ip":"203.0.113.10",
        "netmask":"255.255.255.0","enabled":"1"}]}"#;
    let path = format!("{HOME}/vm-data/networking/00163E112233");
    guest.host.write(&path, settings).unwrap();
    let unknown = "Unknown interface MAC 00:16:3e:11:22:33";
    let (code, message) = guest.ask("resetnetwork", "");
    assert_eq!((code.as_str(), message.to_lowercase().as_str()), ("500", &*unknown.to_lowercase()));
}

#[test]
fn the_version_can_be_another() {
    let mut guest = Guest::with("version = \"2.1.25\"");
    assert_eq!(guest.ask("version", "agent").1, "2.1.25");
}

#[test]
fn the_documentation_names_every_command() {
    let guest = Guest::new();
    guest.configure("[commands]\npassword = false");
    let output =
        Command::new(AGENT).arg("--root").arg(guest.path("")).arg("--commands").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for name in FEATURES.split(',').filter(|name| !["password", "password_user"].contains(name)) {
        assert!(text.contains(&format!("{name}\n    ")), "{name}: {text}");
    }
    assert!(text.contains("\npassword (off)\n    Sets a password"), "{text}");
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
}
