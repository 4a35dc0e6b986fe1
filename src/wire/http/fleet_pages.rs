//! The pages that a host has only in a fleet.

use super::host::{fleet_domains, fleet_host, hosts};
use super::operations::by_page::DOMAIN_LIST_OPERATIONS;
use super::page::{Page, PageAnswer};
use crate::core::rights::OpKind;
use axum::routing;

/// The pages of a host in a fleet, beside those of every host or in their places.
pub(super) static FLEET_PAGES: [Page; 3] = [
    Page {
        path: "/xend/domain",
        about: "The names of the domains, sorted; with host, domains of the fleet's hosts (HTML and \
                JSON).",
        kind: OpKind::ListDomains,
        query: &fleet_domains::QUERY,
        operations: &DOMAIN_LIST_OPERATIONS,
        answer: PageAnswer::FleetDomains,
        get: || routing::get(fleet_domains::get),
    },
    Page {
        path: "/xend/host",
        about: "The names of the fleet's hosts, sorted.",
        kind: OpKind::ShowFleet,
        query: &hosts::QUERY,
        operations: &[],
        answer: PageAnswer::Fleet,
        get: || routing::get(hosts::get),
    },
    Page {
        path: "/xend/host/{host}",
        about: "A host of the fleet with its domains.",
        kind: OpKind::ShowFleet,
        query: &fleet_host::QUERY,
        operations: &[],
        answer: PageAnswer::FleetHost,
        get: || routing::get(fleet_host::get),
    },
];
