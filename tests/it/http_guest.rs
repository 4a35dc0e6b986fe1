//! What agents in guests are asked over HTTP, and what guests report: on pages, in JSON, as events.

use crate::http_events::{EventClient, JSON};
use crate::http_support::{Answer, Daemon, Listener, ask, encoded, guest};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const MAC: &str = "00:16:3e:11:22:33";

/// A client of the HTTP interface.
#[derive(Debug, Clone, Copy)]
enum Client {
    /// An old client.
    Sxp,
    Json,
    /// A browser.
    Page,
}

impl Client {
    const ALL: [Self; 3] = [Self::Sxp, Self::Json, Self::Page];

    const fn headers(self) -> &'static str {
        match self {
            Self::Sxp => "Accept: application/sxp\r\n",
            Self::Json => "Accept: application/json\r\n",
            Self::Page => "User-Agent: Mozilla/5.0\r\nAccept: text/html\r\n",
        }
    }

    fn get(self, daemon: &Daemon, target: &str) -> Answer {
        let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", self.headers());
        ask(&Listener::Tcp(daemon.tcp), head.as_bytes())
    }

    fn post(self, daemon: &Daemon, name: &str, form: &str) -> Answer {
        self.post_body(daemon, name, "application/x-www-form-urlencoded", form.as_bytes())
    }

    fn post_body(self, daemon: &Daemon, name: &str, media: &str, body: &[u8]) -> Answer {
        let head = format!(
            "POST /xend/domain/{name} HTTP/1.1\r\nHost: localhost\r\n{}Content-Type: {media}\r\n\
             Content-Length: {}\r\n\r\n",
            self.headers(),
            body.len()
        );
        ask(&Listener::Tcp(daemon.tcp), &[head.as_bytes(), body].concat())
    }
}

/// A daemon whose guests run. They have a vif with the address [`MAC`].
fn daemon_with(names: &[&str]) -> Daemon {
    let daemon = Daemon::start(&[]);
    for name in names {
        let config = guest(name, "").replace("(bridge", &format!("(mac {MAC}) (bridge"));
        assert_eq!(daemon.create(&config).code, 201);
        assert_eq!(daemon.post(&format!("/xend/domain/{name}"), "op=unpause").code, 200);
    }
    daemon
}

fn json_of(daemon: &Daemon, name: &str) -> Value {
    let answer = Client::Json.get(daemon, &format!("/xend/domain/{name}"));
    serde_json::from_slice(&answer.body).unwrap()
}

/// Waits for what a guest reports.
fn report_of(daemon: &Daemon, name: &str) -> Value {
    daemon.until("the guest reports", |daemon| json_of(daemon, name)["guest"].is_object());
    json_of(daemon, name)["guest"].take()
}

/// What the agent answers to an old client.
fn message(answer: &Answer) -> String {
    assert_eq!(answer.status(), "200 OK", "{}", answer.text());
    let agent = answer.sxp();
    assert_eq!(agent.head(), Some("agent"), "{}", answer.text());
    agent.value("message").unwrap().as_str().unwrap().to_owned()
}

