//! XML-RPC over HTTP. A call is a POST to any path. Its answer is a 200, even if the call failed:
//! it is a fault then, or a struct with a `Status`. Only calls without the name and password that
//! `xend.*` need are a 401.

use super::chunks;
use super::codec;
use super::context::Context;
use super::endpoint::{Endpoint, NoLegacy};
use super::fault::{Answer, Fault, INTERNAL, XEND_ERROR};
use super::introspection::{self, Offered};
use super::legacy;
use super::receive::{self, NotReceived, ReceivedCall};
use super::value::Value;
use super::xenapi::{self, XenApi, XenApiHosts};
use crate::answer_memory::reserved;
use crate::core::caller::Caller;
use crate::core::engine::Engine;
use crate::core::model::Uuid;
use crate::memory_budget::MemoryBudgets;
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{Level, enabled};

/// How often sessions and tasks that are over are looked for.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);

/// The challenge of a 401: HTTP Basic.
const CHALLENGE: &str = r#"Basic realm="xend", charset="UTF-8""#;

/// The text of a 401. Clients of Python take name and password from the address.
const UNAUTHORIZED: &str = "Log in with the name and password of an account: \
    http://USER:PASSWORD@HOST/\n";

/// The fault for a request without a [`Caller`].
const UNKNOWN_CALLER: &str = "The daemon does not know where this call comes from";

/// The XML-RPC wire; clones share it.
#[derive(Clone)]
pub struct XmlRpc {
    context: Arc<Context>,
    xenapi: Arc<XenApi>,
    budgets: MemoryBudgets,
}

impl XmlRpc {
    /// The wire in front of `engine`, on the host with this UUID. The user `own_uid` may log in to
    /// the Xen-API like root, `log` gives the text of `xend.node.log`, calls are received and
    /// answered within `budgets`, and `stopping` is cancelled when the server stops.
    pub fn new(
        engine: Engine,
        host: Uuid,
        own_uid: u32,
        log: impl Fn() -> String + Send + Sync + 'static,
        budgets: MemoryBudgets,
        stopping: CancellationToken,
    ) -> Self {
        let context = Arc::new(Context::new(engine, host, own_uid, log, stopping));
        let xenapi = Arc::new(XenApi::new(context.clone(), budgets.answers.clone()));
        Self { context, xenapi, budgets }
    }

    /// The same wire, whose Xen-API shows these hosts. A new one shows the one that answers.
    #[must_use]
    pub fn showing(self, hosts: XenApiHosts) -> Self {
        let xenapi = XenApi::new(self.context.clone(), self.budgets.answers.clone());
        Self { xenapi: Arc::new(XenApi { hosts, ..xenapi }), ..self }
    }

    /// Forgets sessions and tasks that are over, once a minute until the server stops.
    pub async fn forget_old(self) {
        let stopping = self.context.stopping();
        while stopping.run_until_cancelled(sleep(FORGET_INTERVAL)).await.is_some() {
            self.xenapi.forget_old();
        }
    }

    /// The number of the Xen-API's tasks that are under way, and of those that have ended and are
    /// kept.
    pub fn task_counts(&self) -> (usize, usize) {
        self.xenapi.state.tasks.counts()
    }

    /// The service for one listener. Every request must carry a [`Caller`] among its extensions.
    pub fn router(&self, endpoint: Endpoint) -> Router {
        let wire = self.clone();
        Router::new()
            .fallback(move |request: Request| wire.clone().serve(endpoint.clone(), request))
            .layer(DefaultBodyLimit::disable())
            .layer(CatchPanicLayer::custom(panicked))
    }

    async fn serve(self, endpoint: Endpoint, request: Request) -> Response {
        if request.method() != Method::POST {
            return reply(
                StatusCode::NOT_IMPLEMENTED,
                String::from("XML-RPC calls are POSTs\n"),
                "text/plain",
            );
        }
        let Some(caller) = request.extensions().get::<Caller>().cloned() else {
            tracing::error!("A call without a caller was refused, this is a bug");
            return xml(codec::fault(INTERNAL, UNKNOWN_CALLER));
        };
        let legacy = endpoint.check_legacy(&caller, self.context.is_local_admin(&caller));
        if let (Endpoint::Legacy(_), Err(refusal)) = (&endpoint, legacy) {
            receive::drain(request.into_body()).await;
            log(&caller, None, Some(refusal.reason()));
            return refused(refusal);
        }
        let is_live = |session: &str| self.xenapi.is_live(session);
        let body = request.into_body();
        match self.receive(body, legacy.is_ok(), is_live).await {
            Ok(received) => {
                let engine = self.context.engine().clone();
                let size = received.call.size();
                let answer = Box::pin(self.answer(endpoint, legacy, caller, Arc::new(received)));
                engine.offload(size, answer).await
            }
            Err(NotReceived::Fault(code, reason)) => {
                log(&caller, None, Some(&reason));
                self.fault(code, &reason)
            }
            Err(NotReceived::NoSession(session)) => {
                log(&caller, None, Some("No such session"));
                xml(codec::answer(&xenapi::no_session(&session)))
            }
        }
    }

