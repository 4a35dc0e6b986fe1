//! Receives calls.
//!
//! How much is read of a call depends on who makes it. Whom the listener knows may send a long one.
//! Of all others only the beginning is read, unless it names a session that is live.

use super::codec::{self, Call, ReadErrorKind, XmlLimits};
use super::fault::{INTERNAL, XEND_ERROR};
use crate::memory_budget::{MemoryBudget, OverBudget, Reservation, ReservedBuffer};
use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;

/// The longest call, in bytes.
const MAX_CALL: usize = 32 << 20;

/// The longest call of a caller who is not known and has no session, in bytes.
const MAX_UNKNOWN: usize = 64 << 10;

/// How much of a refused call is still read, in bytes. None of it is kept. A client that still
/// sends its call would see a broken connection and no answer.
const MAX_DRAINED: usize = MAX_CALL;

/// A call, and the memory that its values take. Whoever goes on with it keeps it: a call becomes a
/// task with its values and their reservation.
#[cfg_attr(test, derive(Debug))]
pub(super) struct ReceivedCall {
    pub(super) call: Call,
    _memory: Reservation,
}

#[cfg(test)]
impl From<Call> for ReceivedCall {
    fn from(call: Call) -> Self {
        Self { call, _memory: MemoryBudget::unlimited().reservation() }
    }
}

/// Why a call is not received.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotReceived {
    /// The code and the text of a fault.
    Fault(i64, String),
    /// A long call that names this session, which is none or is over.
    NoSession(String),
}

impl NotReceived {
    fn malformed(reason: impl Into<String>) -> Self {
        Self::Fault(INTERNAL, reason.into())
    }
}

impl From<OverBudget> for NotReceived {
    fn from(over: OverBudget) -> Self {
        Self::Fault(XEND_ERROR, over.to_string())
    }
}

/// The text of a call, and the session on whose account it was read.
pub(super) struct ReceivedText {
    text: ReservedBuffer,
    session: Option<String>,
}

impl ReceivedText {
    /// Its length in bytes.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Reads the call, which takes a while if it is long.
    pub(super) fn read(self, budget: &MemoryBudget) -> Result<ReceivedCall, NotReceived> {
        let mut memory = budget.reservation();
        let limits = XmlLimits::default();
        let read = codec::read_call_within(self.text.as_slice(), &limits, &mut memory);
        let call = read.map_err(|error| match error.kind {
            ReadErrorKind::Malformed => NotReceived::malformed(error.to_string()),
            ReadErrorKind::OverBudget => NotReceived::from(OverBudget),
        })?;
        // Both readings are of one reader and agree. Should they ever not, nothing is called.
        if self.session.is_some_and(|session| call.text_param(0) != session) {
            let reason = "The call is not of the session that it begins with";
            return Err(NotReceived::malformed(reason));
        }
        Ok(ReceivedCall { call, _memory: memory })
    }
}

/// Receives the text of a call. A caller who is not `known` must name a session in a long one, as
/// its first parameter; `is_live` tells whether it is live.
pub(super) async fn receive_text(
    mut body: Body,
    budget: &MemoryBudget,
    known: bool,
    is_live: impl Fn(&str) -> bool,
) -> Result<ReceivedText, NotReceived> {
    let received = read_text(&mut body, budget, known, is_live).await;
    if received.is_err() {
        drain(body).await;
    }
    received
}

async fn read_text(
    body: &mut Body,
    budget: &MemoryBudget,
    known: bool,
    is_live: impl Fn(&str) -> bool,
) -> Result<ReceivedText, NotReceived> {
    let mut text = budget.buffer();
    let mut session = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| NotReceived::malformed("The call broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        let mut rest = &data[..];
        if !known && session.is_none() {
            let room = MAX_UNKNOWN.saturating_sub(text.len());
            let (beginning, beyond) = rest.split_at(rest.len().min(room));
            text.extend(beginning)?;
            if beyond.is_empty() {
                continue;
            }
            session = Some(live_session(text.as_slice(), &is_live)?);
            rest = beyond;
        }
        if text.len().saturating_add(rest.len()) > MAX_CALL {
            let reason = format!("The call is longer than {MAX_CALL} bytes");
            return Err(NotReceived::malformed(reason));
        }
        text.extend(rest)?;
    }
    Ok(ReceivedText { text, session })
}

/// The live session that the beginning of a long call names.
fn live_session(beginning: &[u8], is_live: &impl Fn(&str) -> bool) -> Result<String, NotReceived> {
    let Some(session) = codec::first_text_param(beginning) else {
        let reason = format!("Without a session, a call has at most {MAX_UNKNOWN} bytes");
        return Err(NotReceived::malformed(reason));
    };
    if is_live(&session) { Ok(session) } else { Err(NotReceived::NoSession(session)) }
}

