//! xend's HTTP interface.
//!
//! A request passes, from the top down:
//!
//! ```text
//! router       the route of each page; paths that old clients write in another way (path)
//! admission    who is let in: operators, users, sessions (session_cookie, sessions); login
//! pages, page  the table of pages: handler of GET, operations of POST; fleet_pages: of a fleet
//! request      RequestInfo: caller, page, query, format of the answer (format)
//! get          handlers of GET; also domain_list (list_query, list_filter), events, help, host,
//!              new_domain, openapi, selection, task_pages and usage_pages
//!   query_by_get      tells a program what is wrong with the query of its GET
//! post         POST: body, multipart and params, or json/request -> operations/ -> engine_request
//!              -> the engine; tasks keeps what a client does not wait for
//!   config_advice  what to type instead of a curl command that sends no configuration
//! answer       an answer of the engine as S-expression, JSON (json/) or a page (html/)
//! errors       a failure in the same formats; a JSON answer has a tag (etag)
//!   listener_refusals  what the listener refused before, in JSON
//! response     status, reason phrase, headers, body; answer_budget: the memory of it
//! ```
//!
//! A page of another host of the fleet is asked for by `pass_on` and answered by `peer_requests`
//! there, which share `peer_call` (for whom) and `peer_body` (bounded bodies). `peer_exchange` is
//! the connection of the host that asks, and `rebase` changes the links. `elsewhere` finds the host
//! of a domain that is not here.
//!
//! An operation of POST is a static in `operations/`; its type is in `operation`. Handlers share
//! [`Http`] from `context`.

mod admission;
mod answer;
mod answer_budget;
mod body;
mod config_advice;
mod config_text;
mod confirmation;
mod console_socket;
mod context;
mod domain_list;
mod elsewhere;
mod encoded_pairs;
mod engine_request;
mod errors;
mod etag;
mod event_ids;
mod events;
mod fleet_pages;
mod format;
mod get;
mod help;
mod hints;
mod host;
mod html;
mod json;
mod list_cache;
mod list_filter;
mod list_query;
mod list_values;
mod listener_refusals;
mod login;
mod multipart;
mod natural_order;
mod new_domain;
mod obstacles;
mod openapi;
mod operation;
mod operation_problem;
mod operations;
mod page;
mod pages;
mod params;
mod pass_on;
mod path;
mod peer_body;
mod peer_call;
mod peer_exchange;
mod peer_requests;
mod placed;
mod post;
mod quantity;
mod query_by_get;
mod rebase;
mod request;
mod request_log;
mod response;
mod rfb_greeting;
mod router;
mod screen_socket;
mod selected;
mod selection;
mod session_cookie;
mod sessions;
mod stream_permits;
mod struct_fields;
mod success;
mod task_pages;
mod tasks;
mod unknown_path;
mod untyped_json;
mod upload_form;
mod usage_csv;
mod usage_pages;
mod viewer_socket;

pub use context::Http;
pub use listener_refusals::refusals_in_json;
pub use peer_requests::PeerCallers;
