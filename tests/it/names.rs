//! Names of domains: every wire accepts the same names, and errors name the domain that has a name
//! or UUID already.

use crate::http_support::{Answer, Daemon, encoded, guest};
use crate::xenapi_support::{Client, text};
use rustix::process::Signal;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use xend::wire::xmlrpc::Value;

const UUID: &str = "11111111-2222-3333-4444-555555555555";

/// The text of the fault of an `xend.*` call.
fn legacy_fault(client: &Client, method: &str, params: &[Value]) -> String {
    client.raw(method, params).unwrap_err().1
}

/// The code and parameters of a failed Xen-API call.
fn api_failure(client: &Client, method: &str, params: &[Value]) -> String {
    client.call(method, params).unwrap_err().join(" ")
}

fn failure(answer: &Answer) -> String {
    assert_eq!(answer.code, 500, "{}", answer.text());
    answer.text()
}

fn pair(key: &str, value: Value) -> Value {
    Value::Array(vec![text(key), value])
}

fn config(name: &str) -> Value {
    Value::Array(vec![text("vm"), pair("name", text(name)), pair("memory", Value::Int(64))])
}

fn record(name: &str) -> Value {
    let member = |key: &str, value: &str| (key.to_owned(), text(value));
    let memory = |key: &str| member(key, "67108864");
    let memory = ["memory_static_max", "memory_dynamic_max", "memory_dynamic_min"].map(memory);
    Value::Struct([vec![member("name_label", name)], memory.to_vec()].concat())
}

/// A saved domain with another name of any length.
fn renamed(saved: &[u8], old: &str, new: &str) -> Vec<u8> {
    let length_at = 16;
    let config_at = 20;
    let length = u32::from_be_bytes(saved[length_at..config_at].try_into().unwrap()) as usize;
    let (config, rest) = saved[config_at..].split_at(length);
    let config = String::from_utf8(config.to_vec()).unwrap();
    let config = config.replace(&format!("(name {old})"), &format!("(name {new})"));
    let mut out = saved[..length_at].to_vec();
    out.extend(u32::try_from(config.len()).unwrap().to_be_bytes());
    out.extend(config.as_bytes());
    out.extend(rest);
    out
}

