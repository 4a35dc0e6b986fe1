//! `/xend/new`: a domain is described by fields, of which the S-expression is made that can be
//! edited; then it is created in steps, which a page shows.
//!
//! The text counts if it was edited: if it is not the one that the form was sent with (`made`), it
//! is what the domain is created from. Else the fields are. That works without scripts.

pub(super) mod choices;
pub(super) mod creation;
pub(super) mod fields;

use super::body::{Form, read_form};
use super::config_text;
use super::context::Http;
use super::errors::{busy, no_operations, not_found, operation_failed, phrase_of};
use super::hints::hint;
use super::html;
use super::params::{Params, bad_value};
use super::path::domain_path;
use super::request::RequestInfo;
use super::response::{Content, ok, respond, see_other};
use crate::core::error::Error;
use crate::core::model::{DomainConfig, Invalid, parse_uuid};
use crate::core::rights::OpKind;
use crate::core::view::View;
use crate::memory_budget::Reservation;
use crate::shape;
use axum::extract::{Request, State};
use axum::response::Response;
use bstr::ByteSlice as _;
use choices::Choices;
use creation::{Creation, NotBegun, Plan, Progress};
use fields::{Fields, PATH, TYPE_KEYS};
use std::path::Path;
use std::time::Duration;

/// The size limit of the form in bytes. A creation keeps it for a while.
const MAX_FORM: usize = 128 << 10;

/// The time that a browser waits for the end, before it gets the page with the progress.
const AT_ONCE: Duration = Duration::from_millis(700);

/// What the form is sent for.
const OPS: [&str; 2] = ["create", "preview"];

/// `GET /xend/new`
pub(super) async fn show(
    State(http): State<Http>,
    request: RequestInfo,
) -> Result<Response, Response> {
    let view = http.view(&request.caller);
    view.require(OpKind::CreateDomain, "new")
        .map_err(|error| operation_failed(&request, "new", &error))?;
    let template = request
        .query
        .choice("template", &TYPE_KEYS)
        .map_err(|invalid| operation_failed(&request, "new", &invalid.into()))?;
    let new_image = http.engine().new_uuid();
    let choices = Choices::read(&view, http.engine().places(), new_image).await;
    let fields = Fields::of_type(template, &choices, new_image);
    let text = fields.text(&choices);
    let form = html::create::Form { choices: &choices, fields: &fields.typed, text: &text };
    Ok(ok(Content::Html(html::create::page(&request, &form, &text, None))))
}

/// A form that was sent.
struct Sent {
    params: Params,
    fields: Fields,
    choices: Choices,
    /// What the fields make.
    made: String,
    /// What the domain is created from.
    text: Vec<u8>,
    is_edited: bool,
}

impl Sent {
    async fn read(http: &Http, view: &View, params: Params) -> Result<Self, Invalid> {
        let fresh = http.engine().new_uuid();
        let mut fields = Fields::parse(&params, fresh)?;
        // The form was sent before, and somebody went back to it.
        let taken = Some(fields.new_image).filter(|image| view.is_image_taken(image));
        if taken.is_some() {
            fields.set_new_image(fresh);
        }
        let choices = Choices::read(view, http.engine().places(), fields.new_image).await;
        let made = fields.text(&choices);
        let sent =
            |name| params.optional_bytes(name).map(|text| without_cr(&text.unwrap_or_default()));
        let mut text = sent("config")?;
        let is_made = fields.typed.disk == "new";
        let taken = taken.and_then(|image| view.image_path(image).ok()).filter(|_| is_made);
        if let (Some(taken), Some(image)) = (taken, &choices.new_image) {
            // Else the new domain would have the disk of the one before.
            text = text.replace(path_bytes(&taken), path_bytes(image));
        }
        let before = sent("made")?;
        let is_edited = !text.trim_ascii().is_empty() && text.trim_ascii() != before.trim_ascii();
        let text = if is_edited { text } else { made.clone().into_bytes() };
        Ok(Self { params, fields, choices, made, text, is_edited })
    }

    fn page(&self, request: &RequestInfo, failure: Option<&html::create::Failure>) -> String {
        let text = String::from_utf8_lossy(&self.text);
        let form =
            html::create::Form { choices: &self.choices, fields: &self.fields.typed, text: &text };
        html::create::page(request, &form, &self.made, failure)
    }

    fn failed(&self, request: &RequestInfo, failure: &html::create::Failure) -> Response {
        let page = Content::Html(self.page(request, Some(failure)));
        respond(failure.status(), phrase_of(failure.status()), page)
    }

    /// The domain that is asked for, or what is wrong with it.
    fn config(&self, view: &View) -> Result<DomainConfig, html::create::Failure> {
        if !self.is_edited {
            let checked = self.fields.check(&self.choices);
            checked.map_err(|refusal| html::create::Failure::in_field(&refusal))?;
        }
        let config = config_text::parse(&self.text, shape::read_config)
            .map_err(|error| html::create::Failure::in_text(&self.text, &error))?;
        // Defining it would replace the definition, which a form for new domains must not.
        let is_taken = view.snapshot().by_name(&config.name).is_some();
        if is_taken {
            return Err(name_taken(config.name.as_str()));
        }
        Ok(config)
    }
}

