//! Pages of plain text.

use super::parts::{domain_link, frame};
use crate::core::rights::OpKind;
use crate::core::snapshot::DomainView;
use crate::wire::http::host::listing::notice;
use crate::wire::http::request::RequestInfo;
use xend_templates::{ConsolePage, ScreenPage, TextPage};

/// Xen's message buffer.
pub(crate) fn dmesg(request: &RequestInfo, text: String) -> String {
    TextPage {
        frame: frame(request),
        title: "Xen messages".to_owned(),
        text,
        notice: notice(request),
        clear: request.access().may(OpKind::ClearDmesg).then(|| request.path.clone()),
    }
    .render()
}

/// A guest's console. `follow` is the query of `/xend/events` for its script.
pub(crate) fn console(
    request: &RequestInfo,
    follow: String,
    domain: &DomainView,
    text: String,
    may_press_sysrq: bool,
) -> String {
    ConsolePage {
        frame: frame(request),
        follow,
        domain: domain_link(domain),
        uuid: domain.uuid.to_string(),
        text,
        may_press_sysrq,
    }
    .render()
}

/// A guest's screen, which is at this address. `follow` is the query of `/xend/events` for its
/// script.
pub(crate) fn screen(
    request: &RequestInfo,
    follow: String,
    domain: &DomainView,
    address: &str,
) -> String {
    ScreenPage {
        frame: frame(request),
        follow,
        domain: domain_link(domain),
        uuid: domain.uuid.to_string(),
        address: address.to_owned(),
    }
    .render()
}
