//! The state directory is removed or replaced while the daemon runs: it says so, changes nothing
//! that it could not record, and touches nothing of what is there in its place.

use crate::http_json_support::{config, parsed, perform, post};
use crate::http_support::{Daemon, Listener, ask, encoded, guest};
use serde_json::json;
use std::fs;
use std::path::Path;

/// The files and directories below a directory.
fn below(dir: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            names.extend(below(&entry.path()));
        }
        names.push(entry.path().display().to_string());
    }
    names.sort();
    names
}

#[test]
fn a_lost_state_directory_is_said_and_not_made_again() {
    let daemon = Daemon::start(&[]);
    let state = daemon.dir.path().join("state");
    assert_eq!(daemon.create(&guest("web", "")).code, 201);
    let old = daemon.dir.path().join("old");
    fs::rename(&state, &old).unwrap();
    let kept = below(&old);
    let removed = format!("{} was removed while xend runs", state.display());
    let refused = |reason: &str| {
        let new = format!("op=new&config={}", encoded(&guest("db", "")));
        let create = format!("op=create&config={}", encoded(&guest("db", "")));
        let vnet = format!("op=create&config={}", encoded("(vnet (id 1) (vnetif v1))"));
        for (target, form) in [
            ("/xend/domain", new),
            ("/xend/domain", create),
            ("/xend/domain/web", "op=unpause".to_owned()),
            ("/xend/vnet", vnet),
        ] {
            let answer = daemon.post(target, &form);
            assert_eq!(answer.code, 500, "{form}: {}", answer.text());
            assert!(answer.text().contains(reason), "{form}: {}", answer.text());
        }
        let body = json!({"op": "new", "config": config("db")}).to_string();
        let problem = parsed(&post(&daemon, "/xend/domain", "", &body));
        let detail = problem["detail"].as_str().unwrap();
        assert!(problem["status"] == 500 && detail.contains(reason), "{problem}");
    };
    refused(" was removed while xend runs, put the old directory back or restart xend");
    let readyz = || {
        let request = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        ask(&Listener::Unix(daemon.socket()), request)
    };
    let answer = readyz();
    assert_eq!(answer.code, 503, "{}", answer.text());
    let text = format!("The state directory cannot be written: {removed}");
    assert!(answer.text().starts_with(&text), "{}", answer.text());
    assert!(!state.exists(), "it is not made again");

    // A second daemon has the new directory for itself.
    let another = tempfile::tempdir().unwrap();
    let second = Daemon::start_in(another, &[]);
    std::os::unix::fs::symlink(second.dir.path().join("state"), &state).unwrap();
    assert_eq!(second.create(&guest("mail", "")).code, 201);
    let theirs = below(&second.dir.path().join("state"));
    refused(" was replaced while xend runs, put the old directory back or restart xend");
    assert_eq!(readyz().code, 503);
    assert_eq!(below(&second.dir.path().join("state")), theirs);
    assert_eq!(below(&old), kept);
    // The host is still there to be looked at.
    assert_eq!(daemon.get("/xend/domain").text(), "(Domain-0 web)");

    fs::remove_file(&state).unwrap();
    fs::rename(&old, &state).unwrap();
    assert_eq!(daemon.post("/xend/domain/web", "op=unpause").code, 200);
    assert_eq!(perform(&daemon, "web", &json!({"op": "pause"})).0, 204);
    let defined = json!({"op": "new", "config": config("db")}).to_string();
    assert_eq!(post(&daemon, "/xend/domain", "", &defined).code, 204);
}
