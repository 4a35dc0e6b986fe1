//! The Xen-API's tasks: calls whose outcome the client does not wait for.

use crate::http_support::{encoded, guest};
use crate::xenapi_support::{Client, members, slow_vm, strings, text};
use std::collections::BTreeMap;
use xend::wire::xmlrpc::Value;

#[test]
fn an_async_call_is_a_task() {
    let client = Client::new();
    let define = format!("op=new&config={}", encoded(&guest("web", "")));
    assert_eq!(client.daemon.post("/xend/domain", &define).code, 200);
    let vm = client.vm("web");
    let ended = |task: &Value| {
        let mut record = BTreeMap::new();
        client.daemon.until("the task ends", |_| {
            record = members(client.call("task.get_record", std::slice::from_ref(task)).unwrap());
            record["status"] != text("pending")
        });
        record
    };
    let task = client.call("Async.VM.start", &[vm.clone(), Value::Bool(false)]).unwrap();
    let record = ended(&task);
    assert_eq!(
        (&record["status"], &record["progress"], &record["result"]),
        (&text("success"), &Value::Double(1.0), &text(""))
    );
    assert_eq!((&record["name_label"], &record["session"]), (&text("VM.start"), &client.session));
    assert_eq!(client.power_state(&vm), "Running");
    // A running VM cannot be started.
    let again = ended(&client.call("Async.VM.start", &[vm.clone(), Value::Bool(false)]).unwrap());
    assert_eq!(
        (&again["status"], strings(&again["error_info"])[0].as_str()),
        (&text("failure"), "VM_BAD_POWER_STATE")
    );
    let listed = ended(&client.call("Async.VM.get_all", &[]).unwrap());
    assert_eq!(strings(&listed["result"]).len(), 2);
    assert_eq!(client.call("task.get_all", &[]).map(|all| strings(&all).len()), Ok(3));
    assert_eq!(
        client.call("task.cancel", std::slice::from_ref(&task)).unwrap_err()[0],
        "OPERATION_NOT_ALLOWED"
    );
    assert_eq!(client.call("task.destroy", std::slice::from_ref(&task)), Ok(text("")));
    assert_eq!(client.call("task.get_status", &[task]).unwrap_err()[0], "HANDLE_INVALID");
    // The parameters are checked before there is a task. Getters of fields cannot be tasks.
    let mismatch = client.call("Async.VM.start", std::slice::from_ref(&vm)).unwrap_err();
    assert_eq!(mismatch, ["MESSAGE_PARAMETER_COUNT_MISMATCH", "Async.VM.start", "3", "2"]);
    assert_eq!(client.bare("Async.VM.get_all", &[text("x")]).unwrap_err()[0], "SESSION_INVALID");
    let unknown = client.call("Async.VM.get_domid", &[vm]).unwrap_err();
    assert_eq!(unknown, ["MESSAGE_METHOD_UNKNOWN", "Async.VM.get_domid"]);
}

#[test]
fn a_cancelled_save_leaves_the_domain_running() {
    let client = Client::new();
    let vm = slow_vm(&client);
    let file = text(client.daemon.dir.path().join("saved").to_str().unwrap());
    let field = |task: &Value, field: &str| {
        client.call(&format!("task.get_{field}"), std::slice::from_ref(task)).unwrap()
    };
    let task = client.call("Async.VM.save", &[vm.clone(), file, Value::Bool(false)]).unwrap();
    assert!(strings(&field(&task, "allowed_operations")).contains(&"cancel".to_owned()));
    client.daemon.until("it is being saved", |_| field(&task, "progress") != Value::Double(0.0));
    assert_eq!(
        client.call("task.destroy", std::slice::from_ref(&task)).unwrap_err()[0],
        "OPERATION_NOT_ALLOWED"
    );
    assert_eq!(client.call("task.cancel", std::slice::from_ref(&task)), Ok(text("")));
    client.daemon.until("the task ends", |_| field(&task, "status") != text("pending"));
    let error = strings(&field(&task, "error_info"));
    assert!(error[0] == "OPERATION_NOT_ALLOWED" && error[1].contains("was cancelled"), "{error:?}");
    assert_eq!(client.power_state(&vm), "Running");
    assert!(!client.daemon.dir.path().join("saved").exists());
    // A task that only waits can be cancelled, too. One that has ended cannot.
    let waits = client.call("Async.debug.wait", &[text("60")]).unwrap();
    assert_eq!(client.call("task.cancel", std::slice::from_ref(&waits)), Ok(text("")));
    client.daemon.until("the task ends", |_| field(&waits, "status") == text("failure"));
    assert_eq!(client.call("task.cancel", &[waits]).unwrap_err()[0], "OPERATION_NOT_ALLOWED");
    // One of another session ends with it.
    let passing = client.bare("session.login_with_password", &[text("root"), text("")]).unwrap();
    let waits = client.bare("Async.debug.wait", &[passing.clone(), text("3000")]).unwrap();
    assert_eq!(field(&waits, "status"), text("pending"));
    client.bare("session.logout", &[passing]).unwrap();
    client.daemon.until("the task ends", |_| field(&waits, "status") == text("failure"));
    let error = strings(&field(&waits, "error_info"));
    assert_eq!(error, ["OPERATION_NOT_ALLOWED", "The session of this call is over"]);
    // Another user may read the task, and not change it.
    let other = client.bare("session.login_with_password", &[text("guest"), text("")]).unwrap();
    let status = client.bare("task.get_status", &[other.clone(), task.clone()]);
    assert_eq!(
        (status, client.bare("task.get_session", &[other.clone(), task.clone()])),
        (Ok(text("failure")), Ok(text("")))
    );
    for call in ["task.cancel", "task.destroy"] {
        assert_eq!(
            client.bare(call, &[other.clone(), task.clone()]),
            Err(vec!["PERMISSION_DENIED".to_owned()])
        );
    }
    // Nor does that session see this one: its reference would give access to it.
    assert_eq!(
        strings(&client.bare("session.get_all", std::slice::from_ref(&other)).unwrap()).len(),
        1
    );
    let theirs = client.bare("session.get_this_user", &[other, client.session.clone()]);
    assert_eq!(theirs.unwrap_err()[0], "HANDLE_INVALID");
}
