//! The table of pages. The router, the reference and the OpenAPI document are made from it.

use super::fleet_pages::FLEET_PAGES;
use super::new_domain::fields::TYPE_KEYS;
use super::operation::{ParamKind, optional, required};
use super::operations::by_page::{
    DMESG_OPERATIONS, DOMAIN_LIST_OPERATIONS, DOMAIN_OPERATIONS, IMAGE_OPERATIONS, NODE_OPERATIONS,
    SAVED_OPERATIONS, STORAGE_OPERATIONS, VNET_LIST_OPERATIONS, VNET_OPERATIONS,
};
use super::page::{DOMAIN_QUERY, FormPage, HostPages, Page, PageAnswer};
use super::{
    domain_list, events, get, help, host, list_query, new_domain, openapi, selected, selection,
    task_pages, usage_pages,
};
use crate::core::rights::OpKind;
use axum::routing;

/// The pages of every host.
pub(super) static PAGES: [Page; 33] = [
    Page {
        path: "/",
        about: "The entry point. The S-expression is empty, as in xend.",
        kind: OpKind::ListDomains,
        query: &[],
        operations: &[],
        answer: PageAnswer::Names,
        get: || routing::get(get::root),
    },
    Page {
        path: "/xend",
        about: "The names of the pages below; in S-expressions, those that xend had.",
        kind: OpKind::ListDomains,
        query: &[],
        operations: &[],
        answer: PageAnswer::Names,
        get: || routing::get(get::xend),
    },
    Page {
        path: "/xend/domain",
        about: "The names of the domains, sorted.",
        kind: OpKind::ListDomains,
        query: &list_query::QUERY,
        operations: &DOMAIN_LIST_OPERATIONS,
        answer: PageAnswer::Domains,
        get: || routing::get(domain_list::get),
    },
    Page {
        path: selected::PATH,
        about: "A confirmation page for an operation on several domains, which it names.",
        kind: OpKind::ListDomains,
        query: &[
            required("op", ParamKind::Word(&selected::NAMES), "Operation to confirm", "pause"),
            optional(
                "domain",
                ParamKind::Text("name"),
                "none",
                "Name of a domain, as often as there are domains",
                "web1",
            ),
        ],
        operations: &[],
        answer: PageAnswer::FormOfPage(FormPage::Selection),
        get: || routing::get(selection::show),
    },
    Page {
        path: new_domain::fields::PATH,
        about: "A form to create or define a domain.",
        kind: OpKind::CreateDomain,
        query: &[optional(
            "template",
            ParamKind::Word(&TYPE_KEYS),
            "pvh",
            "Type of guest to start from",
            "hvm",
        )],
        operations: &[],
        answer: PageAnswer::FormOfPage(FormPage::NewDomain),
        get: || routing::get(new_domain::show),
    },
    Page {
        path: "/xend/new/{id}",
        about: "How far a domain is that the form creates.",
        kind: OpKind::CreateDomain,
        query: &[],
        operations: &[],
        answer: PageAnswer::Form,
        get: || routing::get(new_domain::progress),
    },
    Page {
        path: "/xend/domain/{domain}",
        about: "A domain's configuration and state. The domain is given by name, domid or UUID.",
        kind: OpKind::ShowDomain,
        query: &DOMAIN_QUERY,
        operations: &DOMAIN_OPERATIONS,
        answer: PageAnswer::Domain,
        get: || routing::get(get::domain),
    },
    Page {
        path: "/xend/domain/{domain}/console",
        about: "The end of the guest's console log, as text. Over a WebSocket, the console itself: its \
                output, and what is typed.",
        kind: OpKind::ReadConsole,
        query: &[],
        operations: &[],
        answer: PageAnswer::Text,
        get: || routing::get(get::console),
    },
    Page {
        path: "/xend/domain/{domain}/screen",
        about: "The guest's VNC address, as text. Over a WebSocket, RFB without a password.",
        kind: OpKind::UseScreen,
        query: &[],
        operations: &[],
        answer: PageAnswer::Text,
        get: || routing::get(get::screen),
    },
    Page {
        path: "/xend/domain/{domain}/config",
        about: "The domain's configuration as a file from which it can be created again. For a \
                managed domain, its definition.",
        kind: OpKind::ShowDomain,
        query: &[],
        operations: &[],
        answer: PageAnswer::ConfigFile,
        get: || routing::get(get::config),
    },
    Page {
        path: "/xend/domain/{domain}/history",
        about: "What the domain used over a span, by steps: CPU time, memory, and what its disks and \
                network interfaces moved. Unless asked for HTML or JSON, CSV.",
        kind: OpKind::ReadSamples,
        query: &usage_pages::QUERY,
        operations: &[],
        answer: PageAnswer::Usage,
        get: || routing::get(usage_pages::domain),
    },
    Page {
        path: "/xend/domain/{domain}/confirm",
        about: "A confirmation page for an operation that can lose data.",
        kind: OpKind::ShowDomain,
        query: &[optional(
            "op",
            ParamKind::Word(&["destroy", "shutdown", "reset", "delete"]),
            "an error",
            "Operation to confirm",
            "destroy",
        )],
        operations: &[],
        answer: PageAnswer::Form,
        get: || routing::get(get::confirm),
    },
    Page {
        path: "/xend/events",
        about: "Events of domains as they happen: server-sent events for browsers and curl, or one \
                S-expression or JSON object a line. The response does not end.",
        kind: OpKind::ReadEvents,
        query: &[
            optional(
                "after",
                ParamKind::Text("id of an event"),
                "now",
                "Last event that the client has received",
                "5f3a01c2-17",
            ),
            optional(
                "domain",
                ParamKind::Text("name, domid or UUID"),
                "all domains",
                "Send the events of this domain only",
                "web1",
            ),
            optional(
                "figures",
                ParamKind::Flag,
                "0",
                "Also send CPU and memory use, every 3 s",
                "1",
            ),
        ],
        operations: &[],
        answer: PageAnswer::Events,
        get: || routing::get(events::get),
    },
    Page {
        path: "/xend/node",
        about: "The host: system, CPUs, memory, and Xen version.",
        kind: OpKind::ShowHost,
        query: &[],
        operations: &NODE_OPERATIONS,
        answer: PageAnswer::Node,
        get: || routing::get(get::node),
    },
    Page {
        path: "/xend/node/dmesg",
        about: "Xen's message buffer: text, or a page for those who take HTML.",
        kind: OpKind::ReadDmesg,
        query: &[],
        operations: &DMESG_OPERATIONS,
        answer: PageAnswer::Text,
        get: || routing::get(get::dmesg),
    },
    Page {
        path: "/xend/node/log",
        about: "The end of xend's log, as text; for browsers, a page with a filter.",
        kind: OpKind::ReadLog,
        query: &host::log::QUERY,
        operations: &[],
        answer: PageAnswer::Text,
        get: || routing::get(get::log),
    },
    Page {
        path: "/xend/node/storage",
        about: "The local storage and the disk images that xend knows, with the domains that have \
                them. JSON but for browsers.",
        kind: OpKind::ShowStorage,
        query: &host::storage::QUERY,
        operations: &STORAGE_OPERATIONS,
        answer: PageAnswer::Storage,
        get: || routing::get(host::storage::get),
    },
    Page {
        path: "/xend/node/storage/{id}",
        about: "A disk image, which is given by UUID. JSON but for browsers.",
        kind: OpKind::ShowStorage,
        query: &[],
        operations: &IMAGE_OPERATIONS,
        answer: PageAnswer::Image,
        get: || routing::get(host::storage::get_image),
    },
    Page {
        path: "/xend/node/storage/{id}/confirm",
        about: "A confirmation page for an operation on a disk image that can lose data.",
        kind: OpKind::DestroyVdi,
        query: &[optional("op", ParamKind::Word(&["delete"]), "an error", "Operation", "delete")],
        operations: &[],
        answer: PageAnswer::Form,
        get: || routing::get(host::storage::confirm),
    },
    Page {
        path: "/xend/node/network",
        about: "Bridges with the domains on them, network cards and virtual LANs. JSON but for \
                browsers.",
        kind: OpKind::ShowInterfaces,
        query: &[optional(
            "q",
            ParamKind::Text("part of a name"),
            "all",
            "Bridges with this in their names, or in those of their domains",
            "xenbr",
        )],
        operations: &[],
        answer: PageAnswer::Networks,
        get: || routing::get(host::networks::get),
    },
    Page {
        path: "/xend/node/pool",
        about: "CPU pools with the domains in them. JSON but for browsers.",
        kind: OpKind::ShowPools,
        query: &[],
        operations: &[],
        answer: PageAnswer::Pools,
        get: || routing::get(host::pools::get),
    },
    Page {
        path: "/xend/node/pci",
        about: "PCI functions with the domains that have them. JSON but for browsers.",
        kind: OpKind::ShowHardware,
        query: &host::pci::QUERY,
        operations: &[],
        answer: PageAnswer::PciFunctions,
        get: || routing::get(host::pci::get),
    },
    Page {
        path: "/xend/node/user",
        about: "Accounts, and who is logged in on pages, for operators. JSON but for browsers.",
        kind: OpKind::ShowAccounts,
        query: &host::accounts::QUERY,
        operations: &[],
        answer: PageAnswer::Accounts,
        get: || routing::get(host::accounts::get),
    },
    Page {
        path: "/xend/saved",
        about: "Domains that were saved to files, and suspended ones. JSON but for browsers.",
        kind: OpKind::ReadSavedConfig,
        query: &host::saved::QUERY,
        operations: &SAVED_OPERATIONS,
        answer: PageAnswer::Saved,
        get: || routing::get(host::saved::get),
    },
    Page {
        path: "/xend/saved/confirm",
        about: "A confirmation page for an operation on a saved domain that can lose data.",
        kind: OpKind::RemoveSaved,
        query: &[
            optional("op", ParamKind::Word(&["delete"]), "an error", "Operation", "delete"),
            optional("file", ParamKind::Path, "an error", "File", "/var/lib/xen/save/web1"),
        ],
        operations: &[],
        answer: PageAnswer::Form,
        get: || routing::get(host::saved::confirm),
    },
    Page {
        path: "/xend/journal",
        about: "The events since xend was started, the latest first. JSON but for browsers.",
        kind: OpKind::ReadEvents,
        query: &host::journal::QUERY,
        operations: &[],
        answer: PageAnswer::Journal,
        get: || routing::get(host::journal::get),
    },
    Page {
        path: "/xend/node/history",
        about: "What all domains together used over a span, by steps, as a domain's history.",
        kind: OpKind::ShowHost,
        query: &usage_pages::QUERY,
        operations: &[],
        answer: PageAnswer::Usage,
        get: || routing::get(usage_pages::host),
    },
    Page {
        path: "/xend/vnet",
        about: "The ids of the virtual networks.",
        kind: OpKind::ShowVnets,
        query: &[],
        operations: &VNET_LIST_OPERATIONS,
        answer: PageAnswer::Ids,
        get: || routing::get(get::vnets),
    },
    Page {
        path: "/xend/vnet/{id}",
        about: "A virtual network.",
        kind: OpKind::ShowVnets,
        query: &[],
        operations: &VNET_OPERATIONS,
        answer: PageAnswer::Vnet,
        get: || routing::get(get::vnet),
    },
    Page {
        path: "/xend/task",
        about: "Operations that were started with Prefer: respond-async, for an hour after their \
                end. JSON; for browsers, a page that has the operations under way as well.",
        kind: OpKind::ListDomains,
        query: &[],
        operations: &[],
        answer: PageAnswer::Tasks,
        get: || routing::get(task_pages::list),
    },
    Page {
        path: "/xend/task/{id}",
        about: "An operation that was started with Prefer: respond-async. JSON but for browsers.",
        kind: OpKind::ListDomains,
        query: &[],
        operations: &[],
        answer: PageAnswer::Task,
        get: || routing::get(task_pages::task),
    },
    Page {
        path: "/xend/openapi.json",
        about: "The OpenAPI document of the JSON interface. Always JSON.",
        kind: OpKind::ListDomains,
        query: &[],
        operations: &[],
        answer: PageAnswer::OpenApi,
        get: || routing::get(openapi::get),
    },
    Page {
        path: "/xend/help",
        about: "This reference.",
        kind: OpKind::ListDomains,
        query: &help::QUERY,
        operations: &[],
        answer: PageAnswer::Help,
        get: || routing::get(help::get),
    },
];

