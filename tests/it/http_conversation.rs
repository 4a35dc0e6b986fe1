//! A session of 2006, over TCP and over the unix socket, compared byte for byte.

use crate::http_support::{Answer, Daemon, Listener, ask, encoded, guest};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::Connect;
use hyper_util::rt::TokioExecutor;
use std::fmt::Write as _;

/// A configuration as xm 3.0.0 sent it: VCPUs only inside the image, and twice. xm sent neither
/// User-Agent nor Accept.
const XM: &str = "(vm (name pvx) (memory 128) (on_crash destroy) \
    (image (linux (kernel /boot/vmlinuz-2.6-xenU) (root '/dev/sda1 ro') (args 4) (vcpus 2) (vcpus 2) \
    (boot c) (nics 1))) (device (vbd (uname phy:/dev/vg0/pvx) \
    (dev sda1) (mode w))) (device (vif (mac 00:16:3e:10:20:30) (bridge xenbr0))))";

/// A client of a modern HTTP library.
struct HttpClient<C> {
    client: Client<C, Full<Bytes>>,
    base: String,
}

impl<C: Connect + Clone + Send + Sync + 'static> HttpClient<C> {
    async fn ask(&self, target: &str, form: Option<&str>) -> Answer {
        // A hyperlocal URI contains the path of the socket, followed by the target.
        let uri = if self.base.starts_with("unix:") {
            hyperlocal::Uri::new(self.base.trim_start_matches("unix:"), target).into()
        } else {
            format!("{}{target}", self.base).parse::<http::Uri>().unwrap()
        };
        let mut request = http::Request::builder().uri(uri);
        if form.is_some() {
            request =
                request.method("POST").header("Content-Type", "application/x-www-form-urlencoded");
        }
        let request = request.body(Full::from(form.unwrap_or("").to_owned())).unwrap();
        let (parts, body) = self.client.request(request).await.unwrap().into_parts();
        let reason = parts.extensions.get::<hyper::ext::ReasonPhrase>();
        let reason = reason.map_or_else(
            || parts.status.canonical_reason().unwrap_or("").to_owned(),
            |phrase| String::from_utf8_lossy(phrase.as_bytes()).into_owned(),
        );
        let headers = parts
            .headers
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_str().unwrap().to_owned()))
            .collect();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { code: parts.status.as_u16(), reason, headers, body }
    }

    async fn get(&self, target: &str) -> Answer {
        self.ask(target, None).await
    }

    async fn op(&self, target: &str, form: &str) -> Answer {
        self.ask(target, Some(form)).await
    }
}

