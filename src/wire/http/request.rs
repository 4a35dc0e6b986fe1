//! A request as handlers see it.

use super::etag;
use super::format::Format;
use super::params::Params;
use super::path::{RequestedPath, is_of_xend, origin};
use super::response::{Content, not_found, respond};
use super::sessions::Session;
use crate::core::caller::Caller;
use crate::core::rights::{Access, OpKind};
use axum::RequestPartsExt;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::HeaderMap;
use axum::http::header::UPGRADE_INSECURE_REQUESTS;
use axum::http::request::Parts;
use axum::response::Response;
use std::sync::Arc;

/// A request: its caller, its page, its query, and the format of its answer.
///
/// Every handler takes one, and a request without a [`Caller`] has none: it is refused.
#[derive(Debug, Clone)]
pub(super) struct RequestInfo {
    pub(super) caller: Caller,
    /// The session by which the caller is a user; `None` for all who have not logged in on a page.
    pub(super) session: Option<Arc<Session>>,
    /// `http://host:port`, or with `https`
    pub(super) origin: String,
    /// What paths have instead of `/xend` on the host of the fleet that was asked; `None` if it is
    /// this one.
    pub(super) base: Option<String>,
    /// The path as the client sent it.
    requested_path: String,
    /// The canonical path.
    pub(super) path: String,
    /// The domain, the vnet or the host in the path; `None` on other pages.
    pub(super) name: Option<String>,
    pub(super) query: Params,
    pub(super) format: Format,
    /// Whether a browser opens the answer as a page.
    pub(super) is_navigation: bool,
    /// How callers log in on the listener.
    pub(super) login: ListenerLogin,
    pub(super) host: HostTraits,
    /// The tags of the answers that the client has.
    pub(super) has_tags: Option<String>,
    /// Whether the client wants to follow a long operation as a task (RFC 7240).
    pub(super) prefers_task: bool,
}

/// What pages say of the host. The router puts it into each request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HostTraits {
    pub(super) is_simulated: bool,
    /// Whether it is in a fleet.
    pub(super) has_fleet: bool,
}

/// Where the pages of this host are shown: on another host of the fleet. It is an extension of
/// requests from such a host alone.
#[derive(Debug, Clone)]
pub(super) struct ShownAt {
    /// `http://host:port` of the host that was asked.
    pub(super) origin: String,
    /// What its path has instead of `/xend`.
    pub(super) base: String,
}

/// How callers log in on a listener. The router puts it into each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum ListenerLogin {
    /// Not at all: the server knows who they are.
    #[default]
    None,
    /// With the name and the password of an account.
    Account,
}

impl RequestInfo {
    /// The domain or the vnet in the path; empty on other pages.
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// Whether a browser opens the answer as a page. Browsers say so with
    /// `Upgrade-Insecure-Requests`; old clients never send it.
    pub(super) fn is_navigation(headers: &HeaderMap) -> bool {
        headers.contains_key(UPGRADE_INSECURE_REQUESTS)
    }

    /// What the caller may do.
    pub(super) fn access(&self) -> Arc<Access> {
        self.caller.access()
    }

    /// Whether there are pages that need this, and the caller may read them. A host in no fleet has
    /// none about a fleet.
    pub(super) fn may_open(&self, kind: OpKind) -> bool {
        (self.host.has_fleet || kind != OpKind::ShowFleet) && self.access().may(kind)
    }

    /// Whether a page has its place in a menu. On another host of the fleet, those of its own have,
    /// and those that it shows of this one.
    pub(super) fn is_in_menu(&self, path: &str) -> bool {
        self.base.is_none()
            || matches!(path, "/xend/domain" | "/xend/host" | "/xend/node" | "/xend/help")
    }

    /// Whether xend had the page: its clients know its statuses.
    pub(super) fn is_of_xend(&self) -> bool {
        is_of_xend(&self.path)
    }

    /// The page's URL.
    pub(super) fn url(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }

    /// xend's `Location` after an operation on a domain: `URL/..`.
    pub(super) fn parent_location(&self) -> String {
        format!("{}{}/..", self.origin, self.requested_path.trim_end_matches('/'))
    }

    /// The same request, answered in another format.
    pub(super) fn with_format(&self, format: Format) -> Self {
        Self { format, ..self.clone() }
    }
}

/// Whether the client prefers this: `Prefer: respond-async, wait=10`.
fn prefers(headers: &HeaderMap, preference: &str) -> bool {
    let lists = headers.get_all("prefer").iter().filter_map(|list| list.to_str().ok());
    let mut names = lists
        .flat_map(|list| list.split(','))
        .map(|one| one.split([';', '=']).next().unwrap_or_default().trim());
    names.any(|name| name.eq_ignore_ascii_case(preference))
}

impl<S: Send + Sync> FromRequestParts<S> for RequestInfo {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        let Some(caller) = parts.extensions.get::<Caller>().cloned() else {
            tracing::error!(
                method = %parts.method,
                path = parts.uri.path(),
                "Refused a request without a caller, this is a bug"
            );
            let text = "The daemon does not know where the request came from, this is a bug";
            return Err(respond(500, "Internal server error", Content::Text(text.into())));
        };
        let name = match parts.extract::<Option<Path<Vec<(String, String)>>>>().await {
            // Of a page of another host, the host.
            Ok(names) => {
                names.and_then(|Path(names)| names.into_iter().next()).map(|(_, name)| name)
            }
            // The request has no route: it is for the fallback.
            Err(PathRejection::MissingPathParams(_)) => None,
            Err(_) => return Err(not_found(&format!("Not found: {}", parts.uri.path()))),
        };
        let path = parts.uri.path().to_owned();
        let requested_path = parts
            .extensions
            .get::<RequestedPath>()
            .map_or_else(|| path.clone(), |requested| requested.0.clone());
        let shown_at = parts.extensions.get::<ShownAt>().cloned();
        Ok(Self {
            origin: match &shown_at {
                Some(shown_at) => shown_at.origin.clone(),
                None => origin(&parts.headers, &caller.via),
            },
            base: shown_at.map(|shown_at| shown_at.base),
            session: parts.extensions.get::<Arc<Session>>().cloned(),
            caller,
            requested_path,
            path,
            name,
            query: Params::from_query(parts.uri.query().unwrap_or("")),
            format: Format::negotiate(&parts.headers),
            is_navigation: Self::is_navigation(&parts.headers),
            login: parts.extensions.get().copied().unwrap_or_default(),
            host: parts.extensions.get().copied().unwrap_or_default(),
            has_tags: etag::tags_of(&parts.headers),
            prefers_task: prefers(&parts.headers, "respond-async"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::caller::Via;
    use axum::body::to_bytes;
    use axum::http::Request;

    async fn extract(request: Request<()>) -> Result<RequestInfo, Response> {
        RequestInfo::from_request_parts(&mut request.into_parts().0, &()).await
    }

    #[tokio::test]
    async fn a_request_has_a_caller() {
        let caller = Caller::operator(Via::Unix { uid: Some(0), pid: None });
        let request = Request::get("/xend/node?detail=1").extension(caller.clone());
        let info = extract(request.body(()).unwrap()).await.unwrap();
        assert_eq!(info.url(), "http://localhost/xend/node");
        assert_eq!(info.caller, caller);
        assert_eq!(info.query.text("detail").unwrap().unwrap(), "1");
    }

    #[tokio::test]
    async fn a_request_without_a_caller_is_refused() {
        let request = Request::get("/xend/node").body(()).unwrap();
        let refusal = extract(request).await.unwrap_err();
        assert_eq!(refusal.status(), 500);
        let text = to_bytes(refusal.into_body(), 1000).await.unwrap();
        assert!(text.starts_with(b"The daemon does not know where the request came from"));
    }
}
