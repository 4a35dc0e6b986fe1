//! The exchange over standard input and output.

use crate::guest::Guest;
use crate::machine::{AGENT, returncode_and_message, wait};
use std::io::Write;
use std::process::{Command, Stdio};

fn session(guest: &Guest, arguments: &[&str], input: &[u8]) -> Vec<(String, String)> {
    guest.configure("[[pair]]\nexchange = \"stdio\"");
    let mut agent = Command::new(AGENT);
    agent.arg("--root").arg(guest.path("")).args(arguments);
    let mut agent =
        agent.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    agent.stdin.take().unwrap().write_all(input).unwrap();
    let output = agent.wait_with_output().unwrap();
    assert!(output.status.success());
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(returncode_and_message).collect()
}

#[test]
fn a_session_ends_with_its_input() {
    let guest = Guest::new();
    let file = "{\"name\":\"injectfile\",\"value\":\"L2V0Yy9tb3RkLGhlbGxv\"}\n";
    let input = format!("{{\"name\":\"version\"}}\n\nnonsense\n{file}{{\"name\":\"features\"}}");
    for arguments in [&[][..], &["--once"]] {
        let answers = session(&guest, arguments, input.as_bytes());
        let codes: Vec<&str> = answers.iter().map(|(code, _)| code.as_str()).collect();
        assert_eq!(codes, ["0", "500", "0", "0"]);
        assert_eq!(answers[1].1, "Request is malformed");
    }
    assert_eq!(guest.read("/etc/motd"), "hello");
    assert_eq!(session(&guest, &["--once"], b""), []);
}

#[test]
fn long_lines_are_answered_once() {
    let guest = Guest::new();
    let mut input = vec![b'x'; 1 << 20];
    input.extend_from_slice(b"\n{\"name\":\"version\"}\n");
    let answers = session(&guest, &[], &input);
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0].0, "500");
    assert_eq!(answers[1].0, "0");
}

#[test]
fn an_agent_that_nobody_hears_ends() {
    let guest = Guest::new();
    guest.configure("[[pair]]\nexchange = \"stdio\"");
    let mut agent = Command::new(AGENT);
    agent.arg("--root").arg(guest.path(""));
    let mut agent =
        agent.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(agent.stdout.take());
    let mut stdin = agent.stdin.take().unwrap();
    stdin.write_all(b"{\"name\":\"version\"}\n").unwrap();
    let ended = wait(|| agent.try_wait().unwrap());
    agent.kill().unwrap();
    assert_eq!(ended.and_then(|status| status.code()), Some(1));
}
