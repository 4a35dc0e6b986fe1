//! The Xen-API over a real socket: sessions, the order of checks, and the life of a VM.

use crate::http_support::{Daemon, Listener, ask, encoded, guest};
use crate::xenapi_support::{Client, members, slow_vm, strings, text};
use rustix::process::Signal;
use std::path::Path;
use xend::wire::xmlrpc::Value;
use xend::wire::xmlrpc::codec::{self, XmlLimits};

#[test]
fn a_client_reads_pauses_and_renames_a_vm() {
    let client = Client::populated();
    let vm = client.vm("web");
    let state = |client: &Client| client.power_state(&client.vm("web"));
    let all = client.call("VM.get_all", &[]).unwrap();
    assert!(strings(&all).iter().any(|uuid| *uuid == strings(&Value::Array(vec![vm.clone()]))[0]));
    assert_eq!(client.call("VM.get_name_label", std::slice::from_ref(&vm)), Ok(text("web")));
    let metrics = client.call("VM.get_metrics", std::slice::from_ref(&vm)).unwrap();
    let Value::Struct(utilisation) =
        client.call("VM_metrics.get_VCPUs_utilisation", &[metrics]).unwrap()
    else {
        panic!()
    };
    assert!(matches!(utilisation.as_slice(), [(zero, Value::Double(_)), ..] if zero == "0"));
    assert_eq!(client.call("VM.pause", std::slice::from_ref(&vm)), Ok(text("")));
    assert_eq!(client.call("VM.set_pauseflag", &[vm.clone(), Value::Bool(true)]), Ok(text("")));
    assert_eq!(state(&client), "Paused");
    assert_eq!(client.call("VM.unpause", std::slice::from_ref(&vm)), Ok(text("")));
    assert_eq!(state(&client), "Running");
    let Value::Text(reference) = vm.clone() else { panic!() };
    let wrong =
        vec!["VM_BAD_POWER_STATE".to_owned(), reference, "Halted".to_owned(), "Running".to_owned()];
    // xm sends a number where a boolean belongs.
    assert_eq!(client.call("VM.start", &[vm.clone(), Value::Int(0)]), Err(wrong));
    assert_eq!(client.call("VM.set_name_label", &[vm.clone(), text("shop")]), Ok(text("")));
    assert_eq!(client.call("VM.get_by_name_label", &[text("web")]), Ok(Value::Array(vec![])));
    assert_eq!(client.call("VM.hard_shutdown", std::slice::from_ref(&vm)), Ok(text("")));
    assert_eq!(client.call("VM.get_record", &[vm]).unwrap_err()[0], "HANDLE_INVALID");
}

#[test]
fn a_managed_vm_goes_through_all_power_states() {
    let client = Client::new();
    let define = format!("op=new&config={}", encoded(&guest("web", "")));
    assert_eq!(client.daemon.post("/xend/domain", &define).code, 200);
    let vm = client.vm("web");
    let does = |method: &str, more: &[Value], state: &str| {
        let mut params = vec![vm.clone()];
        params.extend_from_slice(more);
        assert_eq!(client.call(method, &params), Ok(text("")), "{method}");
        assert_eq!(client.power_state(&vm), state, "{method}");
    };
    assert_eq!(client.power_state(&vm), "Halted");
    assert_eq!(client.call("VM.get_domid", std::slice::from_ref(&vm)), Ok(text("-1")));
    does("VM.start", &[Value::Bool(true)], "Paused");
    does("VM.unpause", &[], "Running");
    does("VM.set_VCPUs_number_live", &[text("1")], "Running");
    does("VM.set_memory_dynamic_max_live", &[text(&(48_u64 << 20).to_string())], "Running");
    assert_eq!(
        client.call("VM.get_memory_dynamic_max", std::slice::from_ref(&vm)),
        Ok(text(&(48_u64 << 20).to_string()))
    );
    does("VM.add_to_VCPUs_params_live", &[text("weight"), text("512")], "Running");
    does("VM.add_to_VCPUs_params_live", &[text("cpumap0"), text("0,1,63")], "Running");
    let params = members(client.call("VM.get_VCPUs_params", std::slice::from_ref(&vm)).unwrap());
    assert_eq!(params["weight"], text("512"));
    does("VM.suspend", &[], "Suspended");
    does("VM.resume", &[Value::Bool(false)], "Running");
    let file = text(client.daemon.dir.path().join("saved").to_str().unwrap());
    does("VM.save", &[file.clone(), Value::Bool(false)], "Halted");
    assert_eq!(client.call("VM.restore", &[file, Value::Bool(true)]), Ok(text("")));
    assert_eq!(client.power_state(&vm), "Paused");
    does("VM.hard_shutdown", &[], "Halted");
    assert_eq!(client.call("VM.destroy", std::slice::from_ref(&vm)), Ok(text("")));
    assert_eq!(
        client.call("VM.get_all", &[]).unwrap(),
        client.call("VM.get_by_name_label", &[text("Domain-0")]).unwrap()
    );
}

