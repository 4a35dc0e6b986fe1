//! `host.call_plugin`: the agent in a guest, as OpenStack's driver talks to it.

use crate::http_events::{EventClient, JSON};
use crate::http_support::{encoded, guest};
use crate::xenapi_support::{CallResult, Client, as_text, members, record, strings, text};
use crate::xmlrpc_accounts_support::{AccountHost, account, guest as guest_of_account};
use crate::xmlrpc_xenapi_guest_support::{Driver, exception};
use base64ct::{Base64, Encoding as _};
use serde_json::{Value as Json, json};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use xend::core::model::DomId;
use xend::core::rights::Limits;
use xend::wire::xmlrpc::Value;
use xend_guest_protocol::keys::{Digest, Private, Public, SharedKey};
use xend_guest_protocol::password::Password;

/// Arguments of a function.
type Args<'a> = &'a [(&'a str, &'a str)];

/// A client of a daemon whose guests run.
fn client_with(names: &[&str]) -> Client {
    let client = Client::new();
    for name in names {
        let define = format!("op=new&config={}", encoded(&guest(name, "")));
        assert_eq!(client.daemon.post("/xend/domain", &define).code, 200);
        client.call("VM.start", &[client.vm(name), Value::Bool(false)]).unwrap();
    }
    client
}

fn base64(text: &str) -> String {
    Base64::encode_string(text.as_bytes())
}

/// A key exchange with the agent, on the client's own side.
fn exchange_keys(driver: &Driver<'_>) -> SharedKey {
    let mut random = *b"a random number.";
    let own = Private::from_random(&mut random);
    let (code, message) = driver.response("key_init", &[("pub", &own.public().to_string())]);
    assert_eq!(code, "D0");
    own.shared_with(Public::parse(&message).unwrap())
}

fn response(code: &str, message: &str) -> (String, String) {
    (code.to_owned(), message.to_owned())
}

/// The whole conversation of the driver with a new guest, and what has come of it in the guest.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_guest_is_set_up() {
    let host = AccountHost::new(vec![], &[guest_of_account("web", 1, "")]).await;
    let operator = host.log_in_as_operator().await;
    for plugin in ["agent", "agent.py"] {
        let driver = Driver::of(&operator, "web").with_plugin(plugin);
        let domid = DomId(driver.dom_id().parse().unwrap());
        assert_eq!(driver.response("version", &[]), response("0", "1.0.0"));

        let key = "\n# The following ssh key was injected by Nova\nssh-rsa AAAA ä\n";
        for (path, contents) in [("/root/.ssh/authorized_keys", key), ("/etc/empty", "")] {
            let path64 = base64(path);
            let contents64 = base64(contents);
            let args = [("b64_path", path64.as_str()), ("b64_contents", contents64.as_str())];
            assert_eq!(driver.response("inject_file", &args), response("0", ""));
            let written = host.sim.guest_file(domid, path).unwrap();
            assert_eq!(written.as_deref(), Some(contents.as_bytes()), "{path}");
        }

        let no_key = response("500", "Password without key exchange");
        assert_eq!(driver.response("password", &[("enc_pass", "+QS+vk==")]), no_key);
        for (password, digest) in [("Secret1", Digest::Md5), ("geheim ä", Digest::Sha256)] {
            let encrypted =
                exchange_keys(&driver).encrypt(&Password::new(password).unwrap(), digest);
            let args = [("enc_pass", encrypted.as_str())];
            assert_eq!(driver.response("password", &args), response("0", ""));
            let set = host.sim.guest_password(domid, "root").unwrap().unwrap();
            assert_eq!(set.reveal().to_string(), password);
            // The key was for one attempt.
            assert_eq!(driver.response("password", &args), no_key);
        }

        let network = json!({
            "label": "public", "mac": "00:16:3e:00:00:01", "gateway": "203.0.113.1",
            "ips": [{ "ip": "203.0.113.10", "netmask": "255.255.255.0", "enabled": "1" }],
            "ip6s": [{ "ip": "2001:db8::10", "netmask": 64, "enabled": "1" }],
            "routes": [], "dns": ["192.0.2.53"],
        });
        let network = network.to_string();
        for (path, value) in
            [("vm-data/networking/00163E000001", network.as_str()), ("vm-data/hostname", "renamed")]
        {
            // The driver replaces an entry in these two steps.
            let of_vm = |method: &str, more: &[&str]| {
                let all: Vec<Value> = [driver.vm.clone(), text(path)]
                    .into_iter()
                    .chain(more.iter().map(|one| text(one)))
                    .collect();
                operator.call(method, &all).unwrap();
            };
            of_vm("VM.remove_from_xenstore_data", &[]);
            of_vm("VM.add_to_xenstore_data", &[value]);
            driver.store("write_record", &[("path", path), ("value", value)]).unwrap();
        }
        assert_eq!(driver.response("resetnetwork", &[]), response("0", ""));
        driver.until("the guest reports its network", |driver| {
            members(driver.reported("networks")).get("0/ip") == Some(&text("203.0.113.10"))
                && driver.reported("netbios_name") == record(&[("host_name", text("renamed"))])
        });
        let networks = members(driver.reported("networks"));
        assert_eq!(networks["0/ipv6/0"], text("2001:db8::10"), "{networks:?}");

        let update = [("url", "http://192.0.2.1/agent.tar"), ("md5sum", "d41d8cd98f00b204e98")];
        let refused = response("500", "agentupdate is not supported");
        assert_eq!(driver.response("agentupdate", &update), refused);
        // Nothing is left of requests and responses.
        assert_eq!(driver.list("data/host"), json!({}));
        assert_eq!(driver.list("data/guest"), json!({}));
    }
}

