//! The reference: what is found in it, and that its commands work as they stand there.

use crate::http_support::{Answer, Daemon, Listener, ask, encoded, guest, open_page};
use crate::xenapi_support::Client;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// The reference as JSON.
fn reference(daemon: &Daemon, query: &str) -> Json {
    let head = "Host: localhost\r\nAccept: application/json\r\nConnection: close\r\n";
    let request = format!("GET /xend/help{query} HTTP/1.1\r\n{head}\r\n");
    let answer: Answer = ask(&Listener::Tcp(daemon.tcp), request.as_bytes());
    assert_eq!(answer.code, 200, "{answer:?}");
    serde_json::from_slice::<Json>(&answer.body).unwrap()["help"].take()
}

fn list<'a>(value: &'a Json, key: &str) -> &'a [Json] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value}"))
}

/// Runs commands in one shell, and gives the output of each; `None` without curl.
fn run_all(daemon: &Daemon, commands: &[String]) -> Option<Vec<String>> {
    const MARK: &str = "@@ end of the command";
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("SKIPPED: the commands of the reference need curl");
        return None;
    }
    let mut shell = Command::new("sh")
        .current_dir(daemon.dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut script = String::from("curl() { command curl -sS --max-time 60 \"$@\" 2>&1; }\n");
    for command in commands {
        write!(script, "{command}\necho '{MARK}'\n").unwrap();
    }
    let mut input = shell.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(script.as_bytes()).unwrap());
    let output = shell.wait_with_output().unwrap();
    writer.join().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.is_empty(), "{errors}");
    let text = String::from_utf8_lossy(&output.stdout);
    let answers: Vec<String> = text.split(MARK).map(|answer| answer.trim().to_owned()).collect();
    assert_eq!(answers.len(), commands.len() + 1, "{text}");
    Some(answers)
}

#[test]
fn the_reference_finds_operations_and_calls() {
    let daemon = Client::new().daemon;
    let operations = |query: &str| -> Vec<String> {
        let help = reference(&daemon, query);
        let pages = list(&help, "page").iter();
        let operations = pages.flat_map(|page| list(page, "op"));
        operations.map(|operation| text(&operation["name"]).to_owned()).collect()
    };
    let all = operations("");
    assert!(all.len() > 35, "{all:?}");
    assert_eq!(operations("?q=sysrq"), ["sysrq"]);
    let found = operations("?q=PAUSE");
    assert!(found.contains(&"unpause".to_owned()) && found.len() < 10, "{found:?}");
    assert!(operations("?q=nosuchword").is_empty());
    let calls = |query: &str| -> Vec<String> {
        let help = reference(&daemon, query);
        list(&help, "call").iter().map(|call| text(&call["name"]).to_owned()).collect()
    };
    assert!(calls("?part=xml-rpc").len() > 80 && calls("?part=xen-api").len() > 600);
    assert_eq!(
        calls("?part=xml-rpc&q=pause"),
        [
            "xend.domain.getpauseflag",
            "xend.domain.pause",
            "xend.domain.restore",
            "xend.domain.resume",
            "xend.domain.setpauseflag",
            "xend.domain.start",
            "xend.domain.unpause",
        ]
    );
    assert_eq!(calls("?part=xen-api&q=VM.pause"), ["VM.pause"]);
}

