//! `GET /xend/events`: what happens, as it happens.
//!
//! Nobody has a queue here. A stream remembers which event it told last, and reads on from the
//! engine's journal when its client has taken what there was; a client that is slower than the
//! journal is long is told that it lost some.
//!
//! Browsers and plain curl get server-sent events whose data is JSON. A client that asks for JSON
//! or for S-expressions gets one a line. Each event has an id; a client that names the last one it
//! has (`Last-Event-ID`, or `?after=`) goes on behind it.

use super::Http;
use super::errors::{failed, no_such_domain};
use super::format::Format;
use super::params::Params;
use super::request::{Place, caller, written};
use super::response::{Content, answer, streamed};
use crate::core::engine::Engine;
use crate::core::journal::{Event, News};
use crate::core::model::{DomainRef, Invalid, Uuid};
use crate::core::op::Query;
use crate::core::samples::Sample;
use crate::shape;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How many clients may follow along at a time.
pub(super) const MOST: usize = 200;
/// How many events are told in one piece.
const PIECE: usize = 64;
/// How often something is sent while nothing happens, so that both sides see that the other one is
/// there.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// After how many milliseconds a browser whose stream has ended comes again.
const COME_AGAIN: u32 = 1000;

/// `GET /xend/events`
pub(super) async fn events(State(http): State<Http>, format: Format, request: Request) -> Response {
    let params = Params::from_query(request.uri().query().unwrap_or(""));
    let place = Place::of(&request, &[], format);
    let engine = http.0.engine.clone();
    let last = request
        .headers()
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .filter(|id| !id.is_empty());
    let read = || {
        Ok::<_, Invalid>((
            params.optional("after")?,
            params.optional("domain")?,
            params.switch("figures")?,
        ))
    };
    let (after, domain, figures) = match read() {
        Ok(read) => read,
        Err(invalid) => return failed(&place, "events", &invalid.into()),
    };
    let after = last.map(str::to_owned).or(after);
    let about = match domain.map(DomainRef::new) {
        None => None,
        Some(domain) => {
            let there = engine.snapshot().find(&domain).map(|view| view.uuid);
            // Who goes on is told how it ended, though the domain has gone meanwhile.
            let was = || after.as_ref().and_then(|_| engine.journal().find(&domain));
            match there.or_else(was) {
                Some(uuid) => Some(uuid),
                None => return no_such_domain(&place, domain.as_str()),
            }
        }
    };
    let Ok(permit) = http.0.followers.clone().try_acquire_owned() else {
        let text = format!("{MOST} clients follow along already, try again later");
        return answer(503, "Service Unavailable", Content::Text(text.into()));
    };
    let framing = match place.format {
        Format::Html { .. } => Framing::ServerSent,
        Format::Json => Framing::JsonLines,
        Format::Sxp => Framing::SxpLines,
    };
    // Somebody who follows along reads: figures are kept fresh for the first look.
    let _ = engine.execute(&caller(&request), Query::Domains).await;
    let stream = Follower::new(
        engine,
        http.0.closing.clone(),
        framing,
        about,
        figures,
        after.as_deref(),
        permit,
    );
    let pieces = futures_util::stream::unfold(stream, |mut stream| async move {
        let piece = stream.next().await?;
        Some((Ok::<_, Infallible>(piece), stream))
    });
    streamed(framing.media(), axum::body::Body::from_stream(pieces))
}

/// How events are set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    ServerSent,
    JsonLines,
    SxpLines,
}

impl Framing {
    /// How an event is written down.
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

/// Somebody who follows along.
struct Follower {
    engine: Engine,
    closing: CancellationToken,
    framing: Framing,
    /// The domain that alone is followed.
    about: Option<Uuid>,
    /// The number of the event that was told last.
    told: u64,
    numbers: watch::Receiver<u64>,
    rounds: Option<watch::Receiver<u64>>,
    /// The figures that were told last, as they were printed.
    figures: HashMap<Uuid, Sample>,
    /// What is to be told first.
    out: Vec<u8>,
    /// When something is sent though nothing has happened.
    heartbeat: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    fn new(
        engine: Engine,
        closing: CancellationToken,
        framing: Framing,
        about: Option<Uuid>,
        figures: bool,
        after: Option<&str>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let (numbers, now) = (engine.journal().numbers(), *engine.journal().numbers().borrow());
        let volume = engine.journal().volume;
        // A number of another daemon's journal, or one that has not been yet, was not one of ours.
        let known =
            after.map(|id| parse_id(id).filter(|(of, number)| *of == volume && *number <= now));
        let rounds = figures.then(|| {
            let mut rounds = engine.samples().rounds();
            rounds.mark_changed();
            rounds
        });
        let mut follower = Self {
            framing,
            about,
            told: known.flatten().map_or(now, |(_, number)| number),
            numbers,
            rounds,
            figures: HashMap::new(),
            out: Vec::new(),
            heartbeat: Instant::now() + HEARTBEAT,
            closing,
            engine,
            _permit: permit,
        };
        if framing == Framing::ServerSent {
            follower.out.extend_from_slice(format!("retry: {COME_AGAIN}\n").as_bytes());
        }
        match known {
            Some(Some(_)) => {}
            Some(None) => follower.tell_of_the_stream("lost"),
            None => follower.tell_of_the_stream("listening"),
        }
        follower.numbers.mark_changed();
        follower
    }

