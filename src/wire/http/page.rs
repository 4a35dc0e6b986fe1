//! A page of the HTTP interface: its path, its query, its operations.

use super::context::Http;
use super::operation::{Operation, Param};
use crate::core::rights::OpKind;
use axum::routing::MethodRouter;

/// A page.
pub(super) struct Page {
    /// The path, with `{domain}` or `{id}` for a name.
    pub(super) path: &'static str,
    /// The answer to GET.
    pub(super) about: &'static str,
    /// The kind of read that GET is. The reference has the pages that a caller may read.
    pub(super) kind: OpKind,
    /// The parameters of GET.
    pub(super) query: &'static [Param],
    /// The operations of POST.
    pub(super) operations: &'static [&'static Operation],
    /// Whether the page is plain text, as xend's was; so is the answer to an unknown operation.
    pub(super) is_text: bool,
    /// The handler of GET.
    pub(super) get: fn() -> MethodRouter<Http>,
}

impl Page {
    /// Whether it is the page of one domain.
    pub(super) fn is_domain(&self) -> bool {
        self.path.ends_with("{domain}")
    }
}
