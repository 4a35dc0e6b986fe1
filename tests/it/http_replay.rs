//! Replay of requests and answers that were recorded from the real xend.
//!
//! A file in `sexpr-fixtures/trace/FOLDER` contains a raw request, a separator line, and the raw
//! answer. Requests are sent in the order of `ORDER`, since later ones depend on earlier ones.
//! `FIX` lists requests that this project answers differently on purpose, `EXCEPT` a few more, each
//! with a reason: both are sent, but their answers are not compared, and an answer of `EXCEPT` that
//! agrees must be removed from the list. `AFTER` has requests that clean up after a request of
//! `FIX` that created a domain, which xend had refused.

use crate::http_support::{
    Answer, Daemon, Listener, ask, encoded, first_expression, fixture, post, try_ask,
};
use std::collections::HashMap;
use std::path::Path;
use xend::sxp::Sxp;

const SEPARATOR: &[u8] = b"\n=====RESPONSE=====\n";

/// A key of the host that xend did not have.
const ADDED: &str = "xend_hypervisor";

/// Keys whose values depend on the host, the clock or the hypervisor.
const MASKED: [&str; 13] = [
    "domid",
    "start_time",
    "cpu_time",
    "store_mfn",
    "console_mfn",
    "notes",
    "location",
    "shadow_memory",
    "online_vcpus",
    "cpu",
    "vcpu_avail",
    "status",
    "xend.err",
];

#[test]
fn credit_over_tcp() {
    let daemon = Daemon::start(&[]);
    replay("credit", &Listener::Tcp(daemon.tcp));
}

#[test]
fn credit_over_the_unix_socket() {
    let daemon = Daemon::start(&[]);
    replay("credit", &Listener::Unix(daemon.socket()));
}

#[test]
fn sedf_over_tcp() {
    let daemon = Daemon::start(&["--scheduler", "sedf"]);
    replay("sedf", &Listener::Tcp(daemon.tcp));
}

fn replay(folder: &str, listener: &Listener) {
    let folder = fixture("trace").join(folder);
    let list = |name: &str| -> Vec<(String, String)> {
        let text = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let lines =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines
            .map(|line| line.split_once(' ').unwrap_or((line, "")))
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .collect()
    };
    let fix = list("FIX");
    let except = list("EXCEPT");
    let after = list("AFTER");
    let except: HashMap<String, String> = except.into_iter().collect();
    // Replaces the directory for files in the recording.
    let files = tempfile::tempdir().unwrap();
    let mut agree = 0;
    let mut wrong = Vec::new();
    let mut obsolete = Vec::new();
    for (name, _) in list("ORDER") {
        let text = std::fs::read(folder.join(&name)).unwrap();
        let at = text.windows(SEPARATOR.len()).position(|w| w == SEPARATOR).unwrap();
        let request = with_files_in(&text[..at], files.path());
        let fixed = fix.iter().any(|(fixed, _)| *fixed == name);
        if fixed {
            // Some of these are incomplete requests, which are answered after a timeout: they are
            // left out.
            if !after.iter().any(|(made, _)| *made == name)
                && (name.starts_with("http")
                    || name.starts_with("conn-")
                    || name.starts_with("post-"))
            {
                continue;
            }
            try_ask(listener, &request);
            for (_, request) in after.iter().filter(|(made, _)| *made == name) {
                let (target, form) = request.split_once(' ').unwrap();
                assert!(ask(listener, &post(target, form)).code < 300, "after {name}");
            }
            continue;
        }
        let want = Answer::parse(&text[at + SEPARATOR.len()..]).unwrap();
        let differences = try_ask(listener, &request)
            .map_or(vec!["no answer".into()], |got| differences(&want, &got));
        match (differences.is_empty(), except.contains_key(&name)) {
            (true, false) => agree += 1,
            (true, true) => obsolete.push(name),
            (false, true) => {}
            (false, false) => wrong.push(format!("{name}: {}", differences.join("; "))),
        }
    }
    println!("{agree} agree, {} excepted, {} differ", except.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(obsolete.is_empty(), "Agree, remove them from EXCEPT: {}", obsolete.join(" "));
    assert!(agree > 0);
}

/// A request with its files in `dir` instead of the recording's directory.
fn with_files_in(request: &[u8], dir: &Path) -> Vec<u8> {
    const RECORDED: &str = "%2Ftmp%2Foracle%2Ftmp";
    let Ok(text) = std::str::from_utf8(request) else { return request.to_vec() };
    let Some((head, body)) =
        text.split_once("\r\n\r\n").filter(|(_, body)| body.contains(RECORDED))
    else {
        return request.to_vec();
    };
    let body = body.replace(RECORDED, &encoded(dir.to_str().unwrap()));
    let lines: Vec<String> = head
        .split("\r\n")
        .map(|line| match line.split_once(':') {
            Some((name, _)) if name.eq_ignore_ascii_case("content-length") => {
                format!("{name}: {}", body.len())
            }
            _ => line.to_owned(),
        })
        .collect();
    format!("{}\r\n\r\n{body}", lines.join("\r\n")).into_bytes()
}

fn differences(want: &Answer, got: &Answer) -> Vec<String> {
    let mut found = Vec::new();
    if want.status() != got.status() {
        found.push(format!("{} instead of {}", got.status(), want.status()));
    }
    let media = |answer: &Answer| {
        let media = answer.header("content-type").unwrap_or("");
        media.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
    };
    if media(want).is_empty() && want.text().trim_start().starts_with('<') {
        if !["text/html", ""].contains(&media(got).as_str()) {
            found.push(format!("type {} instead of HTML", media(got)));
        }
        return found;
    }
    if !media(want).is_empty() && media(want) != media(got) {
        found.push(format!("type {:?} instead of {:?}", media(got), media(want)));
    }
    if let Some(location) = want.header("location") {
        let want = path_of(location);
        let got = path_of(got.header("location").unwrap_or(""));
        if want != got {
            found.push(format!("Location {got} instead of {want}"));
        }
    }
    let blank = |answer: &Answer| answer.body.trim_ascii().is_empty();
    match media(want).as_str() {
        "application/sxp" if !blank(want) => {
            match (first_expression(&want.body), first_expression(&got.body)) {
                (Some(a), Some(b)) => {
                    let (a, b) = if want.code == 201 {
                        (without_transient(&a), without_transient(&b))
                    } else {
                        (a, b)
                    };
                    let a = masked(&a, false);
                    let b = masked(&without_added(&b), false);
                    if a != b {
                        found.push(format!("body {b} instead of {a}"));
                    }
                }
                _ => found.push(format!("body {:?}", got.text())),
            }
        }
        "text/plain" if !blank(want) && blank(got) => found.push("no body".into()),
        _ => {}
    }
    found
}

fn path_of(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest.find('/').map_or("", |at| &rest[at..]))
}

