//! A hoster and a customer, over the daemon's own sockets: an operator defines four domains, and
//! steve owns two of them. On every wire he sees these two and nothing else, does what he may to
//! them, and is refused the others as if they were not there. The page in a browser is in
//! `tests/browser`.

use crate::http_support::{Answer, Daemon, GENEROUS, Listener, ask, encoded, guest, post};
use crate::ports::free_port;
use crate::xenapi_support::{CallResult, api_call, as_text, strings, text};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use xend::core::model::Uuid;
use xend::core::ports::Entropy as _;
use xend::os::OsEntropy;
use xend::wire::xmlrpc::Value;
use xend::wire::xmlrpc::codec::{self, XmlLimits};

const OWN: [&str; 2] = ["lj", "one.my.flat"];
const FOREIGN: [&str; 2] = ["mailhost", "builder"];
/// A name as long as `mailhost`.
const MISSING: &str = "nowhere1";

const PASSWORD: &str = "geheim";
/// `steve:geheim`
const BASIC: &str = "Authorization: Basic c3RldmU6Z2VoZWlt\r\n";
/// What a browser sends when it opens a page, and with a form of it.
const BROWSER: &str = "User-Agent: Mozilla/5.0\r\nAccept: text/html\r\n\
                       Upgrade-Insecure-Requests: 1\r\nOrigin: http://localhost\r\n";

/// The daemon, with the addresses of its listeners.
struct Scenario {
    daemon: Daemon,
    xen_api: Listener,
    xmlrpc: Listener,
    argo: SocketAddr,
    /// The UUIDs of all domains.
    uuids: BTreeMap<&'static str, String>,
}

/// `xend user`, with a password on its standard input.
fn xend_user(file: &Path, arguments: &[&str]) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_xend"))
        .arg("user")
        .args(arguments)
        .arg("--file")
        .arg(file)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

