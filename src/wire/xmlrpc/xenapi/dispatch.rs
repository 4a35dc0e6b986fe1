//! Making calls. The order of checks is xend's: the number of parameters, the session, the
//! reference, and then the call itself. A call is made by the user of its session, over whatever
//! connection it comes.

use super::catalog::{self, ASYNC};
use super::elsewhere;
use super::evacuate::evacuate;
use super::failure::{Failure, FailureContext};
use super::fetch::Fetcher;
use super::host_view::HostView;
use super::hosts::XenApiHosts;
use super::login;
use super::next_events::next_events;
use super::plugins::{self, Asker};
use super::records;
use super::references::find_object;
use super::schema::{Action, Class, OnHost};
use super::service::XenApi;
use super::sessions::{CallSession, Now};
use super::tasks::WAIT;
use super::value_failure;
use super::values::{text, texts};
use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::model::Uuid;
use crate::core::op::Change;
use crate::core::view::View;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::endpoint::LoginPolicy;
use crate::wire::xmlrpc::receive::ReceivedCall;
use crate::wire::xmlrpc::value::Value;
use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often a call that waits looks at the age of its session.
const LIVENESS: Duration = Duration::from_secs(60);

/// What a call comes to.
pub(crate) async fn answer(
    api: &Arc<XenApi>,
    policy: &LoginPolicy,
    caller: &Caller,
    received: &Arc<ReceivedCall>,
) -> Result<Value, Failure> {
    let call = &received.call;
    if call.method.starts_with("session.login") {
        login::log_in(api, policy, caller, call).await
    } else {
        perform(api, caller, received, Asker::Client).await
    }
}

/// The answer to a call of a session that is none, or is over.
pub(crate) fn no_session(session: &str) -> Value {
    with_status(Err(Failure::no_session(session)))
}

/// The answer to a call, with its status.
pub(crate) fn with_status(outcome: Result<Value, Failure>) -> Value {
    let (status, name, value) = match outcome {
        // An answer without a value is the empty string.
        Ok(Value::Nil) => ("Success", "Value", Value::text("")),
        Ok(value) => ("Success", "Value", value),
        Err(failure) => ("Failure", "ErrorDescription", failure.description()),
    };
    Value::Struct(vec![("Status".to_owned(), Value::text(status)), (name.to_owned(), value)])
}

async fn perform(
    api: &Arc<XenApi>,
    caller: &Caller,
    received: &Arc<ReceivedCall>,
    asker: Asker,
) -> Result<Value, Failure> {
    let call = &received.call;
    let name = call.method.strip_prefix(ASYNC).unwrap_or(&call.method);
    let is_async = name != call.method;
    let (class, method) = catalog::find(name, api.hosts)
        .filter(|(_, method)| !is_async || method.can_be_task())
        .ok_or_else(|| Failure::new("MESSAGE_METHOD_UNKNOWN", [call.method.as_str()]))?;
    if !method.param_count().contains(&call.params.len()) {
        let expected = method.params().len().to_string();
        let actual = call.params.len().to_string();
        return Err(Failure::new(
            "MESSAGE_PARAMETER_COUNT_MISMATCH",
            [call.method.as_str(), &expected, &actual],
        ));
    }
    let engine = api.context.engine();
    let session = api.state.sessions.check(call.text_param(0), Now::of(engine))?;
    let caller = Caller { via: caller.via.clone(), principal: session.principal.clone() };
    if is_async && asker == Asker::Client {
        return begin_task(api, caller, name, received.clone(), &session);
    }
    let args = Args { names: method.params(), values: &call.params };
    let view = engine.view(&caller);
    let of_fleet = (api.hosts == XenApiHosts::Fleet).then(|| session.clone());
    let outcome = async {
        let object = Some(call.text_param(1)).filter(|_| method.is_on_object());
        let mut host = match object.and_then(|object| Uuid::try_parse(object).ok()) {
            Some(object) => HostView::open_for(api, &view, session, object).await?,
            None => HostView::open(api, &view, session).await?,
        };
        let fetcher = Fetcher { view: &view, reuses: false };
        // The list of objects can depend on these facts.
        for need in class.needs {
            fetcher.fetch(&mut host, *need, None).await?;
        }
        let object = if method.is_on_object() {
            let check = |uuid| (class.check)(&host, uuid);
            Some(find_object(class.name, &args.text(1)?, check)?)
        } else {
            None
        };
        if let Some((kind, op)) = method.required() {
            view.require(kind, op).map_err(failed)?;
        }
        for need in method.needs(class) {
            fetcher.fetch(&mut host, need, object).await?;
        }
        let action = method.make(class, &host, object, &args)?;
        run(api, &view, host, class, action, asker).await
    };
    let outcome = match (outcome.await, of_fleet) {
        (Err(failure), Some(session)) if failure.is_no_object() => {
            elsewhere::answer(api, &view, &session, method, &args, failure).await
        }
        (outcome, _) => outcome,
    };
    outcome.map_err(|failure| value_failure::complete(failure, method, &args))
}

/// Begins a task that makes a call.
fn begin_task(
    api: &Arc<XenApi>,
    caller: Caller,
    method: &str,
    received: Arc<ReceivedCall>,
    session: &CallSession,
) -> Result<Value, Failure> {
    let call = &received.call;
    let task = api.state.new_uuid();
    let tasks = &api.state.tasks;
    let size = call.size();
    let stop = tasks.begin(task, method, size, session, api.context.engine().now())?;
    tasks.set_vm(task, Uuid::try_parse(call.text_param(1)).ok());
    let run = Box::pin(run_task(api.clone(), caller, task, method.to_owned(), received, stop));
    let engine = api.context.engine().clone();
    api.context.spawn(async move { engine.offload(size, run).await });
    Ok(Value::text(task.to_string()))
}