/// Reads what is left of a call, and keeps none of it.
pub(super) async fn drain(mut body: Body) {
    let mut drained = 0;
    while drained <= MAX_DRAINED {
        let Some(Ok(frame)) = body.frame().await else { break };
        drained += frame.data_ref().map_or(0, Bytes::len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::xmlrpc::value::Value;
    use futures_util::{StreamExt as _, stream};
    use std::convert::Infallible;

    const LIVE: &str = "live";

    /// A call of this session, with so many bytes of text.
    fn call_of(session: &str, length: usize) -> String {
        codec::call("VM.create", &[Value::text(session), Value::text("x".repeat(length))])
    }

    /// Receives a text that arrives in pieces of `piece` bytes.
    async fn receive_in(
        text: &str,
        piece: usize,
        budget: &MemoryBudget,
        known: bool,
    ) -> Result<ReceivedCall, NotReceived> {
        let pieces: Vec<_> = text.as_bytes().chunks(piece).map(Bytes::copy_from_slice).collect();
        let body = Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)));
        receive_text(body, budget, known, |session| session == LIVE).await?.read(budget)
    }

    #[tokio::test]
    async fn only_known_callers_and_live_sessions_may_send_long_calls() {
        let budget = MemoryBudget::default();
        let no_session = NotReceived::NoSession("over".to_owned());
        for piece in [1 << 10, 1 << 20] {
            for length in [10, 1 << 20] {
                let text = call_of(LIVE, length);
                for known in [false, true] {
                    let received = receive_in(&text, piece, &budget, known).await.unwrap();
                    assert_eq!(received.call.params.len(), 2);
                    assert!(budget.reserved() >= length);
                }
            }
            let long = call_of("over", 1 << 20);
            assert!(receive_in(&long, piece, &budget, true).await.is_ok());
            let refused = receive_in(&long, piece, &budget, false).await.unwrap_err();
            assert_eq!(refused, no_session);
            assert!(receive_in(&call_of("over", 10), piece, &budget, false).await.is_ok());
        }
        assert_eq!(budget.reserved(), 0);
    }

    #[tokio::test]
    async fn a_long_call_without_a_session_is_refused() {
        let long = codec::call("session.login_with_password", &[Value::text("x".repeat(1 << 20))]);
        let filler = format!("{}{}", " ".repeat(MAX_UNKNOWN), call_of(LIVE, 10));
        for text in [long, filler, "<".repeat(1 << 20)] {
            let refused = receive_in(&text, 5000, &MemoryBudget::default(), false).await;
            let Err(NotReceived::Fault(INTERNAL, reason)) = refused else { panic!("{refused:?}") };
            assert_eq!(reason, "Without a session, a call has at most 65536 bytes");
        }
    }

    #[tokio::test]
    async fn what_is_refused_holds_no_memory() {
        let budget = MemoryBudget::default();
        let pieces =
            stream::iter([Bytes::from(call_of("over", 1 << 20)), Bytes::from_static(b"x")]);
        let seen = budget.clone();
        let pieces = pieces.map(move |piece| {
            assert!(seen.reserved() <= 2 * MAX_UNKNOWN, "{}", seen.reserved());
            Ok::<_, Infallible>(piece)
        });
        let received = receive_text(Body::from_stream(pieces), &budget, false, |_| false).await;
        assert!(matches!(received, Err(NotReceived::NoSession(_))));
        assert_eq!(budget.reserved(), 0);
    }

    #[tokio::test]
    async fn beyond_the_budget_a_call_fails() {
        let budget = MemoryBudget::new(1 << 20);
        let busy = || NotReceived::from(OverBudget);
        let long = call_of(LIVE, 1 << 20);
        assert_eq!(receive_in(&long, 1 << 10, &budget, true).await.unwrap_err(), busy());
        // The text fits in, its values do not.
        let values = "<value/>".repeat(50_000);
        let values = format!(
            "<methodCall><methodName>m</methodName><params><param><value><array><data>{values}\
             </data></array></value></param></params></methodCall>"
        );
        assert_eq!(receive_in(&values, 1 << 10, &budget, true).await.unwrap_err(), busy());
        let too_many = values.replace("<value/>", &"<value/>".repeat(6));
        let unlimited = MemoryBudget::unlimited();
        let refused = receive_in(&too_many, 1 << 20, &unlimited, true).await.unwrap_err();
        let NotReceived::Fault(INTERNAL, reason) = refused else { panic!("{refused:?}") };
        assert!(reason.contains("more than 250000 values"), "{reason}");
        assert_eq!(budget.reserved() + unlimited.reserved(), 0);
    }

    #[tokio::test]
    async fn a_call_that_is_too_long_is_refused() {
        let long = call_of(LIVE, MAX_CALL);
        let refused = receive_in(&long, 1 << 20, &MemoryBudget::default(), true).await;
        let Err(NotReceived::Fault(INTERNAL, reason)) = refused else { panic!("{refused:?}") };
        assert_eq!(reason, "The call is longer than 33554432 bytes");
    }
}