impl Scenario {
    /// The hoster's part: accounts, a configuration, four domains that run.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let users = dir.path().join("users.sxp");
        let rights = ["--domains", "lj,one.my.*", "--rights", "see,power,console,save"];
        xend_user(&users, &[&["add", "steve"][..], &rights].concat());
        xend_user(&users, &["add", "ann", "--domains", "builder", "--rights", "power"]);
        let config = dir.path().join("xend-config.sxp");
        let port = free_port();
        let text = format!(
            "(xend-users-file users.sxp) (xend-http-auth users) \
             (xen-api-server ((127.0.0.1:0 users))) (xend-tcp-xmlrpc-server yes) \
             (xend-tcp-xmlrpc-server-address localhost) (xend-tcp-xmlrpc-server-port {port}) \
             (xend-tcp-xmlrpc-server-auth users)"
        );
        std::fs::write(&config, text).unwrap();
        let daemon = Daemon::start_with_config(dir, &config, &["--argo", "127.0.0.1:0"]);
        let address = |start: &str| -> SocketAddr {
            let found = daemon.announced.iter().find_map(|line| line.strip_prefix(start));
            let found = found.unwrap_or_else(|| panic!("{start}: {:?}", daemon.announced));
            found.trim_end_matches('/').parse().unwrap()
        };
        let mut scenario = Self {
            xen_api: Listener::Tcp(address("Xen-API on http://")),
            xmlrpc: Listener::Tcp(address("XML-RPC on http://")),
            argo: address("Argo on "),
            daemon,
            uuids: BTreeMap::new(),
        };
        for name in OWN.into_iter().chain(FOREIGN) {
            let config = encoded(&guest(name, &format!("(description 'of {name}')")));
            assert_eq!(scenario.operate("/xend/domain", &format!("op=new&config={config}")), 200);
            assert_eq!(scenario.operate(&format!("/xend/domain/{name}"), "op=start"), 202);
            let request = format!(
                "GET /xend/domain/{name} HTTP/1.1\r\nHost: localhost\r\n\
                 Accept: application/sxp\r\n\r\n"
            );
            let answer = ask(&scenario.operator(), request.as_bytes()).sxp();
            let uuid = answer.value("uuid").unwrap().as_str().unwrap().to_owned();
            scenario.uuids.insert(name, uuid);
        }
        scenario
    }

    /// The operator's listener.
    fn operator(&self) -> Listener {
        Listener::Unix(self.daemon.socket())
    }

    /// Performs an operation as the operator, and returns the code of the answer.
    fn operate(&self, target: &str, form: &str) -> u16 {
        ask(&self.operator(), &post(target, form)).code
    }

    /// The state of a domain, as the operator sees it.
    fn state(&self, name: &str) -> String {
        let request = format!(
            "GET /xend/domain/{name} HTTP/1.1\r\nHost: localhost\r\nAccept: application/sxp\r\n\r\n"
        );
        let answer = ask(&self.operator(), request.as_bytes()).sxp();
        answer.value("state").unwrap().as_str().unwrap().to_owned()
    }

    fn is_paused(&self, name: &str) -> bool {
        self.state(name).contains('p')
    }

    /// A request of steve's over HTTP; `headers` say who he is, and what he wants.
    fn http(&self, method: &str, target: &str, headers: &str, form: &str) -> Answer {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        ask(&Listener::Tcp(self.daemon.tcp), request.as_bytes())
    }

    /// A call of `xend.*` as steve.
    fn legacy(&self, method: &str, params: &[Value]) -> Result<Value, (i64, String)> {
        let body = codec::call(method, params);
        let request = format!(
            "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\n{BASIC}Content-Type: text/xml\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = ask(&self.xmlrpc, request.as_bytes());
        codec::read_answer(&answer.text(), &XmlLimits::default()).unwrap()
    }

    fn log_in(&self) -> Value {
        let user = [text("steve"), text(PASSWORD)];
        api_call(&self.xen_api, "session.login_with_password", &user).unwrap()
    }

    fn call(&self, session: &Value, method: &str, params: &[Value]) -> CallResult {
        let params = [std::slice::from_ref(session), params].concat();
        api_call(&self.xen_api, method, &params)
    }

    /// The answers to these lines of the Argo protocol.
    fn argo(&self, lines: &[&str]) -> String {
        let mut stream = TcpStream::connect(self.argo).unwrap();
        stream.set_read_timeout(Some(GENEROUS)).unwrap();
        stream.write_all(format!("{}\nexit\n", lines.join("\n")).as_bytes()).unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        answers.replace("\r\n", "\n")
    }

    /// Fails if a text tells of the other domains.
    fn check(&self, shown: &str, case: &str) {
        for name in FOREIGN {
            for part in [name, &self.uuids[name]] {
                assert!(!shown.contains(part), "{case} shows {part}: {shown}");
            }
        }
    }

    /// Fails unless a text tells of both domains of steve, and of no other.
    fn check_list(&self, shown: &str, case: &str) {
        self.check(shown, case);
        for name in OWN {
            assert!(shown.contains(name), "{case} lacks {name}: {shown}");
        }
    }
}

