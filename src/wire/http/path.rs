//! Paths as old clients write them.

use axum::extract::Request;
use axum::http::uri::{PathAndQuery, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stays as it is in a path segment.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b'+');

/// The path that a client asked for, before it was made canonical: xend's `Location` is built from it.
#[derive(Debug, Clone)]
pub(super) struct Asked(pub(super) String);

/// Repeated slashes collapse, a trailing slash goes, and each segment is decoded and encoded again, so that
/// `//xend/dom%61in/` is `/xend/domain`.
pub(super) fn canonical<B>(mut request: axum::http::Request<B>) -> axum::http::Request<B> {
    let asked = request.uri().path().to_owned();
    let mut path = String::with_capacity(asked.len());
    for segment in asked.split('/').filter(|segment| !segment.is_empty()) {
        path.push('/');
        path.push_str(&segment_of(&percent_decode_str(segment).decode_utf8_lossy()));
    }
    if path.is_empty() {
        path.push('/');
    }
    if path != asked {
        let target = match request.uri().query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        let mut parts = request.uri().clone().into_parts();
        if let Ok(target) = target.parse::<PathAndQuery>() {
            parts.path_and_query = Some(target);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
    }
    request.extensions_mut().insert(Asked(asked));
    request
}

/// A name as a segment of a path.
pub(super) fn segment_of(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

/// The first segment of a canonical path that names no page.
pub(super) fn unknown_segment(path: &str) -> String {
    let mut segments = path.split('/').filter(|s| !s.is_empty());
    let mut known: &[&str] = &["xend"];
    let found = loop {
        match segments.next() {
            None => break "",
            Some(segment) if known.contains(&segment) => {
                known = match segment {
                    "xend" => &["domain", "node", "vnet", "help", "new", "events"],
                    "node" => &["dmesg", "log"],
                    // Below these any name can stand.
                    "domain" | "vnet" => {
                        segments.next();
                        if segment == "domain" { &["console", "config", "confirm"] } else { &[] }
                    }
                    _ => &[],
                };
            }
            Some(segment) => break segment,
        }
    };
    percent_decode_str(found).decode_utf8_lossy().into_owned()
}

/// Where the client reached us: `http://host:port`, for links and `Location`.
pub(super) fn origin(request: &Request) -> String {
    use crate::core::caller::{Caller, Via};
    let harmless = |host: &&str| {
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b))
    };
    let host = request.headers().get(axum::http::header::HOST).and_then(|host| host.to_str().ok());
    if let Some(host) = host.filter(harmless) {
        return format!("http://{host}");
    }
    match request.extensions().get::<Caller>().map(|caller| &caller.via) {
        Some(Via::Tcp { local, .. }) => format!("http://{local}"),
        _ => "http://localhost".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_canonical() {
        for (asked, path) in [
            ("/", "/"),
            ("//xend//domain/", "/xend/domain"),
            ("/xend/dom%61in?detail=1", "/xend/domain?detail=1"),
            ("/xend/domain/my%20dom", "/xend/domain/my%20dom"),
            ("/xend/domain/a%2Fb", "/xend/domain/a%2Fb"),
            ("/xend/domain/../node", "/xend/domain/../node"),
            ("/xend/domain/%c3%28", "/xend/domain/%EF%BF%BD%28"),
        ] {
            let request = axum::http::Request::builder().uri(asked).body(()).unwrap();
            let request = canonical(request);
            assert_eq!(request.uri().path_and_query().unwrap().as_str(), path, "{asked}");
        }
    }

    #[test]
    fn the_first_unknown_segment_is_named() {
        for (path, segment) in [
            ("/nosuch", "nosuch"),
            ("/xend/nosuch/x", "nosuch"),
            ("/xend/domain/pv1/vbd", "vbd"),
            ("/xend/node/x%20y", "x y"),
        ] {
            assert_eq!(unknown_segment(path), segment);
        }
    }
}
