//! XML-RPC: the calls of xm and of the Xen-API's clients.
//!
//! ```text
//! value          values
//! codec          text <-> values
//! args           what a call was made with
//! sink           S-expressions as nested arrays
//! introspection  system.*: what a listener offers
//! legacy         xend.*
//! xenapi         classes, sessions
//! ```
//!
//! A call is a POST to any path. Whatever comes of it, the answer is a 200: what fails is a fault,
//! or a struct that says so.

mod args;
pub mod codec;
mod introspection;
mod legacy;
mod sink;
mod value;
mod xenapi;

use crate::core::caller::{Caller, Via};
use crate::core::engine::Engine;
use crate::core::model::Uuid;
use crate::core::ports::Authenticator;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use codec::{Call, Limits};
use introspection::Offered;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;
pub use value::Value;
use xenapi::XenApi;

/// The longest call, in bytes.
const MAX_CALL: usize = 32 << 20;

/// What is wrong with a call that is none.
const MALFORMED: i64 = 1;

/// What cannot be done.
const XEND_ERROR: i64 = 2;

/// What can change while the daemon runs.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Where other hosts are expected to take domains in, if nobody says otherwise.
    pub relocation_port: u16,
    /// Whether a caller may shut the host down.
    pub node_shutdown: bool,
    /// The user that may log in to the Xen-API beside root: the daemon's own.
    pub own_uid: u32,
}

/// Which calls a listener takes.
#[derive(Clone)]
pub enum Door {
    /// `xend.*` alone.
    Legacy,
    /// Those and the Xen-API's.
    XenApi(Login),
}

/// How a client of the Xen-API says who it is. On a unix socket root, and the daemon's own user,
/// need not.
#[derive(Clone)]
pub enum Login {
    /// It need not.
    Trusting,
    /// By a password. Then `xend.*`, which have none, are for those on a unix socket who need not.
    Asking(Arc<dyn Authenticator>),
    /// Nobody else comes in.
    Nobody,
}

/// Said of `xend.*` where a password is asked for.
const NEEDS_PASSWORD: &str =
    "This listener asks for passwords, and xend.* have none: log in to the Xen-API";

/// What every call works with.
#[derive(Clone)]
pub struct XmlRpc(Arc<Inner>);

struct Inner {
    engine: Engine,
    xenapi: XenApi,
    settings: Box<dyn Fn() -> Settings + Send + Sync>,
    log: Box<dyn Fn() -> String + Send + Sync>,
}

impl XmlRpc {
    /// The wire in front of `engine`, on the host with this UUID. `settings` is asked at each call,
    /// `log` gives the text of `xend.node.log`.
    pub fn new(
        engine: Engine,
        host: Uuid,
        settings: impl Fn() -> Settings + Send + Sync + 'static,
        log: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        let xenapi = XenApi::new(host);
        Self(Arc::new(Inner { engine, xenapi, settings: Box::new(settings), log: Box::new(log) }))
    }

    /// What takes the calls that come in at one door. Every request must carry a [`Caller`] among
    /// its extensions; one without is taken for an internal one.
    pub fn router(&self, door: Door) -> Router {
        let wire = self.clone();
        Router::new()
            .fallback(move |request: Request| wire.clone().serve(door.clone(), request))
            .layer(DefaultBodyLimit::disable())
            .layer(CatchPanicLayer::custom(panicked))
    }

    fn engine(&self) -> &Engine {
        &self.0.engine
    }

    fn xenapi(&self) -> &XenApi {
        &self.0.xenapi
    }

    fn settings(&self) -> Settings {
        (self.0.settings)()
    }

    fn log(&self) -> String {
        (self.0.log)()
    }

    async fn serve(self, door: Door, request: Request) -> Response {
        if request.method() != Method::POST {
            return reply(
                StatusCode::NOT_IMPLEMENTED,
                String::from("XML-RPC calls are POSTs\n"),
                "text/plain",
            );
        }
        let caller = request.extensions().get::<Caller>().cloned().unwrap_or_else(Caller::internal);
        let text = match self.read(request.into_body()).await {
            Ok(call) => self.answer(door, &caller, &call).await,
            Err(reason) => codec::fault(MALFORMED, &reason),
        };
        reply(StatusCode::OK, text, "text/xml")
    }

    async fn read(&self, body: Body) -> Result<Call, String> {
        let body = to_bytes(body, MAX_CALL)
            .await
            .map_err(|_| format!("The call broke off, or is longer than {MAX_CALL} bytes"))?;
        // What is large takes a moment.
        let read = move || codec::read_call(&body, &Limits::default());
        let read = tokio::task::spawn_blocking(read)
            .await
            .map_err(|_| "The call was given up".to_owned())?;
        read.map_err(|malformed| malformed.to_string())
    }

    async fn answer(&self, door: Door, caller: &Caller, call: &Call) -> String {
        let trusted = match &door {
            Door::Legacy | Door::XenApi(Login::Trusting) => true,
            Door::XenApi(_) => self.vouched_for(caller),
        };
        let offered = Offered { legacy: trusted, xenapi: matches!(door, Door::XenApi(_)) };
        if let Some(answer) = introspection::answer(offered, call) {
            return answer;
        }
        if !trusted && call.method.starts_with("xend.") {
            return codec::fault(XEND_ERROR, NEEDS_PASSWORD);
        }
        match (legacy::answer(self, caller, call).await, door) {
            (Some(answer), _) => answer,
            (None, Door::XenApi(login)) => {
                codec::answer(&xenapi::answer(self, &login, caller, call).await)
            }
            (None, Door::Legacy) => codec::answer(&unknown(&call.method)),
        }
    }

    /// Whether the kernel says that it is root, or the daemon's own user.
    fn vouched_for(&self, caller: &Caller) -> bool {
        match caller.via {
            Via::Unix { uid: Some(uid), .. } => uid == 0 || uid == self.settings().own_uid,
            Via::Internal => true,
            Via::Unix { uid: None, .. } | Via::Tcp { .. } => false,
        }
    }
}

/// As xend said it, which is no fault: `Status` first, since libxen reads it there.
fn unknown(method: &str) -> Value {
    let member = |name: &str, value| (name.to_owned(), value);
    Value::Struct(vec![
        member("Status", Value::text("Failure")),
        member(
            "ErrorDescription",
            Value::Array(vec![Value::text("MESSAGE_METHOD_UNKNOWN"), Value::text(method)]),
        ),
    ])
}

fn reply(status: StatusCode, text: String, kind: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// A fault of ours costs one call, not the daemon.
fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("A call made the daemon panic, this is a bug");
    reply(StatusCode::OK, codec::fault(MALFORMED, "Internal error, see the log"), "text/xml")
}
