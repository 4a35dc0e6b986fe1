//! Accounts on the listeners of XML-RPC: who logs in as whom, and what a user may do.

use crate::http_support::{Listener, ask};
use crate::xenapi_support::{api_call, raw_call, record, strings, text};
use crate::xmlrpc_accounts_support::{
    AccountHost, SessionClient, account, guest, network, rights, texts_in, unix,
};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::{Duration, Instant};
use xend::core::caller::{Caller, Via};
use xend::core::ports::{Authenticator, LoginError};
use xend::core::rights::{Account, Limits};
use xend::wire::xmlrpc::codec;
use xend::wire::xmlrpc::{Endpoint, LegacyPolicy, LoginPolicy, Value};

/// Steve has two VMs, and bob another one.
fn accounts() -> Vec<Account> {
    vec![
        Account {
            uids: vec![1000],
            ..account("steve", "lj one.my.*", "see power console", Limits::default())
        },
        account("bob", "other", "see power", Limits::default()),
    ]
}

async fn host() -> AccountHost {
    let vms = [guest("lj", 1, ""), guest("one.my.site", 2, ""), guest("other", 3, "")];
    AccountHost::new(accounts(), &vms).await
}

fn login(listener: &Listener, name: &str, password: &str) -> Result<Value, Vec<String>> {
    api_call(listener, "session.login_with_password", &[text(name), text(password)])
}

/// The name that a session has logged in with.
fn user_of(listener: &Listener, session: &Value) -> Value {
    api_call(listener, "session.get_this_user", &[session.clone(), session.clone()]).unwrap()
}

