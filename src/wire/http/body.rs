//! Bodies of POST requests: bounded, read to their end, and parsed as forms.

use super::context::Http;
use super::multipart;
use super::params::Params;
use crate::memory_budget::{MemoryBudget, OverBudget, Reservation, ReservedBuffer};
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt;

/// Bytes beyond the limit that are still read, so that a client that writes its whole request
/// before it reads gets the answer (libvirt dies of SIGPIPE otherwise).
const DRAIN_LIMIT: usize = 16 * 1024 * 1024;

/// How many times a form is in memory while its operation reads it: its parameters, two copies of
/// them with some left out, and a decoded value.
const COPIES: usize = 4;

/// A form, and the memory that it takes.
pub(super) struct Form {
    pub(super) params: Params,
    /// Until the request is answered.
    pub(super) memory: Reservation,
}

/// The reason why a body was not read.
#[derive(Debug)]
pub(super) enum BodyError {
    TooLarge,
    /// There is no memory for it now.
    OverBudget(OverBudget),
    /// The connection broke, or a form is malformed.
    Malformed(String),
}

impl From<OverBudget> for BodyError {
    fn from(over: OverBudget) -> Self {
        Self::OverBudget(over)
    }
}

/// Reads a form. A body of any other type has no parameters.
pub(super) async fn read_form(
    http: &Http,
    request: Request<Body>,
    max_body: usize,
) -> Result<Form, BodyError> {
    let received = receive(request, max_body, http.budget()).await?;
    let size = received.body.len();
    http.engine().offload(size, async move { received.parse() }).await
}

/// A body that was received, and the memory for its form.
struct ReceivedBody {
    headers: HeaderMap,
    body: ReservedBuffer,
    memory: Reservation,
}

impl ReceivedBody {
    fn parse(self) -> Result<Form, BodyError> {
        Ok(Form { params: parse_form(&self.headers, self.body.as_slice())?, memory: self.memory })
    }
}

async fn receive(
    request: Request<Body>,
    max_body: usize,
    budget: &MemoryBudget,
) -> Result<ReceivedBody, BodyError> {
    let (parts, body) = request.into_parts();
    let body = collect(body, max_body, budget).await?;
    let mut memory = budget.reservation();
    memory.grow(body.len().saturating_mul(COPIES))?;
    Ok(ReceivedBody { headers: parts.headers, body, memory })
}

/// Reads a body to its end, even if it is refused.
async fn collect(
    mut body: Body,
    max_body: usize,
    budget: &MemoryBudget,
) -> Result<ReservedBuffer, BodyError> {
    let mut collected = Ok(budget.buffer());
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| BodyError::Malformed(format!("The body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        received += data.len();
        let added = match &mut collected {
            Ok(_) if received > max_body => Err(BodyError::TooLarge),
            Ok(buffer) => buffer.extend(&data).map_err(BodyError::from),
            Err(_) if received > max_body.saturating_add(DRAIN_LIMIT) => break,
            Err(_) => Ok(()),
        };
        if let Err(error) = added {
            // What was collected is freed at once.
            collected = Err(error);
        }
    }
    collected
}

fn parse_form(headers: &HeaderMap, body: &[u8]) -> Result<Params, BodyError> {
    let content_type =
        headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media = content_type.split(';').next().unwrap_or("").trim();
    if media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        Ok(Params::from_form(body))
    } else if media.eq_ignore_ascii_case("multipart/form-data") {
        parse_multipart(content_type, body)
            .map_err(|reason| BodyError::Malformed(format!("The form is malformed: {reason}")))
    } else {
        Ok(Params::default())
    }
}

/// The value of a file is its content.
fn parse_multipart(content_type: &str, body: &[u8]) -> Result<Params, &'static str> {
    let boundary = multipart::boundary(content_type)?;
    let parts = multipart::parts(&boundary, body)?;
    // A browser sends an empty file for a file input that was left alone.
    let fields = parts.into_iter().filter(|part| !(part.is_file && part.value.is_empty()));
    Ok(Params::from_fields(fields.filter_map(|part| Some((part.name?, part.value.to_vec())))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::{StreamExt as _, stream};
    use std::convert::Infallible;

    const PIECE: usize = 64 << 10;

    /// Reads a form that arrives in this many pieces. Calls `see` before each.
    async fn read(
        pieces: usize,
        max_body: usize,
        budget: &MemoryBudget,
        see: impl Fn() + Send + 'static,
    ) -> Result<Form, BodyError> {
        let pieces = stream::iter(0..pieces).map(move |_| {
            see();
            Ok::<_, Infallible>(Bytes::from(vec![b'x'; PIECE]))
        });
        let request = Request::post("/xend/domain")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from_stream(pieces));
        receive(request.unwrap(), max_body, budget).await?.parse()
    }

    #[tokio::test]
    async fn the_memory_of_a_form_is_reserved_until_it_is_answered() {
        let budget = MemoryBudget::default();
        let form = read(4, 1 << 20, &budget, || ()).await.unwrap();
        assert_eq!(budget.reserved(), 4 * PIECE * COPIES);
        assert_eq!(form.params.names(), ["x".repeat(4 * PIECE)]);
        drop(form);
        assert_eq!(budget.reserved(), 0);
    }

    #[tokio::test]
    async fn a_refused_body_is_read_and_not_kept() {
        for (max_body, limit) in [(4 * PIECE, usize::MAX), (1 << 30, 8 * PIECE)] {
            let budget = MemoryBudget::new(limit);
            let seen = budget.clone();
            let see = move || assert!(seen.reserved() <= 8 * PIECE, "{}", seen.reserved());
            let refused = read(100, max_body, &budget, see).await;
            match refused.map(|_| ()).unwrap_err() {
                BodyError::TooLarge => assert_eq!(max_body, 4 * PIECE),
                BodyError::OverBudget(_) => assert_eq!(limit, 8 * PIECE),
                other @ BodyError::Malformed(_) => panic!("{other:?}"),
            }
            assert_eq!(budget.reserved(), 0);
        }
    }

    #[tokio::test]
    async fn a_form_without_room_for_its_parameters_is_refused() {
        let budget = MemoryBudget::new(8 * PIECE);
        let refused = read(2, 1 << 20, &budget, || ()).await;
        assert!(matches!(refused, Err(BodyError::OverBudget(_))));
    }
}
