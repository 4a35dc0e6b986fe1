//! `GET /xend/events`: a stream of events of domains.
//!
//! Streams have no queues. A stream remembers the last event that it sent, and reads on from the
//! engine's journal when the client has taken what there was. A client that falls behind the
//! journal gets an event `lost`.
//!
//! Browsers and curl get server-sent events with JSON. A client that asks for JSON or for
//! S-expressions gets one a line. Each event has an id; a client that sends the last id that it has
//! (`Last-Event-ID`, or `?after=`) gets the events after it.

use super::context::Http;
use super::errors::{no_such_domain, operation_failed, too_many_streams};
use super::event_ids::EventIds;
use super::format::Format;
use super::params::{Params, bad_value};
use super::request::RequestInfo;
use super::response::stream;
use super::sessions::{Session, may_go_on};
use crate::core::journal::{Event, EventBatch};
use crate::core::model::{DomainRef, Invalid, Uuid};
use crate::core::samples::Sample;
use crate::core::view::View;
use crate::shape;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The most events in one chunk.
const BATCH: usize = 64;
/// The most characters of a wrong id in an error.
const MAX_SHOWN: usize = 40;
/// The interval of heartbeats while nothing else is sent. They show each side that the other one is
/// still there.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// The delay in milliseconds after which a browser reconnects.
const RETRY_MS: u32 = 1000;

/// `GET /xend/events`
pub(super) async fn get(
    State(http): State<Http>,
    headers: HeaderMap,
    request: RequestInfo,
) -> Result<Response, Response> {
    let query = EventQuery::parse(&headers, &request.query)
        .and_then(|query| query.checked_for(request.format))
        .map_err(|invalid| operation_failed(&request, "events", &invalid.into()))?;
    let view = http.view(&request.caller);
    let domain = match &query.domain {
        None => None,
        Some(domain) => {
            let uuid = view.snapshot().find(domain).map(|found| found.uuid);
            // A client that reconnects still gets the end of a domain that is gone by now.
            let past = || query.after.as_ref().and_then(|_| view.domain_of_events(domain));
            let uuid = uuid.or_else(past);
            Some(uuid.ok_or_else(|| no_such_domain(&request, domain.as_str()))?)
        }
    };
    let user = request.caller.user().map(|user| user.name());
    let permit = http
        .event_permits()
        .acquire(user)
        .map_err(|error| too_many_streams(&request, "event streams", &error))?;
    let framing = match request.format {
        Format::Html { .. } => Framing::ServerSent,
        Format::Json => Framing::JsonLines,
        Format::Sxp => Framing::SxpLines,
    };
    // A stream counts as a reader: the engine keeps figures fresh from its beginning on.
    let _ = view.domains().await;
    let session = request.session.clone();
    let events = EventStream::new(http, view, session, framing, domain, &query, permit);
    let chunks = futures_util::stream::unfold(events, |mut events| async move {
        let chunk = events.next().await?;
        Some((Ok::<_, Infallible>(chunk), events))
    });
    Ok(stream(framing.media(), Body::from_stream(chunks)))
}

/// The query of `/xend/events` with which a page's script follows all events from now on. A handler
/// makes it before it reads what the page shows, so that the script misses nothing.
pub(super) fn follow_query(http: &Http, view: &View, format: Format) -> String {
    if !format.is_html() {
        return String::new();
    }
    let last = *view.event_numbers().borrow();
    format!("?figures=1&after={}", http.event_ids().id(view, last))
}

struct EventQuery {
    /// The id of the last event that the client has received.
    after: Option<String>,
    /// `None` for all domains.
    domain: Option<DomainRef>,
    figures: bool,
}

impl EventQuery {
    fn parse(headers: &HeaderMap, query: &Params) -> Result<Self, Invalid> {
        let after = query.text("after")?;
        let last_event_id = headers
            .get("last-event-id")
            .and_then(|id| id.to_str().ok())
            .filter(|id| !id.is_empty());
        Ok(Self {
            after: last_event_id.map(str::to_owned).or(after),
            domain: query.text("domain")?.map(DomainRef::new),
            figures: query.flag("figures")?,
        })
    }
}

