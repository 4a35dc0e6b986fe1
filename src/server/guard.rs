//! Keeps web pages from talking to the daemon behind their reader's back.
//!
//! Whoever reaches the port controls every domain, and a browser on this machine reaches it. Two
//! ways lead a foreign page there, and each has its door shut:
//!
//! - *DNS rebinding*: the page's own name is made to resolve to this machine. Its requests then
//!   name a host that is not ours, so on TCP `Host` must be a name of ours.
//! - *Cross-site request forgery*: the page posts a form to our address. A browser says so in
//!   `Origin` or `Sec-Fetch-Site`, on a unix socket behind a proxy as well; an old one that knows
//!   neither says so in `Referer`.
//!
//! curl, xm and libvirt send none of the three, and some send no `Host`: they pass.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, EXPIRES, HOST, ORIGIN, PRAGMA, REFERER};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::config::Live;
use crate::core::caller::{Caller, Via};

/// What the guard knows: the names that are ours.
#[derive(Debug, Clone)]
pub struct Guard {
    own: Arc<[String]>,
    tunables: Live,
}

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    Host(String),
    CrossSite,
}

impl Guard {
    /// A guard that knows this machine's names and the ones that `tunables` allow at the time of a
    /// request.
    pub fn new(tunables: Live) -> Self {
        Self { own: names_of_this_machine().into(), tunables }
    }

    /// The middleware: `axum::middleware::from_fn_with_state(guard, Guard::check)`.
    pub async fn check(State(guard): State<Self>, request: Request, next: Next) -> Response {
        let via = request.extensions().get::<Caller>().map(|caller| &caller.via);
        let verdict = guard.judge(via, request.method(), request.uri(), request.headers());
        match verdict {
            Ok(()) => next.run(request).await,
            Err(refusal) => {
                let who =
                    via.map(|via| Caller { via: via.clone() }.to_string()).unwrap_or_default();
                tracing::warn!("Refused a request of {who}: {}", refusal.text());
                refusal.into_response()
            }
        }
    }

    fn judge(
        &self,
        via: Option<&Via>,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        if !matches!(via, Some(Via::Unix { .. } | Via::Internal)) {
            let hosts =
                headers.get_all(HOST).iter().map(|host| String::from_utf8_lossy(host.as_bytes()));
            // A request through a proxy names the host in its target as well.
            let target = uri.authority().map(|authority| authority.as_str().into());
            for host in hosts.chain(target) {
                if !self.is_ours(&host) {
                    return Err(Refusal::Host(host.into_owned()));
                }
            }
        }
        if matches!(*method, Method::GET | Method::HEAD) || is_from_our_own_page(headers) {
            Ok(())
        } else {
            Err(Refusal::CrossSite)
        }
    }

    /// Whether `host`, a name or an address with or without a port, is a way to say this machine.
    fn is_ours(&self, host: &str) -> bool {
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
        // An empty Host is what HTTP/1.1 asks of a client that has no name to give.
        name.is_empty()
            || name == "localhost"
            || name.ends_with(".localhost")
            || name.parse::<Ipv4Addr>().is_ok()
            || self.own.contains(&name)
            || self.tunables.load().allowed_hosts.contains(&name)
    }
}

/// Whether a browser would say so, or nobody says anything.
fn is_from_our_own_page(headers: &HeaderMap) -> bool {
    // `none` is a person's doing: an address typed in, a bookmark.
    let site_is_ours = headers
        .get_all("sec-fetch-site")
        .iter()
        .all(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let is_ours = |value: &HeaderValue, origin: fn(&str) -> &str| match (value.to_str(), host) {
        (Ok(value), Some(host)) => is_origin_of(origin(value), host),
        _ => false,
    };
    let origin_is_ours =
        headers.get_all(ORIGIN).iter().all(|origin| is_ours(origin, |origin| origin));
    // Browsers before 2016 send an `Origin` with few requests, or none. Some proxies blank a
    // `Referer` out.
    let told = headers.contains_key("sec-fetch-site") || headers.contains_key(ORIGIN);
    let referer_is_ours = told
        || headers
            .get_all(REFERER)
            .iter()
            .all(|referer| is_path(referer.as_bytes()) || is_ours(referer, origin_of));
    site_is_ours && origin_is_ours && referer_is_ours
}

/// Whether a `Referer` names no site: it is a path on this one, or empty. `//evil.example/` names
/// one.
fn is_path(referer: &[u8]) -> bool {
    matches!(referer, [] | [b'/'])
        || matches!(referer, [b'/', second, ..] if !b"/\\".contains(second))
}

/// The part of a URL that is its origin: `http://host:8000` of `http://host:8000/a?b`.
fn origin_of(url: &str) -> &str {
    let Some((scheme, rest)) = url.split_once("://") else { return url };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    &url[..scheme.len() + "://".len() + authority.len()]
}

/// Whether `origin` is that of pages which `host` serves: the same name and the same port.
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
                "This server is not '{}'. If it should be, add that name to xend-http-hosts in xend-config.sxp.",
                host.escape_debug()
            ),
            Self::CrossSite => "A page of another site may not change anything here.".to_owned(),
        }
    }

    fn into_response(self) -> Response {
        let headers = [
            (CONTENT_TYPE, "text/plain; charset=utf-8"),
            (EXPIRES, "-1"),
            (PRAGMA, "no-cache"),
            (CACHE_CONTROL, "no-cache"),
        ];
        (StatusCode::FORBIDDEN, headers, self.text() + "\n").into_response()
    }
}

/// The host name as the kernel and `/etc/hostname` have it, each also without its domain; lower
/// case.
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