    /// The next piece; none if the daemon stops.
    async fn next(&mut self) -> Option<Bytes> {
        while self.out.is_empty() {
            let rounds = async {
                match &mut self.rounds {
                    Some(rounds) => rounds.changed().await.is_ok(),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.closing.cancelled() => return None,
                changed = self.numbers.changed() => {
                    changed.ok()?;
                    self.read_on();
                }
                _ = rounds => self.tell_figures(),
                () = tokio::time::sleep_until(self.heartbeat) => self.beat(),
            }
        }
        self.heartbeat = Instant::now() + HEARTBEAT;
        Some(std::mem::take(&mut self.out).into())
    }

    /// Nothing but a sign of life. A browser notes the id, though nothing came with it: of a domain
    /// that is quiet, the last event may be too long ago to go on from.
    fn beat(&mut self) {
        match self.framing {
            Framing::ServerSent => {
                self.out.extend_from_slice(format!("id: {}\n\n", self.id()).as_bytes())
            }
            Framing::JsonLines | Framing::SxpLines => self.out.push(b'\n'),
        }
    }

    fn read_on(&mut self) {
        let News { events, lost } = self.engine.journal().after(self.told, PIECE);
        if lost {
            if let Some(first) = events.first() {
                self.told = first.number - 1;
            }
            self.tell_of_the_stream("lost");
        }
        if events.len() == PIECE {
            self.numbers.mark_changed();
        }
        for event in events {
            self.told = event.number;
            if self.about.is_none() || self.about == event.uuid {
                self.tell(&event);
            }
        }
    }

    fn id(&self) -> String {
        id(self.engine.journal().volume, self.told)
    }

    fn tell(&mut self, event: &Event) {
        let id = self.id();
        let data = written(
            self.framing.data(),
            |sink| shape::event(sink, &id, event),
            |sink| shape::event(sink, &id, event),
        );
        self.frame(shape::event_kind(&event.what), Some(&id), &data);
    }

    fn tell_of_the_stream(&mut self, kind: &str) {
        let (id, now) = (self.id(), self.engine.now());
        let data = written(
            self.framing.data(),
            |sink| shape::stream_event(sink, &id, kind, now),
            |sink| shape::stream_event(sink, &id, kind, now),
        );
        self.frame(kind, Some(&id), &data);
    }

    /// Those figures that are others than the last that were told.
    fn tell_figures(&mut self) {
        let (round, snapshot) = (self.engine.samples().last(), self.engine.snapshot());
        let wanted =
            round.domains.iter().filter(|(uuid, _)| self.about.is_none_or(|about| about == **uuid));
        let news: Vec<_> = wanted
            .filter(|(uuid, sample)| {
                self.figures.get(*uuid).is_none_or(|told| differ(told, sample))
            })
            .filter_map(|(uuid, sample)| Some((&**snapshot.by_uuid(uuid)?, uuid, sample)))
            .collect();
        if news.is_empty() {
            return;
        }
        let data = written(
            self.framing.data(),
            |sink| shape::figures(sink, news.iter().copied()),
            |sink| shape::figures(sink, news.iter().copied()),
        );
        let told: Vec<_> = news.iter().map(|(_, uuid, sample)| (**uuid, **sample)).collect();
        self.figures.extend(told);
        self.figures.retain(|uuid, _| round.domains.contains_key(uuid));
        self.frame("figures", None, &data);
    }

    fn frame(&mut self, kind: &str, id: Option<&str>, data: &[u8]) {
        if self.framing == Framing::ServerSent {
            if let Some(id) = id {
                self.out.extend_from_slice(format!("id: {id}\n").as_bytes());
            }
            self.out.extend_from_slice(format!("event: {kind}\ndata: ").as_bytes());
        }
        self.out.extend_from_slice(data);
        self.out.extend_from_slice(if self.framing == Framing::ServerSent {
            b"\n\n"
        } else {
            b"\n"
        });
    }
}

/// What is seen of a difference: tenths of a percent, whole MiB.
fn differ(a: &Sample, b: &Sample) -> bool {
    (a.cpu - b.cpu).abs() >= 0.05 || a.memory_kib / 1024 != b.memory_kib / 1024
}

/// The id of what was told last, for a page that was made just now.
pub(super) fn last_id(engine: &Engine) -> String {
    let journal = engine.journal();
    id(journal.volume, *journal.numbers().borrow())
}

fn id(volume: u32, number: u64) -> String {
    format!("{volume:08x}-{number}")
}

fn parse_id(id: &str) -> Option<(u32, u64)> {
    let (volume, number) = id.trim().split_once('-')?;
    Some((u32::from_str_radix(volume, 16).ok()?, number.parse().ok()?))
}