impl EventQuery {
    /// The same; an error for a program of today, if the id is none. Other clients get the events
    /// from now on, as with the id of an earlier run.
    fn checked_for(self, format: Format) -> Result<Self, Invalid> {
        match &self.after {
            Some(id) if format == Format::Json && !EventIds::is_id(id) => {
                let shown: String = id.chars().take(MAX_SHOWN).collect();
                Err(bad_value(
                    "after",
                    format!("'{shown}' is not the id of an event, such as 5f3a01c2-17"),
                ))
            }
            _ => Ok(self),
        }
    }
}

/// The format of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    ServerSent,
    JsonLines,
    SxpLines,
}

impl Framing {
    /// The format of an event's data.
    const fn data(self) -> Format {
        match self {
            Self::ServerSent | Self::JsonLines => Format::Json,
            Self::SxpLines => Format::Sxp,
        }
    }

    const fn media(self) -> &'static str {
        match self {
            Self::ServerSent => "text/event-stream",
            Self::JsonLines => "application/x-ndjson",
            Self::SxpLines => "application/sxp",
        }
    }
}

/// The events for one client.
struct EventStream {
    http: Http,
    view: View,
    /// The session of a user who has logged in on a page.
    session: Option<Arc<Session>>,
    stopping: CancellationToken,
    framing: Framing,
    /// `None` for all domains.
    domain: Option<Uuid>,
    /// The number of the last event that was sent or skipped.
    last: u64,
    numbers: watch::Receiver<u64>,
    /// Rounds of samples; `None` if the client did not ask for figures.
    rounds: Option<watch::Receiver<u64>>,
    /// The figures that were sent last.
    figures: HashMap<Uuid, Sample>,
    /// The next chunk.
    out: Vec<u8>,
    next_heartbeat: Instant,
    _permit: OwnedSemaphorePermit,
}

impl EventStream {
    fn new(
        http: Http,
        view: View,
        session: Option<Arc<Session>>,
        framing: Framing,
        domain: Option<Uuid>,
        query: &EventQuery,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let mut numbers = view.event_numbers();
        let newest = *numbers.borrow();
        numbers.mark_changed();
        // An id of another daemon's journal, or of an event to come, is no id of this journal.
        let after = query.after.as_deref();
        let after =
            after.map(|id| http.event_ids().number(&view, id).filter(|number| *number <= newest));
        let rounds = query.figures.then(|| {
            let mut rounds = view.sample_rounds();
            rounds.mark_changed();
            rounds
        });
        let mut stream = Self {
            stopping: http.stopping(),
            http,
            view,
            session,
            framing,
            domain,
            last: after.flatten().unwrap_or(newest),
            numbers,
            rounds,
            figures: HashMap::new(),
            out: Vec::new(),
            next_heartbeat: Instant::now() + HEARTBEAT,
            _permit: permit,
        };
        if framing == Framing::ServerSent {
            stream.out.extend_from_slice(format!("retry: {RETRY_MS}\n").as_bytes());
        }
        match after {
            Some(Some(_)) => {}
            Some(None) => stream.write_stream_event("lost"),
            None => stream.write_stream_event("listening"),
        }
        stream
    }

