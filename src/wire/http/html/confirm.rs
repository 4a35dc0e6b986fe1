//! The page that asks before data is lost.

use super::forms;
use super::parts::{domain_link, frame};
use super::situation::Situation;
use crate::core::snapshot::DomainView;
use crate::wire::http::operation::Operation;
use crate::wire::http::request::RequestInfo;
use xend_templates::ConfirmPage;

pub(crate) fn page(
    request: &RequestInfo,
    view: &DomainView,
    operation: &Operation,
    data_loss: &str,
) -> String {
    let access = request.access();
    let situation = Situation {
        access: &access,
        sedf: None,
        scheduler: None,
        host_memory: 0,
        destinations: None,
    };
    ConfirmPage {
        frame: frame(request),
        domain: domain_link(view),
        operation: forms::form(operation, view, &situation),
        data_loss: data_loss.to_owned(),
    }
    .render()
}
