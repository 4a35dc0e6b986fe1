//! The Xen-API: classes of objects, their fields and what can be done with them, after a client has
//! logged in.
//!
//! ```text
//! table     what a class is made of; getters, records and lists derive from it
//! doing     what a call's name means for a class
//! session   who has logged in
//! task      calls that somebody does not wait for
//! event     what happens to VMs
//! event_snapshot    what is told with it
//! world     what a call sees: one snapshot of the host
//! record    what a new object is to be
//! notes     fields that have no effect and are kept
//! failure   the Xen-API's error codes
//! host, vm, metrics, devices, vbd, vif, disks, network, cpu_pool, hand, policy    the classes
//! ```
//!
//! The order of checks is xend's: how many parameters, the session, the reference, and then the
//! call itself.

mod cpu_pool;
mod devices;
mod disks;
mod doing;
mod event;
mod event_snapshot;
mod failure;
mod hand;
mod host;
mod metrics;
mod network;
mod notes;
mod policy;
mod record;
mod session;
mod table;
mod task;
mod vbd;
mod vif;
mod vm;
mod vm_calls;
mod vm_create;
mod vm_set;
mod world;

use super::args::Args;
use super::codec::Call;
use super::context::Context;
use super::endpoint::LoginPolicy;
use super::value::Value;
use crate::core::caller::Caller;
use crate::core::model::Uuid;
use crate::core::op::{Outcome, Query};
use doing::Doing;
use failure::Failure;
use policy::Debug;
use session::{Sessions, Who};
use std::ops::Deref;
use std::sync::Arc;
use table::{CLASSES, Class, Work};
use task::Tasks;
use world::World;

/// What the Xen-API keeps between two calls.
pub(super) struct XenApi {
    context: Arc<Context>,
    sessions: Sessions,
    tasks: Tasks,
    debug: Debug,
}

impl XenApi {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            sessions: Sessions::default(),
            tasks: Tasks::default(),
            debug: Debug::default(),
        }
    }
}

impl Deref for XenApi {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

/// The answer to a call, which says itself whether it succeeded.
pub(super) async fn answer(
    wire: &Arc<XenApi>,
    login: &LoginPolicy,
    caller: &Caller,
    call: &Call,
) -> Value {
    let member = |name: &str, value| (name.to_owned(), value);
    let said = if call.method.starts_with("session.login") {
        session::log_in(wire, login, caller, call).await
    } else {
        perform(wire, caller, call).await
    };
    let said = match said {
        Ok(value) => {
            vec![member("Status", Value::text("Success")), member("Value", without_nil(value))]
        }
        Err(failure) => {
            vec![
                member("Status", Value::text("Failure")),
                member("ErrorDescription", failure.description()),
            ]
        }
    };
    Value::Struct(said)
}

/// All methods by their names. Those that begin a task are left out, as xend did: clients take what
/// stands before the first dot for a class.
pub(super) fn methods() -> impl Iterator<Item = String> {
    doing::methods().into_iter().filter(|method| !method.starts_with(ASYNC))
}

/// The parameters of a method, and how many of them must be given.
pub(super) fn parameters(method: &str) -> Option<(&'static [&'static str], usize)> {
    if method == session::LOGIN {
        return Some((session::LOGIN_TAKES, session::LOGIN_NEEDS));
    }
    let (class, name) = method.strip_prefix(ASYNC).unwrap_or(method).split_once('.')?;
    let doing = CLASSES.iter().find(|one| one.name == class)?.doing(name)?;
    Some((doing.names(), *doing.takes().start()))
}

/// Nothing, as a whole answer, is the empty string.
fn without_nil(value: Value) -> Value {
    if value == Value::Nil { Value::text("") } else { value }
}