/// The answer to another host that sends a domain of this name.
fn receive(daemon: &Daemon, name: &str) -> String {
    let mut stream = TcpStream::connect(daemon.relocation.unwrap()).unwrap();
    let config = format!("(domain (name {name}) (uuid {UUID}) (memory 64))");
    writeln!(
        stream,
        "(receive (version 1) (id 99999999-2222-3333-4444-555555555555) (config {config}))"
    )
    .unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn an_invalid_name_is_refused_on_every_wire() {
    let client = Client::with(&["--relocation", "127.0.0.1:0"]);
    let daemon = &client.daemon;
    assert_eq!(daemon.create(&guest("web", "")).code, 201);
    assert_eq!(daemon.post("/xend/domain/web", "op=unpause").code, 200);
    let file = daemon.dir.path().join("saved");
    let path = file.to_str().unwrap();
    assert_eq!(
        daemon.post("/xend/domain/web", &format!("op=save&file={}", encoded(path))).code,
        202
    );
    let saved = std::fs::read(&file).unwrap();
    assert_eq!(daemon.create(&guest("other", "")).code, 201);

    let long = "x".repeat(3000);
    let forbidden = "is not allowed, use letters, digits and _ - . : +";
    for (name, reason) in [
        ("", "Missing VM Name"),
        ("..", "means a directory in a path"),
        ("a/b", forbidden),
        ("a\nb", forbidden),
        ("a b", forbidden),
        (&long, "Invalid VM Name: longer than 255 bytes"),
        ("0", "already exists as the domid of domain"),
    ] {
        // The Xen-API has a code for a name that is taken, and no text.
        let refused = |wire: &str, message: &str| {
            let is_taken = name == "0" && message.starts_with("UNIQUE_NAME_ERROR 0");
            assert!(message.contains(reason) || is_taken, "{wire}, {name:.20?}: {message}");
        };
        let quoted = format!("'{}'", name.replace('\n', "\\n"));
        refused("create", &failure(&daemon.create(&guest(&quoted, ""))));
        refused(
            "new",
            &failure(
                &daemon.post(
                    "/xend/domain",
                    &format!("op=new&config={}", encoded(&guest(&quoted, ""))),
                ),
            ),
        );
        let rename = format!("op=rename&name={}", encoded(name));
        refused("rename", &failure(&daemon.post("/xend/domain/other", &rename)));
        std::fs::write(&file, renamed(&saved, "web", &quoted)).unwrap();
        refused(
            "restore",
            &failure(&daemon.post("/xend/domain", &format!("op=restore&file={}", encoded(path)))),
        );
        refused("receive", &receive(daemon, &quoted));
        let legacy = |method: &str, params: &[Value]| {
            refused(method, &legacy_fault(&client, method, params));
        };
        legacy("xend.domain.create", &[config(name)]);
        legacy("xend.domain.new", &[config(name)]);
        legacy("xend.domain.setName", &[text("other"), text(name)]);
        legacy("xend.domain.restore", &[text(path)]);
        let api = |method: &str, params: &[Value]| {
            refused(method, &api_failure(&client, method, params));
        };
        if !name.is_empty() {
            api("VM.create", &[record(name)]);
        }
        api("VM.set_name_label", &[client.vm("other"), text(name)]);
        api("VM.restore", &[text(path), Value::Bool(false)]);
    }
    let names = daemon.get("/xend/domain?state=all").text();
    assert_eq!(names, "(Domain-0 other)");
}

#[test]
fn the_domid_or_uuid_of_another_domain_is_no_valid_name() {
    let daemon = Daemon::start(&[]);
    assert_eq!(daemon.create(&guest("web", &format!("(uuid {UUID})"))).code, 201);
    let domid = daemon.value("web", "domid");
    let message = failure(&daemon.create(&guest(&domid, "")));
    let reason = format!(
        "VM name \"{domid}\" already exists as the domid of domain \"web\", use another name"
    );
    assert!(message.contains(&reason), "{message}");
    let message = failure(&daemon.create(&guest(UUID, "")));
    assert!(message.contains("already exists as the UUID of domain \"web\""), "{message}");
    // A number that is no domid is a valid name.
    assert_eq!(daemon.create(&guest("4711", "")).code, 201);
    assert_eq!(daemon.value("4711", "name"), "4711");
}

#[test]
fn errors_name_the_existing_domain() {
    let client = Client::with(&["--relocation", "127.0.0.1:0"]);
    let daemon = &client.daemon;
    assert_eq!(daemon.create(&guest("web", &format!("(uuid {UUID})"))).code, 201);
    let domid = daemon.value("web", "domid");
    let with_uuid = guest("p2", &format!("(uuid {UUID})"));
    let message = failure(&daemon.create(&with_uuid));
    assert!(
        message.contains(&format!(
            "A domain with UUID {UUID} already exists: \"web\" with ID {domid}"
        )),
        "{message}"
    );
    assert!(!message.contains("p2"), "{message}");
    let message = failure(&daemon.create(&guest("web", &format!("(uuid {UUID})"))));
    assert!(
        message.contains(&format!("Domain \"web\" already exists with ID {domid}")),
        "{message}"
    );
    let mut taken = config("p2");
    if let Value::Array(fields) = &mut taken {
        fields.push(pair("uuid", text(UUID)));
    }
    for method in ["xend.domain.create", "xend.domain.new"] {
        let message = legacy_fault(&client, method, std::slice::from_ref(&taken));
        assert!(
            message.contains(&format!("A domain with UUID {UUID} already exists: \"web\"")),
            "{message}"
        );
    }
    let mut taken = record("p2");
    if let Value::Struct(members) = &mut taken {
        members.push(("uuid".to_owned(), text(UUID)));
    }
    let message = api_failure(&client, "VM.create", &[taken]);
    assert!(
        message.contains(&format!("A domain with UUID {UUID} already exists: \"web\"")),
        "{message}"
    );
    assert_eq!(daemon.value("web", "uuid"), UUID);
    // A domain that is not on the host has no ID.
    assert_eq!(
        daemon.post("/xend/domain", &format!("op=new&config={}", encoded(&guest("db", "")))).code,
        200
    );
    let other = guest("db", "(uuid 99999999-2222-3333-4444-555555555555)");
    let message = failure(&daemon.create(&other));
    assert_eq!(message, "(xend.err 'Domain \"db\" already exists')");
    let message = failure(&daemon.post("/xend/domain/web", "op=rename&name=db"));
    assert_eq!(message, "(xend.err 'VM name \"db\" already exists')");
    let pool = Value::Struct(vec![("name_label".to_owned(), text("Pool-0"))]);
    let message = api_failure(&client, "cpu_pool.create", &[pool]);
    assert!(message.starts_with("UNIQUE_NAME_ERROR Pool-0 cpu_pool"), "{message}");
    // Faults of xm do not name the class of an object.
    let pool = Value::Array(vec![text("vm"), pair("name", text("Pool-0"))]);
    let message = legacy_fault(&client, "xend.cpu_pool.create", &[pool]);
    assert!(message.contains("CPU pool \"Pool-0\" already exists"), "{message}");
}

/// Domain-0 can be renamed, as in xend 4.1.6 (`trace/credit/dom0-rename2`). Its first name stays its
/// own: scripts mean it by that.
#[test]
fn no_other_domain_gets_the_name_of_domain_0() {
    let client = Client::with(&["--relocation", "127.0.0.1:0"]);
    let daemon = &client.daemon;
    assert_eq!(daemon.create(&guest("web", "")).code, 201);
    assert_eq!(daemon.post("/xend/domain/0", "op=rename&name=Zero").code, 202);
    let reason = "VM name \"Domain-0\" already exists as the first name of domain \"Zero\"";
    let refused = |message: &str| assert!(message.contains(reason), "{message}");
    refused(&failure(&daemon.create(&guest("Domain-0", ""))));
    let define = format!("op=new&config={}", encoded(&guest("Domain-0", "")));
    refused(&failure(&daemon.post("/xend/domain", &define)));
    refused(&failure(&daemon.post("/xend/domain/web", "op=rename&name=Domain-0")));
    refused(&receive(daemon, "Domain-0"));
    for method in ["xend.domain.create", "xend.domain.new"] {
        refused(&legacy_fault(&client, method, &[config("Domain-0")]));
    }
    let rename = [text("web"), text("Domain-0")];
    refused(&legacy_fault(&client, "xend.domain.setName", &rename));
    let rename = [client.vm("web"), text("Domain-0")];
    let failure = api_failure(&client, "VM.set_name_label", &rename);
    assert!(failure.starts_with("UNIQUE_NAME_ERROR Domain-0"), "{failure}");
    let failure = api_failure(&client, "VM.create", &[record("Domain-0")]);
    assert!(failure.starts_with("UNIQUE_NAME_ERROR Domain-0"), "{failure}");
    assert_eq!(daemon.get("/xend/domain?state=all").text(), "(Zero web)");
    // Domain-0 itself gets it back.
    assert_eq!(daemon.post("/xend/domain/0", "op=rename&name=Domain-0").code, 202);
    assert_eq!(daemon.get("/xend/domain?state=all").text(), "(Domain-0 web)");
}

/// Another toolstack or an earlier xend may have given such a name. libvirt puts it into the path
/// unescaped.
#[test]
fn a_stored_name_with_a_slash_is_reached_by_its_raw_path() {
    let daemon = Daemon::start(&[]);
    let config = guest("rack1-web", &format!("(uuid {UUID})"));
    assert_eq!(
        daemon.post("/xend/domain", &format!("op=new&config={}", encoded(&config))).code,
        200
    );
    let (_, dir) = daemon.end(Signal::TERM);
    let file = dir.path().join("state/domains").join(UUID).join("config.sxp");
    let stored = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, stored.replace("(name rack1-web)", "(name rack1/web)")).unwrap();
    let daemon = Daemon::start_in(dir, &[]);
    for path in
        ["/xend/domain/rack1/web", "//xend/domain//rack1/web/?detail=1", "/xend/domain/rack1%2Fweb"]
    {
        let answer = daemon.get(path);
        assert_eq!(answer.code, 200, "{path}: {}", answer.text());
        assert_eq!(answer.sxp().value("name").unwrap().as_str(), Some("rack1/web"));
    }
    assert!(daemon.get("/xend/domain/rack1/web/config").text().contains("(name rack1/web)"));
    let started = daemon.post("/xend/domain/rack1/web", "op=start&paused=0");
    assert_eq!(started.code, 202, "{}", started.text());
    assert!(started.header("location").unwrap().ends_with("/xend/domain/rack1/web/.."));
    assert_eq!(daemon.get("/xend/domain/rack1/web?op=vcpuinfo").code, 200);
    // It can be saved and restored, since the definition has the name.
    let saved = encoded(daemon.dir.path().join("saved").to_str().unwrap());
    assert_eq!(daemon.post("/xend/domain/rack1/web", &format!("op=save&file={saved}")).code, 202);
    assert_eq!(daemon.post("/xend/domain", &format!("op=restore&file={saved}")).code, 201);
    assert_eq!(daemon.post("/xend/domain/rack1/web", "op=rename&name=web").code, 202);
    assert_eq!(daemon.get("/xend/domain/rack1/web").code, 404);
    assert_eq!(daemon.get("/xend/domain/rack1/nosuch").code, 404);
}