#[test]
fn failures_of_agents_are_those_of_the_python_plug_ins() {
    let client = client_with(&["agentabsent", "agentslow", "agentold", "agentbroken"]);
    let absent = Driver::of(&client, "agentabsent");
    let timeout = |function: &str, seconds: u32| {
        let text = format!("TIMEOUT: No response from agent within {seconds} seconds.");
        exception(function, "PluginError", &text)
    };
    assert_eq!(absent.ask_within("1", "version", &[]), timeout("version", 1));
    let password = [("enc_pass", "+QS+vk/oLxFzjLFWmWlFqw==")];
    assert_eq!(absent.ask_within("0", "password", &password), timeout("password", 1));
    assert_eq!(absent.ask_within("0", "resetnetwork", &[]), timeout("resetnetwork", 1));
    assert_eq!(absent.list("data/host"), json!({}));

    // A response that comes too late is removed.
    let slow = Driver::of(&client, "agentslow");
    assert_eq!(slow.ask_within("1", "version", &[]), timeout("version", 1));
    assert_eq!(slow.response("version", &[]), response("0", "1.0.0"));
    assert_eq!(slow.list("data/guest"), json!({}));

    let old = Driver::of(&client, "agentold");
    assert_eq!(old.response("version", &[]), response("0", "1.39.1"));
    let file = [("b64_path", "L2V0Yy9tb3Rk"), ("b64_contents", "SGVsbG8=")];
    let lacks = "NOT IMPLEMENTED: Agent does not support file injection.";
    let expected = exception("inject_file", "NotImplementedError", lacks);
    assert_eq!(old.ask("inject_file", &file), expected);
    // The response is passed on as it came.
    let failed = r#"{"message":"Password without key exchange","returncode":500}"#;
    let answer = old.ask("password", &password).unwrap();
    let [answer, expected]: [Json; 2] =
        [as_text(&answer), failed].map(|json| serde_json::from_str(json).unwrap());
    assert_eq!(answer, expected);
    let encrypted = exchange_keys(&old).encrypt(&Password::new("x").unwrap(), Digest::Md5);
    assert_eq!(old.response("password", &[("enc_pass", &encrypted)]), response("0", ""));

    // What is no JSON becomes a string of JSON.
    let broken = Driver::of(&client, "agentbroken");
    assert_eq!(broken.ask("version", &[]), Ok(text(r#""{\"returncode\":\"0\",\"mess""#)));
    let error = broken.ask("inject_file", &file).unwrap_err();
    assert_eq!(error[..3], ["XENAPI_PLUGIN_FAILURE", "inject_file", "PluginError"]);
    assert!(!error[3].is_empty(), "the driver splits it into lines");
}

#[test]
fn failures_of_calls_are_those_of_the_python_plug_ins() {
    let client = client_with(&["agentabsent"]);
    let driver = Driver::of(&client, "agentabsent");
    let dom_id = driver.dom_id();
    for (plugin, function, known, missing) in [
        ("agent", "version", &[][..], "id"),
        ("agent", "version", &["id"], "dom_id"),
        ("agent", "key_init", &["id", "dom_id"], "pub"),
        ("agent", "password", &["id", "dom_id"], "enc_pass"),
        ("agent", "resetnetwork", &["dom_id"], "id"),
        ("agent", "inject_file", &["dom_id", "id", "b64_path"], "b64_contents"),
        ("agent", "inject_file", &["dom_id", "id", "b64_contents"], "b64_path"),
        ("agent", "agentupdate", &["id", "dom_id", "url"], "md5sum"),
        ("xenstore.py", "read_record", &["path"], "dom_id"),
        ("xenstore.py", "read_record", &["dom_id"], "path"),
        ("xenstore.py", "list_records", &["dom_id"], "path"),
        ("xenstore.py", "write_record", &["dom_id", "path"], "value"),
        ("xenstore.py", "delete_record", &["dom_id"], "path"),
    ] {
        let args: Vec<(&str, &str)> = known.iter().map(|name| (*name, dom_id.as_str())).collect();
        let expected = exception(function, "KeyError", &format!("'{missing}'"));
        assert_eq!(driver.plugin(plugin, function, &args), expected);
    }
    let with = |name: &str, value: &str| {
        let mut args = vec![("id", "a-1"), ("dom_id", dom_id.as_str()), ("timeout", "1")];
        args.iter_mut().filter(|(key, _)| *key == name).for_each(|(_, arg)| *arg = value);
        driver.plugin("agent", "version", &args)
    };
    for (name, value) in [
        ("timeout", "soon"),
        ("timeout", ""),
        ("dom_id", "web"),
        ("id", "a/b"),
        ("id", "../../1"),
        ("id", ""),
    ] {
        let error = with(name, value).unwrap_err();
        assert_eq!(error[..3], ["XENAPI_PLUGIN_FAILURE", "version", "ValueError"], "{name}");
        assert!(error[3].starts_with(&format!("{name}: ")), "{error:?}");
    }
    // A domain that is gone, one that never was, and a VM that is halted.
    for dom_id in ["4711", "-1", "4294967296"] {
        let text = format!("REBOOT: dom_id {dom_id} no longer present");
        assert_eq!(with("dom_id", dom_id), exception("version", "RebootDetectedError", &text));
    }
    let privileged = ["OPERATION_NOT_ALLOWED", "Cannot ask the agent of privileged domain 0"];
    assert_eq!(with("dom_id", "0").unwrap_err(), privileged);

    // XenStore holds 4096 bytes. The original's failure had the request in it.
    let long = "hunter2".repeat(600);
    let error = driver.ask("password", &[("enc_pass", &long)]).unwrap_err();
    assert_eq!(error[..3], ["XENAPI_PLUGIN_FAILURE", "password", "XenstoreError"]);
    assert!(error[3].contains("bytes") && !error[3].contains("hunter2"), "{error:?}");

    let unknown = |function: &str| {
        Err(vec!["UNKNOWN_XENAPI_PLUGIN_FUNCTION".to_owned(), function.to_owned()])
    };
    for function in ["features", "keyinit", ""] {
        assert_eq!(driver.plugin("agent", function, &[]), unknown(function));
    }
    assert_eq!(driver.plugin("xenstore.py", "version", &[]), unknown("version"));
    for plugin in ["xenhost.py", "xenstore", "", "Agent"] {
        let missing = Err(vec!["XENAPI_MISSING_PLUGIN".to_owned(), plugin.to_owned()]);
        assert_eq!(driver.plugin(plugin, "version", &[]), missing);
    }
    let wrong_host = [text("nonsense"), text("agent"), text("version"), record(&[])];
    let error = client.call("host.call_plugin", &wrong_host).unwrap_err();
    assert_eq!(error, ["HANDLE_INVALID", "host", "nonsense"]);
}

/// A guest that reboots has another domid, and the driver asks again.
#[test]
fn a_guest_that_reboots_is_asked_again() {
    let client = client_with(&["agentslow", "agentreboots"]);
    let slow = Driver::of(&client, "agentslow");
    let before = slow.dom_id();
    let rebooted = |dom_id: &str| {
        let text = format!("REBOOT: dom_id {dom_id} no longer present");
        exception("version", "RebootDetectedError", &text)
    };
    // An operator resets the guest while it is asked.
    thread::scope(|scope| {
        let reset = scope.spawn(|| {
            let driver = Driver::of(&client, "agentslow");
            driver.until("the request is there", |driver| driver.list("data/host") != json!({}));
            driver.on_vm("VM.hard_reboot");
        });
        assert_eq!(slow.ask("version", &[]), rebooted(&before));
        reset.join().unwrap();
    });
    slow.until("there is a new domid", |slow| {
        !["-1", before.as_str()].contains(&slow.dom_id().as_str())
    });
    assert_eq!(slow.response("version", &[]), response("0", "1.0.0"));
    // The old one stays gone.
    let args = [("id", "a-1"), ("dom_id", before.as_str())];
    assert_eq!(slow.plugin("agent", "version", &args), rebooted(&before));

    // The guest reboots by itself. It is not started again: it ran for less than a minute.
    let rebooting = Driver::of(&client, "agentreboots");
    let before = rebooting.dom_id();
    assert_eq!(rebooting.ask("version", &[]), rebooted(&before));
    rebooting.until("the VM is halted", |driver| driver.dom_id() == "-1");
    assert_eq!(rebooting.ask("version", &[]), rebooted("-1"));
}

/// The driver reads versions with Python's pickle.
#[test]
fn versions_are_pickled() {
    let client = client_with(&["web"]);
    let driver = Driver::of(&client, "web");
    for (plugin, version) in [("nova_plugin_version", "1.8"), ("dom0_plugin_version.py", "2.1")] {
        // Pickled arguments, which no function of it reads.
        let args =
            [("params", "(dp0\nS'args'\np1\n(tsS'kwargs'\np2\n(dp3\ns."), ("host_uuid", "x")];
        let pickled = driver.plugin(plugin, "get_version", &args).unwrap();
        assert_eq!(as_text(&pickled), format!("S'{version}'\np0\n."));
        let read = "import pickle, sys; print(pickle.loads(sys.stdin.buffer.read()))";
        let python = Command::new("python3")
            .args(["-c", read])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut python) = python else {
            eprintln!("skipped: there is no python3 to read {plugin}'s pickle");
            continue;
        };
        python.stdin.take().unwrap().write_all(as_text(&pickled).as_bytes()).unwrap();
        let output = python.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), version);
    }
}

