//! The pages that a host has only in a fleet.

use super::get;
use super::host::{fleet_domains, fleet_host, hosts};
use super::list_query;
use super::operations::by_page::{
    DOMAIN_LIST_OPERATIONS, FLEET_DOMAIN_LIST_OPERATIONS, FLEET_DOMAIN_OPERATIONS,
    FLEET_NODE_OPERATIONS,
};
use super::page::{DOMAIN_QUERY, Page, PageAnswer};
use super::pass_on;
use crate::core::rights::OpKind;
use axum::routing;

/// The pages of a host in a fleet, beside those of every host or in their places.
pub(super) static FLEET_PAGES: [Page; 8] = [
    Page {
        path: "/xend/domain",
        about: "The names of the domains, sorted; with host, domains of the fleet's hosts (HTML and \
                JSON).",
        kind: OpKind::ListDomains,
        query: &fleet_domains::QUERY,
        operations: &FLEET_DOMAIN_LIST_OPERATIONS,
        answer: PageAnswer::FleetDomains,
        get: || routing::get(fleet_domains::get),
    },
    Page {
        path: "/xend/domain/{domain}",
        about: "A domain's configuration and state. The domain is given by name, domid or UUID.",
        kind: OpKind::ShowDomain,
        query: &DOMAIN_QUERY,
        operations: &FLEET_DOMAIN_OPERATIONS,
        answer: PageAnswer::Domain,
        get: || routing::get(get::domain),
    },
    Page {
        path: "/xend/node",
        about: "The host: system, CPUs, memory, and Xen version.",
        kind: OpKind::ShowHost,
        query: &[],
        operations: &FLEET_NODE_OPERATIONS,
        answer: PageAnswer::Node,
        get: || routing::get(get::node),
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
    Page {
        path: "/xend/host/{host}/domain",
        about: "The domains of a host of the fleet, as the host itself lists them.",
        kind: OpKind::ListDomains,
        query: &list_query::QUERY,
        operations: &DOMAIN_LIST_OPERATIONS,
        answer: PageAnswer::Domains,
        get: || routing::any(pass_on::pass),
    },
    Page {
        path: "/xend/host/{host}/domain/{domain}",
        about: "A domain of a host of the fleet, as the host itself shows it. Below it are its pages, \
                such as config and history; consoles and screens are at the host alone.",
        kind: OpKind::ShowDomain,
        query: &DOMAIN_QUERY,
        operations: &FLEET_DOMAIN_OPERATIONS,
        answer: PageAnswer::Domain,
        get: || routing::any(pass_on::pass),
    },
    Page {
        path: "/xend/host/{host}/node",
        about: "A host of the fleet, as it shows itself: system, CPUs, memory, and Xen version.",
        kind: OpKind::ShowHost,
        query: &[],
        operations: &FLEET_NODE_OPERATIONS,
        answer: PageAnswer::Node,
        get: || routing::any(pass_on::pass),
    },
];