fn name_taken(name: &str) -> html::create::Failure {
    let reason = format!("there is a domain {name}, choose another name");
    html::create::Failure::in_field(&bad_value("name", reason).taken())
}

fn path_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

/// Browsers end the lines of a text area in CR LF.
fn without_cr(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| *byte != b'\r').collect()
}

/// `POST /xend/new`: shows the form with the text that its fields make, or creates the domain.
pub(super) async fn post(
    http: Http,
    request: RequestInfo,
    raw_request: Request,
) -> Result<Response, Response> {
    if !request.format.is_html() {
        return Err(no_operations(&request));
    }
    let view = http.view(&request.caller);
    view.require(OpKind::CreateDomain, "new")
        .map_err(|error| operation_failed(&request, "new", &error))?;
    let form = read_form(&http, raw_request, MAX_FORM)
        .await
        .map_err(|error| error.answer(&request, MAX_FORM))?;
    let Form { params, memory } = form;
    let refused = |invalid: Invalid| operation_failed(&request, "create", &invalid.into());
    let op = params.choice("op", &OPS).map_err(refused)?;
    let sent = Sent::read(&http, &view, params).await.map_err(refused)?;
    if op == Some("preview") {
        let sent = Sent { text: sent.made.clone().into_bytes(), is_edited: false, ..sent };
        return Ok(ok(Content::Html(sent.page(&request, None))));
    }
    let config = sent.config(&view).map_err(|failure| sent.failed(&request, &failure))?;
    create(&http, &request, sent, config, memory).await
}

async fn create(
    http: &Http,
    request: &RequestInfo,
    sent: Sent,
    config: DomainConfig,
    memory: Reservation,
) -> Result<Response, Response> {
    let plan = Plan {
        image: sent.fields.image_to_make(&sent.choices, &sent.text),
        start: sent.fields.typed.start,
        managed: sent.fields.typed.managed,
        config,
    };
    let name = plan.config.name.to_string();
    let form = sent.params.clone();
    let begun = http.creations().begin(http.engine(), &request.caller, plan, form, memory);
    let creation = begun.map_err(|refusal| match refusal {
        NotBegun::TooMany => busy(request, "Many domains are being created, wait for one of them"),
        NotBegun::NameTaken => sent.failed(request, &name_taken(&name)),
    })?;
    drop(sent);
    match creation.wait(AT_ONCE).await {
        Progress::At(_) => Ok(see_other(&format!("{PATH}/{}", creation.id))),
        Progress::Done => Ok(see_other(&domain_path(&creation.name))),
        Progress::Failed { error, has_domain, .. } => {
            failed_page(http, request, &creation, &error, has_domain).await
        }
    }
}

/// `GET /xend/new/ID`: how far a creation is. When it is done, the domain's page.
pub(super) async fn progress(
    State(http): State<Http>,
    request: RequestInfo,
) -> Result<Response, Response> {
    let id = parse_uuid(request.name()).ok();
    let found = id.and_then(|id| http.creations().get(id, &request.caller));
    let Some(creation) = found else {
        return Err(not_found(&request, &format!("No such creation {}", request.name())));
    };
    match creation.progress() {
        Progress::At(_) => Ok(ok(Content::Html(html::create::progress(&request, &creation, None)))),
        Progress::Done => Ok(see_other(&domain_path(&creation.name))),
        Progress::Failed { error, has_domain, .. } => {
            failed_page(&http, &request, &creation, &error, has_domain).await
        }
    }
}

/// The page of a creation that failed: the form as it was sent, or a link to the domain if there is
/// one all the same.
async fn failed_page(
    http: &Http,
    request: &RequestInfo,
    creation: &Creation,
    error: &Error,
    has_domain: bool,
) -> Result<Response, Response> {
    let hint = hint(error, request.caller.is_operator());
    if has_domain {
        let failure = html::create::Failure::of(error, hint);
        let page = html::create::progress(request, creation, Some(&failure));
        return Ok(respond(failure.status(), phrase_of(failure.status()), Content::Html(page)));
    }
    let view = http.view(&request.caller);
    let sent = Sent::read(http, &view, creation.form.clone()).await;
    let sent = sent.map_err(|invalid| operation_failed(request, "create", &invalid.into()))?;
    let failure = match error {
        Error::Invalid(_) => config_text::parse(&sent.text, shape::read_config)
            .err()
            .map(|error| html::create::Failure::in_text(&sent.text, &error)),
        _ => None,
    };
    let failure = failure.unwrap_or_else(|| html::create::Failure::of(error, hint));
    Ok(sent.failed(request, &failure))
}
