//! Disk images that are refused while they arrive, and how the refusal reads.

use crate::http_host_support::{stored, upload};
use crate::http_json_support::{JSON, get, parsed};
use crate::http_support::{Daemon, Listener, ReadWrite, connect};
use serde_json::json;
use std::fs;
use std::io::{Read as _, Write as _};

const PAGE: &str = "/xend/node/storage";
const BROWSER: &str = "Origin: http://localhost\r\nUser-Agent: x\r\nAccept: text/html\r\n";

/// Announces an image of this size, and waits for what the daemon says to that.
fn announce(daemon: &Daemon, size: u64) -> (Box<dyn ReadWrite>, String) {
    let mut client = connect(&Listener::Tcp(daemon.tcp));
    let head = format!(
        "POST {PAGE}/upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Expect: 100-continue\r\nContent-Length: {size}\r\n\r\n"
    );
    client.write_all(head.as_bytes()).unwrap();
    let mut answer = vec![0; 4096];
    let length = client.read(&mut answer).unwrap();
    (client, String::from_utf8_lossy(&answer[..length]).into_owned())
}

#[test]
fn uploads_at_the_same_time_share_the_free_room() {
    let daemon = Daemon::start(&[]);
    let free = parsed(&get(&daemon, PAGE, ""))["free_bytes"].as_u64().unwrap();
    let most = free.saturating_sub(256 << 20) / 10 * 6;
    let (first, answer) = announce(&daemon, most);
    assert!(answer.starts_with("HTTP/1.1 100 "), "{answer}");
    let (_, answer) = announce(&daemon, most);
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(answer.contains(&format!("{most} are for images that are being written")), "{answer}");
    drop(first);
    daemon.until("the first one has ended", |daemon| stored(daemon).is_empty());
    daemon.until("its room is free", |daemon| announce(daemon, most).1.contains(" 100 "));
}

#[test]
fn what_is_no_image_is_refused() {
    let daemon = Daemon::start(&[]);
    for media in ["application/x-www-form-urlencoded", "Application/JSON; charset=utf-8"] {
        let header = format!("Content-Type: {media}\r\n");
        let answer = upload(&daemon, "", &format!("{header}{JSON}"), b"{\"op\": \"create\"}");
        let problem = parsed(&answer);
        assert_eq!((answer.code, &problem["code"]), (415, &json!("unsupported_media_type")));
        let page = upload(&daemon, "", &format!("{header}{BROWSER}"), b"name=a");
        assert_eq!(page.code, 415, "{page:?}");
        assert!(page.text().contains("curl -T disk.img -X POST"), "{}", page.text());
        assert_eq!(upload(&daemon, "", &header, b"name=a").code, 415);
    }
    assert!(stored(&daemon).is_empty());
    let octets = "Content-Type: application/octet-stream\r\n";
    assert_eq!(upload(&daemon, "", octets, b"data").code, 201);
}

#[test]
fn a_refusal_names_the_parameter_and_leads_back_to_the_storage() {
    let daemon = Daemon::start(&[]);
    let answer = upload(&daemon, "?nmae=root", JSON, b"data");
    let problem = parsed(&answer);
    assert_eq!((answer.code, &problem["code"]), (422, &json!("unknown_parameter")), "{problem}");
    assert_eq!(problem["detail"], "Unknown parameter nmae, did you mean name?");
    assert_eq!(upload(&daemon, "?name=%fc", JSON, b"data").code, 422);
    for (query, body, code) in [("?nmae=root", &b"data"[..], 422), ("", b"", 422)] {
        let page = upload(&daemon, query, BROWSER, body);
        assert_eq!(page.code, code, "{page:?}");
        let back = format!(r#"href="{PAGE}">Back to "#);
        assert!(page.text().contains(&back) && !page.text().contains("upload\">Back"), "{page:?}");
    }
    let form = "Content-Type: multipart/form-data; boundary=XX\r\n";
    let name = b"--XX\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n\xfc\r\n--XX--\r\n";
    let answer = upload(&daemon, "", &format!("{form}{JSON}"), name);
    assert_eq!((answer.code, &parsed(&answer)["parameter"]), (422, &json!("name")));
    // What came of a file is removed after the answer.
    daemon.until("nothing is stored", |daemon| stored(daemon).is_empty());
}

#[test]
fn an_image_that_arrives_too_slowly_is_refused_with_the_rate() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config");
    fs::write(&config, "(xend-request-timeout 1)").unwrap();
    let daemon = Daemon::start_with_config(dir, &config, &[]);
    let mut client = connect(&Listener::Tcp(daemon.tcp));
    let head = format!(
        "POST {PAGE}/upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Length: 4000000\r\n\r\ndata"
    );
    client.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("at least 64 KiB are expected every 1 s"), "{answer}");
    daemon.until("nothing is left", |daemon| stored(daemon).is_empty());
}
