//! The pages `/` and `/xend`.

use super::parts::frame;
use crate::wire::http::request::RequestInfo;
use xend_templates::{Directory, Link};

pub(crate) fn page(request: &RequestInfo, entries: &[&str]) -> String {
    let url = request.url();
    let base = url.trim_end_matches('/');
    // xend listed nothing at the root, but a person needs a way on.
    let entries: &[&str] = if entries.is_empty() { &["xend"] } else { entries };
    let entries =
        entries.iter().map(|entry| Link::new(*entry, format!("{base}/{entry}"))).collect();
    Directory { frame: frame(request), entries }.render()
}
