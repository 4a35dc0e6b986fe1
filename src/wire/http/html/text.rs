//! Pages of plain text.

use super::parts::{domain_segment, frame};
use crate::core::snapshot::DomainView;
use crate::wire::http::request::RequestInfo;
use xend_templates::{ConsolePage, Link, TextPage};

pub(crate) fn page(request: &RequestInfo, title: &str, text: String) -> String {
    TextPage { frame: frame(request), title: title.to_owned(), text }.render()
}

/// A guest's console. `follow` is the query of `/xend/events` for its script.
pub(crate) fn console(
    request: &RequestInfo,
    follow: String,
    domain: &DomainView,
    text: String,
    may_press_sysrq: bool,
) -> String {
    let href = format!("/xend/domain/{}", domain_segment(domain));
    let domain = Link::new(domain.name().as_str(), href);
    ConsolePage { frame: frame(request), follow, domain, text, may_press_sysrq }.render()
}
