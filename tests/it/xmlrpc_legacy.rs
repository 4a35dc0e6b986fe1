//! The legacy calls over a real socket: what xm 4.1.6 sent to the real xend, byte for byte, and whether what comes back has
//! the shape that it had there.

use crate::http_support::{Daemon, Door, ask};
use std::collections::HashMap;
use std::path::Path;
use xend::wire::xmlrpc::Value;
use xend::wire::xmlrpc::codec::{self, Limits};

type Said = Result<Value, (i64, String)>;

struct Caller {
    daemon: Daemon,
    door: Door,
}

impl Caller {
    fn new(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("rpc");
        let mut all = vec!["--xmlrpc", socket.to_str().unwrap()];
        all.extend(options);
        let daemon = Daemon::start_in(dir, &all);
        Self { daemon, door: Door::Unix(socket) }
    }

    /// Sends what a client would.
    fn post(&self, text: &str) -> Said {
        let head = "POST /RPC2 HTTP/1.1\r\nHost: /var/run/xend/xmlrpc.sock\r\nAccept-Encoding: gzip\r\nUser-Agent: \
                    xmlrpclib.py/1.0.1 (by www.pythonware.com)\r\nContent-Type: text/xml";
        let request = format!("{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        let answer = ask(&self.door, request.as_bytes());
        assert_eq!((answer.status().as_str(), answer.header("content-type")), ("200 OK", Some("text/xml")));
        codec::read_answer(&answer.text(), &Limits::default()).unwrap()
    }

    fn call(&self, method: &str, params: &[Value]) -> Said {
        self.post(&codec::call(method, params))
    }
}

fn text(text: &str) -> Value {
    Value::text(text)
}

fn array(values: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(values.into_iter().collect())
}

fn field(key: &str, value: Value) -> Value {
    array([text(key), value])
}

/// The fields of a record by their names.
fn fields(record: &Value) -> HashMap<&str, &Value> {
    let Value::Array(parts) = record else { panic!("{record:?}") };
    let mut fields = HashMap::new();
    for part in parts {
        if let Value::Array(pair) = part {
            if let [Value::Text(key), value, ..] = pair.as_slice() {
                fields.insert(key.as_str(), value);
            }
        }
    }
    fields
}

/// What of an answer depends on the moment, the host, or on what was asked before.
const ELSEWHERE: [&str; 8] = [
    "notes",
    "numa_info",
    "node_to_cpu",
    "node_to_memory",
    "node_to_dma32_mem",
    "max_node_id",
    "max_free_memory",
    "max_para_memory",
];

/// How `got` differs from what the real xend said, in kinds of values and in the keys of records.
fn difference(wanted: &Value, got: &Value, at: &str) -> Option<String> {
    match (wanted, got) {
        (Value::Array(wanted), Value::Array(got)) => match (wanted.first(), got.first()) {
            (Some(Value::Text(head)), Some(Value::Text(other))) if wanted.len() > 1 && got.len() > 1 => {
                let uuid = |text: &str| xend::core::model::Uuid::try_parse(text).is_ok();
                if head != other && !(uuid(head) && uuid(other)) {
                    return Some(format!("{at}: {other} and not {head}"));
                }
                let (ours, theirs) = (Value::Array(got.clone()), Value::Array(wanted.clone()));
                let (ours, theirs) = (fields(&ours), fields(&theirs));
                let compare = |(key, wanted): (&&str, &&Value)| match ours.get(key) {
                    _ if ELSEWHERE.contains(key) => None,
                    Some(got) => difference(wanted, got, &format!("{at}/{key}")),
                    None => Some(format!("{at}: no {key}")),
                };
                theirs.iter().find_map(compare)
            }
            (Some(wanted), Some(got)) => difference(wanted, got, at),
            _ => None,
        },
        _ if std::mem::discriminant(wanted) == std::mem::discriminant(got) => None,
        _ => Some(format!("{at}: {} and not {}", got.kind(), wanted.kind())),
    }
}

/// `N METHOD reason`: what is answered otherwise on purpose, or cannot be the same here.
fn exceptions(name: &str) -> HashMap<usize, String> {
    let file = format!("sexpr-fixtures/xmlrpc/{name}.EXCEPT");
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = |line: &str| {
        let (number, rest) = line.split_once(' ').unwrap();
        (number.parse().unwrap(), rest.to_owned())
    };
    text.lines().filter(|line| !line.starts_with('#')).map(line).collect()
}

fn replay(name: &str, options: &[&str]) {
    let caller = Caller::new(options);
    let files = caller.daemon.dir.path().to_str().unwrap().to_owned();
    let except = exceptions(name);
    let text =
        std::fs::read_to_string(Path::new("sexpr-fixtures/xmlrpc").join(format!("{name}.jsonl"))).unwrap();
    let (mut wrong, mut same) = (Vec::new(), 0);
    for (n, line) in text.lines().enumerate() {
        let row: HashMap<String, String> = serde_json::from_str(line).unwrap();
        let method = row["method"].as_str();
        let wanted = codec::read_answer(&row["answer"], &Limits::default()).unwrap();
        let got = caller.post(&row["request"].replace("/opt/legacy/tmp", &files));
        let differs = match (&wanted, &got) {
            (Ok(wanted), Ok(got)) => difference(wanted, got, method),
            (Err((wanted, _)), Err((got, _))) if wanted == got => None,
            _ => Some(format!("{got:?} and not {wanted:?}")),
        };
        match (differs, except.get(&n)) {
            (None, None) => same += 1,
            (Some(_), Some(reason)) => assert!(reason.starts_with(method), "{n} {reason}"),
            (Some(difference), None) => wrong.push(format!("{n} {method}: {difference:.400}")),
            (None, Some(reason)) => {
                wrong.push(format!("{n} {method} agrees, take it off the list: {reason}"));
            }
        }
        // xm took its time between two commands; here the guest has it.
        if method == "xend.domain.shutdown" {
            std::thread::sleep(std::time::Duration::from_millis(1500));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), same + wrong.len(), wrong.join("\n"));
    println!("{same} agree, {} are on the list", except.len());
}

#[test]
fn what_xm_sent_is_answered_as_xend_did() {
    replay("legacy", &[]);
}

#[test]
fn what_xm_sent_to_a_host_with_sedf_is_answered_as_xend_did() {
    replay("legacy-sedf", &["--scheduler", "sedf"]);
}

#[test]
fn a_domains_life() {
    let caller = Caller::new(&[]);
    let config = array([
        text("vm"),
        field("name", text("web")),
        field("memory", Value::Int(64)),
        field("image", array([text("linux"), field("kernel", text("/boot/vmlinuz"))])),
        field("device", array([text("vif"), field("bridge", text("xenbr0"))])),
        field(
            "device",
            array([text("vfb"), field("vnc", Value::Int(1)), field("vncpasswd", text("secret"))]),
        ),
    ]);
    let created = caller.call("xend.domain.create", std::slice::from_ref(&config)).unwrap();
    let shown = fields(&created);
    assert_eq!((shown["name"], shown["memory"]), (&text("web"), &Value::Int(64)));
    assert!(!format!("{created:?}").contains("secret"));
    assert_eq!(caller.call("xend.domain.getpauseflag", &[text("web")]), Ok(Value::Bool(true)));
    assert_eq!(caller.call("xend.domain.waitForDevices", &[text("web")]), Ok(Value::Nil));
    assert_eq!(caller.call("xend.domain.unpause", &[shown["domid"].clone()]), Ok(Value::Nil));
    assert_eq!(caller.call("xend.domains", &[Value::Int(0)]), Ok(array([text("Domain-0"), text("web")])));
    let brief = caller.call("xend.domain", &[text("web")]).unwrap();
    assert!(!fields(&brief).contains_key("device"));
    assert!(
        fields(&caller.call("xend.domain", &[text("web"), Value::Int(1)]).unwrap()).contains_key("device")
    );

    // Saved, it goes on; saved and taken off, it comes back.
    let file = text(caller.daemon.dir.path().join("saved").to_str().unwrap());
    assert_eq!(
        caller.call("xend.domain.save", &[text("web"), file.clone(), Value::Bool(true)]),
        Ok(Value::Nil)
    );
    assert_eq!(caller.call("xend.domain.getpauseflag", &[text("web")]), Ok(Value::Bool(false)));
    assert_eq!(caller.call("xend.domain.save", &[text("web"), file.clone()]), Ok(Value::Nil));
    assert_eq!(caller.call("xend.domain", &[text("web")]), Err((3, "web".into())));
    let restored = caller.call("xend.domain.restore", &[file, Value::Bool(true)]).unwrap();
    assert_eq!(fields(&restored)["name"], &text("web"));
    assert_eq!(caller.call("xend.domain.destroy", &[text("web")]), Ok(Value::Nil));

    // Both wires show one host.
    caller.call("xend.domain.new", &[config]).unwrap();
    assert_eq!(caller.daemon.get("/xend/domain?state=halted").text(), "(web)");
    assert_eq!(caller.call("xend.domain.delete", &[text("web")]), Ok(Value::Nil));
}

#[test]
fn what_makes_no_sense_is_a_fault_that_tells_no_secret() {
    let caller = Caller::new(&[]);
    let fault = |said: Said| said.unwrap_err();
    assert_eq!(fault(caller.call("xend.domain.pause", &[text("nosuch")])), (3, "nosuch".into()));
    let (code, why) = fault(caller.call("xend.domain.pause", &[]));
    assert_eq!((code, why.as_str()), (1, "xend.domain.pause() takes 1 to 2 parameters, 0 were given"));
    let (code, why) = fault(caller.call("xend.domain.setVCpuCount", &[text("Domain-0"), text("geheim")]));
    assert_eq!(
        (code, why.as_str()),
        (1, "xend.domain.setVCpuCount: vcpus: a whole number is expected, not a string")
    );
    let (code, why) = fault(caller.call("xend.domain.shutdown", &[text("Domain-0"), text("sideways")]));
    assert_eq!((code, why.contains("poweroff")), (2, true), "{why}");
    assert_eq!(fault(caller.post("<methodCall>geheim")).0, 1);
    assert_eq!(fault(caller.post("")).0, 1);
    let unknown = caller.call("no.such", &[]).unwrap();
    let Value::Struct(members) = unknown else { panic!() };
    assert_eq!(members[0], ("Status".into(), text("Failure")));
    assert_eq!(members[1].1, array([text("MESSAGE_METHOD_UNKNOWN"), text("no.such")]));
    let bare = ask(&caller.door, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(bare.code, 501);
    let log = caller.daemon.log();
    assert!(!log.contains("geheim"), "{log}");
}

#[test]
fn a_message_of_xens_is_escaped_as_xm_expects_it() {
    let caller = Caller::new(&[]);
    assert_eq!(caller.call("xend.node.send_debug_keys", &[text("h")]), Ok(Value::Int(0)));
    let Ok(Value::Text(messages)) = caller.call("xend.node.dmesg.clear", &[]) else { panic!() };
    assert!(messages.ends_with("(XEN) 'h' pressed\\n"), "{messages}");
    assert_eq!(caller.call("xend.node.dmesg.info", &[]), Ok(text("")));
}

#[test]
fn cpu_pools_come_and_go_by_their_names() {
    let caller = Caller::new(&[]);
    let pool = |name: &str| array([text(name)]);
    let config = array([field("name_label", text("fast")), field("ncpu", Value::Int(1))]);
    let Ok(Value::Text(uuid)) = caller.call("xend.cpu_pool.new", &[config]) else { panic!() };
    assert!(
        caller.call("xend.cpu_pool.start", &[text("fast")]).unwrap_err().1.contains("Not enough free CPUs")
    );
    assert_eq!(caller.call("xend.cpu_pool.cpu_remove", &[text("Pool-0"), text("3")]), Ok(Value::Nil));
    assert_eq!(caller.call("xend.cpu_pool.start", &[text("fast")]), Ok(Value::Nil));
    assert_eq!(caller.daemon.create(&crate::http_support::guest("web", "")).code, 201);
    assert_eq!(caller.call("xend.cpu_pool.migrate", &[text("web"), text("fast")]), Ok(Value::Nil));
    let Ok(Value::Array(listed)) = caller.call("xend.cpu_pool.list", &[pool("fast")]) else { panic!() };
    let [shown] = listed.as_slice() else { panic!("{listed:?}") };
    let shown = fields(shown);
    assert_eq!((shown["uuid"], shown["host_CPU_numbers"]), (&text(&uuid), &Value::Int(3)));
    assert_eq!((shown["started_VM_names"], shown["activated"]), (&text("web"), &Value::Bool(true)));
    let told = caller.call("xend.cpu_pool.destroy", &[text("fast")]).unwrap_err();
    assert_eq!(told, (2, "The CPU pool is in use".to_owned()));
    assert_eq!(caller.call("xend.cpu_pool.migrate", &[text("web"), text("Pool-0")]), Ok(Value::Nil));
    assert_eq!(caller.call("xend.cpu_pool.destroy", &[text("fast")]), Ok(Value::Nil));
    assert_eq!(caller.call("xend.cpu_pool.delete", &[text("fast")]), Ok(Value::Nil));
    assert_eq!(caller.call("xend.cpu_pool.cpu_add", &[text("Pool-0"), text("3")]), Ok(Value::Nil));
    let create = array([text("pool"), field("name_label", text("x y"))]);
    assert!(caller.call("xend.cpu_pool.create", &[create]).unwrap_err().1.contains("name_label"));
    assert_eq!(
        caller.call("xend.cpu_pool.migrate", &[text("nosuch"), text("Pool-0")]),
        Err((3, "nosuch".to_owned()))
    );
}