#[test]
fn the_page_searches_without_a_script() {
    let daemon = Client::new().daemon;
    let page = open_page(&daemon, "/xend/help?q=sysrq").text();
    assert!(page.contains(r#"name="q" value="sysrq""#), "{page}");
    assert!(page.contains(">HTTP <span class=\"count\">1</span>"), "{page}");
    assert!(page.contains(">Xen-API <span class=\"count\">1</span>"), "{page}");
    // A page that is found counts, too.
    let pages = open_page(&daemon, "/xend/help?q=websocket+console").text();
    assert!(pages.contains(">HTTP <span class=\"count\">1</span>"), "{pages}");
    assert!(page.contains("#xend-domain--domain--sysrq\"") && !page.contains(">pause</a>"));
    assert!(page.contains("data-copy=\"xend-domain--domain--sysrq-line\""), "{page}");
    let page = open_page(&daemon, "/xend/help?part=xen-api&q=sysrq").text();
    assert!(page.contains("VM.send_sysrq(session, vm, key)"), "{page}");
    assert!(page.contains("SESSION=$(curl -sS -d "), "{page}");
    assert!(page.contains("<details open"), "{page}");
    let page = open_page(&daemon, "/xend/help?q=%3Cnosuch%3E").text();
    assert!(page.contains("Nothing here has the words <q>&lt;nosuch&gt;</q>"), "{page}");
    let wrong = open_page(&daemon, "/xend/help?part=nosuch");
    assert!(wrong.code != 200 && wrong.text().contains("part"), "{wrong:?}");
}

/// The operations' commands are understood: whatever a simulated host refuses is not their
/// parameters.
#[test]
fn the_commands_of_the_operations_work() {
    let daemon = Daemon::start(&[]);
    std::fs::write(daemon.dir.path().join("file"), "secret").unwrap();
    let help = reference(&daemon, "");
    let operations: Vec<&Json> =
        list(&help, "page").iter().flat_map(|page| list(page, "op")).collect();
    let config = encoded(&guest("web1", ""));
    // Some operations take the domain away.
    let again = format!(
        "curl -A '' -d 'op=create&config={config}' http://{0}/xend/domain >/dev/null; \
         curl -A '' -d op=unpause http://{0}/xend/domain/web1 >/dev/null",
        daemon.tcp
    );
    let commands: Vec<String> = operations
        .iter()
        .map(|operation| {
            let line = text(&operation["example"]).replacen(
                "http://localhost",
                &format!("http://{}", daemon.tcp),
                1,
            );
            format!("{again}\n{line}")
        })
        .collect();
    let Some(answers) = run_all(&daemon, &commands) else { return };
    let misunderstood = [
        "Missing parameter",
        "Invalid value",
        "Unknown parameter",
        "Too many values",
        "Invalid configuration",
        "Request not found",
        "Not found",
        "curl:",
        "<html",
    ];
    for ((command, answer), operation) in commands.iter().zip(answers).zip(operations) {
        let is_of_image = command.contains("/xend/node/storage/");
        assert!(
            !is_of_image || command.ends_with("-3d24f94b1a11"),
            "an image has a UUID: {command}"
        );
        let is_understood = misunderstood.iter().all(|text| !answer.contains(text));
        assert!(is_understood, "{}: {command}\n{answer}", operation["name"]);
    }
}

/// The body of a command, in which a shell would replace variables.
fn body(command: &str, variables: &BTreeMap<String, String>) -> String {
    let (_, rest) = command.split_once("-d \"").unwrap();
    let (body, _) = rest.rsplit_once("\" ").unwrap();
    // Longer names first: `$VM_METRICS` begins with `$VM`.
    variables.iter().rev().fold(body.to_owned(), |body, (name, value)| {
        body.replace(&format!("${name}<"), &format!("{value}<"))
    })
}

/// The variables of the shell that the examples have, with their values.
fn variables(daemon: &Daemon, xen_api: &Json) -> Option<BTreeMap<String, String>> {
    let lines = list(xen_api, "call").iter().filter_map(|call| call["variable"].as_str());
    let lines: BTreeSet<&str> = lines.collect();
    assert!(lines.len() > 25, "{lines:?}");
    // Others are about this one.
    let vm = lines.iter().copied().find(|line| line.starts_with("VM=")).unwrap();
    let others = lines.into_iter().filter(|line| *line != vm);
    let lines = [text(&xen_api["login"]), vm].into_iter().chain(others);
    let names: Vec<(String, String)> = lines
        .map(|line| {
            let name = line.split('=').next().unwrap();
            (name.to_owned(), format!("{line}\necho \"${name}\""))
        })
        .collect();
    let commands: Vec<String> = names.iter().map(|(_, command)| command.clone()).collect();
    let values = run_all(daemon, &commands)?;
    let names = names.into_iter().map(|(name, _)| name);
    Some(names.zip(values).collect())
}

/// The calls of XML-RPC have the right number of parameters of the right types.
#[test]
fn the_commands_of_the_calls_work() {
    let client = Client::new();
    let daemon = &client.daemon;
    daemon.create(&guest("web1", ""));
    let legacy = reference(daemon, "?part=xml-rpc");
    let xen_api = reference(daemon, "?part=xen-api");
    let Some(variables) = variables(daemon, &xen_api) else { return };
    for name in ["SESSION", "VM", "HOST", "VIF"] {
        assert_eq!(variables[name].len(), 36, "{variables:?}");
    }
    let uuid = daemon.value("web1", "uuid");
    assert_eq!(variables["VM"], uuid, "the lines are about the domain that they name");
    let misunderstood = [
        "MESSAGE_METHOD_UNKNOWN",
        "MESSAGE_PARAMETER_COUNT_MISMATCH",
        "FIELD_TYPE_ERROR",
        "SESSION_INVALID",
        "is expected",
        "is missing",
        "No such method",
    ];
    let http = Listener::Tcp(daemon.tcp);
    let calls = list(&legacy, "call").iter().map(|call| (call, &http, "/RPC2"));
    let calls =
        calls.chain(list(&xen_api, "call").iter().map(|call| (call, &client.listener, "/")));
    let mut count = 0;
    for (call, listener, path) in calls {
        // One waits for events, the others end the session.
        if ["event.next", "session.logout", "session.local_logout"].contains(&text(&call["name"])) {
            continue;
        }
        let body = body(text(&call["example"]), &variables);
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        let form = "Content-Type: application/x-www-form-urlencoded";
        let length = body.len();
        let request = format!("{head}{form}\r\nContent-Length: {length}\r\n\r\n{body}");
        let answer = ask(listener, request.as_bytes()).text();
        let is_understood = answer.contains("<methodResponse>")
            && misunderstood.iter().all(|text| !answer.contains(text));
        assert!(is_understood, "{body}\n{answer}");
        count += 1;
    }
    assert!(count > 700, "{count}");
    // As they stand there.
    let some: Vec<String> = list(&legacy, "call")
        .iter()
        .step_by(9)
        .map(|call| {
            text(&call["example"]).replace("http://localhost/", &format!("http://{}/", daemon.tcp))
        })
        .collect();
    for answer in run_all(daemon, &some).unwrap_or_default().iter().take(some.len()) {
        assert!(answer.contains("<methodResponse>"), "{answer}");
    }
}
