//! Bodies of requests.

use super::multipart;
use super::params::Params;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Request};
use bytes::Bytes;
use http_body_util::BodyExt;

/// How much of a body that is too large is read all the same, in bytes: a client that writes before
/// it reads sees the answer only then (libvirt dies of SIGPIPE otherwise).
const PATIENCE: usize = 16 * 1024 * 1024;

/// Why a body could not be read.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is larger than the limit.
    TooLarge,
    /// It makes no sense, or broke off.
    Malformed(String),
}

/// Query and form of a request.
pub(super) async fn params(request: Request<Body>, limit: usize) -> Result<Params, Refused> {
    let (parts, body) = request.into_parts();
    let query = Params::from_query(parts.uri.query().unwrap_or(""));
    let body = collect(body, limit).await?;
    Ok(query.replaced_by(form(&parts.headers, &body)?))
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, Refused> {
    let mut collected = bytes::BytesMut::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Refused::Malformed(format!("The body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        seen += data.len();
        if seen <= limit {
            collected.extend_from_slice(&data);
        } else if seen > limit.saturating_add(PATIENCE) {
            break;
        }
    }
    if seen > limit { Err(Refused::TooLarge) } else { Ok(collected.freeze()) }
}

/// A body of another type, or of none, is not a form: then there are no parameters in it.
fn form(headers: &HeaderMap, body: &[u8]) -> Result<Params, Refused> {
    let content_type =
        headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media = content_type.split(';').next().unwrap_or("").trim();
    if media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        Ok(Params::from_form(body))
    } else if media.eq_ignore_ascii_case("multipart/form-data") {
        multipart(content_type, body)
    } else {
        Ok(Params::default())
    }
}

/// A file counts as its content.
fn multipart(content_type: &str, body: &[u8]) -> Result<Params, Refused> {
    let malformed = |reason| Refused::Malformed(format!("The form is malformed: {reason}"));
    let boundary = multipart::boundary(content_type).map_err(malformed)?;
    let mut params = Params::default();
    for part in multipart::parts(&boundary, body).map_err(malformed)? {
        // A browser sends an empty file for a file input that was left alone.
        if let Some(name) = part.name.filter(|_| !(part.is_file && part.value.is_empty())) {
            params.push(name, part.value.to_vec());
        }
    }
    Ok(params)
}