/// Who asks waits for the agent; others do not wait for who asks.
#[test]
fn nobody_else_waits_for_an_agent() {
    let client = client_with(&["agentabsent"]);
    let driver = Driver::of(&client, "agentabsent");
    let dom_id = driver.dom_id();
    let host = client.one("host.get_all", &[]);
    let args = record(&[("id", text("a-1")), ("dom_id", text(&dom_id)), ("timeout", text("600"))]);
    let params = [host, text("agent"), text("version"), args];
    let task = client.call("Async.host.call_plugin", &params).unwrap();
    driver.until("the request is written", |driver| driver.list("data/host") != json!({}));
    let started = Instant::now();
    client.call("VM.pause", std::slice::from_ref(&driver.vm)).unwrap();
    client.call("VM.hard_shutdown", std::slice::from_ref(&driver.vm)).unwrap();
    assert!(started.elapsed() < Duration::from_secs(20));
    driver.until("the task ends", |_| {
        client.call("task.get_status", std::slice::from_ref(&task)) == Ok(text("failure"))
    });
    let error = strings(&client.call("task.get_error_info", &[task]).unwrap());
    let gone = format!("REBOOT: dom_id {dom_id} no longer present");
    assert_eq!(Err(error), exception("version", "RebootDetectedError", &gone));
}

