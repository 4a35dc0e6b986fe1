//! xend's HTTP interface.
//!
//! A request passes, from the top down:
//!
//! ```text
//! router       the route of each page; paths that old clients write in another way (path)
//! admission    who is let in: operators, users, sessions (session_cookie, sessions); login
//! pages, page  the table of pages: handler of GET, operations of POST
//! request      RequestInfo: caller, page, query, format of the answer (format)
//! get          handlers of GET; also domain_list, events and help
//! post         POST: body, multipart and params -> operations/ -> engine_request -> the engine
//!   config_advice  what to type instead of a curl command that sends no configuration
//! answer       an answer of the engine as S-expression, JSON or a page (html/)
//! errors       a failure in the same formats
//! response     status, reason phrase, headers, body; answer_budget: the memory of it
//! ```
//!
//! An operation of POST is a static in `operations/`; its type is in `operation`. Handlers share
//! [`Http`] from `context`.

mod admission;
mod answer;
mod answer_budget;
mod body;
mod config_advice;
mod config_text;
mod context;
mod domain_list;
mod engine_request;
mod errors;
mod event_ids;
mod event_permits;
mod events;
mod format;
mod get;
mod help;
mod html;
mod list_cache;
mod list_query;
mod login;
mod multipart;
mod operation;
mod operations;
mod page;
mod pages;
mod params;
mod path;
mod post;
mod request;
mod response;
mod router;
mod session_cookie;
mod sessions;

pub use context::Http;
