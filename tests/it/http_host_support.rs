//! A browser on the pages about what the host has.

use crate::http_support::{Answer, Daemon, Listener, ask, open_page, send_form};
use std::path::PathBuf;

/// Sends a form and opens the page to which it leads.
pub(crate) fn send_and_follow(daemon: &Daemon, target: &str, form: &str) -> String {
    let answer = send_form(daemon, target, form);
    assert_eq!(answer.status(), "303 See Other", "{target} {form}: {}", answer.text());
    open_page(daemon, answer.header("location").unwrap()).text()
}

/// Sends a body as a program, with these headers beside its length.
pub(crate) fn upload(daemon: &Daemon, query: &str, headers: &str, body: &[u8]) -> Answer {
    let head = format!(
        "POST /xend/node/storage/upload{query} HTTP/1.1\r\nHost: localhost\r\n{headers}\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    ask(&Listener::Tcp(daemon.tcp), &[head.as_bytes(), body].concat())
}

/// The files in the storage of a daemon, with their sizes.
pub(crate) fn stored(daemon: &Daemon) -> Vec<(PathBuf, u64)> {
    let dir = daemon.dir.path().join("state/storage");
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.path(), entry.metadata().unwrap().len())).collect()
}
