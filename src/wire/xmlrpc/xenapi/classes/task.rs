//! Tasks. Operators see all tasks, and users those of their account. Only sessions with the name
//! that a task was begun under can change it, and operators the tasks of accounts.

use crate::core::caller::Principal;
use crate::core::model::{DomainRef, Uuid};
use crate::core::op::Change;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::failure::{Failure, FailureContext};
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, Field};
use crate::wire::xmlrpc::xenapi::tasks::{RESULT_IS_GONE, Task, WAIT};
use crate::wire::xmlrpc::xenapi::values::{no_texts, set_flags, text};

fn task(host: &HostView, uuid: Uuid) -> Result<Task, Failure> {
    let task = host.state.tasks.get(uuid, &host.caller);
    task.ok_or_else(|| Failure::no_object("task", &uuid))
}

/// From 0 to 1, by the progress of the domain that is saved, restored or migrated.
fn progress(host: &HostView, task: &Task) -> f64 {
    if task.outcome().is_some() {
        return 1.0;
    }
    let progress = task.vm.and_then(|vm| host.vm(vm)?.progress);
    progress.map_or(0.0, |progress| f64::from(progress.percent()) / 100.0)
}

/// A task that the session may change.
fn own_task(host: &HostView, uuid: Uuid) -> Result<Task, Failure> {
    let task = task(host, uuid)?;
    let is_of_account = matches!(task.session.principal, Principal::User(_));
    if is_of_account || task.session.user == host.session.user {
        return Ok(task);
    }
    Err(Failure::new("PERMISSION_DENIED", []))
}

fn cancel(host: &HostView, uuid: Uuid) -> Result<Action, Failure> {
    let task = own_task(host, uuid)?;
    if task.outcome().is_some() {
        return Err(Failure::not_allowed("The task has ended"));
    }
    if !task.is_cancellable() {
        return Err(Failure::not_allowed("This operation cannot be cancelled"));
    }
    task.stop.cancel();
    let vm = task.vm.filter(|_| task.method != WAIT).map(|vm| vm.to_string());
    let cancel = vm.clone().map(|vm| Change::Cancel(DomainRef::new(vm)));
    let context = FailureContext { object: vm.unwrap_or_default(), ..FailureContext::default() };
    Ok(Action::execute(cancel.into_iter().collect(), context))
}

fn destroy(host: &HostView, uuid: Uuid) -> Result<Action, Failure> {
    if own_task(host, uuid)?.outcome().is_none() {
        return Err(Failure::not_allowed("The task is under way"));
    }
    host.state.tasks.forget(uuid);
    Ok(Action::Answer(Value::Nil))
}

/// The session that began a task; empty for all others, since its reference is a secret.
fn session(host: &HostView, task: &Task) -> Value {
    let began = task.session.reference.as_str();
    text(if began == host.session.reference { began } else { "" })
}

pub(super) static TASK: Class = Class {
    name: "task",
    all: |host| Ok(host.state.tasks.all(&host.caller)),
    check: |host, uuid| task(host, uuid).map(drop),
    fields: &[
        Field::read("uuid", |host, uuid| task(host, uuid).map(|_| text(&uuid))),
        Field::read("name_label", |host, uuid| Ok(text(&task(host, uuid)?.method))),
        Field::read("name_description", |_, _| Ok(text(""))),
        Field::read("status", |host, uuid| {
            Ok(text(match task(host, uuid)?.outcome() {
                None => "pending",
                Some(Ok(_)) => "success",
                Some(Err(_)) => "failure",
            }))
        }),
        Field::read("progress", |host, uuid| Ok(Value::Double(progress(host, &task(host, uuid)?)))),
        Field::read("type", |_, _| Ok(text(""))),
        Field::read("result", |host, uuid| {
            Ok(match task(host, uuid)?.outcome() {
                None | Some(Ok(Value::Nil) | Err(_)) => text(""),
                Some(Ok(value)) => value.clone(),
            })
        }),
        Field::read("error_info", |host, uuid| {
            let task = task(host, uuid)?;
            Ok(match task.outcome() {
                Some(Err(failure)) => failure.clone().description(),
                _ if task.result_is_gone => Failure::not_allowed(RESULT_IS_GONE).description(),
                _ => no_texts(),
            })
        }),
        Field::read("allowed_operations", |host, uuid| {
            let task = task(host, uuid)?;
            let has_ended = task.outcome().is_some();
            Ok(set_flags([("destroy", has_ended), ("cancel", task.is_cancellable())]))
        }),
        Field::read("session", |host, uuid| Ok(session(host, &task(host, uuid)?))),
    ],
    calls: &[
        ClassCall::on_object("cancel", &["session", "task"], |host, uuid, _| cancel(host, uuid)),
        ClassCall::on_object("destroy", &["session", "task"], |host, uuid, _| destroy(host, uuid)),
    ],
    ..Class::EMPTY
};
