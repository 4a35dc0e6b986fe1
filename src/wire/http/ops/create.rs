//! `create`

use super::super::accept::Format;
use super::super::path::segment_of;
use super::super::reply::{Content, answer, located};
use super::super::{Http, html};
use super::{Params, Place, failed};
use crate::core::caller::Caller;
use crate::core::model::DomainConfig;
use crate::core::op::{Change, Outcome};
use crate::shape::{self, SxpSink};
use crate::sxp::{Limits, pretty, read_one};
use axum::response::Response;

/// Builds a domain and leaves it paused: `201 created`, its Location, and the domain.
pub(super) async fn create(http: &Http, caller: &Caller, place: &Place, params: &Params) -> Response {
    let config = match params.one("config").map_err(|invalid| invalid.to_string()).and_then(read) {
        Ok(config) => config,
        Err(message) => return failed(place, "create", &message),
    };
    // Printed before it is given away, and never from what was sent: that can hold passwords.
    let understood = if let Format::Html { .. } = place.format { Some(printed(&config)) } else { None };
    match http.0.engine.execute(caller, Change::Create(Box::new(config))).await {
        Ok(outcome) => created(place, &outcome, understood),
        Err(error) => failed(place, "create", &format!("Error creating domain: {error}")),
    }
}

fn created(place: &Place, outcome: &Outcome, understood: Option<String>) -> Response {
    let name = match outcome {
        Outcome::Domain(view) => view.name().to_string(),
        _ => String::new(),
    };
    let url = format!("{}/xend/domain/{}", place.origin, segment_of(&name));
    let content = match understood {
        Some(config) => Content::Html(html::created(place, &name, &url, config)),
        None => place.show(outcome),
    };
    located(answer(201, "created", content), &url)
}

/// One configuration, and nothing behind it.
fn read(text: &[u8]) -> Result<DomainConfig, String> {
    let sxp =
        read_one(text, &Limits::default()).map_err(|error| format!("Invalid configuration: {error:#}"))?;
    shape::read_config(&sxp).map_err(|error| {
        let (line, column) = error.position(text);
        format!("Error creating domain: Invalid Configuration: line {line}, column {column}: {error}")
    })
}

fn printed(config: &DomainConfig) -> String {
    let mut sink = SxpSink::default();
    shape::config(&mut sink, config);
    read_one(&sink.into_bytes(), &Limits::default()).map(|sxp| pretty(&sxp, 100)).unwrap_or_default()
}