#[tokio::test(flavor = "multi_thread")]
async fn users_ask_the_agents_of_their_own_guests() {
    let accounts = vec![
        account("steve", "lj", "see guest", Limits::default()),
        account("bob", "lj other", "see power console configure", Limits::default()),
    ];
    let vms = [guest_of_account("lj", 1, ""), guest_of_account("other", 2, "")];
    let host = AccountHost::new(accounts, &vms).await;
    let operator = host.log_in_as_operator().await;
    let steve = host.log_in("steve").await;
    let bob = host.log_in("bob").await;
    let of_other = Driver::of(&operator, "other").dom_id();
    let own = Driver::of(&steve, "lj");
    assert_eq!(own.response("version", &[]), response("0", "1.0.0"));
    let encrypted = exchange_keys(&own).encrypt(&Password::new("x").unwrap(), Digest::Md5);
    assert_eq!(own.response("password", &[("enc_pass", &encrypted)]), response("0", ""));
    let file = [("b64_path", "L2V0Yy9tb3Rk"), ("b64_contents", "SGVsbG8=")];
    assert_eq!(own.response("inject_file", &file), response("0", ""));
    assert_eq!(own.response("resetnetwork", &[]), response("0", ""));
    assert!(own.plugin("nova_plugin_version", "get_version", &[]).is_ok());

    let denied = |answer: CallResult| {
        let error = answer.unwrap_err();
        assert_eq!(error[0], "PERMISSION_DENIED", "{error:?}");
    };
    let without_right = Driver::of(&bob, "lj");
    for (function, args) in [
        ("version", &[][..]),
        ("key_init", &[("pub", "128492706489454800633959484585958")]),
        ("password", &[("enc_pass", "+QS+vk/oLxFzjLFWmWlFqw==")]),
        ("inject_file", &file),
        ("resetnetwork", &[]),
        ("agentupdate", &[("url", "x"), ("md5sum", "y")]),
    ] {
        denied(without_right.ask(function, args));
    }
    // XenStore is for operators alone.
    let node = [("path", "vm-data/x"), ("value", "y"), ("ignore_missing_path", "True")];
    for function in ["read_record", "write_record", "list_records", "delete_record"] {
        denied(own.store(function, &node));
        assert!(Driver::of(&operator, "lj").store(function, &node).is_ok(), "{function}");
    }

    // A guest that they do not see is as gone as one that never was.
    for function in ["version", "resetnetwork"] {
        let asked = |dom_id: &str| {
            let answer = own.plugin("agent", function, &[("id", "a-1"), ("dom_id", dom_id)]);
            answer.unwrap_err().join(" ").replace(dom_id, "N")
        };
        assert_eq!(asked(&of_other), asked("4711"));
        assert_eq!(asked("0"), asked("4711"), "Domain-0");
    }
    for function in ["read_record", "write_record", "list_records", "delete_record"] {
        let asked = |dom_id: &str| {
            let args = [&node[..], &[("dom_id", dom_id)]].concat();
            let answer = own.plugin("xenstore.py", function, &args);
            format!("{answer:?}").replace(dom_id, "N")
        };
        assert_eq!(asked(&of_other), asked("4711"), "{function}");
        assert_eq!(asked("0"), asked("4711"), "Domain-0: {function}");
    }
}

