//! `/xend/selection`: an operation on several domains, for pages. GET asks, naming the domains;
//! POST carries it out, a few domains at a time.

use super::body::{Form, read_form};
use super::context::Http;
use super::errors::{no_operations, operation_failed, phrase_of};
use super::html;
use super::json::problem_kind::ProblemKind;
use super::operation::{Operation, OperationRequest};
use super::params::Params;
use super::request::RequestInfo;
use super::response::{Content, ok, respond};
use super::selected::{NotDone, Selected, Selection};
use crate::core::error::Error;
use crate::core::snapshot::DomainView;
use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::StreamExt as _;
use futures_util::stream;

/// The most domains at a time.
const CONCURRENT: usize = 8;

/// `GET /xend/selection?op=OP&domain=NAME&domain=NAME`
pub(super) async fn show(
    State(http): State<Http>,
    request: RequestInfo,
) -> Result<Response, Response> {
    let selection = Selection::parse(&request.query)
        .map_err(|invalid| operation_failed(&request, "selection", &invalid.into()))?;
    let snapshot = http.view(&request.caller).domains().await;
    let snapshot = snapshot.map_err(|error| operation_failed(&request, "selection", &error))?;
    let domains = selection.domains(&request, &snapshot);
    Ok(ok(Content::Html(html::selection::question(&request, selection.operation, &domains))))
}

/// `POST /xend/selection`: the same parameters as a form.
pub(super) async fn perform(
    http: Http,
    request: RequestInfo,
    raw_request: Request,
) -> Result<Response, Response> {
    if !request.format.is_html() {
        return Err(no_operations(&request));
    }
    let max_body = http.max_body();
    let form = read_form(&http, raw_request, max_body)
        .await
        .map_err(|error| error.answer(&request, max_body))?;
    let Form { params, memory } = form;
    let selection = Selection::parse(&params).and_then(|it| it.check().map(|()| it));
    let selection =
        selection.map_err(|invalid| operation_failed(&request, "selection", &invalid.into()))?;
    drop((params, memory));
    let operation = selection.operation;
    let engine = http.engine().clone();
    let shared = request.clone();
    // It goes on when the client hangs up.
    let performing = engine.spawn(async move { perform_all(&http, &shared, selection).await });
    let results = performing
        .await
        .map_err(|_| operation_failed(&request, operation.name, &Error::Stopping))?;
    let page = html::selection::results(&request, operation, &results);
    let code = status(&results);
    Ok(respond(code, phrase_of(code), Content::Html(page)))
}

/// The result of each domain, in order.
type Results = Vec<(String, Result<(), NotDone>)>;

/// The status of all results: that of the failures if it is the same for all, else a general one.
fn status(results: &[(String, Result<(), NotDone>)]) -> u16 {
    let mut codes = results.iter().filter_map(|(_, it)| Some(it.as_ref().err()?.kind.status));
    let Some(first) = codes.next() else { return 200 };
    let worst = codes.clone().fold(first, u16::max);
    if codes.all(|code| code == first) {
        first
    } else if worst >= 500 {
        ProblemKind::FAILED.status
    } else {
        ProblemKind::WRONG_STATE.status
    }
}

async fn perform_all(http: &Http, request: &RequestInfo, selection: Selection) -> Results {
    let snapshot = http.view(&request.caller).snapshot();
    let operation = selection.operation;
    let performed = selection.domains(request, &snapshot).into_iter().map(|selected| async {
        match selected {
            Selected::Skipped { name, reason } => (name, Err(reason)),
            Selected::Domain(view) => {
                let done = perform_one(http, request, operation, &view).await;
                let not_done = |error: Error| NotDone {
                    reason: html::fault::plain(&error),
                    kind: ProblemKind::of(&error),
                };
                (view.name().to_string(), done.map_err(not_done))
            }
        }
    });
    stream::iter(performed).buffered(CONCURRENT).collect().await
}

async fn perform_one(
    http: &Http,
    request: &RequestInfo,
    operation: &Operation,
    view: &DomainView,
) -> Result<(), Error> {
    let engine_request = operation.request(&OperationRequest {
        name: &view.uuid.to_string(),
        view: Some(view),
        params: &Params::from_query("reason=poweroff"),
        config: None,
        policy: &http.view(&request.caller).policy(),
        new_uuid: http.engine().new_uuid(),
    })?;
    engine_request.ask(http.engine(), &request.caller).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_that_of_the_failures() {
        let failed = |kind: &&'static ProblemKind| {
            ("web1".to_owned(), Err(NotDone { reason: String::new(), kind }))
        };
        let denied = ProblemKind::NOT_PERMITTED;
        for (kinds, code) in [
            (&[][..], 200),
            (&[denied, denied][..], 403),
            (&[denied, ProblemKind::NO_SUCH_DOMAIN][..], 409),
            (&[denied, ProblemKind::TIMEOUT][..], 500),
        ] {
            let mut results: Results = kinds.iter().map(failed).collect();
            results.push(("web2".to_owned(), Ok(())));
            assert_eq!(status(&results), code, "{kinds:?}");
        }
    }
}