/// Leading and trailing slashes belong to the name if a domain has it.
#[test]
fn a_stored_name_with_a_slash_at_either_end_is_reached_by_its_raw_path() {
    let daemon = Daemon::start(&[]);
    let names = [("lead", "/lead"), ("tail", "tail/")];
    for (name, _) in names {
        let new = format!("op=new&config={}", encoded(&guest(name, "")));
        assert_eq!(daemon.post("/xend/domain", &new).code, 200);
    }
    let (_, dir) = daemon.end(Signal::TERM);
    for entry in std::fs::read_dir(dir.path().join("state/domains")).unwrap() {
        let file = entry.unwrap().path().join("config.sxp");
        let stored = std::fs::read_to_string(&file).unwrap();
        let slashed = names.iter().fold(stored, |text, (name, slashed)| {
            text.replace(&format!("(name {name})"), &format!("(name {slashed})"))
        });
        std::fs::write(&file, slashed).unwrap();
    }
    let daemon = Daemon::start_in(dir, &[]);
    for (path, name) in [
        ("/xend/domain//lead", "/lead"),
        ("/xend/domain//lead/", "/lead"),
        ("/xend/domain/%2Flead", "/lead"),
        ("/xend/domain/tail/", "tail/"),
        ("/xend/domain/tail/?detail=1", "tail/"),
        ("/xend/domain/tail%2F", "tail/"),
    ] {
        let answer = daemon.get(path);
        assert_eq!(answer.code, 200, "{path}: {}", answer.text());
        assert_eq!(answer.sxp().value("name").unwrap().as_str(), Some(name), "{path}");
    }
    assert!(daemon.get("/xend/domain/tail//config").text().contains("(name tail/)"));
    assert_eq!(daemon.post("/xend/domain//lead", "op=start&paused=0").code, 202);
    assert_eq!(daemon.post("/xend/domain/tail/", "op=rename&name=tail").code, 202);
    assert_eq!(
        daemon.get("/xend/domain/tail/").sxp().value("name").unwrap().as_str(),
        Some("tail")
    );
    assert_eq!(daemon.get("/xend/domain//").text(), daemon.get("/xend/domain").text());
}