/// Passwords and contents of files are in no answer, task, event or log.
#[test]
fn what_is_sent_to_a_guest_is_nowhere() {
    const SECRET: &str = "hunter2hunter2hunter2=";
    let names = ["web", "agentold", "agentbroken", "agentabsent"];
    let client = client_with(&names);
    let mut events = EventClient::new(&client.daemon, "/xend/events", JSON);
    client.call("event.register", &[Value::Array(vec![])]).unwrap();
    let host = client.one("host.get_all", &[]);
    let mut answers = Vec::new();
    let mut tasks = 0;
    for name in names {
        let driver = Driver::of(&client, name);
        let dom_id = driver.dom_id();
        let long = SECRET.repeat(400);
        let calls: [(&str, &str, Args<'_>); 11] = [
            ("agent", "key_init", &[("pub", SECRET)]),
            ("agent", "password", &[("enc_pass", SECRET)]),
            ("agent", "password", &[("enc_pass", &long)]),
            ("agent", "inject_file", &[("b64_path", "L2E="), ("b64_contents", SECRET)]),
            ("agent", "inject_file", &[("b64_path", SECRET), ("b64_contents", "SGVsbG8=")]),
            ("agent", "inject_file", &[("b64_path", "L2E="), ("b64_contents", &long)]),
            ("agent", "agentupdate", &[("url", SECRET), ("md5sum", SECRET)]),
            ("agent", "version", &[("enc_pass", SECRET), ("id", "a/b")]),
            ("xenstore.py", "write_record", &[("path", "vm-data/x"), ("value", &long)]),
            ("xenstore.py", "write_record", &[("path", "a b"), ("value", SECRET)]),
            ("nosuch", "password", &[("enc_pass", SECRET)]),
        ];
        // For a file the agent is first asked for its features, for 30 seconds.
        let is_quick = |(_, function, _): &(&str, &str, _)| {
            name != "agentabsent" || *function != "inject_file"
        };
        for (plugin, function, args) in calls.into_iter().filter(is_quick) {
            let always = [("id", "a-1"), ("dom_id", dom_id.as_str()), ("timeout", "1")];
            let answer = driver.plugin(plugin, function, &[&always, args].concat());
            answers.push(format!("{name} {plugin} {function}: {answer:?}"));
        }
        // What is no map of texts, and tasks, which others can read.
        for args in [
            text(SECRET),
            Value::Array(vec![text(SECRET)]),
            record(&[("enc_pass", Value::Array(vec![text(SECRET)]))]),
            record(&[
                ("id", text("a-2")),
                ("dom_id", text(&dom_id)),
                ("timeout", text("1")),
                ("enc_pass", text(SECRET)),
                ("path", text("vm-data/x")),
                ("value", text(SECRET)),
            ]),
        ] {
            for (plugin, function) in [("agent", "password"), ("xenstore.py", "write_record")] {
                let params = [host.clone(), text(plugin), text(function), args.clone()];
                let task = client.call("Async.host.call_plugin", &params).unwrap();
                driver.until("the task ends", |_| {
                    let task = std::slice::from_ref(&task);
                    client.call("task.get_status", task) != Ok(text("pending"))
                });
                tasks += 1;
                if plugin == "agent" {
                    answers.push(format!("{:?}", client.call("host.call_plugin", &params)));
                }
            }
        }
        assert_eq!(driver.read("vm-data/x"), SECRET);
        driver.store("delete_record", &[("path", "vm-data/x")]).unwrap();
    }
    let records = members(client.call("task.get_all_records", &[]).unwrap());
    assert_eq!(records.len(), tasks);
    answers.extend(records.into_values().map(|record| format!("{record:?}")));
    answers.push(format!("event.next {:?}", client.call("event.next", &[]).unwrap()));
    answers.push(as_text(&client.call("host.get_log", &[host]).unwrap()).to_owned());
    answers.push(client.daemon.log());
    client.daemon.create(&guest("last", ""));
    let seen = std::iter::from_fn(|| events.event()).take_while(|event| event["domain"] != "last");
    let seen: Vec<Json> = seen.collect();
    assert!(seen.iter().any(|event| event["op"] == "password"), "{seen:?}");
    answers.push(format!("{seen:?}"));
    let leaking: Vec<_> = answers.iter().filter(|text| text.contains("hunter2")).collect();
    assert!(leaking.is_empty(), "{leaking:#?}");
}
