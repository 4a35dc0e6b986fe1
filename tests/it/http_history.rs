//! Histories of use over HTTP: as CSV, as JSON and as a page; and what is left of damaged files.

use crate::http_json_support::{get as get_json, parsed};
use crate::http_support::{Daemon, encoded, guest, open_page};
use rustix::process::Signal;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use tempfile::TempDir;
use xend::core::model::{Level, Resource, Usage, UsageOf, parse_uuid};
use xend::core::ports::Histories;
use xend::os::OsEntropy;
use xend::store::DirStore;

const UUID: &str = "11111111-2222-3333-4444-555555555555";

/// The present minute, since 1970.
#[expect(clippy::disallowed_methods, reason = "the daemon's clock is the machine's")]
fn now() -> u32 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u32::try_from(since.as_secs() / 60).unwrap()
}

/// A state directory in which a domain and the host have used something in the last three hours,
/// as long as the domain was there.
async fn with_history() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = DirStore::open(&dir.path().join("state"), Arc::new(OsEntropy)).unwrap();
    let level = |mean| Level { mean, max: mean * 2.0 };
    let usage = Usage::default()
        .with(Resource::Cpu, level(25.0))
        .with(Resource::Memory, level(32_768.0))
        .with(Resource::DiskRead, level(1_048_576.0));
    let one = UsageOf::Domain(parse_uuid(UUID).unwrap());
    for minute in now() - 180..now() {
        store.add_usage(minute, vec![(one, usage), (UsageOf::Host, usage)]).await.unwrap();
    }
    dir
}

fn define(daemon: &Daemon) {
    let config = encoded(&guest("web1", &format!("(uuid {UUID})")));
    assert_eq!(daemon.post("/xend/domain", &format!("op=new&config={config}")).code, 200);
}

/// The mean CPU use of each step that is known.
fn cpu(daemon: &Daemon, target: &str) -> Vec<f64> {
    let json = parsed(&get_json(daemon, target, ""));
    let steps = json["steps"].as_array().unwrap();
    steps.iter().filter_map(|step| step["cpu_percent"]["mean"].as_f64()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_csv_json_and_a_page() {
    let daemon = Daemon::start_in(with_history().await, &[]);
    define(&daemon);
    let path = "/xend/domain/web1/history";
    for (of, name) in [(path, "web1"), ("/xend/node/history", "")] {
        let json = parsed(&get_json(&daemon, &format!("{of}?span=hour"), ""));
        assert_eq!((&json["span"], &json["step_seconds"]), (&"hour".into(), &60.into()));
        let steps = json["steps"].as_array().unwrap();
        assert_eq!(steps.len(), 60);
        assert_eq!(steps[50]["cpu_percent"], serde_json::json!({"mean": 25.0, "max": 50.0}));
        assert_eq!(steps[50]["net_sent_bytes_per_second"], serde_json::Value::Null);
        let day = cpu(&daemon, of);
        assert!((12..=14).contains(&day.len()) && day.first() == Some(&25.0), "{day:?}");
        assert!((2..=3).contains(&cpu(&daemon, &format!("{of}?span=week")).len()));
        assert!((1..=2).contains(&cpu(&daemon, &format!("{of}?span=month")).len()));

        let csv = daemon.get(&format!("{of}?span=hour"));
        assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
        let file = csv.header("content-disposition").unwrap();
        assert!(file.ends_with("-hour.csv\"") && file.contains(name), "{file}");
        let text = csv.text();
        assert_eq!(text.lines().count(), 61);
        assert!(text.contains(",25.00,50.00,32768.00,65536.00,1048576.00,2097152.00,,,,,,\r\n"));
        let forced = open_page(&daemon, &format!("{of}?span=hour&format=csv"));
        assert_eq!(forced.header("content-type"), csv.header("content-type"));
        let forced = open_page(&daemon, &format!("{of}?format=json"));
        assert_eq!(forced.header("content-type"), Some("application/json"));

        let page = open_page(&daemon, &format!("{of}?span=week")).text();
        for part in [
            "<svg class=\"chart\"",
            "aria-label=\"CPU. used: mean 25.0 %, highest 50.0 %.",
            "32 MiB",
            "1 MiB/s",
            "aria-current=\"true\">Last week</a>",
            "<caption>Mean and maximum of each step of 2 hours</caption>",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
    }
    let wrong = open_page(&daemon, &format!("{path}?span=year"));
    assert!(wrong.text().contains("Invalid value for span"), "{}", wrong.text());
    assert_eq!(daemon.get("/xend/domain/nosuch/history").code, 404);
    // The pages lead there.
    assert!(open_page(&daemon, "/xend/node").text().contains("href=\"/xend/node/history\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_survives_all_but_the_end_of_the_definition() {
    let daemon = Daemon::start_in(with_history().await, &[]);
    define(&daemon);
    let steps = |daemon: &Daemon, name: &str| {
        cpu(daemon, &format!("/xend/domain/{name}/history?span=day")).len()
    };
    let before = steps(&daemon, "web1");
    assert!(before >= 12);
    daemon.post("/xend/domain/web1", "op=rename&name=web2");
    let daemon = daemon.killed_and_restarted();
    assert!(steps(&daemon, "web2") >= before - 1);
    daemon.post("/xend/domain/web2", "op=delete");
    define(&daemon);
    assert_eq!(steps(&daemon, "web1"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_histories_are_set_aside_and_named() {
    let dir = with_history().await;
    let file = dir.path().join(format!("state/history/{UUID}.history"));
    fs::write(&file, "no history").unwrap();
    let daemon = Daemon::start_in(dir, &[]);
    define(&daemon);
    assert!(cpu(&daemon, "/xend/domain/web1/history").is_empty());
    let log = daemon.log();
    assert!(log.contains("A damaged file is set aside: its size is wrong"), "{log}");
    assert!(log.contains(file.to_str().unwrap()), "{log}");
    assert!(!cpu(&daemon, "/xend/node/history").is_empty(), "the others are as they were");
    // A row that was torn is one step.
    let (_, dir) = daemon.end(Signal::TERM);
    tear_a_row(&dir.path().join("state/history/host.history"));
    let daemon = Daemon::start_in(dir, &[]);
    let steps = cpu(&daemon, "/xend/node/history?span=hour").len();
    assert!((55..=59).contains(&steps), "{steps}");
}

/// Damages the row of the first minute in the file that is within the last half hour.
fn tear_a_row(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let minute = now() - 20;
    let at = 64 + usize::try_from(minute % 60).unwrap() * 64;
    assert_eq!(bytes[at..at + 4], minute.to_le_bytes());
    bytes[at + 30] ^= 1;
    fs::write(file, bytes).unwrap();
}
