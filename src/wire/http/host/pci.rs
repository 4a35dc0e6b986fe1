//! `GET /xend/node/pci`: the host's PCI functions, and the domains that have them.

use super::listing::{PAGE_PARAM, Search, list_page, respond};
use super::usage::of_pci_functions;
use crate::core::model::PciFacts;
use crate::core::snapshot::DomainView;
use crate::wire::http::context::Http;
use crate::wire::http::errors::operation_failed;
use crate::wire::http::html::parts::domain_link;
use crate::wire::http::json::host::HostPciFunction;
use crate::wire::http::operation::{Param, ParamKind, optional};
use crate::wire::http::request::RequestInfo;
use axum::extract::State;
use axum::response::Response;
use std::sync::Arc;
use xend_templates::{Cell, ListPage, Table, TableColumn};

/// The functions of a page.
const PER_PAGE: usize = 200;

/// The driver of Domain-0 that keeps a function for guests.
const PCIBACK: &str = "pciback";

/// The parameters of the page.
pub(crate) const QUERY: [Param; 2] = [
    optional(
        "q",
        ParamKind::Text("part of an address or a name"),
        "all",
        "Functions with this",
        "03:00",
    ),
    PAGE_PARAM,
];

/// `GET /xend/node/pci`
pub(crate) async fn get(
    State(http): State<Http>,
    request: RequestInfo,
) -> Result<Response, Response> {
    let view = http.view(&request.caller);
    let failed = |error| operation_failed(&request, "pci", &error);
    let hardware = view.hardware().await.map_err(failed)?;
    let search = Search::of(&request.query, PER_PAGE).map_err(|invalid| failed(invalid.into()))?;
    let snapshot = view.snapshot();
    let print = || {
        let owners = of_pci_functions(&snapshot);
        let all: Vec<(HostPciFunction, Option<&Arc<DomainView>>)> = hardware
            .pci
            .iter()
            .map(|facts| {
                let owner = owners.get(&facts.address).copied();
                (function(facts, owner), owner)
            })
            .filter(|(function, _)| matches(function, search.wanted()))
            .collect();
        let total = all.len();
        let shown = search.select(all);
        let json: Vec<&HostPciFunction> = shown.iter().map(|(function, _)| function).collect();
        respond(&request, &json, || ListPage {
            filter: vec![search.field()],
            tables: vec![search.table(&request, "PCI devices", total, table(&shown))],
            ..list_page(
                &request,
                "PCI devices",
                "A function whose driver is pciback can be given to a domain.",
            )
        })
    };
    Ok(http.engine().print(snapshot.len() * 64, print).await)
}

fn function(facts: &PciFacts, owner: Option<&Arc<DomainView>>) -> HostPciFunction {
    HostPciFunction {
        address: facts.address.to_string(),
        kind: kind(facts.class),
        class: format!("{:06x}", facts.class),
        vendor: format!("{:04x}", facts.vendor),
        device: format!("{:04x}", facts.device),
        driver: (!facts.driver.is_empty()).then(|| facts.driver.clone()),
        domain: owner.map(|view| view.name().to_string()),
    }
}

fn matches(function: &HostPciFunction, wanted: &str) -> bool {
    let HostPciFunction { address, kind, vendor, device, driver, domain, class: _ } = function;
    let has = |text: &str| text.to_lowercase().contains(&wanted.to_lowercase());
    [address, vendor, device].into_iter().any(|text| has(text))
        || has(kind)
        || [driver, domain].into_iter().flatten().any(|text| has(text))
}

/// What a function is, by the class in its configuration space (PCI Code and ID Assignment).
const fn kind(class: u32) -> &'static str {
    match (class >> 16, class >> 8 & 0xff) {
        (0x01, 0x06) => "SATA controller",
        (0x01, 0x08) => "NVMe controller",
        (0x01, _) => "Storage controller",
        (0x02, 0x00) => "Ethernet controller",
        (0x02, _) => "Network controller",
        (0x03, _) => "Display controller",
        (0x04, _) => "Multimedia device",
        (0x05, _) => "Memory controller",
        (0x06, 0x00) => "Host bridge",
        (0x06, 0x01) => "ISA bridge",
        (0x06, 0x04) => "PCI bridge",
        (0x06, _) => "Bridge",
        (0x07, _) => "Communication controller",
        (0x08, _) => "System peripheral",
        (0x09, _) => "Input device",
        (0x0b, _) => "Processor",
        (0x0c, 0x03) => "USB controller",
        (0x0c, 0x05) => "SMBus",
        (0x0c, _) => "Serial bus controller",
        (0x0d, _) => "Wireless controller",
        (0x10, _) => "Encryption controller",
        (0x11, _) => "Signal processor",
        (0x12, _) => "Accelerator",
        _ => "Other device",
    }
}

fn table(shown: &[(HostPciFunction, Option<&Arc<DomainView>>)]) -> Table {
    let row = |(function, owner): &(HostPciFunction, Option<&Arc<DomainView>>)| {
        let driver = function.driver.clone().unwrap_or_default();
        let is_free = driver == PCIBACK && owner.is_none();
        vec![
            Cell::Text(function.address.clone()),
            Cell::Text(function.kind.to_owned()),
            Cell::Text(format!("{}:{}", function.vendor, function.device)),
            Cell::Text(driver),
            match owner {
                Some(view) => Cell::Link(domain_link(view)),
                None if is_free => Cell::State("available".to_owned()),
                None => Cell::Text(String::new()),
            },
        ]
    };
    Table {
        id: "pci".to_owned(),
        title: "Functions".to_owned(),
        columns: vec![
            TableColumn::text("Address"),
            TableColumn::text("Kind"),
            TableColumn::text("Vendor and device"),
            TableColumn::text("Driver"),
            TableColumn::text("Domain"),
        ],
        rows: shown.iter().map(row).collect(),
        ..Table::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_has_a_name() {
        for (class, name) in [
            (0x02_00_00, "Ethernet controller"),
            (0x01_08_02, "NVMe controller"),
            (0x0c_03_30, "USB controller"),
            (0xff_00_00, "Other device"),
        ] {
            assert_eq!(kind(class), name);
        }
    }
}
