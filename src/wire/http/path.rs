//! Paths as old clients write them.

use crate::core::caller::Via;
use axum::http::header::HOST;
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{HeaderMap, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The characters that are escaped in a path segment.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b'+');

/// The last segments of a domain's pages.
pub(super) const DOMAIN_PAGES: [&str; 5] = ["console", "screen", "config", "confirm", "history"];

/// The page on which users log in.
pub(super) const LOGIN_PATH: &str = "/xend/login";
/// The target of the button to log out.
pub(super) const LOGOUT_PATH: &str = "/xend/logout";
/// The page that users see first.
pub(super) const FIRST_PAGE: &str = "/xend/domain";
/// The longest path to which a login leads, in bytes.
const MAX_NEXT: usize = 2048;

/// The path as the client sent it, before it was made canonical: xend's `Location` is built from
/// it.
#[derive(Debug, Clone)]
pub(super) struct RequestedPath(pub(super) String);

/// Collapses repeated slashes, drops a trailing one, and decodes and re-encodes each segment, so
/// that `//xend/dom%61in/` is `/xend/domain`.
pub(super) fn canonicalize<B>(mut request: Request<B>) -> Request<B> {
    let requested = request.uri().path().to_owned();
    let mut path = String::with_capacity(requested.len());
    for segment in requested.split('/').filter(|segment| !segment.is_empty()) {
        path.push('/');
        path.push_str(&encode_segment(&decode(segment)));
    }
    if path.is_empty() {
        path.push('/');
    }
    if path != requested {
        request = with_path(request, path);
    }
    request.extensions_mut().insert(RequestedPath(requested));
    request
}

/// The same request with a path in UTF-8. Bytes of another encoding become replacement characters,
/// so that a page answers, by a domain that does not exist.
pub(super) fn as_utf8<B>(request: Request<B>) -> Request<B> {
    let is_utf8 = percent_decode_str(request.uri().path()).decode_utf8().is_ok();
    if is_utf8 { request } else { canonicalize(request) }
}

