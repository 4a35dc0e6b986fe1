//! Events and figures of domains.

use super::sink::Sink;
use super::state::state_name;
use crate::core::journal::{Event, EventKind};
use crate::core::model::Uuid;
use crate::core::samples::Sample;
use crate::core::snapshot::DomainView;
use crate::core::transfer::Progress;
use std::time::SystemTime;

/// The name of an event's kind.
pub fn event_kind(what: &EventKind) -> &'static str {
    match what {
        EventKind::Appeared(_) => "appeared",
        EventKind::Gone => "gone",
        EventKind::State { .. } => "state",
        EventKind::Renamed { .. } => "renamed",
        EventKind::Configured => "configured",
        EventKind::Reported => "guest",
        EventKind::Disputed { .. } => "disputed",
        EventKind::Progress(_) => "progress",
        EventKind::Done { .. } => "done",
        EventKind::Failed { .. } => "failed",
    }
}

/// Writes `(event (id 5f3a-12) (kind state) (time 1763733000.5) (domain pv1) (uuid ..) (domid 3)
/// (from paused) (to running))`. In JSON, `at` has the time.
pub fn event(sink: &mut impl Sink, id: &str, event: &Event) {
    begin(sink, id, event_kind(&event.what), event.at);
    match event.uuid {
        Some(uuid) => {
            sink.text_field("domain", event.name.as_bytes());
            sink.uuid_field("uuid", &uuid);
        }
        None => sink.text_field("about", event.name.as_bytes()),
    }
    if let Some(domid) = event.domid {
        sink.uint_field("domid", domid.0);
    }
    match &event.what {
        EventKind::Appeared(state) => sink.text_field("state", state_name(*state).as_bytes()),
        EventKind::State { from, to } => {
            sink.text_field("from", state_name(*from).as_bytes());
            sink.text_field("to", state_name(*to).as_bytes());
        }
        EventKind::Renamed { from } => sink.text_field("from", from.as_bytes()),
        EventKind::Disputed { owner } => sink.text_field("owner", owner.as_bytes()),
        EventKind::Progress(Some(progress)) => {
            let Progress { what, done, total } = progress;
            sink.text_field("what", what.as_bytes());
            sink.uint_field("percent", progress.percent());
            sink.uint_field("done_bytes", *done);
            sink.uint_field("total_bytes", *total);
        }
        EventKind::Done { op, caller } => {
            sink.text_field("op", op.as_bytes());
            sink.text_field("caller", caller.text.as_bytes());
        }
        EventKind::Failed { op, caller, error } => {
            sink.text_field("op", op.as_bytes());
            sink.text_field("caller", caller.text.as_bytes());
            sink.text_field("error", error.as_bytes());
        }
        EventKind::Gone
        | EventKind::Configured
        | EventKind::Reported
        | EventKind::Progress(None) => {}
    }
    sink.end_record();
}

/// Writes an event about the stream itself: its beginning, or lost events.
pub fn stream_event(sink: &mut impl Sink, id: &str, kind: &str, at: SystemTime) {
    begin(sink, id, kind, at);
    sink.end_record();
}

fn begin(sink: &mut impl Sink, id: &str, kind: &str, at: SystemTime) {
    sink.begin_record("event");
    sink.text_field("id", id.as_bytes());
    sink.text_field("kind", kind.as_bytes());
    sink.event_time(at);
}

/// Writes `(figures (domain (name pv1) (uuid ..) (cpu_percent 12.5) (memory_mib 128)) ...)`: CPU in
/// percent of one CPU.
pub fn figures<'a>(
    sink: &mut impl Sink,
    samples: impl Iterator<Item = (&'a DomainView, &'a Uuid, &'a Sample)>,
) {
    sink.begin_record("figures");
    sink.begin_many("domain");
    for (view, uuid, sample) in samples {
        sink.begin_fields_item("domain");
        sink.text_field("name", view.name().as_str().as_bytes());
        sink.uuid_field("uuid", uuid);
        sink.float_field("cpu_percent", f64::from((sample.cpu * 10.0).round()) / 10.0);
        sink.uint_field("memory_mib", sample.memory_kib / 1024);
        sink.end_fields_item();
    }
    sink.end_many();
    sink.end_record();
}
