//! Streams of changes. etcd says nothing while nothing changes, so that it is asked.

use super::error::{self, CallKind, is_too_large};
use super::server::{Connection, Servers};
use crate::fleet::kv::{Entry, KvError, KvEvent, Revision, Watched};
use etcd_client::{Client, Error, Event, ResponseHeader, WatchOptions, WatchResponse, WatchStream};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How often etcd is asked for its progress.
const ASK_EVERY: Duration = Duration::from_secs(3);

/// How long etcd may say nothing: three questions.
const MOST_SILENCE: Duration = Duration::from_secs(10);

/// The most bytes of one message. etcd puts up to 1,000 revisions into one for who is late.
const MOST_BYTES: usize = 16 << 20;

/// Begins a watch. Its first message says that it was created, or why not.
pub(super) async fn begin(
    client: &Client,
    prefix: &str,
    from: Revision,
) -> Result<(WatchStream, WatchResponse), Error> {
    let options = WatchOptions::new().with_prefix().with_start_revision(from.0);
    let mut watch = client.watch_client().max_decoding_message_size(MOST_BYTES);
    let mut stream = watch.watch(prefix, Some(options)).await?;
    let ended = || Error::WatchError("the watch has ended".to_owned());
    let first = stream.message().await?.ok_or_else(ended)?;
    Ok((stream, first))
}

/// The changes of a watch that has begun.
pub(super) fn changes(
    (stream, first): (WatchStream, WatchResponse),
    from: Revision,
    connection: Arc<Connection>,
    servers: Arc<Servers>,
) -> Result<BoxStream<'static, Result<Watched, KvError>>, KvError> {
    if let Some(error) = refusal(&first) {
        return Err(error);
    }
    let now = Instant::now();
    let seen = Revision(from.0.saturating_sub(1));
    let watch = Watch { stream, connection, servers, seen, heard: now, ask: now + ASK_EVERY };
    let changes = stream::try_unfold(watch, |mut watch| async move {
        match watch.next().await {
            Ok(watched) => Ok(Some((watched, watch))),
            Err(error) => {
                if matches!(error, KvError::Unreachable(_)) {
                    watch.servers.forget(&watch.connection).await;
                }
                Err(error)
            }
        }
    });
    Ok(changes.boxed())
}

struct Watch {
    stream: WatchStream,
    connection: Arc<Connection>,
    servers: Arc<Servers>,
    /// The revision of the last event.
    seen: Revision,
    /// When etcd last said something.
    heard: Instant,
    /// When to ask for the progress.
    ask: Instant,
}

impl Watch {
    async fn next(&mut self) -> Result<Watched, KvError> {
        loop {
            let silent = self.heard + MOST_SILENCE;
            let message = tokio::select! {
                // What has come counts, even if nobody has looked for long.
                biased;
                message = self.stream.message() => message,
                () = sleep_until(silent) => return Err(self.unreachable("said nothing for 10 s")),
                () = sleep_until(self.ask) => {
                    self.ask = Instant::now() + ASK_EVERY;
                    if self.stream.request_progress().await.is_err() {
                        return Err(self.unreachable("the watch has ended"));
                    }
                    continue;
                }
            };
            let message = match message {
                Ok(Some(message)) => message,
                Ok(None) => return Err(self.unreachable("the watch has ended")),
                // What has changed is more than a list of what there is.
                Err(error) if is_too_large(&error) => return Err(KvError::Compacted),
                Err(error) => {
                    let endpoint = &self.connection.endpoint;
                    return Err(error::of_call(&error, CallKind::Read, endpoint));
                }
            };
            self.heard = Instant::now();
            if let Some(error) = refusal(&message) {
                return Err(error);
            }
            if !message.created() {
                return Ok(self.watched(&message));
            }
        }
    }

    fn watched(&mut self, message: &WatchResponse) -> Watched {
        let events: Vec<KvEvent> = message.events().iter().filter_map(event).collect();
        match events.last() {
            Some(KvEvent::Put(entry)) => self.seen = entry.modified,
            Some(KvEvent::Deleted { revision, .. }) => self.seen = *revision,
            // Old servers tell of progress beyond events that they have not sent yet.
            None if self.connection.has_true_progress() => {
                let revision = message.header().map_or(0, ResponseHeader::revision);
                self.seen = self.seen.max(Revision(revision));
            }
            None => {}
        }
        if events.is_empty() { Watched::Progress(self.seen) } else { Watched::Events(events) }
    }

    fn unreachable(&self, reason: &str) -> KvError {
        KvError::Unreachable(format!("{}: {reason}", self.connection.endpoint))
    }
}

/// Why etcd ends a watch, if it does.
fn refusal(message: &WatchResponse) -> Option<KvError> {
    if message.compact_revision() > 0 {
        return Some(KvError::Compacted);
    }
    message.canceled().then(|| match message.cancel_reason() {
        reason if reason.contains("has been compacted") => KvError::Compacted,
        reason if reason.contains("no leader") => KvError::Unreachable(reason.to_owned()),
        reason => KvError::Refused(reason.trim_start_matches("etcdserver: ").to_owned()),
    })
}

fn event(event: &Event) -> Option<KvEvent> {
    let kv = event.kv()?;
    let key = String::from_utf8_lossy(kv.key()).into_owned();
    let modified = Revision(kv.mod_revision());
    // The library panics at types of events that it does not know. A key that is deleted has no
    // version.
    Some(if kv.version() == 0 {
        KvEvent::Deleted { key, revision: modified }
    } else {
        KvEvent::Put(Entry { key, value: kv.value().to_vec(), modified })
    })
}
