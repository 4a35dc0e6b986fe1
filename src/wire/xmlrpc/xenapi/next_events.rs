//! `event.next`: waiting for events, and the objects that they are about.

use super::classes::table;
use super::events::Moment;
use super::failure::Failure;
use super::fetch::Fetcher;
use super::host_view::HostView;
use super::method::Method;
use super::read_field::read_record;
use super::service::XenApi;
use super::sessions::CallSession;
use crate::core::model::Uuid;
use crate::core::view::View;
use crate::wire::xmlrpc::value::Value;
use std::time::Duration;
use tokio::time::Instant;

/// Time limit of a wait. The answer then has no events.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Waits for events of a session. The answer is empty after [`MAX_WAIT`] without events, and when
/// the daemon stops.
async fn wait(api: &XenApi, view: &View, session: &str) -> Result<Vec<Value>, Failure> {
    let engine = api.context.engine();
    let tasks = &api.state.tasks;
    let mut domains = view.generations();
    let mut inventory = view.inventory_generations();
    let mut task_changes = tasks.generations();
    let deadline = Instant::now() + MAX_WAIT;
    loop {
        domains.mark_unchanged();
        inventory.mark_unchanged();
        task_changes.mark_unchanged();
        let snapshot = view.snapshot();
        let visible = api.indices.of(&snapshot).vdis(view, &snapshot).inventory().clone();
        let moment = Moment::new(&snapshot, visible, tasks.ended(view.caller()));
        let events = api.state.sessions.with_registration(session, |registration| {
            let events = registration.as_mut().map(|one| one.events(moment, engine.now()));
            events.ok_or_else(|| Failure::new("SESSION_NOT_REGISTERED", [session]))
        })??;
        if !events.is_empty() {
            return Ok(events);
        }
        let is_over = tokio::select! {
            changed = domains.changed() => changed.is_err(),
            changed = inventory.changed() => changed.is_err(),
            changed = task_changes.changed() => changed.is_err(),
            () = api.context.stopping().cancelled() => true,
            () = tokio::time::sleep_until(deadline) => true,
        };
        if is_over {
            return Ok(vec![]);
        }
    }
}

/// Answers `event.next`.
pub(crate) async fn next_events(
    api: &XenApi,
    view: &View,
    session: &CallSession,
) -> Result<Value, Failure> {
    let events = wait(api, view, &session.reference).await?;
    if events.is_empty() {
        return Ok(Value::Array(events));
    }
    let mut host = HostView::open(api, view, session.clone()).await?;
    let fetcher = Fetcher { view };
    let mut answer = Vec::with_capacity(events.len());
    for event in events {
        if let Some(event) = with_snapshot(&fetcher, &mut host, event).await? {
            answer.push(event);
        }
    }
    Ok(Value::Array(answer))
}

/// Adds the object as it is now to its event: clients that keep all objects, as Xen Orchestra's do,
/// read it there and do not ask for each. `None` if the object has gone since: that is its next
/// event.
async fn with_snapshot(
    fetcher: &Fetcher<'_>,
    host: &mut HostView,
    event: Value,
) -> Result<Option<Value>, Failure> {
    let Value::Struct(mut event) = event else { return Ok(None) };
    if member(&event, "operation") == "del" {
        return Ok(Some(Value::Struct(event)));
    }
    let class = table::class(member(&event, "class"));
    let (Some(class), Ok(uuid)) = (class, Uuid::try_parse(member(&event, "ref"))) else {
        return Ok(None);
    };
    for need in class.needs {
        fetcher.fetch(host, *need, None).await?;
    }
    for need in Method::GetRecord.needs(class) {
        fetcher.fetch(host, need, Some(uuid)).await?;
    }
    match read_record(class, host, uuid) {
        Ok(record) => {
            event.push(("snapshot".to_owned(), record));
            Ok(Some(Value::Struct(event)))
        }
        Err(failure) if failure.is_no_object() => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn member<'a>(event: &'a [(String, Value)], name: &str) -> &'a str {
    match event.iter().find(|(key, _)| key == name) {
        Some((_, Value::Text(text))) => text,
        _ => "",
    }
}
