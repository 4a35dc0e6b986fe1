//! Bodies of POST requests: bounded, read to their end, and parsed as forms.

use super::multipart;
use super::params::Params;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Request};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

/// Bytes beyond the limit that are still read, so that a client that writes its whole request
/// before it reads gets the answer (libvirt dies of SIGPIPE otherwise).
const DRAIN_LIMIT: usize = 16 * 1024 * 1024;

/// The reason why a body was not read.
#[derive(Debug)]
pub(super) enum BodyError {
    TooLarge,
    /// The connection broke, or a form is malformed.
    Malformed(String),
}

/// Reads the parameters of a form. A body of any other type has none.
pub(super) async fn form_params(
    request: Request<Body>,
    max_body: usize,
) -> Result<Params, BodyError> {
    let (parts, body) = request.into_parts();
    let body = collect(body, max_body).await?;
    parse_form(&parts.headers, &body)
}

async fn collect(mut body: Body, max_body: usize) -> Result<Bytes, BodyError> {
    let mut collected = BytesMut::new();
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| BodyError::Malformed(format!("The body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        received += data.len();
        if received <= max_body {
            collected.extend_from_slice(&data);
        } else if received > max_body.saturating_add(DRAIN_LIMIT) {
            break;
        }
    }
    if received > max_body { Err(BodyError::TooLarge) } else { Ok(collected.freeze()) }
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
