//! Pages of plain text.

use super::parts::frame;
use crate::wire::http::path::encode_segment;
use crate::wire::http::request::RequestInfo;
use xend_templates::{ConsolePage, Link, TextPage};

pub(crate) fn page(request: &RequestInfo, title: &str, text: String) -> String {
    TextPage { frame: frame(request), title: title.to_owned(), text }.render()
}

/// A guest's console. `follow` is the query of `/xend/events` for its script.
pub(crate) fn console(request: &RequestInfo, follow: String, text: String) -> String {
    let name = request.name();
    let domain = Link::new(name, format!("/xend/domain/{}", encode_segment(name)));
    ConsolePage { frame: frame(request), follow, domain, text }.render()
}