#[test]
fn calls_need_a_session() {
    let client = Client::new();
    let error = |params: &[Value]| client.bare("VM.get_all", params).unwrap_err();
    assert_eq!(error(&[text("guess")]), ["SESSION_INVALID", "guess"]);
    assert_eq!(error(&[]), ["MESSAGE_PARAMETER_COUNT_MISMATCH", "VM.get_all", "1", "0"]);
    // The maintained clients send a version and an originator, too.
    let four = [text("root"), text("geheim"), text("1.0"), text("test")];
    let session = client.bare("session.login_with_password", &four).unwrap();
    assert_ne!(session, client.session);
    assert_eq!(
        client.bare("session.login_with_password", &[text("root")]).unwrap_err()[0],
        "MESSAGE_PARAMETER_COUNT_MISMATCH"
    );
    let user = client.bare("session.get_this_user", &[session.clone(), session.clone()]).unwrap();
    assert_eq!(user, text("root"));
    assert_eq!(client.bare("session.logout", std::slice::from_ref(&session)), Ok(text("")));
    assert_eq!(client.bare("VM.get_all", &[session]).unwrap_err()[0], "SESSION_INVALID");
    assert!(!client.daemon.log().contains("geheim"));
    // The host keeps its UUID after a restart, and loses its sessions.
    let host = client.one("host.get_all", &[]);
    let listener = client.listener;
    let daemon = client.daemon;
    let Listener::Unix(socket) = &listener else { panic!() };
    let socket = socket.to_str().unwrap().to_owned();
    let (_, dir) = daemon.end(Signal::TERM);
    std::fs::create_dir_all(Path::new(&socket).parent().unwrap()).unwrap();
    let daemon = Daemon::start_in(dir, &["--xen-api", &socket]);
    let mut again = Client { daemon, listener, session: client.session };
    assert_eq!(again.call("VM.get_all", &[]).unwrap_err()[0], "SESSION_INVALID");
    again.session = again.bare("session.login_with_password", &[text("root"), text("")]).unwrap();
    assert_eq!(again.one("host.get_all", &[]), host);
}

/// The maintained Python client asks for the version of the API this way.
#[test]
fn the_version_is_found_through_the_pool() {
    let client = Client::new();
    let pool = client.one("pool.get_all", &[]);
    let host = client.call("pool.get_master", &[pool]).unwrap();
    assert_eq!(
        client.call("host.get_API_version_major", std::slice::from_ref(&host)),
        Ok(text("1"))
    );
    assert_eq!(client.call("host.get_API_version_minor", &[host]), Ok(text("0")));
}

#[test]
fn the_xen_apis_listener_takes_xend_calls_too() {
    let client = Client::new();
    let body = codec::call("xend.domains", &[Value::Int(0)]);
    let request =
        format!("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let answer = codec::read_answer(
        &ask(&client.listener, request.as_bytes()).text(),
        &XmlLimits::default(),
    )
    .unwrap();
    assert_eq!(answer, Ok(Value::Array(vec![text("Domain-0")])));
    let log = client.call("host.get_log", &[client.one("host.get_all", &[])]).unwrap();
    let Value::Text(log) = log else { panic!("{log:?}") };
    assert!(log.contains("started hypervisor=sim ") && !log.contains('\u{1b}'), "{log:?}");
    let host = client.one("host.get_all", &[]);
    assert_eq!(client.call("host.shutdown", &[host]).unwrap_err()[0], "OPERATION_NOT_ALLOWED");
}

#[test]
fn error_codes_that_the_fixture_does_not_reach() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.sxp");
    let socket = dir.path().join("xen-api");
    std::fs::write(&config, "(xend-node-shutdown yes)").unwrap();
    let daemon = Daemon::start_with_config(dir, &config, &["--xen-api", socket.to_str().unwrap()]);
    let mut client = Client { daemon, listener: Listener::Unix(socket), session: Value::Nil };
    client.session = client.bare("session.login_with_password", &[text("root"), text("")]).unwrap();
    let vm = slow_vm(&client);
    let host = client.one("host.get_all", &[]);
    assert_eq!(client.call("host.reboot", &[host]).unwrap_err()[0], "EHOSTRUNNING");
    // More memory than there is.
    let huge = Value::Struct(vec![
        ("name_label".to_owned(), text("huge")),
        ("memory_dynamic_max".to_owned(), text(&(1_u64 << 40).to_string())),
    ]);
    let huge = client.call("VM.create", &[huge]).unwrap();
    let error = client.call("VM.start", &[huge, Value::Bool(false)]).unwrap_err();
    assert!(
        error[0] == "OPERATION_NOT_ALLOWED" && error[1].starts_with("Not enough free memory"),
        "{error:?}"
    );
    // A disk that is not connected.
    let Value::Text(vm) = vm else { panic!() };
    let Value::Text(sr) = client.sr() else { panic!() };
    let location = Value::Struct(vec![("location".to_owned(), text("phy:/dev/hotplugerror"))]);
    let vdi = Value::Struct(vec![
        ("SR".to_owned(), text(&sr)),
        ("type".to_owned(), text("user")),
        ("other_config".to_owned(), location),
    ]);
    let Value::Text(vdi) = client.call("VDI.create", &[vdi]).unwrap() else { panic!() };
    let vbd = [("VM", vm.as_str()), ("VDI", vdi.as_str()), ("device", "xvdz")];
    let vbd = vbd.iter().map(|(key, value)| ((*key).to_owned(), text(value))).collect();
    let error = client.call("VBD.create", &[Value::Struct(vbd)]).unwrap_err();
    assert!(error[0] == "INVALID_DEVICE_ERROR" && error[1].contains("does not exist"), "{error:?}");
}
