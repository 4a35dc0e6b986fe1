//! Bodies of POST requests: bounded, read to their end, and parsed as forms or JSON.

use super::context::Http;
use super::errors::{busy, malformed_request, too_large};
use super::json::request::JsonBody;
use super::multipart;
use super::params::Params;
use super::request::RequestInfo;
use crate::memory_budget::{MemoryBudget, OverBudget, Reservation, ReservedBuffer};
use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Request, Version};
use axum::response::Response;
use http_body_util::BodyExt;

/// Bytes beyond the limit that are still read, so that a client that writes its whole request
/// before it reads gets the answer (libvirt dies of SIGPIPE otherwise, and a browser shows none).
pub(super) const DRAIN_LIMIT: usize = 16 * 1024 * 1024;

/// How many times a form is in memory while its operation reads it: its parameters, two copies of
/// them with some left out, and a decoded value.
const COPIES: usize = 4;

/// A form, and the memory that it takes.
pub(super) struct Form {
    pub(super) params: Params,
    /// Until the request is answered.
    pub(super) memory: Reservation,
}

/// A body, and the memory that it takes.
pub(super) struct PostBody {
    pub(super) content: PostContent,
    /// Its length in bytes.
    pub(super) size: usize,
    /// Until the request is answered.
    pub(super) memory: Reservation,
}

/// The content of a body.
pub(super) enum PostContent {
    Form(Params),
    Json(JsonBody),
    /// A body that looks like JSON, of another type: what `curl -d` sends, if nobody says what it
    /// is. It has these parameters if its type is that of a form.
    UntypedJson {
        form: Option<Params>,
    },
    /// A body that is empty, or of another type.
    Other {
        is_empty: bool,
    },
}

/// The reason why a body was not read.
#[derive(Debug)]
pub(super) enum BodyError {
    TooLarge,
    /// There is no memory for it now.
    OverBudget(OverBudget),
    /// The connection broke, or the body is malformed.
    Malformed(String),
}

impl BodyError {
    /// The answer to a request whose body may have `max_body` bytes.
    pub(super) fn answer(&self, request: &RequestInfo, max_body: usize) -> Response {
        match self {
            Self::OverBudget(over) => busy(request, &over.to_string()),
            Self::TooLarge => too_large(request, max_body),
            Self::Malformed(reason) => malformed_request(request, reason),
        }
    }
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
    let PostBody { content, memory, .. } = read_body(http, request, max_body).await?;
    let params = match content {
        PostContent::Form(params) | PostContent::UntypedJson { form: Some(params) } => params,
        PostContent::Json(_)
        | PostContent::UntypedJson { form: None }
        | PostContent::Other { .. } => Params::default(),
    };
    Ok(Form { params, memory })
}

/// Reads a body.
pub(super) async fn read_body(
    http: &Http,
    request: Request<Body>,
    max_body: usize,
) -> Result<PostBody, BodyError> {
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
    fn parse(self) -> Result<PostBody, BodyError> {
        let Self { headers, body, mut memory } = self;
        let content = parse(&headers, body.as_slice(), &mut memory)?;
        Ok(PostBody { content, size: body.len(), memory })
    }
}

async fn receive(
    request: Request<Body>,
    max_body: usize,
    budget: &MemoryBudget,
) -> Result<ReceivedBody, BodyError> {
    let (parts, body) = request.into_parts();
    if is_kept_back(&parts) && length(&parts).is_some_and(|length| length > max_body) {
        return Err(BodyError::TooLarge);
    }
    let body = collect(body, max_body, budget).await?;
    let mut memory = budget.reservation();
    memory.grow(body.len().saturating_mul(COPIES))?;
    Ok(ReceivedBody { headers: parts.headers, body, memory })
}

/// Whether the client sends its body when it is told to: the answer can come instead.
fn is_kept_back(parts: &Parts) -> bool {
    let expects = parts.headers.get(EXPECT).map(HeaderValue::as_bytes);
    parts.version == Version::HTTP_11
        && expects.is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"))
}

/// The length of the body, if the client knows it beforehand.
fn length(parts: &Parts) -> Option<usize> {
    let length = parts.headers.get(CONTENT_LENGTH)?.to_str().ok()?;
    length.parse().ok()
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

fn parse(
    headers: &HeaderMap,
    body: &[u8],
    memory: &mut Reservation,
) -> Result<PostContent, BodyError> {
    let content_type =
        headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media = content_type.split(';').next().unwrap_or("").trim();
    if media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let form = Params::from_form(body);
        Ok(if looks_like_json(body) {
            PostContent::UntypedJson { form: Some(form) }
        } else {
            PostContent::Form(form)
        })
    } else if media.eq_ignore_ascii_case("multipart/form-data") {
        parse_multipart(content_type, body)
            .map(PostContent::Form)
            .map_err(|reason| BodyError::Malformed(format!("The form is malformed: {reason}")))
    } else if media.eq_ignore_ascii_case("application/json") {
        parse_json(body, memory).map(PostContent::Json)
    } else if looks_like_json(body) {
        Ok(PostContent::UntypedJson { form: None })
    } else {
        Ok(PostContent::Other { is_empty: body.is_empty() })
    }
}

/// Whether a body is in braces, as no form is that somebody means.
fn looks_like_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii(), [b'{', .., b'}'])
}

/// Its memory is reserved before it is read.
fn parse_json(body: &[u8], memory: &mut Reservation) -> Result<JsonBody, BodyError> {
    let malformed =
        |reason: String| BodyError::Malformed(format!("The JSON is malformed: {reason}"));
    memory.grow(JsonBody::most_memory(body).map_err(|reason| malformed(reason.to_string()))?)?;
    JsonBody::parse(body).map_err(|error| {
        // An error about the data can quote it.
        let is_syntax = error.is_syntax() || error.is_eof();
        let object = r#"it must be an object like {"op": "pause"}, with each name once"#;
        malformed(if is_syntax { error.to_string() } else { object.to_owned() })
    })
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
    ) -> Result<PostBody, BodyError> {
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
        let PostContent::Form(params) = &form.content else { panic!("no form") };
        assert_eq!(params.names(), ["x".repeat(4 * PIECE)]);
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

    fn json(text: &str, budget: &MemoryBudget) -> Result<PostBody, BodyError> {
        let mut body = budget.buffer();
        body.extend(text.as_bytes()).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "application/json; charset=utf-8".parse().unwrap());
        ReceivedBody { headers, body, memory: budget.reservation() }.parse()
    }

    #[test]
    fn the_memory_of_json_is_reserved_before_it_is_read() {
        let budget = MemoryBudget::default();
        let text = format!(r#"{{"op": "create", "config": [{}1]}}"#, "1,".repeat(10_000));
        let body = json(&text, &budget).unwrap();
        assert!(matches!(body.content, PostContent::Json(_)));
        assert!(budget.reserved() > 10_000 * 100, "{}", budget.reserved());
        drop(body);
        assert_eq!(budget.reserved(), 0);
        let small = MemoryBudget::new(64 << 10);
        assert!(matches!(json(&text, &small).map(|_| ()), Err(BodyError::OverBudget(_))));
        let nested = "[".repeat(1000);
        for text in ["{", "[]", nested.as_str()] {
            let refused = json(text, &budget).map(|_| ());
            assert!(matches!(refused, Err(BodyError::Malformed(_))), "{text}");
        }
    }
}