fn over_http(scenario: &Scenario) {
    let sxp = format!("{BASIC}Accept: application/sxp\r\n");
    let list = scenario.http("GET", "/xend/domain", &sxp, "");
    assert_eq!(list.text(), "(lj one.my.flat)");
    let json = format!("{BASIC}Accept: application/json\r\n");
    let list = scenario.http("GET", "/xend/domain", &json, "");
    let list: Vec<serde_json::Value> = serde_json::from_slice(&list.body).unwrap();
    let names: Vec<_> = list.iter().map(|domain| domain["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["lj", "one.my.flat"]);

    // In a browser, with a session.
    let form = format!("user=steve&password={PASSWORD}");
    let login = scenario.http("POST", "/xend/login", BROWSER, &form);
    assert_eq!(login.code, 303, "{login:?}");
    let cookie = login.header("set-cookie").unwrap().split(';').next().unwrap();
    let page = format!("{BROWSER}Cookie: {cookie}\r\n");
    for (target, headers) in [
        ("/xend/domain?detail=1", &sxp),
        ("/xend/domain?detail=1", &json),
        ("/xend/domain", &page),
        ("/xend/domain?state=all&sort=cpu", &page),
    ] {
        let list = scenario.http("GET", target, headers, "").text();
        scenario.check_list(&list, target);
    }
    for headers in [&sxp, &json, &page] {
        for (method, path, form) in [
            ("GET", "", ""),
            ("GET", "/console", ""),
            ("GET", "/config", ""),
            ("POST", "", "op=pause"),
            ("POST", "", "op=destroy"),
            ("POST", "", "op=save&file=/tmp/x"),
        ] {
            let answer = |name: &str| {
                let target = format!("/xend/domain/{name}{path}");
                let answer = scenario.http(method, &target, headers, form);
                (answer.status(), answer.text().replace(name, "NAME"))
            };
            let foreign = answer(FOREIGN[0]);
            assert_eq!(foreign, answer(MISSING), "{method} {path} {form}");
            assert!(!foreign.0.starts_with('2'), "{foreign:?}");
        }
        let pause = scenario.http("POST", "/xend/domain/lj", headers, "op=pause");
        assert!(matches!(pause.code, 200 | 204) && scenario.is_paused("lj"), "{pause:?}");
        let unpause = scenario.http("POST", "/xend/domain/lj", headers, "op=unpause");
        assert!(matches!(unpause.code, 200 | 204) && !scenario.is_paused("lj"), "{unpause:?}");
        let save = scenario.http("POST", "/xend/domain/lj", headers, "op=save&file=/tmp/lj");
        assert!(matches!(save.code, 500 | 403) && save.text().contains("Not allowed"), "{save:?}");
        let node = scenario.http("GET", "/xend/node", headers, "");
        assert!(node.code >= 400, "{node:?}");
    }
    // A session cannot be guessed, and ends with the logout.
    let guessed = format!("{BROWSER}Cookie: xend-session={:064x}\r\n", 1);
    assert_eq!(scenario.http("GET", "/xend/domain", &guessed, "").code, 303);
    assert_eq!(scenario.http("POST", "/xend/logout", &page, "").code, 303);
    assert_eq!(scenario.http("GET", "/xend/domain", &page, "").code, 303);
    // Nobody sees nothing.
    let nobody = scenario.http("GET", "/xend/domain", "Accept: application/sxp\r\n", "");
    assert_eq!(nobody.code, 401);
    scenario.check(&nobody.text(), "a request without a password");
    assert!(!nobody.text().contains(OWN[0]));
}

fn over_xmlrpc(scenario: &Scenario) {
    let names = scenario.legacy("xend.domains", &[Value::Int(0)]).unwrap();
    assert_eq!(strings(&names), OWN);
    let detail = format!("{:?}", scenario.legacy("xend.domains", &[Value::Int(1)]).unwrap());
    scenario.check_list(&detail, "xend.domains");
    for (method, more) in [
        ("xend.domain", vec![]),
        ("xend.domain.pause", vec![]),
        ("xend.domain.destroy", vec![]),
        ("xend.domain.save", vec![text("/tmp/x")]),
        ("xend.domain.getVCPUInfo", vec![]),
    ] {
        let answer = |name: &str| {
            let params = [vec![text(name)], more.clone()].concat();
            let (code, reason) = scenario.legacy(method, &params).unwrap_err();
            (code, reason.replace(name, "NAME"))
        };
        assert_eq!(answer(FOREIGN[0]), answer(MISSING), "{method}");
        let uuid = OsEntropy.uuid().to_string();
        assert_eq!(answer(&scenario.uuids[FOREIGN[0]]), answer(&uuid), "{method}");
    }
    scenario.legacy("xend.domain.pause", &[text("lj")]).unwrap();
    assert!(scenario.is_paused("lj"));
    scenario.legacy("xend.domain.unpause", &[text("lj")]).unwrap();
    let (_, save) =
        scenario.legacy("xend.domain.save", &[text("lj"), text("/tmp/lj")]).unwrap_err();
    assert!(save.starts_with("Not allowed"), "{save}");
    let (_, log) = scenario.legacy("xend.node.log", &[]).unwrap_err();
    assert!(log.starts_with("Not allowed"), "{log}");
}

fn over_xenapi(scenario: &Scenario) {
    let session = scenario.log_in();
    let call = |method: &str, params: &[Value]| scenario.call(&session, method, params);
    let vms = strings(&call("VM.get_all", &[]).unwrap());
    let mut own = OWN.map(|name| scenario.uuids[name].clone());
    own.sort();
    let mut seen = vms.clone();
    seen.sort();
    assert_eq!(seen, own);
    for class in ["VM", "VM_metrics", "VBD", "VIF", "VDI", "console", "network", "host"] {
        let records = call(&format!("{class}.get_all_records"), &[]).unwrap();
        scenario.check(&format!("{records:?}"), class);
    }
    let lj = text(&scenario.uuids["lj"]);
    call("VM.pause", std::slice::from_ref(&lj)).unwrap();
    assert!(scenario.is_paused("lj"));
    call("VM.unpause", std::slice::from_ref(&lj)).unwrap();
    let foreign = &scenario.uuids[FOREIGN[0]];
    let guessed = OsEntropy.uuid().to_string();
    for (method, more) in [
        ("VM.get_record", vec![]),
        ("VM.get_by_uuid", vec![]),
        ("VM.pause", vec![]),
        ("VM.hard_shutdown", vec![]),
        ("VM.save", vec![text("/tmp/x"), Value::Bool(false)]),
        ("VM.set_name_label", vec![text("lj2")]),
    ] {
        let answer = |reference: &str| {
            let params = [vec![text(reference)], more.clone()].concat();
            call(method, &params).unwrap_err().join(" ").replace(reference, "REFERENCE")
        };
        assert_eq!(answer(foreign), answer(&guessed), "{method}");
    }
    let none = call("VM.get_by_name_label", &[text(FOREIGN[0])]).unwrap();
    assert_eq!(none, Value::Array(vec![]));
    let save = call("VM.save", &[lj, text("/tmp/lj"), Value::Bool(false)]).unwrap_err();
    assert_eq!(save[0], "PERMISSION_DENIED");
    // Sessions are random.
    let guess = text(&OsEntropy.uuid().to_string());
    let refused = scenario.call(&guess, "VM.get_all", &[]).unwrap_err();
    assert_eq!(refused[0], "SESSION_INVALID");
    assert!(Uuid::parse_str(as_text(&session)).unwrap().get_version_num() == 4);
    call("session.logout", &[]).unwrap();
}

fn over_argo(scenario: &Scenario) {
    let auth = format!("auth steve {PASSWORD}");
    let lists = scenario.argo(&[&auth, "list running", "list available"]);
    let list = "200 OK\nlj\none.my.flat\n300 DONE\n";
    assert_eq!(lists, format!("200 OK\n300 DONE\n{list}{list}200 OK\n300 DONE\n"));
    assert_eq!(scenario.argo(&["pause lj"]), "400 NOT AUTHENTICATED\n200 OK\n300 END\n");
    for command in ["info", "mac", "pause", "stop", "start", "uptime", "image"] {
        let answer = |name: &str| scenario.argo(&[&auth, &format!("{command} {name}")]);
        let foreign = answer(FOREIGN[0]);
        assert_eq!(foreign, answer(MISSING), "{command}");
        assert!(foreign.contains("400 NO SUCH INSTANCE"), "{foreign}");
    }
    let paused = scenario.argo(&[&auth, "pause lj"]);
    assert!(paused.starts_with("200 OK\n300 DONE\n200 OK\n300 DONE\n"), "{paused}");
    assert!(scenario.is_paused("lj"));
    scenario.argo(&[&auth, "unpause lj"]);
    assert!(!scenario.is_paused("lj"));
    assert!(scenario.argo(&[&auth, "dmesg"]).contains("400 NOT ALLOWED"));
}

/// The lines of steve's stream of events, until one has this text.
fn events(scenario: &Scenario, last: &'static str) -> mpsc::Receiver<Vec<String>> {
    let mut stream = TcpStream::connect(scenario.daemon.tcp).unwrap();
    stream.set_read_timeout(Some(GENEROUS)).unwrap();
    let request = format!(
        "GET /xend/events HTTP/1.1\r\nHost: localhost\r\n{BASIC}Accept: application/json\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut lines = BufReader::new(stream).lines();
    // The stream has begun when it says so.
    while !lines.next().unwrap().unwrap().contains("listening") {}
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut seen = Vec::new();
        for line in lines.map_while(Result::ok) {
            let is_last = line.contains(last);
            seen.push(line);
            if is_last {
                break;
            }
        }
        let _ = send.send(seen);
    });
    receive
}

/// Events are those of the own domains, whoever acts on which.
fn as_it_happens(scenario: &Scenario) {
    let session = scenario.log_in();
    scenario.call(&session, "event.register", &[Value::Array(vec![])]).unwrap();
    let seen = events(scenario, "unpause");
    for name in [FOREIGN[0], FOREIGN[1], OWN[0]] {
        for op in ["op=pause", "op=unpause"] {
            assert_eq!(scenario.operate(&format!("/xend/domain/{name}"), op), 200);
        }
    }
    let seen = seen.recv_timeout(GENEROUS).unwrap().join("\n");
    scenario.check(&seen, "the stream");
    assert!(seen.contains("lj") && seen.contains("an operator"), "{seen}");
    let each = |op: &str| {
        for name in [FOREIGN[0], OWN[0]] {
            assert_eq!(scenario.operate(&format!("/xend/domain/{name}"), op), 200);
        }
    };
    // The Xen-API compares states.
    each("op=pause");
    let next = format!("{:?}", scenario.call(&session, "event.next", &[]).unwrap());
    scenario.check(&next, "event.next");
    assert!(next.contains(&scenario.uuids["lj"]), "{next}");
    each("op=unpause");
}

/// The log has his name on every wire, and his password nowhere.
fn in_the_log(scenario: &Scenario) {
    let log = scenario.daemon.log();
    let lines = || log.lines().filter(|line| line.contains("steve at 127.0.0.1:"));
    let pauses = lines().filter(|line| line.contains("pause") && line.contains("Done")).count();
    // HTTP in three formats, XML-RPC, the Xen-API and Argo: a pause and an unpause each.
    assert_eq!(pauses, 12, "{log}");
    let refused =
        |name: &str| lines().filter(|line| line.contains(name) && line.contains("Failed")).count();
    assert!(refused(FOREIGN[0]) > 0 && refused("lj") > 0, "{log}");
    for secret in [PASSWORD, "c3RldmU6Z2VoZWlt"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn a_customer_has_the_own_domains_on_every_wire_and_no_other() {
    let scenario = Scenario::new();
    let before = FOREIGN.map(|name| scenario.state(name).replace(['r', 'b'], "-"));
    over_http(&scenario);
    over_xmlrpc(&scenario);
    over_xenapi(&scenario);
    over_argo(&scenario);
    as_it_happens(&scenario);
    in_the_log(&scenario);
    let after = FOREIGN.map(|name| scenario.state(name).replace(['r', 'b'], "-"));
    assert_eq!(after, before);
}
