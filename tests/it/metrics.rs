//! Metrics and health: the text, what it counts, and who may read it.

use crate::engine_support::{HYPERVISOR_LIMIT, TestHost};
use crate::http_support::{Answer, Daemon, Listener, ask, guest, try_ask};
use crate::metrics_support::{Exposition, Family, fixture_names};
use crate::rights_support::{caller_with, nobody, operator};
use crate::server_identity::{answer_to, may_be_others};
use crate::tls_support::{encrypted, write_certificate};
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::{Shutdown, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use tower::ServiceExt as _;
use xend::core::caller::Caller;
use xend::core::rights::{Access, Rights};
use xend::memory_budget::MemoryBudgets;
use xend::peers::ListenerCounts;
use xend::wire::metrics::{Metrics, Readers, Sources};

/// Where a daemon serves metrics.
fn address(daemon: &Daemon, scheme: &str) -> SocketAddr {
    let prefix = format!("Metrics on {scheme}://");
    let found = daemon.announced.iter().find_map(|line| line.strip_prefix(&prefix));
    found.unwrap().trim_end_matches('/').parse().unwrap()
}

fn start() -> (Daemon, Listener) {
    let daemon = Daemon::start(&["--metrics", "127.0.0.1:0"]);
    let listener = Listener::Tcp(address(&daemon, "http"));
    (daemon, listener)
}

fn get(listener: &Listener, path: &str) -> Answer {
    ask(listener, format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
}

fn scrape(listener: &Listener) -> Exposition {
    let answer = get(listener, "/metrics");
    assert_eq!(answer.code, 200, "{}", answer.text());
    Exposition::parse(&answer.text())
}

/// Reads until a condition holds.
fn until(daemon: &Daemon, what: &str, is_so: impl Fn(&Exposition) -> bool) {
    let socket = Listener::Unix(daemon.socket());
    daemon.until(what, |_| is_so(&scrape(&socket)));
}

#[test]
fn the_text_is_strict_and_has_the_names_of_the_fixture() {
    let (daemon, listener) = start();
    assert_eq!(daemon.create(&guest("web", "")).code, 201);
    let answer = get(&listener, "/metrics");
    let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(media));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let found = Exposition::parse(&answer.text());
    let names: Vec<_> = found.families.iter().map(|one| (&*one.name, &*one.kind)).collect();
    let fixture = fixture_names();
    let expected: Vec<_> = fixture.iter().map(|one| (&*one.name, &*one.kind)).collect();
    assert_eq!(names, expected);
    for known in &fixture {
        let family = found.family(&known.name);
        for sample in &family.samples {
            let labels: Vec<_> = sample.labels.iter().map(|(label, _)| label.as_str()).collect();
            let own: Vec<_> = labels.iter().filter(|label| **label != "le").copied().collect();
            assert_eq!(own, known.labels, "{sample:?}");
        }
    }
}

#[test]
fn operations_and_calls_are_counted_by_their_ends() {
    let (daemon, listener) = start();
    let before = scrape(&listener);
    assert_eq!(before.value("xend_operations_total", &[("operation", "pause")]), None);
    assert!(before.value("xend_hypervisor_calls_total", &[("call", "domains")]) >= Some(1.0));
    assert_eq!(daemon.create(&guest("web", "")).code, 201);
    assert_eq!(daemon.post("/xend/domain/web", "op=unpause").code, 200);
    assert_eq!(daemon.post("/xend/domain/web", "op=pause").code, 200);
    // A domain that is on the host cannot be started.
    assert_eq!(daemon.post("/xend/domain/web", "op=start").code, 500);
    until(&daemon, "the operations", |found| {
        let of = |operation, result| {
            let labels = [("operation", operation), ("result", result)];
            found.value("xend_operations_total", &labels).unwrap_or(0.0)
        };
        let ends = |operation| ["done", "conflict", "timeout"].map(|end| of(operation, end));
        (ends("pause"), ends("start")) == ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    });
    let after = scrape(&listener);
    let pause = [("operation", "pause")];
    assert_eq!(after.value("xend_operation_duration_seconds_count", &pause), Some(1.0));
    let done = [("call", "pause"), ("result", "done")];
    assert_eq!(after.value("xend_hypervisor_calls_total", &done), Some(1.0));
    let pause = [("call", "pause")];
    assert_eq!(after.value("xend_hypervisor_call_duration_seconds_count", &pause), Some(1.0));
    assert!(after.value("xend_events_total", &[]) > before.value("xend_events_total", &[]));
    assert_eq!(after.value("xend_operations_running", &[]), Some(0.0));
}

#[test]
fn the_samples_of_a_domain_come_and_go_with_it() {
    let (daemon, listener) = start();
    let web = [("domain", "web")];
    assert_eq!(scrape(&listener).count("xend_domain_info", &web), 0);
    assert_eq!(daemon.create(&guest("web", "")).code, 201);
    assert_eq!(daemon.post("/xend/domain/web", "op=unpause").code, 200);
    let vbd = [("domain", "web"), ("device", "xvda")];
    let vif = [("domain", "web"), ("device", "0")];
    until(&daemon, "bytes of devices", |found| {
        found.value("xend_domain_vbd_read_bytes_total", &vbd).is_some()
            && found.value("xend_domain_vif_sent_bytes_total", &vif).is_some()
            && found.value("xend_domain_cpu_seconds_total", &web) > Some(0.0)
    });
    let found = scrape(&listener);
    assert_eq!(found.value("xend_domain_memory_bytes", &web), Some(f64::from(64 << 20)));
    assert_eq!(found.value("xend_domain_vcpus", &web), Some(2.0));
    let running = [("domain", "web"), ("state", "running")];
    assert_eq!(found.value("xend_domain_state", &running), Some(1.0));
    assert_eq!(found.count("xend_domain_state", &web), 1, "in no other state");
    assert_eq!(found.value("xend_domains", &[("state", "running")]), Some(2.0));
    assert_eq!(daemon.post("/xend/domain/web", "op=rename&name=www").code, 202);
    until(&daemon, "the new name", |found| found.count("xend_domain_info", &web) == 0);
    assert_eq!(daemon.post("/xend/domain/www", "op=destroy").code, 202);
    until(&daemon, "no sample of the domain", |found| {
        let of_domain = |name: &str| found.samples().any(|one| one.label("domain") == Some(name));
        !of_domain("web") && !of_domain("www") && of_domain("Domain-0")
    });
}

#[test]
fn connections_are_counted_by_listener_and_refusals_by_reason() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.sxp");
    std::fs::write(&config, r"(xend-metrics-hosts-allow '^192\\.0\\.2\\.')").unwrap();
    let options = ["--metrics", "127.0.0.1:0", "--relocation", "127.0.0.1:0"];
    let daemon = Daemon::start_with_config(dir, &config, &options);
    let metrics = address(&daemon, "http");
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert!(try_ask(&Listener::Tcp(metrics), request).is_none(), "the host is not allowed");
    // It sends no request, and is connected while the daemon looks whose connection it is.
    let mut silent = std::net::TcpStream::connect(daemon.relocation.unwrap()).unwrap();
    silent.shutdown(Shutdown::Write).unwrap();
    silent.read_to_end(&mut Vec::new()).ok();
    daemon.get("/xend/node");
    let of_metrics = format!("http://{metrics}/");
    let of_http = format!("http://{}/", daemon.tcp);
    let of_relocation = format!("relocation {}", daemon.relocation.unwrap());
    let of_socket = format!("unix:{}", daemon.socket().display());
    until(&daemon, "the counts", |found| {
        let accepted = |listener: &str| {
            found.value("xend_connections_accepted_total", &[("listener", listener)])
        };
        let refused = |listener: &str, reason| {
            let labels = [("listener", listener), ("reason", reason)];
            found.value("xend_connections_refused_total", &labels)
        };
        let open = |listener: &str| found.value("xend_connections_open", &[("listener", listener)]);
        // The socket has the connection of this request.
        accepted(&of_metrics) == Some(1.0)
            && refused(&of_metrics, "host") == Some(1.0)
            && open(&of_metrics) == Some(0.0)
            && accepted(&of_http) >= Some(1.0)
            && refused(&of_relocation, "greeting") == Some(1.0)
            && open(&of_socket) >= Some(1.0)
    });
}