    /// The next chunk; `None` when the daemon stops, and when the caller is not let in any more.
    async fn next(&mut self) -> Option<Bytes> {
        while self.out.is_empty() {
            let round = async {
                match &mut self.rounds {
                    Some(rounds) => rounds.changed().await.is_ok(),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.stopping.cancelled() => return None,
                changed = self.numbers.changed() => {
                    changed.ok()?;
                    self.write_new_events();
                }
                _ = round => self.write_figures(),
                () = tokio::time::sleep_until(self.next_heartbeat) => self.write_heartbeat(),
            }
            if !may_go_on(self.view.caller(), self.session.as_deref()) {
                return None;
            }
        }
        self.next_heartbeat = Instant::now() + HEARTBEAT;
        Some(std::mem::take(&mut self.out).into())
    }

    /// A heartbeat has no data. A browser keeps its id, from which it can reconnect: the last event
    /// of a quiet domain may have left the journal by then.
    fn write_heartbeat(&mut self) {
        match self.framing {
            Framing::ServerSent => {
                self.out.extend_from_slice(format!("id: {}\n\n", self.id()).as_bytes());
            }
            Framing::JsonLines | Framing::SxpLines => self.out.push(b'\n'),
        }
    }

    fn write_new_events(&mut self) {
        let EventBatch { events, lost, after, read_to } = self.view.events_after(self.last, BATCH);
        if lost {
            self.last = after;
            self.write_stream_event("lost");
        }
        for event in events {
            self.last = event.number;
            if self.domain.is_none() || self.domain == event.uuid {
                self.write_event(&event);
            }
        }
        self.last = read_to;
        if *self.numbers.borrow() > read_to {
            self.numbers.mark_changed();
        }
    }

    fn write_event(&mut self, event: &Event) {
        let id = self.id();
        let data = self.framing.data().serialize(
            |sink| shape::event(sink, &id, event),
            |sink| shape::event(sink, &id, event),
        );
        self.write_frame(shape::event_kind(&event.what), Some(&id), &data);
    }

    /// Writes an event of the stream itself: `listening` or `lost`.
    fn write_stream_event(&mut self, kind: &str) {
        let id = self.id();
        let now = self.http.engine().now();
        let data = self.framing.data().serialize(
            |sink| shape::stream_event(sink, &id, kind, now),
            |sink| shape::stream_event(sink, &id, kind, now),
        );
        self.write_frame(kind, Some(&id), &data);
    }

    /// Writes the figures that have visibly changed since they were sent.
    fn write_figures(&mut self) {
        let round = self.view.last_samples();
        let snapshot = self.view.snapshot();
        let changed: Vec<_> = round
            .domains
            .iter()
            .filter(|(uuid, _)| self.domain.is_none_or(|domain| domain == **uuid))
            .filter(|(uuid, sample)| {
                self.figures.get(*uuid).is_none_or(|sent| differs_visibly(sent, sample))
            })
            .filter_map(|(uuid, sample)| Some((&**snapshot.by_uuid(uuid)?, uuid, sample)))
            .collect();
        if changed.is_empty() {
            return;
        }
        let data = self.framing.data().serialize(
            |sink| shape::figures(sink, changed.iter().copied()),
            |sink| shape::figures(sink, changed.iter().copied()),
        );
        let sent: Vec<_> = changed.iter().map(|(_, uuid, sample)| (**uuid, **sample)).collect();
        self.figures.extend(sent);
        self.figures.retain(|uuid, _| round.domains.contains_key(uuid));
        self.write_frame("figures", None, &data);
    }

    fn write_frame(&mut self, kind: &str, id: Option<&str>, data: &[u8]) {
        let is_server_sent = self.framing == Framing::ServerSent;
        if is_server_sent {
            if let Some(id) = id {
                self.out.extend_from_slice(format!("id: {id}\n").as_bytes());
            }
            self.out.extend_from_slice(format!("event: {kind}\ndata: ").as_bytes());
        }
        self.out.extend_from_slice(data);
        self.out.extend_from_slice(if is_server_sent { b"\n\n" } else { b"\n" });
    }

    /// The id of the last event.
    fn id(&self) -> String {
        self.http.event_ids().id(&self.view, self.last)
    }
}

/// Whether two samples are shown differently, in tenths of a percent and whole MiB.
fn differs_visibly(a: &Sample, b: &Sample) -> bool {
    (a.cpu - b.cpu).abs() >= 0.05 || a.memory_kib / 1024 != b.memory_kib / 1024
}
