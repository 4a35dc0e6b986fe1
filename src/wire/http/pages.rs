//! The table of pages: the router is made from it, and so is the reference.

use super::html::create::TEMPLATE_KEYS;
use super::operations::{self, Needed, Operation, Param, Takes};
use super::{Http, events, get, help};
use crate::shape;
use crate::wire::http::format::Format;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::Method;
use axum::routing::{MethodRouter, get};

/// A page.
pub(super) struct Page {
    /// Its path, with `{domain}` or `{id}` where a name goes.
    pub(super) path: &'static str,
    /// What GET gives.
    pub(super) about: &'static str,
    /// What its query can hold.
    pub(super) query: &'static [Param],
    /// What can be done with POST.
    pub(super) ops: &'static [&'static Operation],
    /// Whether it is text for everybody, as xend had it.
    pub(super) is_text: bool,
    get: fn() -> MethodRouter<Http>,
}

impl Page {
    /// Whether it is about one domain.
    pub(super) fn is_domain(&self) -> bool {
        self.path.ends_with("{domain}")
    }

    fn methods(&'static self) -> MethodRouter<Http> {
        (self.get)()
            .post(
                move |State(http): State<Http>,
                      name: Option<Path<String>>,
                      format: Format,
                      request: Request| {
                    operations::on(self, http, name.map(|Path(name)| name), format, request)
                },
            )
            .fallback(
                |method: Method| async move { super::response::method_not_supported(&method) },
            )
    }
}

const SORTS: &[&str] = &["name", "id", "state", "memory", "vcpus", "cpu", "uptime"];

const fn query(
    name: &'static str,
    takes: Takes,
    default: &'static str,
    about: &'static str,
    example: &'static str,
) -> Param {
    Param { name, takes, needed: Needed::Else(default), about, example }
}

/// All pages.
pub(super) static PAGES: [Page; 15] = [
    Page {
        path: "/",
        about: "Nothing but a way in: xend listed nothing here.",
        query: &[],
        ops: &[],
        is_text: false,
        get: || get(get::root),
    },
    Page {
        path: "/xend",
        about: "The names of the pages below.",
        query: &[],
        ops: &[],
        is_text: false,
        get: || get(get::xend),
    },
    Page {
        path: "/xend/domain",
        about: "The names of the domains, sorted.",
        query: &[
            query("detail", Takes::Flag, "0", "Whether each domain is given in full", "1"),
            query(
                "state",
                Takes::Word(&shape::STATES),
                "those that are on the host",
                "Which domains are listed",
                "halted",
            ),
            query(
                "q",
                Takes::Text("part of a name"),
                "all",
                "What the names must contain, on the page and in JSON",
                "web",
            ),
            query(
                "sort",
                Takes::Word(SORTS),
                "name",
                "What the page and JSON are sorted by",
                "cpu",
            ),
            query("desc", Takes::Flag, "0", "Whether the largest come first", "1"),
        ],
        ops: &operations::ON_DOMAINS,
        is_text: false,
        get: || get(get::domains),
    },
    Page {
        path: "/xend/new",
        about: "A form from which a domain is created or defined.",
        query: &[query(
            "template",
            Takes::Word(&TEMPLATE_KEYS),
            "none",
            "What it begins with",
            "pvh",
        )],
        ops: &[],
        is_text: false,
        get: || get(get::new),
    },
    Page {
        path: "/xend/domain/{domain}",
        about: "A domain: what it is and how it does. It is named by its name, its domid or its UUID.",
        query: &[query(
            "op",
            Takes::Word(&["vcpuinfo"]),
            "none",
            "Shows the domain's VCPUs instead",
            "vcpuinfo",
        )],
        ops: &operations::ON_DOMAIN,
        is_text: false,
        get: || get(get::domain),
    },
    Page {
        path: "/xend/domain/{domain}/console",
        about: "The end of what the guest printed on its console, as text.",
        query: &[],
        ops: &[],
        is_text: true,
        get: || get(get::console),
    },
    Page {
        path: "/xend/domain/{domain}/config",
        about: "A configuration from which the domain could be created again, as a file: its definition if it is managed.",
        query: &[],
        ops: &[],
        is_text: true,
        get: || get(get::config),
    },
    Page {
        path: "/xend/domain/{domain}/confirm",
        about: "Asks a person before an operation by which something can be lost.",
        query: &[query(
            "op",
            Takes::Word(&["destroy", "shutdown", "reset", "delete"]),
            "an error",
            "What is to be done",
            "destroy",
        )],
        ops: &[],
        is_text: false,
        get: || get(get::confirm),
    },
    Page {
        path: "/xend/events",
        about: "What happens to domains, as it happens: server-sent events for a browser or curl, an S-expression or a JSON \
                object a line for who asks for these. The answer does not end.",
        query: &[
            query(
                "after",
                Takes::Text("id of an event"),
                "now",
                "The last event that the client has",
                "5f3a01c2-17",
            ),
            query(
                "domain",
                Takes::Text("name, domid or UUID"),
                "all",
                "The domain that alone is followed",
                "web1",
            ),
            query(
                "figures",
                Takes::Flag,
                "0",
                "Whether CPU and memory use are told, too, every 3 s",
                "1",
            ),
        ],
        ops: &[],
        is_text: true,
        get: || get(events::events),
    },
    Page {
        path: "/xend/node",
        about: "The host: its system, CPUs, memory, and Xen.",
        query: &[],
        ops: &operations::ON_NODE,
        is_text: false,
        get: || get(get::node),
    },
    Page {
        path: "/xend/node/dmesg",
        about: "Xen's messages, as text.",
        query: &[],
        ops: &operations::ON_DMESG,
        is_text: true,
        get: || get(get::dmesg),
    },
    Page {
        path: "/xend/node/log",
        about: "The end of xend's own log, as text.",
        query: &[],
        ops: &[],
        is_text: true,
        get: || get(get::log),
    },
    Page {
        path: "/xend/vnet",
        about: "The ids of the virtual networks.",
        query: &[],
        ops: &operations::ON_VNETS,
        is_text: false,
        get: || get(get::vnets),
    },
    Page {
        path: "/xend/vnet/{id}",
        about: "A virtual network.",
        query: &[],
        ops: &operations::ON_VNET,
        is_text: false,
        get: || get(get::vnet),
    },
    Page {
        path: "/xend/help",
        about: "This reference.",
        query: &[],
        ops: &[],
        is_text: false,
        get: || get(help::help),
    },
];

/// The router of all pages.
pub(super) fn router() -> Router<Http> {
    let assets = format!("{}/{{version}}/{{name}}", xend_templates::ASSETS_PATH);
    let router = Router::new().route(&assets, get(get::asset));
    PAGES.iter().fold(router, |router, page| router.route(page.path, page.methods()))
}