async fn perform(wire: &Arc<XenApi>, caller: &Caller, call: &Call) -> Result<Value, Failure> {
    let unknown = || Failure::new("MESSAGE_METHOD_UNKNOWN", [call.method.as_str()]);
    let waits = !call.method.starts_with(ASYNC);
    let full = call.method.strip_prefix(ASYNC).unwrap_or(&call.method);
    let (name, method) = full.split_once('.').ok_or_else(unknown)?;
    let class = CLASSES.iter().find(|class| class.name == name).ok_or_else(unknown)?;
    let doing =
        class.doing(method).filter(|doing| waits || doing.can_be_a_task()).ok_or_else(unknown)?;
    if !doing.takes().contains(&call.params.len()) {
        let (expected, actual) = (doing.names().len().to_string(), call.params.len().to_string());
        return Err(Failure::new(
            "MESSAGE_PARAMETER_COUNT_MISMATCH",
            [call.method.as_str(), &expected, &actual],
        ));
    }
    let session = match call.params.first() {
        Some(Value::Text(session)) => session.as_str(),
        _ => "",
    };
    let who = wire.sessions.check(session)?;
    if !waits {
        return later(wire, caller, call, full, &who);
    }
    let mut world = World::look(wire, caller, session, who).await?;
    let args = Args { names: doing.names(), values: &call.params };
    // Which objects there are can be something to be looked at itself.
    for need in class.needs {
        world.look_at(caller, *need, None).await?;
    }
    let reference =
        if doing.is_about_one() { Some(refer(class, &world, doing, &args)?) } else { None };
    let vm = reference.and_then(|reference| world.vm_behind(reference));
    for need in doing.needs(class).into_iter().filter(|need| !class.needs.contains(need)) {
        world.look_at(caller, need, vm).await?;
    }
    let done = match doing.make(class, &world, reference, &args) {
        Ok(work) => done(wire, caller, &world, work).await,
        Err(failure) => Err(failure),
    };
    done.map_err(|failure| failure.in_call(doing, &args))
}

/// What a call's name begins with whose outcome is not waited for.
const ASYNC: &str = "Async.";

/// Begins a task, which makes the call as it is made without one.
fn later(
    wire: &Arc<XenApi>,
    caller: &Caller,
    call: &Call,
    full: &str,
    who: &Who,
) -> Result<Value, Failure> {
    let text = |at: usize| match call.params.get(at) {
        Some(Value::Text(text)) => text.as_str(),
        _ => "",
    };
    let vm = Uuid::try_parse(text(1)).ok();
    let (task, stop) = wire.tasks.begin(full, text(0), &who.user, vm)?;
    let (wire, caller) = (wire.clone(), caller.clone());
    let call = Call { method: full.to_owned(), params: call.params.clone() };
    tokio::spawn(async move {
        // Whose progress it is stands in the file.
        if let ("VM.restore", Some(Value::Text(file))) = (call.method.as_str(), call.params.get(1))
        {
            if let Ok(Outcome::Saved(config)) =
                wire.engine().execute(&caller, Query::Saved(file.into())).await
            {
                wire.tasks.is_about(task, config.uuid);
            }
        }
        // A box: a call can begin a task that makes a call.
        let work = Box::pin(perform(&wire, &caller, &call));
        // What works on a domain is stopped by its driver, and says itself what came of it.
        let only_waits = call.method == "debug.wait";
        let outcome = tokio::select! {
            outcome = work => outcome,
            () = stop.cancelled(), if only_waits => {
                Err(Failure::new("OPERATION_NOT_ALLOWED", ["The task was cancelled"]))
            }
        };
        wire.tasks.end(task, outcome);
    });
    Ok(Value::text(task.to_string()))
}

/// The object that the first parameter behind the session names.
fn refer(class: &Class, world: &World, doing: Doing, args: &Args<'_>) -> Result<Uuid, Failure> {
    let text = args.text(1).map_err(|unfit| Failure::from(unfit).in_call(doing, args))?;
    let found = Uuid::try_parse(&text).ok().filter(|uuid| class.exists(world, *uuid));
    found.ok_or_else(|| Failure::new("HANDLE_INVALID", [class.name, &text]))
}

async fn done(
    wire: &Arc<XenApi>,
    caller: &Caller,
    world: &World,
    work: Work,
) -> Result<Value, Failure> {
    match work {
        Work::Said(value) => Ok(value),
        Work::LogOut => {
            wire.sessions.forget(&world.session);
            Ok(Value::Nil)
        }
        Work::Wait(duration) => {
            tokio::time::sleep(duration).await;
            Ok(Value::Nil)
        }
        Work::NextEvent => {
            let events = event::next(wire, &world.session).await?;
            event_snapshot::add(caller, world, events).await
        }
        Work::Ask { ops, about, tell } => {
            let mut outcomes = Vec::with_capacity(ops.len());
            for op in ops {
                let outcome = wire.engine().execute(caller, op).await;
                outcomes.push(outcome.map_err(|error| Failure::of(error, &about))?);
            }
            Ok(tell(outcomes))
        }
    }
}