/// A domain that was just created, without values that depend on the moment.
fn without_transient(tree: &Sxp) -> Sxp {
    let lasting = |item: &&Sxp| {
        let console = item.head() == Some("device")
            && item.tail().first().and_then(Sxp::head) == Some("console");
        !console && !["state", "cpu_time", "online_vcpus"].contains(&item.head().unwrap_or(""))
    };
    tree.as_list().unwrap_or_default().iter().filter(lasting).cloned().collect()
}

/// The record of the host without what this project adds to it.
fn without_added(tree: &Sxp) -> Sxp {
    let Some(items) = tree.as_list().filter(|_| tree.head() == Some("node")) else {
        return tree.clone();
    };
    items.iter().filter(|item| item.head() != Some(ADDED)).cloned().collect()
}

/// The tree with masked values replaced and property lists sorted, since their order has no
/// meaning.
fn masked(tree: &Sxp, host: bool) -> Sxp {
    let Some(items) = tree.as_list() else { return tree.clone() };
    let star = || Sxp::from("*");
    if let Some(head) = tree.head() {
        if MASKED.contains(&head) || (host && items.len() == 2) {
            return Sxp::list([items[0].clone(), star()]);
        }
        if let ("device", Some(record)) = (head, tree.tail().first()) {
            let mut inner: Vec<Sxp> = record
                .as_list()
                .unwrap_or_default()
                .iter()
                .map(|item| masked(item, false))
                .collect();
            for item in &mut inner {
                if item.head() == Some("uuid") {
                    *item = Sxp::list([Sxp::from("uuid"), star()]);
                }
            }
            sort_tail(&mut inner);
            return Sxp::list([items[0].clone(), Sxp::list(inner)]);
        }
    }
    let host = host || tree.head() == Some("node");
    let mut out: Vec<Sxp> = items.iter().map(|item| masked(item, host)).collect();
    if out.len() > 2
        && out[0].as_bytes().is_some()
        && out[1..].iter().all(|item| item.as_list().is_some())
    {
        sort_tail(&mut out);
    }
    Sxp::list(out)
}

fn sort_tail(items: &mut [Sxp]) {
    if let Some((_, tail)) = items.split_first_mut() {
        tail.sort_by_cached_key(ToString::to_string);
    }
}
