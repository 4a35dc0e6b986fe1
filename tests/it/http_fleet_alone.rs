//! What a host in no fleet answers, and that joining a fleet changes none of it.

use crate::http_accounts_support::{BROWSER, JSON, NAVIGATION};
use crate::http_fleet_support::{FleetHost, SXP, fleet};
use crate::http_json_support::parsed;
use crate::http_support::Answer;
use xend::core::engine::FIGURES_AGE;

const FORMATS: [&str; 4] = [SXP, JSON, BROWSER, NAVIGATION];

/// What an answer is but for its time: the status line, the headers and the body.
fn whole(answer: &Answer) -> (String, Vec<(String, String)>, String) {
    let headers = answer.headers.iter().filter(|(name, _)| name != "date").cloned();
    (answer.status(), headers.collect(), answer.text())
}

/// The same with another word in place of a word of the same length.
fn renamed(answer: &Answer, from: &str, to: &str) -> (String, Vec<(String, String)>, String) {
    let (status, headers, text) = whole(answer);
    let headers = headers.into_iter().map(|(name, value)| (name, value.replace(from, to)));
    (status.replace(from, to), headers.collect(), text.replace(from, to))
}

/// Pages of a fleet are answered like unknown ones, and nothing leads to them.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_in_no_fleet_has_nothing_of_it() {
    let alone = FleetHost::alone().await;
    for format in FORMATS {
        for method in ["GET", "HEAD", "POST", "PUT"] {
            for rest in ["", "/", "/xen1", "?detail=1", "/xen1/domain/web1"] {
                let ask = |word: &str| alone.ask(method, &format!("/xend/{word}{rest}"), format);
                let case = format!("{method} /xend/host{rest} {format}");
                assert_eq!(whole(&ask("host")), renamed(&ask("tsoh"), "tsoh", "host"), "{case}");
            }
        }
        for value in ["all", "xen1", ""] {
            let ask = |word| alone.ask("GET", &format!("/xend/domain?{word}={value}"), format);
            assert_eq!(whole(&ask("host")), renamed(&ask("tsoh"), "tsoh", "host"), "{format}");
        }
        for path in ["/", "/xend", "/xend/domain", "/xend/node", "/xend/help", "/xend/openapi.json"]
        {
            let answer = alone.ask("GET", path, format).text();
            assert!(
                !answer.contains("/xend/host") && !answer.contains("fleet"),
                "{path}: {answer}"
            );
        }
    }
    assert_eq!(alone.sxp("/xend").text(), "(ls node domain vnet)");
}

/// Without a fleet, a domain has no host: old clients' parameter is ignored, and JSON knows none.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_in_no_fleet_places_no_domain() {
    let alone = FleetHost::alone().await;
    let post = |parameter: &str, format: &str| {
        let config = "config=(vm (name new1) (memory 64) (image (linux (kernel /k))))";
        let target = format!("/xend/domain?op=new&{parameter}&{config}").replace(' ', "+");
        let answer = whole(&alone.ask("POST", &target, format));
        assert_eq!(alone.ask("POST", "/xend/domain/new1?op=delete", SXP).code, 202);
        answer
    };
    for host in ["auto", "xen1"] {
        for format in [SXP, NAVIGATION] {
            let answer = post(&format!("host={host}"), format);
            assert!(answer.0.starts_with("200"), "{answer:?}");
            assert_eq!(answer, post(&format!("tsoh={host}"), format));
        }
    }
    let document = parsed(&alone.ask("GET", "/xend/openapi.json", JSON));
    let request = |document: &serde_json::Value| {
        document["components"]["schemas"]["DomainsNewRequest"]["properties"].clone()
    };
    assert!(request(&document)["op"].is_object() && request(&document)["host"].is_null());
    let fleet = FleetHost::of(fleet()).await;
    let document = parsed(&fleet.ask("GET", "/xend/openapi.json", JSON));
    assert!(request(&document)["host"].is_object(), "{}", request(&document));
}

/// What a host has for itself does not change when it joins a fleet, but for the menu.
#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_changes_nothing_else() {
    let alone = FleetHost::alone().await;
    let fleet = FleetHost::of(fleet()).await;
    let entry = r#"<a href="/xend/host">Hosts</a> "#;
    let same = |path: &str, format: &str| {
        let (status, _, text) = whole(&fleet.ask("GET", path, format));
        let (status_alone, _, alone) = whole(&alone.ask("GET", path, format));
        assert_eq!((status, text.replace(entry, "")), (status_alone, alone), "{path} {format}");
    };
    for path in
        ["/", "/xend/vnet", "/xend/saved", "/xend/node/pool", "/xend/domain/nosuch", "/nosuch"]
    {
        for format in FORMATS {
            same(path, format);
        }
    }
    // Figures of before the domains were created are not shown any more.
    tokio::time::sleep(FIGURES_AGE).await;
    // Their pages have figures that change.
    for path in ["/xend/domain", "/xend/domain?detail=1", "/xend/domain/web1", "/xend/node"] {
        for format in [SXP, JSON] {
            same(path, format);
        }
    }
    same("/xend/domain?host=all&detail=1", SXP);
    let page = fleet.ask("GET", "/xend/domain", NAVIGATION).text();
    assert!(page.contains(r#"id="filter""#) && page.contains(">web1</a>"), "{page}");
    let post =
        |host: &FleetHost, format| whole(&host.ask("POST", "/xend/domain?op=nosuch", format));
    for format in [SXP, JSON] {
        assert_eq!(post(&fleet, format), post(&alone, format));
    }
    let help = fleet.ask("GET", "/xend/help", NAVIGATION).text();
    assert!(help.contains("/xend/host/{host}") && help.contains("all, or a name"), "{help}");
    let document = parsed(&fleet.ask("GET", "/xend/openapi.json", JSON));
    for name in ["FleetHosts", "FleetHost", "FleetHostDomains", "FleetDomain"] {
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
    assert_eq!(document["paths"]["/xend/host"]["get"]["operationId"], "get_hosts");
    assert_eq!(document["paths"]["/xend/host/{host}"]["get"]["operationId"], "get_host");
    assert!(document["components"]["x-problems"]["fleet_unknown"].is_object());
}
