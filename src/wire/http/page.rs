//! A page of the HTTP interface: its path, its query, its operations.

use super::context::Http;
use super::operation::{Operation, Param, ParamKind, optional};
use crate::core::rights::OpKind;
use axum::routing::MethodRouter;
use std::sync::Arc;

/// The query of a domain's page, on this host and on another one of its fleet.
pub(super) static DOMAIN_QUERY: [Param; 1] = [optional(
    "op",
    ParamKind::Word(&["vcpuinfo"]),
    "none",
    "Show the domain's VCPUs instead",
    "vcpuinfo",
)];

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
    /// What GET answers with.
    pub(super) answer: PageAnswer,
    /// The handler of GET.
    pub(super) get: fn() -> MethodRouter<Http>,
}

/// The pages of a host, in the order of the reference. The router puts them into each request.
#[derive(Clone)]
pub(super) struct HostPages(pub(super) Arc<[&'static Page]>);

/// The answer to GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageAnswer {
    /// A form for people. Programs have no use for it.
    Form,
    /// The same for a form that is sent to its own page, of which no operation is made.
    FormOfPage(FormPage),
    /// The entries of a directory.
    Names,
    /// The ids of objects.
    Ids,
    Domains,
    /// The same, or domains of the hosts of a fleet.
    FleetDomains,
    /// The hosts of a fleet.
    Fleet,
    /// A host of a fleet with its domains.
    FleetHost,
    Domain,
    Node,
    Vnet,
    Storage,
    Image,
    Networks,
    Pools,
    PciFunctions,
    Accounts,
    Saved,
    Journal,
    /// What a domain or the host used. As CSV as well.
    Usage,
    Tasks,
    Task,
    /// This reference.
    Help,
    /// The OpenAPI document.
    OpenApi,
    /// Plain text.
    Text,
    /// An S-expression as a file.
    ConfigFile,
    /// A stream of events.
    Events,
}

/// A page whose form has a handler of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FormPage {
    /// An operation on several domains.
    Selection,
    /// A domain that is described by fields.
    NewDomain,
}

impl Page {
    /// The methods of a page without operations.
    pub(super) const READ_ONLY: &'static [&'static str] = &["GET", "HEAD"];

    /// The methods that programs can use. Only people send the form of a page.
    pub(super) const fn methods(&self) -> &'static [&'static str] {
        if self.operations.is_empty() { Self::READ_ONLY } else { &["GET", "HEAD", "POST"] }
    }

    /// Whether the page is plain text, as xend's was; so is the answer to an unknown operation.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.answer, PageAnswer::Text | PageAnswer::ConfigFile | PageAnswer::Events)
    }

    /// Whether its answer in JSON has an `ETag`.
    pub(super) const fn has_tag(&self) -> bool {
        matches!(
            self.answer,
            PageAnswer::Ids
                | PageAnswer::Domains
                | PageAnswer::FleetDomains
                | PageAnswer::Domain
                | PageAnswer::Tasks
                | PageAnswer::Task
                | PageAnswer::OpenApi
        )
    }

    /// Whether it is a form for people.
    pub(super) const fn is_form(&self) -> bool {
        matches!(self.answer, PageAnswer::Form | PageAnswer::FormOfPage(_))
    }

    /// Whether it is the page of one domain.
    pub(super) fn is_domain(&self) -> bool {
        self.path.ends_with("{domain}")
    }
}