async fn run_task(
    api: Arc<XenApi>,
    caller: Caller,
    task: Uuid,
    method: String,
    received: Arc<ReceivedCall>,
    stop: CancellationToken,
) {
    let engine = api.context.engine();
    if method == "VM.restore" {
        // The file names the VM whose progress the task shows.
        let file = Path::new(received.call.text_param(1));
        if let Ok(config) = engine.view(&caller).saved_config(file).await {
            api.state.tasks.set_vm(task, config.uuid);
        }
    }
    let work = Box::pin(perform(&api, &caller, &received, Asker::Task));
    // Any other call ends when the domain's driver has cancelled its operation.
    let only_waits = method == WAIT;
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = stop.cancelled(), if only_waits => Err(Failure::not_allowed("The task was cancelled")),
    };
    api.state.end_task(task, outcome, Now::of(engine));
}

/// Carries out an action. What waits for long keeps no view of the host.
async fn run(
    api: &XenApi,
    view: &View,
    host: HostView,
    class: &'static Class,
    action: Action,
    asker: Asker,
) -> Result<Value, Failure> {
    match action {
        Action::Answer(value) => Ok(value),
        Action::List(list) => records::list(api, view, host, class, list).await,
        Action::FindByLabel(label) => records::find_by_label(api, view, host, class, label).await,
        Action::LogOut => {
            api.state.end_session(&host.session);
            Ok(Value::Nil)
        }
        Action::OnHost(OnHost { vm, host: named, option, make }) => {
            let on = elsewhere::chosen_host(api, view, &named).await?;
            let (change, context) = make(&host, vm, &on, option)?;
            drop(host);
            execute(api, view, vec![change], &context).await?;
            Ok(Value::Nil)
        }
        Action::Evacuate => {
            drop(host);
            evacuate(api, view).await
        }
        Action::CallPlugin(call) => {
            drop(host);
            plugins::run(api, view, call, asker).await
        }
        Action::Wait(duration) => {
            let session = host.into_session();
            wait(api, view, &session.reference, duration).await
        }
        Action::NextEvent => next_events(api, view, host.into_session()).await,
        Action::ListMethods => Ok(texts(catalog::all_methods(api.hosts))),
        Action::ReadLog => Ok(Value::Text(api.context.log())),
        Action::ReadDmesg { clear } => read_dmesg(api, view, clear).await,
        Action::Execute { changes, context, answer } => {
            drop(host);
            execute(api, view, changes, &context).await?;
            Ok(answer)
        }
        Action::Define { changes, context, name } => {
            drop(host);
            execute(api, view, changes, &context).await?;
            let snapshot = view.snapshot();
            let vm = snapshot.by_name(&name).ok_or_else(|| Failure::no_object("VM", ""))?;
            Ok(text(&vm.uuid))
        }
    }
}

/// Makes changes, one after the other until one fails.
async fn execute(
    api: &XenApi,
    view: &View,
    changes: Vec<Change>,
    context: &FailureContext,
) -> Result<(), Failure> {
    for change in changes {
        let done = api.context.engine().execute(view.caller(), change).await;
        done.map_err(|error| Failure::from_error(error, context))?;
    }
    Ok(())
}

/// An error that is about no object.
fn failed(error: Error) -> Failure {
    Failure::from_error(error, &FailureContext::default())
}

/// The hypervisor's messages, which are cleared on request.
async fn read_dmesg(api: &XenApi, view: &View, clear: bool) -> Result<Value, Failure> {
    let messages = view.dmesg().await.map_err(failed)?;
    if clear {
        let engine = api.context.engine();
        engine.execute(view.caller(), Change::ClearDmesg).await.map_err(failed)?;
    }
    Ok(Value::text(String::from_utf8_lossy(&messages)))
}

/// Waits, and not any longer when the session is over or the daemon stops.
async fn wait(
    api: &XenApi,
    view: &View,
    session: &str,
    duration: Duration,
) -> Result<Value, Failure> {
    tokio::select! {
        () = sleep(duration) => Ok(Value::Nil),
        () = session_is_over(api, view, session) => {
            Err(Failure::not_allowed("The session of this call is over"))
        }
        () = api.context.stopping().cancelled() => {
            Err(failed(Error::Stopping))
        }
    }
}

/// Waits for the end of a session: a logout, the login that takes its place, another password of
/// its account, or its age.
async fn session_is_over(api: &XenApi, view: &View, session: &str) {
    let sessions = &api.state.sessions;
    let mut ends = sessions.ends();
    let mut access = view.access_changes();
    loop {
        ends.mark_unchanged();
        if let Some(access) = &mut access {
            access.mark_unchanged();
        }
        if !sessions.is_live(session, Now::of(api.context.engine())) {
            return;
        }
        let access_changed = async {
            match &mut access {
                Some(access) => access.changed().await,
                None => pending().await,
            }
        };
        tokio::select! {
            Ok(()) = ends.changed() => {}
            Ok(()) = access_changed => {}
            () = sleep(LIVENESS) => {}
        }
    }
}
