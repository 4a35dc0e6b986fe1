//! `event.next`: waiting for events, and the objects that they are about.

#[cfg(test)]
mod tests;

use super::classes::table;
use super::events::{Event, Registration};
use super::failure::Failure;
use super::host_view::HostView;
use super::records;
use super::service::XenApi;
use super::sessions::CallSession;
use crate::core::view::View;
use crate::wire::xmlrpc::value::Value;
use std::future::pending;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Time limit of a wait. The answer then has no events.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// What a waiting call is woken by. Figures of VMs are not among it: they have no events.
struct Wake {
    domains: watch::Receiver<u64>,
    inventory: watch::Receiver<u64>,
    tasks: watch::Receiver<u64>,
    /// Sessions that ended, this one perhaps.
    sessions: watch::Receiver<u64>,
    /// Other rights show other objects. `None` for a caller whose rights never change.
    access: Option<watch::Receiver<u64>>,
}

impl Wake {
    fn new(api: &XenApi, view: &View) -> Self {
        Self {
            domains: view.domain_changes(),
            inventory: view.inventory_generations(),
            tasks: api.state.tasks.generations(),
            sessions: api.state.sessions.ends(),
            access: view.access_changes(),
        }
    }

    /// Has the next wait begin with what changes from now on.
    fn mark_unchanged(&mut self) {
        let always = [&mut self.domains, &mut self.inventory, &mut self.tasks, &mut self.sessions];
        for changes in always.into_iter().chain(&mut self.access) {
            changes.mark_unchanged();
        }
    }

    /// Waits for a change. Returns whether there can be more of them.
    async fn changed(&mut self) -> bool {
        let Self { domains, inventory, tasks, sessions, access } = self;
        let access_changed = async {
            match access {
                Some(access) => access.changed().await,
                None => pending().await,
            }
        };
        let changed = tokio::select! {
            changed = domains.changed() => changed,
            changed = inventory.changed() => changed,
            changed = tasks.changed() => changed,
            changed = sessions.changed() => changed,
            changed = access_changed => changed,
        };
        changed.is_ok()
    }
}

/// Waits for events of a session. The answer is empty after [`MAX_WAIT`] without events, and when
/// the daemon stops.
async fn wait(api: &XenApi, view: &View, session: &str) -> Result<Vec<Event>, Failure> {
    let mut wake = Wake::new(api, view);
    let deadline = Instant::now() + MAX_WAIT;
    loop {
        wake.mark_unchanged();
        let sessions = &api.state.sessions;
        let not_registered = || Failure::new("SESSION_NOT_REGISTERED", [session]);
        let last = sessions.with_registration(session, |registration| {
            registration.as_ref().map(Registration::last_answer).ok_or_else(not_registered)
        })??;
        // After the last answer, so that it is no earlier one.
        let (moment, indices) = api.moment(view);
        // No other session waits for the comparison.
        let before = last.moment.as_ref();
        let changes = before.map(|before| moment.changes_since(before, &indices.item_changes));
        let has_lost_events = changes.is_none();
        let changes = changes.unwrap_or_default();
        let replaced = moment.replaced();
        let now = api.context.engine().now();
        let answered = sessions.with_registration(session, |registration| {
            let one = registration.as_mut().ok_or_else(not_registered)?;
            Ok::<_, Failure>(one.answer(&last, moment, changes, now))
        })??;
        sessions.drop_old_moments(replaced);
        // Another call of the session may have answered meanwhile.
        let Some(events) = answered else { continue };
        if has_lost_events {
            return Err(Failure::new("EVENTS_LOST", []));
        }
        if !events.is_empty() {
            return Ok(events);
        }
        let is_over = tokio::select! {
            may_go_on = wake.changed() => !may_go_on,
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
    session: CallSession,
) -> Result<Value, Failure> {
    let events = wait(api, view, &session.reference).await?;
    if events.is_empty() {
        return Ok(Value::Array(vec![]));
    }
    let mut host = HostView::open(api, view, session).await?;
    for gone in events.iter().filter(|event| event.is_removal()) {
        records::forget(api, host.scope(), gone.class, gone.object);
    }
    let mut answer = Vec::with_capacity(events.len());
    for event in events {
        if let Some(event) = with_record(api, view, &mut host, &event).await {
            answer.push(event);
        }
    }
    api.printed.trim();
    Ok(Value::Array(answer))
}

/// An event with the object as it is now: clients that keep all objects, as Xen Orchestra's do,
/// read it there and do not ask for each. `None` if the object has gone since: that is its next
/// event.
async fn with_record(
    api: &XenApi,
    view: &View,
    host: &mut HostView,
    event: &Event,
) -> Option<Value> {
    if event.is_removal() {
        return Some(event.value(None));
    }
    let class = table::class(event.class)?;
    match records::one(api, view, host, class, event.object).await {
        Ok(record) => Some(event.value(Some(record))),
        Err(failure) if failure.is_no_object() => None,
        // The event comes once, whether or not the record can be had: the client may ask for it.
        Err(_) => Some(event.value(None)),
    }
}
