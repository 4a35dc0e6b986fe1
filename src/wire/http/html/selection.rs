//! The pages of an operation on several domains.

use super::parts::{domain_link, frame};
use crate::wire::http::operation::Operation;
use crate::wire::http::operations::power::SHUTDOWN;
use crate::wire::http::request::RequestInfo;
use crate::wire::http::selected::{NotDone, PATH, Selected};
use xend_templates::{Effect, SelectionPage, SelectionResult, SkippedDomain};

/// The question before.
pub(crate) fn question(
    request: &RequestInfo,
    operation: &Operation,
    selected: &[Selected],
) -> String {
    let mut page = SelectionPage {
        frame: frame(request),
        href: PATH.to_owned(),
        op: operation.name.to_owned(),
        label: operation.label.to_owned(),
        about: operation.about.to_owned(),
        data_loss: operation.data_loss.map(str::to_owned),
        domains: Vec::new(),
        skipped: Vec::new(),
    };
    for one in selected {
        match one {
            Selected::Domain(view) => page.domains.push(domain_link(view)),
            Selected::Skipped { name, reason } => {
                let reason = reason.reason.clone();
                page.skipped.push(SkippedDomain { name: name.clone(), reason });
            }
        }
    }
    page.render()
}

/// What came of it.
pub(crate) fn results(
    request: &RequestInfo,
    operation: &Operation,
    results: &[(String, Result<(), NotDone>)],
) -> String {
    let mut page = SelectionResult {
        frame: frame(request),
        label: operation.label.to_owned(),
        effect: if operation.name == SHUTDOWN.name {
            Effect::AskedToShutDown
        } else {
            Effect::Done
        },
        done: Vec::new(),
        failed: Vec::new(),
    };
    for (name, result) in results {
        match result {
            Ok(()) => page.done.push(name.clone()),
            Err(error) => page.failed.push((name.clone(), error.reason.clone())),
        }
    }
    page.render()
}