fn has_common_headers(answer: &Answer) {
    assert_eq!(answer.header("expires"), Some("-1"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
    assert_eq!(answer.header("content-type").is_none(), answer.body.is_empty(), "{answer:?}");
}

fn is(answer: &Answer, status: &str, body: &str) {
    has_common_headers(answer);
    assert_eq!((answer.status().as_str(), answer.text().as_str()), (status, body));
    if !body.is_empty() && answer.code != 404 {
        assert_eq!(answer.header("content-type"), Some("application/sxp"));
    }
}

fn is_accepted(answer: &Answer, path: &str) {
    is(answer, "202 Accepted", "");
    assert!(answer.header("location").unwrap().ends_with(&format!("{path}/..")));
}

async fn conversation<C: Connect + Clone + Send + Sync + 'static>(xm: HttpClient<C>) {
    is(&xm.get("/xend/domain/").await, "200 OK", "(Domain-0)");
    let node = xm.get("/xend/node/").await.sxp();
    assert_eq!(node.value("xend_config_format").unwrap().as_str(), Some("4"));

    let created = xm.op("/xend/domain", &format!("op=create&config={}", encoded(XM))).await;
    has_common_headers(&created);
    assert_eq!(created.status(), "201 created");
    assert!(created.header("location").unwrap().ends_with("/xend/domain/pvx"));
    assert_eq!(created.sxp().value("vcpus").unwrap().as_str(), Some("2"));
    assert_eq!(created.sxp().value("state").unwrap().as_str(), Some("--p---"));
    let id = created.sxp().value("domid").unwrap().as_str().unwrap().to_owned();
    is(&xm.get("/xend/domain").await, "200 OK", "(Domain-0 pvx)");
    let list = xm.get("/xend/domain/?detail=1").await.sxp();
    assert_eq!(list.as_list().unwrap().len(), 2);
    assert_eq!(list.as_list().unwrap()[1], xm.get(&format!("/xend/domain/{id}")).await.sxp());

    is_accepted(&xm.op("/xend/domain/pvx", "op=wait_for_devices").await, "/xend/domain/pvx");
    is(&xm.op("/xend/domain/pvx", "op=unpause").await, "200 OK", "");
    let state = async || {
        xm.get("/xend/domain/pvx").await.sxp().value("state").unwrap().as_str().unwrap().to_owned()
    };
    assert_eq!(state().await, "-b----");
    is(&xm.op("/xend/domain/pvx", "op=pause").await, "200 OK", "");
    assert_eq!(state().await, "--p---");
    is(&xm.op("/xend/domain/pvx", "op=unpause").await, "200 OK", "");

    let sedf = "latency=0&slice=5000000&weight=0&period=20000000&extratime=0&op=cpu_sedf_set";
    is(&xm.op("/xend/domain/pvx", sedf).await, "200 OK", "0");
    let back = format!(
        "(sedf (domid {id}) (period 20000000) (slice 5000000) (latency 0) (extratime 0) (weight 0))"
    );
    is(&xm.op("/xend/domain/pvx", "op=cpu_sedf_get").await, "200 OK", &back);
    let domain = xm.get("/xend/domain/pvx").await.sxp();
    assert_eq!(domain.value("cpu_cap").unwrap().as_str(), Some("25"));

    let vcpus = xm.get("/xend/domain/pvx?op=vcpuinfo").await.sxp();
    assert_eq!(vcpus.value("vcpu_count").unwrap().as_str(), Some("2"));
    let posted = xm.op("/xend/domain/pvx", "op=vcpuinfo").await.sxp();
    assert_eq!(
        vcpus.get("vcpu").unwrap().value("cpumap"),
        posted.get("vcpu").unwrap().value("cpumap")
    );

    is_accepted(&xm.op("/xend/domain/pvx", "name=pvy&op=rename").await, "/xend/domain/pvx");
    is(&xm.get("/xend/domain/pvx").await, "404 Not found", "No such domain pvx");
    is_accepted(&xm.op("/xend/domain/pvy", "op=rename&name=pvx").await, "/xend/domain/pvy");

    let bad = xm.op("/xend/domain/pvx", "op=shutdown&reason=explode").await;
    assert_eq!(bad.status(), "500 Request failed: shutdown");
    assert!(bad.sxp().head() == Some("xend.err") && bad.text().contains("explode"));
    is_accepted(&xm.op("/xend/domain/pvx", "op=destroy").await, "/xend/domain/pvx");
    is(&xm.op("/xend/domain/pvx", "op=destroy").await, "404 Not found", "No such domain pvx");
    is(&xm.get("/xend/domain").await, "200 OK", "(Domain-0)");
}

#[tokio::test]
async fn over_tcp() {
    let daemon = Daemon::start(&[]);
    let client = Client::builder(TokioExecutor::new()).build_http();
    conversation(HttpClient { client, base: format!("http://{}", daemon.tcp) }).await;
}

#[tokio::test]
async fn over_the_unix_socket() {
    let daemon = Daemon::start(&[]);
    let client = Client::builder(TokioExecutor::new()).build(hyperlocal::UnixConnector);
    conversation(HttpClient { client, base: format!("unix:{}", daemon.socket().display()) }).await;
}

#[test]
fn guests_that_stop_are_handled_by_their_policy() {
    let daemon = Daemon::start(&[]);
    // name, reason, policy, whether the domain stays
    for (name, reason, policy, stays) in [
        ("a", "poweroff", "", false),
        ("b", "halt", "", false),
        // A restart within a minute of the start counts as a loop.
        ("c", "reboot", "", false),
        ("d", "crash", "(on_crash destroy)", false),
        ("e", "crash", "(on_crash preserve)", true),
        ("f", "poweroff", "(on_poweroff preserve)", true),
        ("g", "crash", "(on_crash coredump-destroy)", false),
    ] {
        assert_eq!(daemon.create(&guest(name, policy)).status(), "201 created");
        assert_eq!(daemon.post(&format!("/xend/domain/{name}"), "op=unpause").code, 200);
        let asked =
            daemon.post(&format!("/xend/domain/{name}"), &format!("op=shutdown&reason={reason}"));
        assert_eq!(asked.status(), "202 Accepted", "{name}");
        if stays {
            let state = if reason == "crash" { "----c-" } else { "---s--" };
            daemon.until("the state", |d| d.value(name, "state") == state);
        } else {
            daemon.until("its end", |d| d.domain(name).is_none());
        }
    }
    let list = |state: &str| daemon.get(&format!("/xend/domain?state={state}")).text();
    assert_eq!(
        (list("Crashed"), list("running"), list("bogus")),
        ("(e)".into(), "(Domain-0)".into(), "()".into())
    );
    let dumps = std::fs::read_dir(daemon.dir.path().join("state/dump")).unwrap();
    let dumps: Vec<_> =
        dumps.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(
        matches!(dumps.as_slice(), [one] if one.contains("-g.") && one.contains(".core")),
        "{dumps:?}"
    );
}

#[test]
fn a_guest_that_ignores_shutdown_keeps_running() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("deaf", ""));
    daemon.post("/xend/domain/deaf", "op=unpause");
    assert_eq!(daemon.post("/xend/domain/deaf", "op=shutdown&reason=poweroff").code, 202);
    std::thread::sleep(std::time::Duration::from_millis(900));
    assert_eq!(daemon.value("deaf", "state"), "-b----");
}

