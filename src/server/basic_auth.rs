//! HTTP Basic: a user and a password with each request (RFC 7617).
//!
//! For scripts and old clients on listeners with accounts. Browsers log in on a page.

use crate::core::caller::{Caller, Principal};
use crate::core::ports::{LoginError, Logins, RefusalReason, RequestRefusal};
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, EXPIRES, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64ct::{Base64, Encoding as _};
use std::fmt;
use std::sync::Arc;

/// What a client is asked for.
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Basic realm="xend", charset="UTF-8""#);

/// When a client may ask again if too many passwords are being checked, in seconds.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// The middleware that logs in who sends a password. A request without one passes as it is: its
/// caller is nobody, and the wire decides.
#[derive(Clone)]
pub struct BasicAuth {
    logins: Arc<dyn Logins>,
}

/// The reason of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// The password came over a network in the clear.
    Unencrypted,
    /// User or password are wrong, or the header is.
    Wrong,
    /// Too many passwords are being checked.
    Busy,
    /// Passwords cannot be checked.
    Broken,
}

impl BasicAuth {
    /// Checks passwords by `logins`, which logs each check.
    pub fn new(logins: Arc<dyn Logins>) -> Self {
        Self { logins }
    }

    /// The middleware: `axum::middleware::from_fn_with_state(basic_auth, BasicAuth::check)`.
    pub async fn check(State(auth): State<Self>, mut request: Request, next: Next) -> Response {
        let nobody = request.extensions().get::<Caller>().filter(|caller| is_nobody(caller));
        let Some(caller) = nobody.cloned() else { return next.run(request).await };
        match auth.log_in(&caller, request.headers()).await {
            Ok(None) => {}
            Ok(Some(user)) => {
                request.extensions_mut().insert(user);
            }
            Err(refusal) => return refusal.into_response(),
        }
        next.run(request).await
    }

    /// The user whose password a request has; `None` if it has no password.
    async fn log_in(
        &self,
        caller: &Caller,
        headers: &HeaderMap,
    ) -> Result<Option<Caller>, Refusal> {
        let Some(encoded) = headers.get(AUTHORIZATION).and_then(basic) else { return Ok(None) };
        if !caller.via.is_private() {
            return Err(Refusal::Unencrypted);
        }
        let credentials = decode(encoded).ok_or(Refusal::Wrong)?;
        let (user, password) = credentials.split_once(':').ok_or(Refusal::Wrong)?;
        match self.logins.log_in(user, password, &caller.via).await {
            Ok(user) => Ok(Some(caller.logged_in(user))),
            Err(LoginError::Refused(_)) => Err(Refusal::Wrong),
            Err(LoginError::Busy) => Err(Refusal::Busy),
            Err(LoginError::Broken(_)) => Err(Refusal::Broken),
        }
    }
}

impl fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicAuth").finish_non_exhaustive()
    }
}

fn is_nobody(caller: &Caller) -> bool {
    caller.principal == Principal::Nobody
}

/// What stands after the word Basic; `None` for another kind of login.
fn basic(header: &HeaderValue) -> Option<&[u8]> {
    let (scheme, rest) = header.as_bytes().split_at_checked("Basic ".len())?;
    scheme.eq_ignore_ascii_case(b"Basic ").then_some(rest.trim_ascii())
}

/// `user:password`.
fn decode(encoded: &[u8]) -> Option<String> {
    let encoded = std::str::from_utf8(encoded).ok()?;
    String::from_utf8(Base64::decode_vec(encoded).ok()?).ok()
}

impl Refusal {
    fn text(self) -> &'static str {
        match self {
            Self::Unencrypted => {
                "Passwords are accepted over TLS, or on the host itself: ask the operator for \
                 xend-http-key and xend-http-cert."
            }
            Self::Wrong => "Wrong user or password.",
            Self::Busy => "Too many passwords are being checked: try again in a few seconds.",
            Self::Broken => "Passwords cannot be checked, see the log of xend.",
        }
    }

    const fn reason(self) -> RefusalReason {
        match self {
            Self::Unencrypted => RefusalReason::Unencrypted,
            Self::Wrong => RefusalReason::WrongPassword,
            Self::Busy => RefusalReason::Busy,
            Self::Broken => RefusalReason::Broken,
        }
    }

    fn into_response(self) -> Response {
        let status = match self {
            Self::Unencrypted => StatusCode::FORBIDDEN,
            Self::Wrong => StatusCode::UNAUTHORIZED,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let headers = [
            (CONTENT_TYPE, "text/plain; charset=utf-8"),
            (EXPIRES, "-1"),
            (PRAGMA, "no-cache"),
            (CACHE_CONTROL, "no-cache"),
        ];
        let refusal = RequestRefusal { reason: self.reason(), text: self.text().to_owned() };
        let text = format!("{}\n", refusal.text);
        let mut response = (status, headers, Extension(refusal), text).into_response();
        match self {
            Self::Wrong => response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE),
            Self::Busy => response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS),
            Self::Unencrypted | Self::Broken => None,
        };
        response
    }
}

#[cfg(test)]
mod tests;
