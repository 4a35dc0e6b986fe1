//! Refuses requests that foreign web pages send through a visitor's browser.
//!
//! Every client controls every domain, and a browser on this machine is a client. Foreign pages
//! have two ways to use it:
//!
//! - *DNS rebinding*: the name of the page's host is made to resolve to this machine. Over TCP,
//!   `Host` must therefore be one of the machine's names.
//! - *Cross-site request forgery*: the page posts a form to the daemon's address. Browsers report
//!   that in `Origin` or `Sec-Fetch-Site`, and browsers before 2016 in `Referer`. This is checked
//!   on a unix socket, too, since a proxy can be in front of it. A WebSocket counts as a form.
//!
//! curl, xm and libvirt send none of these three headers, and some clients send no `Host`: such
//! requests pass.
//!
//! tower-http's `csrf` layer does not replace the second check: it ignores `Referer`, accepts any
//! `Origin` beside `Sec-Fetch-Site: same-origin`, and takes `localhost` and `localhost:80` for
//! different hosts.

use crate::config::LiveTunables;
use crate::core::caller::{Caller, Via};
use crate::core::ports::{RefusalReason, RequestRefusal};
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, EXPIRES, HOST, ORIGIN, PRAGMA, REFERER, UPGRADE,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The middleware that refuses requests of foreign web pages.
#[derive(Debug, Clone)]
pub struct Guard {
    own_names: Arc<[String]>,
    tunables: LiveTunables,
}

/// The reason of a refusal.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// The request names another host.
    Host(String),
    /// The request comes from a page of another site.
    CrossSite,
}

impl Guard {
    /// A guard that accepts this machine's names, and those that `tunables` have at the time of a
    /// request.
    pub fn new(tunables: LiveTunables) -> Self {
        Self { own_names: names_of_this_machine().into(), tunables }
    }

    /// The middleware: `axum::middleware::from_fn_with_state(guard, Guard::check)`.
    pub async fn check(State(guard): State<Self>, request: Request, next: Next) -> Response {
        let caller = request.extensions().get::<Caller>();
        let via = caller.map(|caller| &caller.via);
        let result = guard.check_head(via, request.method(), request.uri(), request.headers());
        match result {
            Ok(()) => next.run(request).await,
            Err(refusal) => {
                let client = caller.map(ToString::to_string).unwrap_or_default();
                tracing::warn!("Refused a request from {client}: {}", refusal.text());
                refusal.into_response()
            }
        }
    }

    /// Checks the head of a request. A request without a caller is checked as one over TCP.
    fn check_head(
        &self,
        via: Option<&Via>,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        if !matches!(via, Some(Via::Unix { .. } | Via::Internal)) {
            let hosts =
                headers.get_all(HOST).iter().map(|host| String::from_utf8_lossy(host.as_bytes()));
            // A request to a proxy has the host in its target, too.
            let target = uri.authority().map(|authority| authority.as_str().into());
            for host in hosts.chain(target) {
                if !self.is_own_host(&host) {
                    return Err(Refusal::Host(host.into_owned()));
                }
            }
        }
        // A page of any site may open a WebSocket, and read and write there.
        let is_read =
            matches!(*method, Method::GET | Method::HEAD) && !headers.contains_key(UPGRADE);
        if is_read || is_same_site(headers) { Ok(()) } else { Err(Refusal::CrossSite) }
    }

    /// Whether `host`, a name or an address with or without a port, stands for this machine.
    fn is_own_host(&self, host: &str) -> bool {
        let (name, port) = match host.rfind(':') {
            Some(colon) if !host.ends_with(']') => (&host[..colon], &host[colon + 1..]),
            _ => (host, ""),
        };
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return false;
        }
        if let Some(ip) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return ip.parse::<Ipv6Addr>().is_ok();
        }
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        // HTTP/1.1 requires an empty Host from a client that has no name for the host.
        name.is_empty()
            || name == "localhost"
            || name.ends_with(".localhost")
            || name.parse::<Ipv4Addr>().is_ok()
            || self.own_names.contains(&name)
            || self.tunables.load().allowed_hosts.contains(&name)
    }
}

/// Whether a request comes from a page of this daemon, or not from a page at all.
fn is_same_site(headers: &HeaderMap) -> bool {
    // `none` is a typed address or a bookmark.
    let fetch_site_is_own = headers
        .get_all("sec-fetch-site")
        .iter()
        .all(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let is_own = |value: &HeaderValue, origin: fn(&str) -> &str| match (value.to_str(), host) {
        (Ok(value), Some(host)) => is_origin_of(origin(value), host),
        _ => false,
    };
    let origin_is_own =
        headers.get_all(ORIGIN).iter().all(|origin| is_own(origin, |origin| origin));
    // Browsers before 2016 send `Origin` with few requests or none. Some proxies empty `Referer`.
    let is_modern = headers.contains_key("sec-fetch-site") || headers.contains_key(ORIGIN);
    let referer_is_own = is_modern
        || headers
            .get_all(REFERER)
            .iter()
            .all(|referer| is_path(referer.as_bytes()) || is_own(referer, origin_of));
    fetch_site_is_own && origin_is_own && referer_is_own
}

/// Whether a `Referer` is a path on this site, or empty. `//evil.example/` is another site.
fn is_path(referer: &[u8]) -> bool {
    matches!(referer, [] | [b'/'])
        || matches!(referer, [b'/', second, ..] if !b"/\\".contains(second))
}

/// The origin of a URL: `http://host:8000` of `http://host:8000/a?b`.
fn origin_of(url: &str) -> &str {
    let Some((scheme, rest)) = url.split_once("://") else { return url };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    &url[..scheme.len() + "://".len() + authority.len()]
}

/// Whether `origin` has the name and port of `host`.
fn is_origin_of(origin: &str, host: &str) -> bool {
    let (scheme, authority) = origin.split_once("://").unwrap_or_default();
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let plain = |authority: &str| {
        let authority = authority.to_ascii_lowercase();
        authority.strip_suffix(default_port).map(str::to_owned).unwrap_or(authority)
    };
    !authority.is_empty() && plain(authority) == plain(host)
}

impl Refusal {
    fn text(&self) -> String {
        match self {
            Self::Host(host) => format!(
                "This server is not '{}'. If it should be, add that name without its port to \
                 xend-http-hosts in xend-config.sxp.",
                host.escape_debug()
            ),
            Self::CrossSite => "A page of another site may not change anything here.".to_owned(),
        }
    }

    const fn reason(&self) -> RefusalReason {
        match self {
            Self::Host(_) => RefusalReason::ForeignHost,
            Self::CrossSite => RefusalReason::ForeignPage,
        }
    }

    fn into_response(self) -> Response {
        let refusal = RequestRefusal { reason: self.reason(), text: self.text() };
        let headers = [
            (CONTENT_TYPE, "text/plain; charset=utf-8"),
            (EXPIRES, "-1"),
            (PRAGMA, "no-cache"),
            (CACHE_CONTROL, "no-cache"),
        ];
        let text = format!("{}\n", refusal.text);
        (StatusCode::FORBIDDEN, headers, Extension(refusal), text).into_response()
    }
}

/// The host names of the kernel and of `/etc/hostname`, with and without domain, in lower case.
fn names_of_this_machine() -> Vec<String> {
    let mut names = Vec::new();
    for file in ["/proc/sys/kernel/hostname", "/etc/hostname"] {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
        let short = name.split('.').next().unwrap_or_default().to_owned();
        names.extend([name, short].into_iter().filter(|name| !name.is_empty()));
    }
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests;