#[test]
fn the_error_names_a_device_that_does_not_connect() {
    let daemon = Daemon::start(&[]);
    for (path, reason) in
        [("/dev/hotplugerror", "does not exist"), ("/dev/hotplugbusy", "/dev/hotplugbusy")]
    {
        let disk = format!("(device (vbd (uname phy:{path}) (dev sdb) (mode r)))");
        assert_eq!(daemon.create(&guest("hp", &disk)).code, 201);
        let failed = daemon.post("/xend/domain/hp", "op=wait_for_devices");
        assert_eq!(failed.status(), "500 Request failed: wait_for_devices");
        assert!(failed.header("location").is_some());
        let text = failed.text();
        assert!(
            text.contains("Device 2064 (vbd) could not be connected.") && text.contains(reason),
            "{text}"
        );
        assert_eq!(daemon.post("/xend/domain/hp", "op=destroy").code, 202);
    }
}

#[test]
fn a_read_after_an_answer_sees_its_effect() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("a", ""));
    for round in 0..200 {
        let (op, state) = if round % 2 == 0 { ("unpause", "-b----") } else { ("pause", "--p---") };
        assert_eq!(daemon.post("/xend/domain/a", &format!("op={op}")).code, 200);
        assert_eq!(daemon.value("a", "state"), state, "round {round}");
        let list = daemon.get("/xend/domain?detail=1").text();
        assert!(list.contains(&format!("(state {state})")), "round {round}");
    }
}