#[test]
fn an_agent_tells_its_version_and_its_commands() {
    let daemon = daemon_with(&["web1"]);
    let version = |client: Client| client.post(&daemon, "web1", "op=agent_version");
    assert_eq!(version(Client::Sxp).text(), "(agent (message 1.0.0))");
    assert_eq!(version(Client::Json).text(), r#"{"message":"1.0.0"}"#);
    let page = version(Client::Page).text();
    assert!(page.contains("<h1>Agent of web1</h1>"), "{page}");
    assert!(page.contains(r#"<th scope="row">Version</th><td>1.0.0</td>"#), "{page}");
    let features = message(&Client::Sxp.post(&daemon, "web1", "op=agent_features&timeout=5"));
    assert!(features.split(',').any(|feature| feature == "file_inject"), "{features}");
    let page = Client::Page.post(&daemon, "web1", "op=agent_features").text();
    assert!(page.contains("version, features"), "{page}");
}

#[test]
fn an_agent_sets_passwords_and_writes_files() {
    let daemon = daemon_with(&["web1"]);
    let post = |client: Client, form: &str| client.post(&daemon, "web1", form);
    assert_eq!(message(&post(Client::Sxp, "op=set_password&password=Secret1")), "");
    let answer = post(Client::Json, "op=set_password&password=%C3%A4+b%0A&user=ann");
    assert_eq!(answer.text(), r#"{"message":""}"#);
    let page = post(Client::Page, "op=set_password&password=Secret1&user=&timeout=30");
    assert!(page.text().contains("The password has been set in domain web1."), "{}", page.text());

    let file = "op=inject_file&file=%2Fetc%2Fmotd";
    assert_eq!(message(&post(Client::Sxp, &format!("{file}&contents=Welcome%0A"))), "");
    let encoded = format!("{file}&contents=V2VsY29tZQo%3D&encoding=base64");
    assert_eq!(message(&post(Client::Sxp, &encoded)), "");
    let page = post(Client::Page, &format!("{file}&contents=a%0D%0Ab&encoding=text"));
    assert!(page.text().contains("The file has been written in domain web1."), "{}", page.text());
    let form = "--B\r\nContent-Disposition: form-data; name=\"op\"\r\n\r\ninject_file\r\n\
                --B\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n/root/logo\r\n\
                --B\r\nContent-Disposition: form-data; name=\"contents\"; filename=\"logo\"\r\n\r\n";
    let form = [form.as_bytes(), b"\x89PNG\r\n\x1a\n\0\xff\r\n--B--\r\n"].concat();
    let media = "multipart/form-data; boundary=B";
    assert_eq!(message(&Client::Sxp.post_body(&daemon, "web1", media, &form)), "");
}

#[test]
fn a_network_is_set_by_fields_and_by_json() {
    let daemon = daemon_with(&["web1"]);
    report_of(&daemon, "web1");
    let reset = |form: &str| message(&daemon.post("/xend/domain/web1", form));
    let form = "op=reset_network&address=203.0.113.10%2F24+2001%3Adb8%3A%3A10%2F64\
                &gateway=203.0.113.1&dns=192.0.2.53&hostname=renamed";
    assert_eq!(reset(form), "");
    let has = |address: &str, name: &str| {
        daemon.until("the guest reports its new network", |daemon| {
            let report = json_of(daemon, "web1")["guest"].take();
            let addresses = report["addresses"].as_array().unwrap();
            addresses.iter().any(|one| *one == json!({ "vif": 0, "address": address }))
                && report["name"] == name
        });
    };
    has("203.0.113.10", "renamed");
    has("2001:db8::10", "renamed");
    // The settings of the guest's interface, with a MAC and without, alone and in a list.
    let with_mac =
        json!({ "mac": MAC, "ips": [{ "ip": "203.0.113.11", "netmask": "255.255.255.0" }] });
    let without = json!({ "ips": [{ "address": "203.0.113.12", "netmask": 24 }] });
    for (network, address) in
        [(json!([with_mac]), "203.0.113.11"), (without, "203.0.113.12"), (with_mac, "203.0.113.11")]
    {
        assert_eq!(
            reset(&format!("op=reset_network&network={}", encoded(&network.to_string()))),
            ""
        );
        has(address, "renamed");
    }
    let form = "op=reset_network&vif=0&address=203.0.113.13%2F24&gateway=&dns=&hostname=&network=\
                &timeout=60";
    let page = Client::Page.post(&daemon, "web1", form);
    assert_eq!(page.status(), "200 OK", "{}", page.text());
    has("203.0.113.13", "renamed");
    // Nothing new: the agent applies what is there.
    assert_eq!(reset("op=reset_network"), "");
}

#[test]
fn a_bad_parameter_is_named_and_nothing_is_asked() {
    let daemon = daemon_with(&["agentabsent"]);
    let started = Instant::now();
    for (form, reason) in [
        ("op=agent_version&timeout=0", "timeout: '0' is not a whole number from 1 to 600"),
        ("op=set_password", "Missing parameter: password"),
        ("op=set_password&password=", "password: The password is empty"),
        ("op=inject_file&file=etc&contents=x", "file: The file's path is not absolute"),
        ("op=inject_file&file=/etc/motd", "Missing parameter: contents"),
        ("op=reset_network&gateway=10.0.0.1", "Missing parameter: address"),
        ("op=reset_network&address=10.0.0.1/8&vif=3", "vif: the domain has no vif 3"),
        ("op=reset_network&network=%7B", "network: it is not JSON"),
        ("op=reset_network&hostname=a%20b", "hostname: The host name has other characters"),
    ] {
        let op = form.split(['=', '&']).nth(1).unwrap();
        for client in Client::ALL {
            let answer = client.post(&daemon, "agentabsent", form);
            match client {
                Client::Json => assert_eq!(answer.code, 422, "{form}"),
                Client::Sxp | Client::Page => {
                    assert_eq!(answer.status(), format!("500 Request failed: {op}"));
                }
            }
            let text = answer.text().replace("&#39;", "'").replace("\\'", "'");
            let (field, why) = reason.split_once(": ").unwrap();
            let is_said = match client {
                // A page has the label of the field.
                Client::Page if field == "Missing parameter" => {
                    text.to_lowercase().contains(&format!("fill in {why}"))
                }
                Client::Page => text.contains(&format!(": {why}")),
                _ => text.contains(reason),
            };
            assert!(is_said, "{form}: {text}");
        }
    }
    assert!(started.elapsed() < Duration::from_secs(20), "an agent was asked");
}

#[test]
fn agents_fail_in_plain_words() {
    let names = ["agentabsent", "agentslow", "agentold", "agentbroken", "agentreboots"];
    let daemon = daemon_with(&names);
    let fails = |name: &str, form: &str, reason: &str, hint: &str| {
        let answer = Client::Sxp.post(&daemon, name, form);
        assert!(answer.status().starts_with("500 Request failed: "), "{answer:?}");
        let text = answer.text();
        assert!(text.starts_with("(xend.err ") && text.contains(reason), "{name} {form}: {text}");
        if !hint.is_empty() {
            let page = Client::Page.post(&daemon, name, form).text();
            assert!(page.contains(reason) && page.contains(hint), "{name} {form}: {page}");
        }
    };
    let none = "No response from agent within 1 seconds";
    fails(
        "agentabsent",
        "op=agent_version&timeout=1",
        none,
        "The guest has no agent, or the agent",
    );
    fails("agentslow", "op=agent_version&timeout=1", none, "");
    assert_eq!(message(&daemon.post("/xend/domain/agentslow", "op=agent_version")), "1.0.0");
    fails(
        "agentbroken",
        "op=agent_version",
        "The response of the agent in the guest cannot be used: it is no JSON object",
        "The log in the guest",
    );

    // An agent of the first generation: it knows no features, and reports nothing.
    let old = |form: &str| daemon.post("/xend/domain/agentold", form);
    assert_eq!(message(&old("op=agent_version")), "1.39.1");
    assert_eq!(message(&old("op=set_password&password=Secret1")), "");
    assert_eq!(message(&old("op=inject_file&file=/etc/motd&contents=x")), "");
    assert_eq!(message(&old("op=reset_network&address=203.0.113.10/24")), "");
    fails("agentold", "op=agent_features", "No such agent command", "The log in the guest");
    let lacks = "Agent does not support passwords of users other than root";
    fails("agentold", "op=set_password&password=x&user=ann", lacks, "An agent of a later version");
    assert!(json_of(&daemon, "agentold")["guest"].is_null());

    fails("agentreboots", "op=agent_version", "was rebooted or has gone", "");
}

#[test]
fn only_a_running_guest_is_asked() {
    let daemon = Daemon::start(&[]);
    daemon.post("/xend/domain", &format!("op=new&config={}", encoded(&guest("halted", ""))));
    let refused = |name: &str| daemon.post(&format!("/xend/domain/{name}"), "op=agent_version");
    assert_eq!(refused("halted").status(), "500 Request failed: agent_version");
    let text = refused("Domain-0").text();
    assert!(text.contains("Cannot ask the agent of privileged domain 0"), "{text}");
    assert_eq!(refused("nosuch").status(), "404 Not found");
    // Its page has no forms for the agent, and that of a running guest has them.
    let page = |name: &str| Client::Page.get(&daemon, &format!("/xend/domain/{name}")).text();
    assert!(!page("halted").contains(r#"value="set_password""#));
    daemon.create(&guest("web1", ""));
    assert!(!page("web1").contains(r#"value="set_password""#), "it is paused");
    daemon.post("/xend/domain/web1", "op=unpause");
    let running = page("web1");
    let (host, agent) = running.split_once("<h3>Guest</h3>").unwrap();
    for op in ["agent_version", "agent_features", "set_password", "inject_file", "reset_network"] {
        let button = format!(r#"name="op" value="{op}""#);
        assert!(agent.contains(&button) && !host.contains(&button), "{op} in {running}");
    }
    assert!(agent.contains(r#"<input type="password" name="password" required"#), "{agent}");
    assert!(agent.contains(r#"min="1" max="600""#), "{agent}");
}

/// A guest that does not answer keeps nobody waiting but those who ask it.
#[test]
fn other_operations_do_not_wait_for_an_agent() {
    let daemon = daemon_with(&["agentabsent"]);
    let tcp = daemon.tcp;
    let asking = std::thread::spawn(move || {
        let form = "op=agent_version&timeout=600";
        ask(&Listener::Tcp(tcp), &crate::http_support::post("/xend/domain/agentabsent", form))
    });
    std::thread::sleep(Duration::from_millis(500));
    let started = Instant::now();
    assert_eq!(daemon.post("/xend/domain/agentabsent", "op=pause").code, 200);
    assert_eq!(daemon.post("/xend/domain/agentabsent", "op=destroy").code, 202);
    let answer = asking.join().unwrap();
    assert!(answer.text().contains("was rebooted or has gone"), "{}", answer.text());
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn reports_are_in_json_and_on_pages() {
    let daemon = daemon_with(&["web1"]);
    let report = report_of(&daemon, "web1");
    assert_eq!(report["name"], "web1");
    assert_eq!(report["agent"], "1.0.0-1");
    assert_eq!(report["os"]["distro"], "debian");
    assert_eq!(report["addresses"][0], json!({ "vif": 0, "address": "10.17.34.51" }));
    assert_eq!(report["memory"]["total_mib"], 64);
    assert!(report["updated_at"].as_str().unwrap().starts_with("20"), "{report}");
    let list = Client::Json.get(&daemon, "/xend/domain?detail=1").text();
    assert!(list.contains(r#""guest":{"name":"web1""#), "{list}");
    let halted = Client::Json.get(&daemon, "/xend/domain/Domain-0").text();
    assert!(!halted.contains("\"guest\""), "{halted}");
    // Old clients see nothing of it.
    for target in ["/xend/domain/web1", "/xend/domain?detail=1", "/xend/domain/web1/config"] {
        let text = daemon.get(target).text();
        assert!(!text.contains("guest") && !text.contains("10.17.34.51"), "{target}: {text}");
    }

    let page = Client::Page.get(&daemon, "/xend/domain/web1").text();
    for part in [
        r#"<section class="card" aria-label="Guest">"#,
        r#"<th scope="row">Operating system</th><td>Debian GNU/Linux 12 (bookworm)</td>"#,
        r#"<th scope="row">Addresses of vif0</th><td>10.17.34.51, fe80::216:3eff:fe11:2233</td>"#,
        r#"<th scope="row">Memory in use</th>"#,
        " of 64 MiB</td>",
        r#"<th scope="row">Agent</th><td>1.0.0-1</td>"#,
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    // The list has addresses that others can reach.
    let list = Client::Page.get(&daemon, "/xend/domain").text();
    assert!(list.contains(r#"data-label="Address">10.17.34.51</td>"#), "{list}");
    assert!(!list.contains("fe80::"), "{list}");
}

#[test]
fn a_guest_that_lies_does_no_harm() {
    let daemon = daemon_with(&["agentbroken"]);
    let report = report_of(&daemon, "agentbroken");
    assert_eq!(report["os"]["name"], "[31m<script>alert(1)</script>");
    assert_eq!(report["addresses"], json!([]));
    assert!(report["name"].as_str().unwrap().len() <= 200, "{report}");
    for target in ["/xend/domain", "/xend/domain/agentbroken"] {
        let page = Client::Page.get(&daemon, target).text();
        assert!(!page.contains("<script>alert"), "{page}");
    }
}

#[test]
fn a_report_is_an_event_and_no_history() {
    let daemon = Daemon::start(&[]);
    let mut events = EventClient::new(&daemon, "/xend/events", JSON);
    events.until("listening");
    daemon.create(&guest("web1", ""));
    daemon.post("/xend/domain/web1", "op=unpause");
    assert_eq!(events.until("guest")["domain"], "web1");
    report_of(&daemon, "web1");
    let page = Client::Page.get(&daemon, "/xend/domain/web1").text();
    let history = page.split(r#"aria-label="History""#).nth(1).unwrap();
    assert!(history.contains("Unpause") && !history.contains("reports a change"), "{history}");
}

/// Passwords are in no answer of any operation, in no event and in no log.
#[test]
fn passwords_are_nowhere() {
    const SECRET: &str = "hunter2";
    let names = ["web1", "agentold", "agentbroken", "agentreboots", "agentabsent"];
    let daemon = daemon_with(&names);
    let mut events = EventClient::new(&daemon, "/xend/events", JSON);
    let mut answers = Vec::new();
    let forms = [
        format!("op=set_password&password={SECRET}&timeout=1"),
        format!("op=set_password&password={SECRET}&user=ann&timeout=1"),
        format!("op=set_password&password={SECRET}&user=a%20b"),
        format!("op=set_password&password={SECRET}&timeout=x"),
        format!("op=set_password&password={SECRET}%0A{SECRET}"),
        format!("op=set_password&password={SECRET}&password={SECRET}"),
        format!("op=set_password&password={SECRET}%FF"),
        format!("op=inject_file&file=/root/.pgpass&contents={SECRET}&timeout=1"),
        format!("op=inject_file&file=/a&contents=%21{SECRET}&encoding=base64"),
        format!("op=inject_file&file=/a&contents={}", SECRET.repeat(1000)),
    ];
    for name in names {
        // Each of its answers takes a second.
        let count = if name == "agentabsent" { 1 } else { forms.len() };
        for form in &forms[..count] {
            for client in Client::ALL {
                let answer = client.post(&daemon, name, form);
                answers.push((format!("{name} {form}"), format!("{answer:?} {}", answer.text())));
            }
        }
    }
    for target in ["/xend/domain?detail=1", "/xend/node/log", "/xend/help"].map(str::to_owned) {
        for client in Client::ALL {
            answers.push((target.clone(), client.get(&daemon, &target).text()));
        }
    }
    for name in names {
        for page in ["", "/config", "/console"] {
            for client in Client::ALL {
                let target = format!("/xend/domain/{name}{page}");
                answers.push((target.clone(), client.get(&daemon, &target).text()));
            }
        }
    }
    answers.push(("the log".to_owned(), daemon.log()));
    daemon.create(&guest("last", ""));
    let seen = std::iter::from_fn(|| events.event()).take_while(|event| event["domain"] != "last");
    let seen: Vec<Value> = seen.collect();
    let asked =
        |kind: &str| seen.iter().any(|one| one["kind"] == kind && one["op"] == "set_password");
    assert!(asked("done") && asked("failed"), "{seen:?}");
    answers.push(("the events".to_owned(), format!("{seen:?}")));
    let leaking: Vec<_> = answers.iter().filter(|(_, text)| text.contains(SECRET)).collect();
    assert!(leaking.is_empty(), "{leaking:#?}");
}