#[test]
fn requests_by_a_foreign_name_are_refused() {
    let (daemon, listener) = start();
    for path in ["/metrics", "/healthz", "/readyz"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n");
        assert_eq!(ask(&listener, request.as_bytes()).code, 403, "{path}");
        // xend's own pages are where they were.
        assert_eq!(daemon.get(path).code, 404, "{path}");
        let posted = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(ask(&listener, posted.as_bytes()).code, 405, "{path}");
    }
    assert_eq!(get(&listener, "/xend/domain").code, 404);
    let list = get(&listener, "/");
    let paths: Vec<String> =
        list.text().lines().filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect();
    assert_eq!((list.code, paths.join(" ").as_str()), (200, "/metrics /healthz /readyz"));
    let socket = Listener::Unix(daemon.socket());
    assert_eq!(get(&socket, "/xend/node").code, 200);
    assert_eq!(
        (get(&socket, "/healthz").text().as_str(), get(&socket, "/nosuch").code),
        ("alive\n", 404)
    );
    assert!(!get(&socket, "/").text().contains("/metrics"), "a page of xend's own");
}

#[test]
fn metrics_can_be_encrypted() {
    let dir = tempfile::tempdir().unwrap();
    write_certificate(dir.path());
    let config = dir.path().join("config.sxp");
    std::fs::write(&config, "(xend-metrics-key key) (xend-metrics-cert cert)").unwrap();
    let daemon = Daemon::start_with_config(dir, &config, &["--metrics", "127.0.0.1:0"]);
    let request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let cert = daemon.dir.path().join("cert");
    let answer = encrypted(address(&daemon, "https"), &cert, request);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nready\n"), "{answer}");
}