/// The same request for another path.
pub(super) fn with_path<B>(mut request: Request<B>, path: String) -> Request<B> {
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

/// Escapes the slashes of a domain's name: `/xend/domain/a/b` becomes `/xend/domain/a%2Fb` if there
/// is a domain `a/b`. Domains of other toolstacks and of an earlier xend can have slashes in their
/// names, and libvirt does not escape them.
pub(super) fn escape_slashes<B>(
    request: Request<B>,
    is_domain: impl Fn(&Request<B>, &str) -> bool,
) -> Request<B> {
    let Some(below) = below_domain_list(request.uri().path()) else { return request };
    let is_domain = |name: &str| is_domain(&request, name);
    let Some((name, page)) = name_with_slashes(below, is_domain) else { return request };
    let page = if page.is_empty() { String::new() } else { format!("/{page}") };
    let path = format!("/xend/domain/{}{page}", encode_segment(&name));
    let requested = request.uri().path().to_owned();
    let mut request = with_path(request, path);
    request.extensions_mut().insert(RequestedPath(requested));
    request
}

/// The part of a path after `/xend/domain/`, if it contains a slash.
fn below_domain_list(path: &str) -> Option<&str> {
    let below = path.trim_start_matches('/').strip_prefix("xend/")?;
    let below = below.trim_start_matches('/').strip_prefix("domain/")?;
    below.contains('/').then_some(below)
}

/// The domain with slashes in its name that is meant, and its page. A leading or trailing slash
/// belongs to the name if there is such a domain; otherwise the client added it.
fn name_with_slashes(below: &str, is_domain: impl Fn(&str) -> bool) -> Option<(String, &str)> {
    let readings = [below, below.trim_start_matches('/')].into_iter().flat_map(|below| {
        let trimmed = below.trim_end_matches('/');
        let page = trimmed.rsplit_once('/').filter(|(_, last)| DOMAIN_PAGES.contains(last));
        [Some((below, "")), Some((trimmed, "")), page]
    });
    let readings = readings.flatten().map(|(name, page)| (decode(name), page));
    // A name without a slash needs no escaping, and slashes alone are the list.
    readings
        .filter(|(name, _)| name.contains('/') && name.contains(|c| c != '/'))
        .find(|(name, _)| is_domain(name))
}

/// The login page, which leads on to this path and query.
pub(super) fn login_path(next: &str) -> String {
    format!("{LOGIN_PATH}?next={}", utf8_percent_encode(next, NON_ALPHANUMERIC))
}

/// The page to open after a login: a page of this interface, never another site.
pub(super) fn page_after_login(next: &str) -> &str {
    let is_page = (next == "/" || next == "/xend" || next.starts_with("/xend/"))
        && next.len() <= MAX_NEXT
        && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_login = next.starts_with(LOGIN_PATH) || next.starts_with(LOGOUT_PATH);
    if is_page && !is_login { next } else { FIRST_PAGE }
}

/// A name as a segment of a path.
pub(super) fn encode_segment(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

/// A segment of a path as a name.
pub(super) fn decode(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// The segments of a canonical path.
pub(super) fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// Whether xend had a page with this canonical path.
pub(super) fn is_of_xend(path: &str) -> bool {
    let segments: Vec<&str> = segments(path).collect();
    matches!(
        segments.as_slice(),
        [] | ["xend"]
            | ["xend", "domain" | "node" | "vnet"]
            | ["xend", "domain" | "vnet", _]
            | ["xend", "node", "dmesg" | "log"]
    )
}

/// The page of the domain with this name.
pub(super) fn domain_path(name: &str) -> String {
    domain_path_below("/xend", name)
}

/// The path of a domain's page on the host whose pages are below `base`.
pub(super) fn domain_path_below(base: &str, name: &str) -> String {
    format!("{base}/domain/{}", encode_segment(name))
}

/// The address at which the client reached the daemon, `http://host:port` or `https://host:port`,
/// for links and `Location`.
pub(super) fn origin(headers: &HeaderMap, via: &Via) -> String {
    let is_plain = |host: &&str| {
        !host.is_empty()
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b))
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let scheme = if matches!(via, Via::Tcp { encrypted: true, .. }) { "https" } else { "http" };
    if let Some(host) = host.filter(is_plain) {
        return format!("{scheme}://{host}");
    }
    match via {
        Via::Tcp { local, .. } => format!("{scheme}://{local}"),
        Via::Unix { .. } | Via::Peer { .. } | Via::Internal => "http://localhost".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_canonical() {
        for (requested, path) in [
            ("/", "/"),
            ("//xend//domain/", "/xend/domain"),
            ("/xend/dom%61in?detail=1", "/xend/domain?detail=1"),
            ("/xend/domain/my%20dom", "/xend/domain/my%20dom"),
            ("/xend/domain/a%2Fb", "/xend/domain/a%2Fb"),
            ("/xend/domain/../node", "/xend/domain/../node"),
            ("/xend/domain/%c3%28", "/xend/domain/%EF%BF%BD%28"),
        ] {
            let request = Request::builder().uri(requested).body(()).unwrap();
            let request = canonicalize(request);
            assert_eq!(request.uri().path_and_query().unwrap().as_str(), path, "{requested}");
        }
    }

    #[test]
    fn paths_become_utf_8() {
        for (requested, path) in [
            ("/xend/domain/%ff%fe?op=x", "/xend/domain/%EF%BF%BD%EF%BF%BD?op=x"),
            ("//xend/domain/%c3%bc/", "//xend/domain/%c3%bc/"),
        ] {
            let request = as_utf8(Request::builder().uri(requested).body(()).unwrap());
            assert_eq!(request.uri().path_and_query().unwrap().as_str(), path, "{requested}");
        }
    }

    #[test]
    fn slashes_in_domain_names_are_escaped() {
        let known = |name: &str| {
            ["a/b", "a/b/config", "c//d", "e/", "f", "/g", "/h/", "i", "/i", "/"].contains(&name)
        };
        for (requested, path) in [
            ("/xend/domain/a/b", "/xend/domain/a%2Fb"),
            ("//xend//domain//a/b/?detail=1", "/xend/domain/a%2Fb?detail=1"),
            ("/xend/domain/a/b/console", "/xend/domain/a%2Fb/console"),
            // A domain with this name takes precedence over the page.
            ("/xend/domain/a/b/config", "/xend/domain/a%2Fb%2Fconfig"),
            ("/xend/domain/a%2Fb/config", "/xend/domain/a%2Fb%2Fconfig"),
            ("/xend/domain/c//d", "/xend/domain/c%2F%2Fd"),
            ("/xend/domain/e/", "/xend/domain/e%2F"),
            ("/xend/domain/e//config", "/xend/domain/e%2F/config"),
            ("/xend/domain//g", "/xend/domain/%2Fg"),
            ("//xend//domain//g/?detail=1", "/xend/domain/%2Fg?detail=1"),
            ("/xend/domain//g/console", "/xend/domain/%2Fg/console"),
            ("/xend/domain//h/", "/xend/domain/%2Fh%2F"),
            // The name as it is written takes precedence.
            ("/xend/domain//i", "/xend/domain/%2Fi"),
            // Unchanged.
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
            let request = Request::builder().uri(requested).body(()).unwrap();
            let request = escape_slashes(request, |_, name| known(name));
            assert_eq!(request.uri().path_and_query().unwrap().as_str(), path, "{requested}");
        }
    }

    #[test]
    fn the_origin_has_the_scheme_of_the_connection() {
        let address = "192.0.2.7:8443".parse().unwrap();
        let via = |encrypted| Via::Tcp { peer: address, local: address, encrypted };
        let mut headers = HeaderMap::new();
        assert_eq!(origin(&headers, &via(false)), "http://192.0.2.7:8443");
        assert_eq!(origin(&headers, &via(true)), "https://192.0.2.7:8443");
        headers.insert(HOST, "xen1:8443".parse().unwrap());
        assert_eq!(origin(&headers, &via(true)), "https://xen1:8443");
        assert_eq!(origin(&headers, &via(false)), "http://xen1:8443");
        headers.insert(HOST, "evil/x".parse().unwrap());
        assert_eq!(origin(&headers, &via(true)), "https://192.0.2.7:8443");
    }

    #[test]
    fn a_login_leads_to_a_page_of_this_site() {
        for page in ["/", "/xend", "/xend/domain/my%20dom?op=vcpuinfo", "/xend/node"] {
            assert_eq!(page_after_login(page), page);
            let path = login_path(page);
            let query = path.strip_prefix("/xend/login?next=").unwrap();
            assert!(query.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'%'), "{query}");
            assert_eq!(decode(query), page);
        }
        for elsewhere in [
            "",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example/xend/",
            "javascript:alert(1)",
            "/evil",
            "/xendevil",
            "xend/domain",
            "/xend/\r\nSet-Cookie: a=b",
            "/xend/\t/x",
            "/xend/\\x",
            "/xend/ä",
            "/xend/login?next=/xend/login",
            "/xend/logout",
            &format!("/xend/{}", "x".repeat(MAX_NEXT)),
        ] {
            assert_eq!(page_after_login(elsewhere), FIRST_PAGE, "{elsewhere}");
        }
    }
}