/// The names of the VMs that a session sees.
fn names(listener: &Listener, session: &Value) -> Vec<String> {
    let vms = api_call(listener, "VM.get_all", std::slice::from_ref(session)).unwrap();
    let name = |vm: String| {
        let name = api_call(listener, "VM.get_name_label", &[session.clone(), text(&vm)]).unwrap();
        let Value::Text(name) = name else { panic!("{name:?}") };
        name
    };
    strings(&vms).into_iter().map(name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn users_log_in_with_the_passwords_of_their_accounts() {
    let host = host().await;
    let (_server, listener) = host.users_listener().await;
    for (name, password) in [("steve", "wrong"), ("nobody", "nobody"), ("", "")] {
        let refused = login(&listener, name, password).unwrap_err();
        assert_eq!(refused, ["SESSION_AUTHENTICATION_FAILED"], "{name}");
    }
    let busy = login(&listener, "busy", "busy").unwrap_err();
    assert_eq!(busy, ["OPERATION_NOT_ALLOWED", "Too many logins are waiting, try again"]);
    let steve = login(&listener, "steve", "steve").unwrap();
    let bob = login(&listener, "bob", "bob").unwrap();
    assert_eq!(user_of(&listener, &steve), text("steve"));
    assert_eq!(names(&listener, &steve), ["lj", "one.my.site"]);
    assert_eq!(names(&listener, &bob), ["other"]);
    let Value::Text(of_bob) = &bob else { panic!() };
    let foreign = api_call(&listener, "session.get_this_user", &[steve.clone(), bob.clone()]);
    assert_eq!(foreign, Err(vec!["HANDLE_INVALID".into(), "session".into(), of_bob.clone()]));
    // Whoever uses a session is its user, and an operator's connection adds nothing to it.
    let operator = Caller::operator(network());
    let trusting = Endpoint::XenApi(LoginPolicy::Trust);
    let (_trusting, elsewhere) = host.listen(trusting, operator).await;
    assert_eq!(names(&elsewhere, &steve), ["lj", "one.my.site"]);
    let host_ref = api_call(&elsewhere, "host.get_all", std::slice::from_ref(&steve)).unwrap();
    let [host_ref] = &strings(&host_ref)[..] else { panic!() };
    let log = api_call(&elsewhere, "host.get_log", &[steve.clone(), text(host_ref)]);
    assert_eq!(log.unwrap_err()[0], "PERMISSION_DENIED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_follows_its_account_and_ends_with_it() {
    let host = host().await;
    let (_server, listener) = host.users_listener().await;
    let steve = login(&listener, "steve", "steve").unwrap();
    let bob = login(&listener, "bob", "bob").unwrap();
    let event_session = login(&listener, "steve", "steve").unwrap();
    let every = Value::Array(vec![]);
    api_call(&listener, "event.register", &[event_session.clone(), every]).unwrap();
    let mut changed = accounts();
    changed[0].access.grants[0].domains.truncate(1);
    host.accounts.replace(changed.clone(), None);
    assert_eq!(names(&listener, &steve), ["lj"]);
    let waits = api_call(&listener, "Async.debug.wait", &[steve.clone(), text("3000")]).unwrap();
    changed.remove(0);
    host.accounts.replace(changed, None);
    let operator = host.log_in_as_operator().await;
    let until = Instant::now() + Duration::from_secs(60);
    while operator.call("task.get_status", std::slice::from_ref(&waits)) != Ok(text("failure")) {
        assert!(Instant::now() < until, "a task that waits ends with the account");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let Value::Text(reference) = &steve else { panic!() };
    let ended = vec!["SESSION_INVALID".to_owned(), reference.clone()];
    for method in ["VM.get_all", "Async.VM.get_all", "session.logout", "event.next"] {
        assert_eq!(api_call(&listener, method, std::slice::from_ref(&steve)), Err(ended.clone()));
    }
    let next = api_call(&listener, "event.next", &[event_session]).unwrap_err();
    assert_eq!(next[0], "SESSION_INVALID");
    assert_eq!(login(&listener, "steve", "steve").unwrap_err(), ["SESSION_AUTHENTICATION_FAILED"]);
    assert_eq!(names(&listener, &bob), ["other"]);
    // The account is there again: the old session stays invalid.
    host.accounts.replace(accounts(), None);
    assert_eq!(api_call(&listener, "VM.get_all", &[steve]), Err(ended));
}

/// Accepts one password for all names.
struct OnePassword;

#[async_trait]
impl Authenticator for OnePassword {
    async fn check(&self, _: &str, password: &str, _: &Via) -> Result<(), LoginError> {
        if password == "geheim" {
            return Ok(());
        }
        Err(LoginError::Refused("wrong password".to_owned()))
    }
}

/// What a login of `root` with a password leads to: the names that the session sees, or the code.
async fn outcome(host: &AccountHost, policy: LoginPolicy, caller: Caller) -> Vec<String> {
    let (_server, listener) = host.listen(Endpoint::XenApi(policy), caller).await;
    match login(&listener, "root", "geheim") {
        Ok(session) => {
            let Value::Text(user) = user_of(&listener, &session) else { panic!() };
            [vec![user], names(&listener, &session)].concat()
        }
        Err(failure) => failure[..1].to_vec(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kernel_and_the_password_say_who_logs_in() {
    let host = host().await;
    let steve = host.user("steve");
    let password = || LoginPolicy::Password(Arc::new(OnePassword));
    let users = || LoginPolicy::Users(host.logins());
    let all = ["root", "Domain-0", "lj", "one.my.site", "other"].as_slice();
    let own = ["steve", "lj", "one.my.site"].as_slice();
    let denied = ["PERMISSION_DENIED"].as_slice();
    let failed = ["SESSION_AUTHENTICATION_FAILED"].as_slice();
    let as_steve = |via| Caller::of_user(via, steve.clone());
    let cases = [
        // Root and the daemon's own user.
        (LoginPolicy::Trust, Caller::operator(unix(0)), all),
        (LoginPolicy::Deny, Caller::operator(unix(0)), all),
        (users(), Caller::operator(unix(0)), all),
        // Another user of the machine.
        (LoginPolicy::Trust, Caller::operator(unix(7)), denied),
        (LoginPolicy::Deny, Caller::operator(unix(7)), denied),
        (password(), Caller::operator(unix(7)), all),
        (users(), Caller::operator(unix(7)), failed),
        // One with an account, who gives another name.
        (LoginPolicy::Trust, as_steve(unix(1000)), own),
        (LoginPolicy::Deny, as_steve(unix(1000)), own),
        (password(), as_steve(unix(1000)), own),
        (users(), as_steve(unix(1000)), own),
        // Over the network.
        (LoginPolicy::Trust, Caller::operator(network()), all),
        (LoginPolicy::Trust, as_steve(network()), own),
        (LoginPolicy::Trust, Caller::nobody(network()), denied),
        (LoginPolicy::Deny, Caller::nobody(network()), denied),
        (password(), Caller::nobody(network()), all),
        (users(), Caller::nobody(network()), failed),
        (users(), as_steve(network()), failed),
    ];
    for (policy, caller, expected) in cases {
        let shown = format!("{caller:?}");
        let mut found = outcome(&host, policy, caller).await;
        if found.len() > 1 {
            found[1..].sort();
        }
        assert_eq!(found, expected, "{shown}");
    }
    // A user whose account has gone is nobody.
    host.accounts.replace(vec![], None);
    for caller in [as_steve(unix(1000)), as_steve(network())] {
        assert_eq!(outcome(&host, LoginPolicy::Trust, caller).await, denied);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_told_what_to_do() {
    let host = host().await;
    let nobody = Caller::nobody(network());
    let calls = [("xend.domains", vec![Value::Int(0)]), ("xend.node.info", vec![])];
    // A listener that trusts some users of the machine.
    let (_trusting, trusting) = host.legacy(LegacyPolicy::Trust, nobody.clone()).await;
    for (method, params) in &calls {
        let (code, reason) = raw_call(&trusting, method, params).unwrap_err();
        assert!(code == 2 && reason.contains("xend-trusted-users"), "{reason}");
    }
    assert!(raw_call(&trusting, "system.listMethods", &[]).is_err());
    let trusting = Endpoint::XenApi(LoginPolicy::Trust);
    let (_xenapi, xenapi) = host.listen(trusting, nobody.clone()).await;
    let reason = login(&xenapi, "root", "").unwrap_err();
    assert!(reason[0] == "PERMISSION_DENIED" && reason[1].contains("xend-trusted-users"));
    assert!(raw_call(&xenapi, "xend.domains", &[]).unwrap_err().1.contains("xend-trusted-users"));
    // Listeners with accounts. The Xen-API has sessions.
    let (_users, users) = host.legacy(LegacyPolicy::Users, nobody.clone()).await;
    let (_both, both) = host.users_listener().await;
    for listener in [&users, &both] {
        let body = codec::call("xend.domains", &[Value::Int(0)]);
        let head = "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length:";
        let answer = ask(listener, format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes());
        assert_eq!(answer.code, 401);
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Basic realm=\"xend\""), "{challenge}");
        assert!(answer.text().contains("http://USER:PASSWORD@HOST/"), "{}", answer.text());
    }
    let methods = raw_call(&both, "system.listMethods", &[]).unwrap();
    let methods = strings(&methods);
    assert!(methods.contains(&"VM.start".to_owned()));
    assert!(!methods.iter().any(|method| method.starts_with("xend.")));
}

fn legacy_names(listener: &Listener) -> Vec<String> {
    strings(&raw_call(listener, "xend.domains", &[Value::Int(0)]).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn xend_calls_show_a_user_the_own_domains() {
    let host = host().await;
    let steve = Caller::of_user(network(), host.user("steve"));
    let policy = LoginPolicy::Users(host.logins());
    let (_both, both) = host.listen(Endpoint::XenApi(policy), steve.clone()).await;
    let (_legacy, legacy) = host.legacy(LegacyPolicy::Users, steve).await;
    for listener in [&legacy, &both] {
        assert_eq!(legacy_names(listener), ["lj", "one.my.site"]);
        let methods = strings(&raw_call(listener, "system.listMethods", &[]).unwrap());
        assert!(methods.contains(&"xend.domains".to_owned()));
    }
    for (method, more) in [("xend.domains", vec![]), ("xend.domains_with_state", vec![text("all")])]
    {
        let params = [vec![Value::Int(1)], more].concat();
        let records = raw_call(&legacy, method, &params).unwrap();
        let texts = texts_in(&records);
        assert!(texts.contains(&"lj".to_owned()) && !texts.iter().any(|text| text == "other"));
    }
    let pause = |name: &str| raw_call(&legacy, "xend.domain.pause", &[text(name)]);
    pause("lj").unwrap();
    assert_eq!(raw_call(&legacy, "xend.domain.getpauseflag", &[text("lj")]), Ok(Value::Bool(true)));
    // By its domid and its UUID, too.
    for name in ["other", "3", "00000000-0000-0003-0000-000000000000", "Domain-0", "0"] {
        assert_eq!(pause(name), Err((3, name.to_owned())), "{name}");
    }
    let refused = |method: &str, params: &[Value], word: &str| {
        let (code, reason) = raw_call(&legacy, method, params).unwrap_err();
        assert!(code == 2 && reason.starts_with("Not allowed: "), "{method}: {reason}");
        assert!(reason.contains(word), "{method}: {reason}");
    };
    let lj = text("lj");
    refused("xend.node.info", &[], "host-facts");
    refused("xend.cpu_pool.list", &[], "host-facts");
    refused("xend.node.log", &[], "operators");
    refused("xend.node.dmesg.info", &[], "operators");
    refused("xend.node.dmesg.clear", &[], "operators");
    refused("xend.node.send_debug_keys", &[text("h")], "operators");
    refused("xend.domain.save", &[lj.clone(), text("/tmp/lj")], "");
    refused("xend.domain.setMemoryTarget", &[lj.clone(), Value::Int(32)], "memory-and-cpus");
    refused("xend.domain.setName", &[lj.clone(), text("one.my.lj")], "configure");
    refused("xend.domain.delete", std::slice::from_ref(&lj), "create");
    // The number of CPUs of the host is no secret that an error tells.
    refused("xend.domain.pincpu", &[lj.clone(), text("0"), text("4000")], "operators");
    let sedf = [vec![lj], vec![Value::Int(0); 5]].concat();
    refused("xend.domain.cpu_sedf_set", &sedf, "operators");
}

/// Functions whose first parameter is a domain.
fn functions_of_domains(listener: &Listener) -> Vec<(String, usize)> {
    let methods = strings(&raw_call(listener, "system.listMethods", &[]).unwrap());
    let required = |method: &String| {
        let help = raw_call(listener, "system.methodHelp", &[text(method)]).unwrap();
        let Value::Text(help) = help else { panic!() };
        let params = help.split_once('(')?.1.trim_end_matches(')').to_owned();
        let is_of_domain = params == "dom" || params.starts_with("dom,");
        is_of_domain.then(|| params.split(", ").filter(|name| !name.starts_with('[')).count())
    };
    let found = methods.into_iter().filter_map(|method| Some((required(&method)?, method)));
    found.map(|(count, method)| (method, count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn xend_calls_know_no_foreign_domain() {
    let host = host().await;
    let before = host.engine.view(&Caller::internal()).snapshot();
    let steve = Caller::of_user(network(), host.user("steve"));
    let (_legacy, legacy) = host.legacy(LegacyPolicy::Users, steve).await;
    let functions = functions_of_domains(&legacy);
    assert!(functions.len() > 40, "{functions:?}");
    for (method, count) in functions {
        for filler in [text("1"), text("/tmp/x"), Value::Array(vec![text("vbd")])] {
            let answer = |name: &str| {
                let mut params = vec![filler.clone(); count];
                params[0] = text(name);
                let answer = raw_call(&legacy, &method, &params);
                answer.map_err(|(code, reason)| (code, reason.replace(name, "DOMAIN")))
            };
            let missing = answer("nosuch");
            assert!(missing.is_err(), "{method}");
            assert_eq!(answer("other"), missing, "{method}");
            assert_eq!(answer("00000000-0000-0003-0000-000000000000"), missing, "{method}");
        }
    }
    let after = host.engine.view(&Caller::internal()).snapshot();
    assert_eq!(after.config_changes.number(), before.config_changes.number());
}

/// Asserts that a call is refused with these words.
fn assert_denied(client: &SessionClient, method: &str, params: &[Value], words: &str) {
    let failure = client.call(method, params).unwrap_err();
    assert_eq!((failure[0].as_str(), failure.len()), ("PERMISSION_DENIED", 2), "{method}");
    assert!(failure[1].contains(words), "{method}: {failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_does_what_the_rights_allow() {
    let host = host().await;
    let steve = host.log_in("steve").await;
    let lj = steve.vm("lj");
    let state = || steve.on("VM.get_power_state", &lj).unwrap();
    for (call, expected) in
        [("pause", "Paused"), ("unpause", "Running"), ("hard_shutdown", "Halted")]
    {
        steve.on(&format!("VM.{call}"), &lj).unwrap();
        assert_eq!(state(), text(expected));
    }
    steve.call("VM.start", &[text(&lj), Value::Bool(true)]).unwrap();
    assert_eq!(state(), text("Paused"));
    let vm = text(&lj);
    let vif = text(&steve.all("VIF")[0]);
    let vbd = text(&steve.all("VBD")[0]);
    let one = |class: &str| text(&steve.all(class)[0]);
    let number = || text("33554432");
    let denied: &[(&str, Vec<Value>, &str)] = &[
        ("VM.suspend", vec![vm.clone()], "save"),
        ("VM.destroy", vec![vm.clone()], "create"),
        ("VM.clone", vec![vm.clone()], "create"),
        ("VM.create", vec![record(&[])], "create"),
        ("VM.restore", vec![text("/tmp/x"), Value::Bool(false)], "create"),
        ("VM.save", vec![vm.clone(), text("/tmp/x"), Value::Bool(false)], ""),
        ("VM.migrate", vec![vm.clone(), text("x"), Value::Bool(false), record(&[])], "migrate"),
        ("VM.set_name_label", vec![vm.clone(), text("one.my.lj")], "configure"),
        ("VM.set_name_description", vec![vm.clone(), text("x")], "configure"),
        ("VM.set_other_config", vec![vm.clone(), record(&[])], "configure"),
        ("VM.set_PV_bootloader", vec![vm.clone(), text("/bin/sh")], "configure"),
        ("VM.set_pool_name", vec![vm.clone(), text("x")], "operators"),
        ("VM.set_memory_dynamic_max_live", vec![vm.clone(), number()], "memory-and-cpus"),
        ("VM.set_memory_static_max", vec![vm.clone(), number()], "memory-and-cpus"),
        ("VM.set_VCPUs_max", vec![vm.clone(), text("2")], "memory-and-cpus"),
        ("VM.set_VCPUs_number_live", vec![vm.clone(), text("1")], "memory-and-cpus"),
        ("VM.add_to_VCPUs_params", vec![vm.clone(), text("weight"), text("7")], "operators"),
        ("VM.add_to_VCPUs_params", vec![vm.clone(), text("cpumap0"), text("99")], "operators"),
        ("VIF.set_MAC", vec![vif.clone(), text("00:16:3e:00:00:99")], "devices"),
        ("VIF.unplug", vec![vif.clone()], "devices"),
        ("VIF.plug", vec![vif], "devices"),
        ("VBD.set_mode", vec![vbd.clone(), text("RO")], "devices"),
        ("VBD.destroy", vec![vbd], "devices"),
        ("VDI.destroy", vec![one("VDI")], "operators"),
        ("VDI.create", vec![record(&[])], "operators"),
        ("network.create", vec![record(&[])], "operators"),
        ("network.destroy", vec![one("network")], "operators"),
        ("network.set_name_description", vec![one("network"), text("x")], "operators"),
        ("PIF.create_VLAN", vec![text("eth0"), text("x"), text("x"), text("7")], "operators"),
        ("PBD.create", vec![record(&[])], "operators"),
        ("cpu_pool.create", vec![record(&[])], "operators"),
        ("host.get_log", vec![one("host")], "operators"),
        ("host.dmesg", vec![one("host")], "operators"),
        ("host.dmesg_clear", vec![one("host")], "operators"),
        ("host.send_debug_keys", vec![one("host"), text("h")], "operators"),
        ("host.disable", vec![one("host")], "operators"),
        ("host.shutdown", vec![one("host")], "operators"),
        ("host.reboot", vec![one("host")], "operators"),
        ("host.set_name_label", vec![one("host"), text("x")], "operators"),
        ("pool.set_name_label", vec![one("pool"), text("x")], "operators"),
        ("SR.set_name_label", vec![one("SR"), text("x")], "operators"),
    ];
    for (method, params, words) in denied {
        assert_denied(&steve, method, params, words);
    }
    assert_eq!(state(), text("Paused"));
    assert_eq!(steve.on("VM.get_name_description", &lj), Ok(text("of lj")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_creates_vms_within_the_limits() {
    let limits = Limits {
        domains: Some(2),
        memory_mib: Some(256),
        bridges: vec!["xenbr0".to_owned(), "customers".to_owned()],
        kernels: vec!["/boot/guests".into()],
        ..Limits::default()
    };
    let names = "see power console configure devices memory-and-cpus create";
    let ann = Account { uids: vec![], ..account("ann", "ann-*", names, limits) };
    let host = AccountHost::new(vec![ann], &[guest("other", 3, "")]).await;
    let client = host.log_in("ann").await;
    assert!(client.all("VM").is_empty() && client.all("VDI").is_empty());
    let new = |name: &str, memory: &str, more: &[(&str, &str)]| {
        let own = [("name_label", name), ("memory_dynamic_max", memory)];
        let all: Vec<_> = own.iter().chain(more).map(|(key, value)| (*key, text(value))).collect();
        client.call("VM.create", &[record(&all)])
    };
    let mib = |mib: u64| (mib << 20).to_string();
    let kernel = [("PV_kernel", "/boot/guests/vmlinuz")];
    let Value::Text(first) = new("ann-1", &mib(64), &kernel).unwrap() else { panic!() };
    assert_eq!(client.vm("ann-1"), first);
    assert_eq!(client.on("VM.get_power_state", &first), Ok(text("Halted")));
    let refused = |answer: Result<Value, Vec<String>>, words: &str| {
        let failure = answer.unwrap_err();
        assert!(failure[0] == "PERMISSION_DENIED" && failure[1].contains(words), "{failure:?}");
    };
    refused(new("ann-2", &mib(64), &[("PV_kernel", "/boot/vmlinuz")]), "kernel");
    refused(new("ann-2", &mib(64), &[("PV_bootloader", "/bin/sh")]), "bootloader");
    refused(new("ann-2", &mib(512), &kernel), "256 MiB");
    refused(new("bob-1", &mib(64), &kernel), "bob-1");
    // A UUID that a foreign VM has, and one that no VM has.
    for uuid in ["00000000-0000-0003-0000-000000000000", "00000000-0000-0009-0000-000000000000"] {
        refused(new("ann-2", &mib(64), &[("uuid", uuid)]), "xend chooses the UUIDs");
    }
    assert_eq!(new("ann-1", &mib(64), &kernel).unwrap_err()[0], "UNIQUE_NAME_ERROR");
    let copied = client.call("VM.clone", &[text(&first), text("ann-2")]).unwrap();
    assert_eq!(copied, text(&client.vm("ann-2")));
    refused(new("ann-3", &mib(64), &kernel), "2 domains");
    // The bridges of the account are networks, and others are not there.
    let labels: Vec<Value> =
        client.records("network").into_values().map(|one| one["name_label"].clone()).collect();
    assert_eq!(labels.len(), 2, "{labels:?}");
    let operator = host.log_in_as_operator().await;
    let network = |client: &SessionClient, bridge: &str| {
        strings(&client.call("network.get_by_name_label", &[text(bridge)]).unwrap())
    };
    let [foreign] = &network(&operator, "br-other")[..] else { panic!() };
    let [allowed] = &network(&client, "customers")[..] else { panic!() };
    let plug = |network: &str| {
        client.call("VIF.create", &[record(&[("VM", text(&first)), ("network", text(network))])])
    };
    let unknown = vec!["HANDLE_INVALID".to_owned(), "network".to_owned(), foreign.clone()];
    assert_eq!(plug(foreign), Err(unknown));
    plug(allowed).unwrap();
    // A disabled host starts no VM, whoever sees why.
    let host_ref = text(&client.all("host")[0]);
    operator.call("host.disable", std::slice::from_ref(&host_ref)).unwrap();
    assert_eq!(
        client.call("host.get_enabled", std::slice::from_ref(&host_ref)),
        Ok(Value::Bool(false))
    );
    let start = || client.call("VM.start", &[text(&first), Value::Bool(false)]);
    assert_eq!(start().unwrap_err()[0], "OPERATION_NOT_ALLOWED");
    operator.call("host.enable", &[host_ref]).unwrap();
    start().unwrap();
    client.on("VM.hard_shutdown", &first).unwrap();
    client.on("VM.destroy", &first).unwrap();
    assert_eq!(client.on("VM.get_uuid", &first).unwrap_err()[0], "HANDLE_INVALID");
}

/// Facts about the host can be given to a user, who then sees no more VMs.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_the_right_sees_the_host() {
    let mut known = accounts();
    known[0].access.grants[0].rights = rights("see host-facts");
    let vms = [guest("lj", 1, ""), guest("other", 3, "")];
    let host = AccountHost::new(known, &vms).await;
    let steve = host.log_in("steve").await;
    let operator = host.log_in_as_operator().await;
    for class in ["host_cpu", "PIF", "PPCI", "PSCSI", "PSCSI_HBA", "cpu_pool", "network", "SR"] {
        let mut all = operator.all(class);
        if class == "network" {
            let foreign =
                strings(&operator.call("network.get_by_name_label", &[text("br-other")]).unwrap());
            all.retain(|one| !foreign.contains(one));
        }
        assert!(!all.is_empty());
        assert_eq!(steve.all(class), all, "{class}");
    }
    let version = |client: &SessionClient| {
        client.on("host.get_software_version", &client.all("host")[0]).unwrap()
    };
    assert_eq!(version(&steve), version(&operator));
    assert_eq!(
        steve.on("host.get_resident_VMs", &steve.all("host")[0]).map(|all| strings(&all)),
        Ok(vec![steve.vm("lj")])
    );
    let pool = &steve.all("cpu_pool")[0];
    let started = steve.on("cpu_pool.get_started_VMs", pool).map(|all| strings(&all));
    assert_eq!(started, Ok(vec![steve.vm("lj")]));
    assert_denied(&steve, "host.dmesg", &[text(&steve.all("host")[0])], "operators");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_made_by_the_user_of_its_session() {
    let host = host().await;
    let steve = host.log_in("steve").await;
    let lj = steve.vm("lj");
    let ended = |task: &Value| {
        let Value::Text(task) = task else { panic!() };
        steve.until("the task ends", |_| steve.on("task.get_status", task) != Ok(text("pending")));
        strings(&steve.on("task.get_error_info", task).unwrap())
    };
    let operator = host.log_in_as_operator().await;
    let other = operator.vm("other");
    let own = steve.on("Async.VM.pause", &lj).unwrap();
    assert_eq!(ended(&own), Vec::<String>::new());
    let foreign = steve.on("Async.VM.pause", &other).unwrap();
    assert_eq!(ended(&foreign), ["HANDLE_INVALID", "VM", other.as_str()]);
    let beyond = steve.on("Async.VM.suspend", &lj).unwrap();
    assert_eq!(ended(&beyond)[0], "PERMISSION_DENIED");
    let file = text("/etc/passwd");
    let restore = steve.call("Async.VM.restore", &[file, Value::Bool(false)]).unwrap();
    assert_eq!(ended(&restore)[0], "PERMISSION_DENIED");
}