/// A monitor may run as any user of the machine, but for those who have an account.
#[test]
fn local_users_of_accounts_see_no_metrics() {
    if !may_be_others() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let users = dir.path().join("users.sxp");
    let text = "(user steve (uid 64003) (domains *) (rights see power host-facts))";
    std::fs::write(&users, text).unwrap();
    std::fs::set_permissions(&users, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = dir.path().join("config.sxp");
    std::fs::write(&config, "(xend-users-file users.sxp)").unwrap();
    let daemon = Daemon::start_with_config(dir, &config, &["--metrics", "127.0.0.1:0"]);
    for path in ["/metrics", "/healthz", "/readyz"] {
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        for (uid, code) in [(0, " 200 "), (64_001, " 200 "), (64_003, " 403 ")] {
            let answer = answer_to(uid, address(&daemon, "http"), &request);
            assert!(answer.lines().next().unwrap().contains(code), "{uid} {path}: {answer}");
            assert!(uid != 64_003 || !answer.contains("xend_"), "{answer}");
        }
    }
    assert!(!daemon.log().contains("is not trusted"), "{}", daemon.log());
}

fn sources() -> Sources {
    Sources {
        version: "1.2.3",
        budgets: MemoryBudgets::default(),
        listeners: ListenerCounts::default(),
        tasks: Box::new(|| (3, 4)),
        json_tasks: Box::new(|| (5, 6)),
    }
}

async fn answer(
    metrics: &Metrics,
    readers: Readers,
    caller: Option<Caller>,
    path: &str,
) -> (StatusCode, String) {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    let response = metrics.router(readers).oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn users_and_unknown_callers_are_refused() {
    let host = TestHost::new().await;
    let metrics = Metrics::new(host.engine.clone(), sources());
    let access = Access::to(["*".parse().unwrap()], Rights::all());
    let user = caller_with("steve", "127.0.0.1:4713", access);
    for path in ["/metrics", "/healthz", "/readyz"] {
        for (readers, caller, expected) in [
            (Readers::Operators, Some(operator()), StatusCode::OK),
            (Readers::Operators, Some(nobody()), StatusCode::FORBIDDEN),
            (Readers::Operators, Some(user.clone()), StatusCode::FORBIDDEN),
            (Readers::Operators, None, StatusCode::FORBIDDEN),
            (Readers::Connected, Some(operator()), StatusCode::OK),
            (Readers::Connected, Some(nobody()), StatusCode::OK),
            (Readers::Connected, Some(user.clone()), StatusCode::FORBIDDEN),
            (Readers::Connected, None, StatusCode::FORBIDDEN),
        ] {
            let (status, text) = answer(&metrics, readers, caller.clone(), path).await;
            assert_eq!(status, expected, "{path} {readers:?} {caller:?}: {text}");
            assert!(status == StatusCode::OK || !text.contains("xend_"), "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_text_for_which_there_is_no_memory_is_refused() {
    let host = TestHost::new().await;
    let budgets = MemoryBudgets::new(1 << 20);
    let metrics =
        Metrics::new(host.engine.clone(), Sources { budgets: budgets.clone(), ..sources() });
    let ask = async || answer(&metrics, Readers::Operators, Some(operator()), "/metrics").await;
    let slow_readers = budgets.answers.reserve(1 << 20).unwrap();
    let (status, text) = ask().await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.starts_with("Too many large requests or answers at a time"), "{text}");
    drop(slow_readers);
    let found = ask().await;
    assert_eq!(found.0, StatusCode::OK, "{}", found.1);
    assert_eq!(budgets.answers.reserved(), 0, "it was read");
}

#[tokio::test(start_paused = true)]
async fn nothing_waits_for_a_hypervisor_that_hangs_and_readiness_says_it() {
    let host = TestHost::new().await;
    let metrics = Metrics::new(host.engine.clone(), sources());
    let ask = async |path: &str| answer(&metrics, Readers::Operators, Some(operator()), path).await;
    let ready = (StatusCode::OK, "ready\n".to_owned());
    assert_eq!(ask("/readyz").await, ready);
    host.hypervisor.sweeps_hang.store(true, Ordering::Relaxed);
    // Figures are old before the call of the hypervisor times out.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let (status, text) = ask("/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        text.starts_with("The hypervisor does not answer: the figures of domains are "),
        "{text}"
    );
    tokio::time::sleep(HYPERVISOR_LIMIT).await;
    let began = Instant::now();
    let (status, text) = ask("/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let reason = "The hypervisor does not answer: Reading the domains timed out after 30 s\n";
    assert_eq!(text, reason);
    assert_eq!(ask("/healthz").await, (StatusCode::OK, "alive\n".to_owned()));
    let found = Exposition::parse(&ask("/metrics").await.1);
    assert_eq!(began.elapsed(), Duration::ZERO, "something waited for the hypervisor");
    assert_eq!(found.value("xend_hypervisor_answers", &[]), Some(0.0));
    assert!(found.value("xend_figures_age_seconds", &[]) > Some(45.0));
    let late = [("call", "domains"), ("result", "timeout")];
    assert!(found.value("xend_hypervisor_calls_total", &late) >= Some(1.0));
    let [running, ended] = ["running", "ended"].map(|state| [("state", state)]);
    assert_eq!(found.value("xend_tasks", &running), Some(3.0));
    assert_eq!(found.value("xend_tasks", &ended), Some(4.0));
    assert_eq!(found.value("xend_json_tasks", &running), Some(5.0));
    assert_eq!(found.value("xend_json_tasks", &ended), Some(6.0));
    let build = [("version", "1.2.3"), ("hypervisor", "sim")];
    assert_eq!(found.value("xend_build_info", &build), Some(1.0));
    host.hypervisor.sweeps_hang.store(false, Ordering::Relaxed);
    tokio::time::sleep(HYPERVISOR_LIMIT * 2).await;
    assert_eq!(ask("/readyz").await, ready);
}

#[tokio::test(start_paused = true)]
async fn a_state_directory_that_cannot_be_written_is_said() {
    let host = TestHost::new().await;
    let metrics = Metrics::new(host.engine.clone(), sources());
    let ask = async |path: &str| answer(&metrics, Readers::Operators, Some(operator()), path).await;
    let is_writable = async || {
        let found = Exposition::parse(&ask("/metrics").await.1);
        found.value("xend_store_writable", &[])
    };
    assert_eq!((ask("/readyz").await.0, is_writable().await), (StatusCode::OK, Some(1.0)));
    let dir = host.dir.path().to_owned();
    let aside = dir.with_extension("aside");
    std::fs::rename(&dir, &aside).unwrap();
    // The last check counts for ten seconds.
    assert_eq!(ask("/readyz").await.0, StatusCode::OK);
    tokio::time::sleep(Duration::from_secs(11)).await;
    let (status, text) = ask("/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
    let said = format!("The state directory cannot be written: {} was removed", dir.display());
    assert!(text.lines().any(|line| line.starts_with(&said)), "{text}");
    // Another one in its place is no better.
    std::fs::create_dir(&dir).unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    let (_, text) = ask("/readyz").await;
    assert!(text.contains(&said.replace("removed", "replaced")), "{text}");
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
    std::fs::remove_dir(&dir).unwrap();
    assert_eq!(is_writable().await, Some(0.0));
    std::fs::rename(&aside, &dir).unwrap();
    // A failure counts for one second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(ask("/readyz").await, (StatusCode::OK, "ready\n".to_owned()));
    assert_eq!(is_writable().await, Some(1.0));
    let files = std::fs::read_dir(&dir).unwrap().map(|file| file.unwrap().file_name());
    assert!(!files.into_iter().any(|name| name.to_string_lossy().starts_with(".new-")));
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_stops_is_not_ready() {
    let host = TestHost::new().await;
    let metrics = Metrics::new(host.engine.clone(), sources());
    host.engine.begin_stop();
    let (status, text) = answer(&metrics, Readers::Operators, Some(operator()), "/readyz").await;
    assert_eq!(
        (status, text.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "Xend is shutting down\n")
    );
}

/// The words of a text that are names of xend's metrics.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let names = regex::Regex::new(r"\bxend_[a-z_]+\b").unwrap();
    names.find_iter(text).map(|name| name.as_str().to_owned()).collect()
}

#[test]
fn the_dashboard_and_the_alerts_use_metrics_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
    let known: BTreeSet<String> = fixture_names().iter().flat_map(Family::sample_names).collect();
    let dashboard = read("dist/grafana-dashboard.json");
    let parsed: Json = serde_json::from_str(&dashboard).unwrap();
    let panels = parsed["panels"].as_array().unwrap();
    let with_query = panels.iter().filter(|panel| panel["type"] != "row");
    for panel in with_query {
        let targets = panel["targets"].as_array().unwrap();
        let names: Vec<_> = targets.iter().map(|one| one["expr"].as_str().unwrap()).collect();
        assert!(names.iter().all(|query| !metrics_in(query).is_empty()), "{}", panel["title"]);
    }
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    let alerts = read("dist/prometheus-alerts.yml");
    for text in [&dashboard, &alerts] {
        let used = metrics_in(text);
        let unknown: Vec<_> = used.difference(&known).collect();
        assert!(used.len() > 5 && unknown.is_empty(), "{unknown:?}");
    }
    // The page has each alert.
    let page = read("docs/metrics.md");
    let named: Vec<_> =
        alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let missing: Vec<_> =
        named.iter().filter(|name| !page.contains(&format!("| `{name}` |"))).collect();
    assert!(named.len() > 5 && missing.is_empty(), "{missing:?}");
}

#[test]
fn the_reader_of_this_test_is_strict() {
    let good = "# HELP a_seconds It.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total{x=\"a\\\"\\\\\\n\"} 1\n# EOF\n";
    let found = Exposition::parse(good);
    assert_eq!(found.value("a_seconds_total", &[("x", "a\"\\\n")]), Some(1.0));
    for (from, to) in [
        ("# EOF\n", ""),
        ("# EOF\n", "# EOF"),
        ("# EOF\n", "# EOF\n\n"),
        ("_total{", "{"),
        (" counter", " gauge"),
        (" counter", " count"),
        ("# UNIT a_seconds seconds", "# UNIT a_seconds bytes"),
        ("} 1", "} one"),
        ("} 1", "} -1"),
        ("} 1", "}  1"),
        ("x=", "x y="),
        ("\\\"\\\\", "\\q"),
        ("# HELP a_seconds It.\n", ""),
        ("# EOF\n", "a_seconds_total{x=\"a\\\"\\\\\\n\"} 2\n# EOF\n"),
        ("# EOF\n", "# HELP a_seconds It.\n# TYPE a_seconds counter\n# EOF\n"),
    ] {
        let bad = good.replace(from, to);
        let read = std::panic::catch_unwind(|| Exposition::parse(&bad));
        assert!(read.is_err(), "{bad}");
    }
}