    async fn receive(
        &self,
        body: Body,
        known: bool,
        is_live: impl Fn(&str) -> bool,
    ) -> Result<ReceivedCall, NotReceived> {
        let budget = self.budgets.requests.clone();
        let text = receive::receive_text(body, &budget, known, is_live).await?;
        let size = text.len();
        self.context.engine().offload(size, async move { text.read(&budget) }).await
    }

    /// `legacy` tells whether the caller may call `xend.*`.
    async fn answer(
        self,
        endpoint: Endpoint,
        legacy: Result<(), NoLegacy>,
        caller: Caller,
        received: Arc<ReceivedCall>,
    ) -> Response {
        let call = &received.call;
        let has_xenapi = matches!(endpoint, Endpoint::XenApi(_));
        let xenapi = has_xenapi.then_some(self.xenapi.hosts);
        let offered = Offered { legacy: legacy.is_ok(), xenapi };
        let method = Some(call.method.as_str());
        if let Some(answer) = introspection::answer(offered, call) {
            log(&caller, method, answer.as_ref().err().map(|fault| fault.text.as_str()));
            return self.print(answer).await;
        }
        if let (Err(refusal), true) = (legacy, call.method.starts_with("xend.")) {
            log(&caller, method, Some(refusal.reason()));
            return refused(refusal);
        }
        let answer = match (legacy::answer(&self.context, &caller, call).await, endpoint) {
            (Some(answer), _) => {
                log(&caller, method, answer.as_ref().err().map(|fault| fault.text.as_str()));
                answer
            }
            (None, Endpoint::XenApi(login)) => {
                let outcome = xenapi::answer(&self.xenapi, &login, &caller, &received).await;
                let failure = outcome.as_ref().err().filter(|_| enabled!(Level::DEBUG));
                let failure = failure.map(|failure| failure.for_log(&call.method));
                log(&caller, method, failure.as_deref());
                Ok(xenapi::with_status(outcome))
            }
            (None, Endpoint::Legacy(_)) => {
                log(&caller, method, Some("No such method"));
                Ok(unknown(&call.method))
            }
        };
        self.print(answer).await
    }

    /// Prints an answer, beside the threads that serve other calls if it is large.
    async fn print(&self, answer: Answer) -> Response {
        let value = match answer {
            Ok(value) => value,
            Err(Fault { code, text }) => return self.fault(code, &text),
        };
        let budget = &self.budgets.answers;
        let size = value.heap_size();
        let print = move || {
            let chunks = codec::answer_chunks(&value, budget);
            // To free a large value takes a while, too.
            drop(value);
            chunks
        };
        match self.context.engine().print(size, print).await {
            Ok(chunks) => xml(chunks::body(chunks)),
            Err(over) => xml(codec::fault(XEND_ERROR, &over.to_string())),
        }
    }

    /// A fault. Its text can have a name that the client sent.
    fn fault(&self, code: i64, text: &str) -> Response {
        match reserved(&self.budgets.answers, codec::fault(code, text)) {
            Ok(fault) => xml(fault),
            Err(over) => xml(codec::fault(XEND_ERROR, &over.to_string())),
        }
    }
}

/// The log line of each call, at debug level: reads, and what is refused before the engine, are in
/// no other. Parameters are not in it, since they may have passwords.
fn log(caller: &Caller, method: Option<&str>, error: Option<&str>) {
    tracing::debug!(%caller, method, error = error.map(tracing::field::display), "Call");
}

/// xend's answer to an unknown method, which is no fault. `Status` comes first, where libxen looks
/// for it.
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

/// The answer to a call of `xend.*` that is not allowed.
fn refused(refusal: NoLegacy) -> Response {
    match refusal {
        NoLegacy::Refused(reason) => xml(codec::fault(XEND_ERROR, reason)),
        NoLegacy::Unauthorized => {
            let mut response =
                reply(StatusCode::UNAUTHORIZED, UNAUTHORIZED.to_owned(), "text/plain");
            let challenge = HeaderValue::from_static(CHALLENGE);
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            response
        }
    }
}

/// The answer to a call.
fn xml(text: impl Into<Body>) -> Response {
    reply(StatusCode::OK, text, "text/xml")
}

fn reply(status: StatusCode, text: impl Into<Body>, kind: &'static str) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// A panic fails one call, not the daemon.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("A call made the daemon panic, this is a bug");
    xml(codec::fault(INTERNAL, "Internal error, see the log"))
}
