//! Paths as old clients write them.

use axum::extract::Request;
use axum::http::uri::{PathAndQuery, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stays as it is in a path segment.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b'+');

/// The path that a client asked for, before it was made canonical: xend's `Location` is built from
/// it.
#[derive(Debug, Clone)]
pub(super) struct Asked(pub(super) String);

/// Repeated slashes collapse, a trailing slash goes, and each segment is decoded and encoded again,
/// so that `//xend/dom%61in/` is `/xend/domain`.
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
        request = with_path(request, path);
    }
    request.extensions_mut().insert(Asked(asked));
    request
}

/// The same request for another path.
fn with_path<B>(mut request: axum::http::Request<B>, path: String) -> axum::http::Request<B> {
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
    request
}

/// Domains of other toolstacks, and those of an earlier xend, can have slashes in their names, and
/// libvirt puts a name into the path as it is: `/xend/domain/a/b` becomes `/xend/domain/a%2Fb` if
/// there is a domain `a/b`.
pub(super) fn with_whole_name<B>(
    request: axum::http::Request<B>,
    is_domain: impl Fn(&str) -> bool,
) -> axum::http::Request<B> {
    let asked = request.uri().path().to_owned();
    match below_domains(&asked).and_then(|below| whole_name(below, is_domain)) {
        Some((name, page)) => {
            let page = if page.is_empty() { String::new() } else { format!("/{page}") };
            let mut request =
                with_path(request, format!("/xend/domain/{}{page}", segment_of(&name)));
            request.extensions_mut().insert(Asked(asked));
            request
        }
        None => request,
    }
}

/// What follows `/xend/domain/`, if it has a slash of its own.
fn below_domains(path: &str) -> Option<&str> {
    let below = path.trim_start_matches('/').strip_prefix("xend/")?;
    let below = below.trim_start_matches('/').strip_prefix("domain/")?;
    below.contains('/').then_some(below)
}

/// The name with slashes that is meant, and the page of its domain. A slash in front or at the end
/// is the name's own if there is such a domain, and a client's doubling or adding otherwise.
fn whole_name(below: &str, is_domain: impl Fn(&str) -> bool) -> Option<(String, &str)> {
    let readings = [below, below.trim_start_matches('/')].into_iter().flat_map(|below| {
        let trimmed = below.trim_end_matches('/');
        let page = trimmed.rsplit_once('/').filter(|(_, last)| PAGES_OF_A_DOMAIN.contains(last));
        [Some((below, "")), Some((trimmed, "")), page]
    });
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let readings = readings.flatten().map(|(name, page)| (decoded(name), page));
    // One without a slash needs no help, and slashes alone are the list.
    readings
        .filter(|(name, _)| name.contains('/') && name.contains(|c| c != '/'))
        .find(|(name, _)| is_domain(name))
}

/// The last segments of a domain's pages.
const PAGES_OF_A_DOMAIN: [&str; 3] = ["console", "config", "confirm"];

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
                        if segment == "domain" { &PAGES_OF_A_DOMAIN } else { &[] }
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
        !host.is_empty()
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b))
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
    fn names_with_slashes_can_be_in_a_path_as_they_are() {
        let known = |name: &str| {
            ["a/b", "a/b/config", "c//d", "e/", "f", "/g", "/h/", "i", "/i", "/"].contains(&name)
        };
        for (asked, path) in [
            ("/xend/domain/a/b", "/xend/domain/a%2Fb"),
            ("//xend//domain//a/b/?detail=1", "/xend/domain/a%2Fb?detail=1"),
            ("/xend/domain/a/b/console", "/xend/domain/a%2Fb/console"),
            // The domain of this name comes first.
            ("/xend/domain/a/b/config", "/xend/domain/a%2Fb%2Fconfig"),
            ("/xend/domain/a%2Fb/config", "/xend/domain/a%2Fb%2Fconfig"),
            ("/xend/domain/c//d", "/xend/domain/c%2F%2Fd"),
            ("/xend/domain/e/", "/xend/domain/e%2F"),
            ("/xend/domain/e//config", "/xend/domain/e%2F/config"),
            ("/xend/domain//g", "/xend/domain/%2Fg"),
            ("//xend//domain//g/?detail=1", "/xend/domain/%2Fg?detail=1"),
            ("/xend/domain//g/console", "/xend/domain/%2Fg/console"),
            ("/xend/domain//h/", "/xend/domain/%2Fh%2F"),
            // The name that is there as it is written comes first.
            ("/xend/domain//i", "/xend/domain/%2Fi"),
            // As they are, for the router.
            ("/xend/domain/e", "/xend/domain/e"),
            ("/xend/domain/g", "/xend/domain/g"),
            ("/xend/domain/i", "/xend/domain/i"),
            ("/xend/domain/f/", "/xend/domain/f/"),
            ("/xend/domain//f", "/xend/domain//f"),
            ("/xend/domain/", "/xend/domain/"),
            ("/xend/domain//", "/xend/domain//"),
            ("/xend/domain/f/config", "/xend/domain/f/config"),
            ("/xend/domain/a/c", "/xend/domain/a/c"),
            ("/xend/domain/a%2Fb", "/xend/domain/a%2Fb"),
            ("/xend/vnet/a/b", "/xend/vnet/a/b"),
        ] {
            let request = axum::http::Request::builder().uri(asked).body(()).unwrap();
            let request = with_whole_name(request, known);
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