/// The pages of a host. Those of a fleet take the places of pages with the same path.
pub(super) fn of_host(has_fleet: bool) -> HostPages {
    let of_fleet: &'static [Page] = if has_fleet { &FLEET_PAGES } else { &[] };
    let place = |page: &'static Page| of_fleet.iter().find(|other| other.path == page.path);
    let everywhere = PAGES.iter().map(|page| place(page).unwrap_or(page));
    let is_new = |page: &&Page| PAGES.iter().all(|other| other.path != page.path);
    HostPages(everywhere.chain(of_fleet.iter().filter(is_new)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::http::engine_request::{EngineRequest, Query};
    use crate::wire::http::operation::{Operation, Param, build_from_form};

    #[test]
    fn a_page_of_a_fleet_has_its_place_or_comes_last() {
        let paths = |has_fleet| -> Vec<&str> {
            of_host(has_fleet).0.iter().map(|page| page.path).collect()
        };
        let alone = paths(false);
        assert_eq!(alone, PAGES.each_ref().map(|page| page.path));
        let fleet = paths(true);
        assert_eq!(fleet[..alone.len()], alone);
        assert_eq!(
            fleet[alone.len()..],
            [
                "/xend/host",
                "/xend/host/{host}",
                "/xend/host/{host}/domain",
                "/xend/host/{host}/domain/{domain}",
                "/xend/host/{host}/node",
            ]
        );
        let list = of_host(true).0.iter().copied().find(|page| page.path == "/xend/domain");
        assert!(list.unwrap().query.iter().any(|param| param.name == "host"));
    }

    fn operations() -> impl Iterator<Item = &'static Operation> {
        PAGES.iter().flat_map(|page| page.operations.iter().copied())
    }

    fn field(param: &Param, value: &str) -> String {
        form_urlencoded::Serializer::new(String::new()).append_pair(param.name, value).finish()
    }

    /// A form of all examples, with `other` instead of the one at `at`.
    fn form(operation: &Operation, at: usize, other: &str) -> String {
        let of_json = operation.params.get(at).is_some_and(|param| param.name == "network");
        let fields = operation.params.iter().enumerate().filter_map(|(n, param)| {
            let is_left_out = match param.name {
                // Settings of an interface are given as JSON or as fields.
                "address" | "gateway" | "dns" => of_json,
                "network" => !of_json,
                _ => false,
            };
            if n == at {
                return Some(other.to_owned());
            }
            (!is_left_out).then(|| field(param, param.example))
        });
        fields.collect::<Vec<_>>().join("&")
    }

    #[test]
    fn examples_are_valid() {
        for operation in operations() {
            let all = form(operation, usize::MAX, "");
            build_from_form(operation, &all)
                .unwrap_or_else(|error| panic!("{} {all}: {error}", operation.name));
            let required: Vec<String> = operation
                .params
                .iter()
                .filter(|param| param.default.is_none())
                .map(|param| field(param, param.example))
                .collect();
            // The credit schedulers require one of two parameters.
            if !operation.name.starts_with("domain_sched") {
                build_from_form(operation, &required.join("&"))
                    .unwrap_or_else(|error| panic!("{} {required:?}: {error}", operation.name));
            }
        }
    }

    #[test]
    fn an_operation_has_the_kind_of_what_it_builds() {
        for operation in operations() {
            let kind = match build_from_form(operation, &form(operation, usize::MAX, "")).unwrap() {
                EngineRequest::Change(change) => OpKind::of(&change),
                EngineRequest::Query(Query::Vcpus(_)) => OpKind::ShowVcpus,
                EngineRequest::Query(Query::Devices(..)) => OpKind::ShowDevices,
                EngineRequest::Query(Query::Sedf(_)) => OpKind::ShowSedf,
                EngineRequest::Query(Query::Sched(..)) => OpKind::ShowSched,
                EngineRequest::Query(Query::DevicesConnected(_)) => OpKind::WaitForDevices,
                EngineRequest::ListDomains => OpKind::ListDomains,
            };
            assert!(operation.kinds.contains(&kind), "{} is {kind:?}", operation.name);
        }
    }

    #[test]
    fn errors_name_the_parameter() {
        let mut tried = 0;
        for operation in operations() {
            for (at, param) in operation.params.iter().enumerate() {
                let message =
                    |other: &str| match build_from_form(operation, &form(operation, at, other)) {
                        Ok(_) => String::new(),
                        Err(error) => error.to_string(),
                    };
                let what = format!("{} {}", operation.name, param.name);
                let example = field(param, param.example);
                assert_eq!(
                    message(&format!("{example}&{example}")),
                    format!("Too many values for {}", param.name),
                    "{what}"
                );
                let missing = match param.default {
                    // A gateway is the gateway of an address.
                    Some(_) if param.name == "address" => "Missing parameter: address".to_owned(),
                    None => format!("Missing parameter: {}", param.name),
                    Some(_) => String::new(),
                };
                assert_eq!(message(""), missing, "{what}");
                let invalid: &[&str] = match param.kind {
                    ParamKind::Number(_) | ParamKind::Quantity(_) => {
                        &["", "x", "-1", "1.5", "99999999999999999999999"]
                    }
                    ParamKind::Flag => &["", "2", "maybe"],
                    ParamKind::Word(_) => &["", "nosuch"],
                    ParamKind::Path => &["", "relative"],
                    ParamKind::Text(_) | ParamKind::Config(_) | ParamKind::Json(_) => {
                        &["", "((", "\u{1}"]
                    }
                    ParamKind::Password => &["", "two\nlines", "\0"],
                    // Any text is valid.
                    ParamKind::Lines(_) => &[],
                };
                for value in invalid {
                    let message = message(&field(param, value));
                    assert!(!message.is_empty(), "{what}={value:?} was accepted");
                    // xend's own words for a bad name, class or configuration.
                    let known = [
                        "Unknown device type",
                        "Missing VM Name",
                        "Invalid VM Name",
                        "Invalid configuration",
                    ];
                    let names_parameter =
                        message.starts_with(&format!("Invalid value for {}", param.name));
                    assert!(
                        names_parameter || known.iter().any(|known| message.starts_with(known)),
                        "{what}={value:?}: {message}"
                    );
                    tried += 1;
                }
            }
        }
        assert!(tried > 80, "{tried}");
    }

    #[test]
    fn operations_are_unique_and_documented() {
        for page in &PAGES {
            for (n, operation) in page.operations.iter().enumerate() {
                let others = &page.operations[..n];
                assert!(
                    others.iter().all(|other| other.name != operation.name),
                    "{}",
                    operation.name
                );
                assert!(operation.about.ends_with('.'), "{}", operation.name);
            }
        }
    }
}