#[test]
fn every_format_and_every_page() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("a", ""));
    let ask = |head: &str| {
        ask(&Listener::Tcp(daemon.tcp), format!("{head}\r\nHost: localhost\r\n\r\n").as_bytes())
    };
    let html = ask("GET //xend//domain/ HTTP/1.1\r\nUser-Agent: Python-urllib/1.15\r\nAccept: */*");
    assert_eq!(html.header("content-type"), Some("text/html; charset=utf-8"));
    // check_xendomains.py reads this line.
    assert!(html.text().contains(
        "<li><a href=\"http://localhost/xend/domain/a\">Domain a</a>: \
         id = 1, memory = 64, ssidref = 0.</li>"
    ));
    let json =
        ask("GET /xend/domain?detail=1 HTTP/1.1\r\nUser-Agent: x\r\nAccept: application/json");
    assert_eq!(json.header("content-type"), Some("application/json"));
    let json: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    assert_eq!((&json[1]["name"], &json[1]["memory_mib"]), (&"a".into(), &64.into()));
    let devices = json[1]["devices"].as_object().unwrap().values();
    assert_eq!(devices.map(|class| class.as_array().unwrap().len()).sum::<usize>(), 3);
    for page in [
        "/",
        "/xend",
        "/xend/domain/a",
        "/xend/domain/0",
        "/xend/node",
        "/xend/node/dmesg",
        "/xend/vnet",
        "/xend/domain/a?op=vcpuinfo",
    ] {
        let head = ask(&format!("HEAD {page} HTTP/1.1\r\nUser-Agent: x\r\nAccept: text/html"));
        let get = ask(&format!("GET {page} HTTP/1.1\r\nUser-Agent: x\r\nAccept: text/html"));
        assert_eq!((head.status(), head.body.len()), ("200 OK".into(), 0), "{page}");
        assert!(get.text().starts_with("<!DOCTYPE html>"), "{page}");
        let json =
            ask(&format!("GET {page} HTTP/1.1\r\nUser-Agent: x\r\nAccept: application/json"));
        if page != "/xend/node/dmesg" {
            serde_json::from_slice::<serde_json::Value>(&json.body)
                .unwrap_or_else(|e| panic!("{page}: {e}"));
        }
    }
    let put = ask("PUT /xend/domain HTTP/1.1\r\nContent-Length: 0");
    assert_eq!(
        (put.status().as_str(), put.header("accept")),
        ("501 Not implemented", Some("GET,HEAD,POST"))
    );
    // libvirt does not escape the name in the path.
    let raw = ask("GET /xend/domain/my dom?detail=1 HTTP/1.1\r\nAccept-Encoding: identity");
    assert_eq!(
        (raw.status().as_str(), raw.text().as_str()),
        ("404 Not found", "No such domain my dom")
    );
    let old = ask("GET /xend/domain HTTP/1.0");
    assert_eq!(old.text(), "(Domain-0 a)");
}

#[test]
fn forms_of_a_browser_are_answered_with_pages() {
    let daemon = Daemon::start(&[]);
    let submit = |target: &str, fields: &[(&str, &str)]| {
        let boundary = "----xendTestBoundary";
        let mut body = String::new();
        for (name, value) in fields {
            let file = if *name == "config" {
                "; filename=\"a.sxp\"\r\nContent-Type: application/octet-stream"
            } else {
                ""
            };
            write!(
                body,
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n\
                 {value}\r\n"
            )
            .unwrap();
        }
        write!(body, "--{boundary}--\r\n").unwrap();
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Mozilla/5.0\r\n\
             Accept: text/html,*/*;q=0.8\r\nOrigin: http://localhost\r\n\
             Content-Type: multipart/form-data; boundary={boundary}\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        ask(&Listener::Tcp(daemon.tcp), &[head.into_bytes(), body.into_bytes()].concat())
    };
    let secret = "(device (vfb (type vnc) (vncpasswd geheim)))";
    let created = submit("/xend/domain", &[("op", "create"), ("config", &guest("b", secret))]);
    assert_eq!(created.status(), "201 created");
    assert!(created.text().contains("/xend/domain/b\"") && !created.text().contains("geheim"));
    let paused = submit("/xend/domain/b", &[("op", "pause")]);
    assert!(paused.code == 200 && paused.text().contains("Domain b is paused."));
    let failed =
        submit("/xend/domain", &[("op", "create"), ("config", "(vm (name <b>) (memory 12x))")]);
    assert_eq!(failed.status(), "500 Request failed: create");
    assert!(failed.text().contains("Line 1, column") && !failed.text().contains("<b>"));
    for page in ["/xend/domain/b", "/xend/domain?detail=1", "/xend/node/log"] {
        assert!(!daemon.get(page).text().contains("geheim"), "{page}");
    }
    assert!(!daemon.log().contains("geheim"));
}

#[test]
fn a_body_beyond_the_limit_is_read_and_refused() {
    let daemon = Daemon::start(&[]);
    let form = format!("op=create&config={}", "x".repeat(2 * 1024 * 1024));
    let refused = daemon.post("/xend/domain", &form);
    assert_eq!(refused.status(), "413 Request entity too large");
    let fits = daemon.post("/xend/domain/0", &format!("op=vcpuinfo&x={}", "x".repeat(1_000_000)));
    assert_eq!(fits.code, 200);
}
