//! Tests of the page.

use super::*;
use crate::form::Action;
use crate::parts::Uptime;
use crate::testing::{HOSTILE, assert_document, frame, ops};

const URL: &str = "http://127.0.0.1:8000/xend/domain";

fn row(name: &str, id: Option<u32>) -> DomainRow {
    DomainRow {
        name: name.into(),
        segment: name.into(),
        id,
        memory_now_mib: 128,
        letters: if id.is_some() { "-b----".into() } else { String::new() },
        state: if id.is_some() { "running".into() } else { "halted".into() },
        kind: "PVH".into(),
        vcpus: 2,
        cpu: id.map(|_| 150.0),
        uptime: id.map(|_| Uptime { seconds: 90, since: 1000 }),
        addresses: if id.is_some() { vec![HOSTILE.into(); 2] } else { vec![] },
        devices: "1 vbd".into(),
        percent: None,
        actions: vec![
            Action { op: "pause".into(), label: "Pause".into(), confirm: None },
            Action {
                op: "destroy".into(),
                label: "Destroy…".into(),
                confirm: Some("/confirm".into()),
            },
        ],
    }
}

fn list(rows: Vec<DomainRow>) -> DomainList {
    let tab = |state: Option<&str>, label: &str| StateTab {
        state: state.map(Into::into),
        label: label.into(),
        count: 3,
    };
    let line = |row: &DomainRow| {
        Some(PlainLine {
            name: row.name.clone(),
            segment: row.segment.clone(),
            id: row.id?,
            memory_mib: 128,
        })
    };
    DomainList {
        frame: frame(&["xend", "domain"]),
        follow: "?figures=1".into(),
        path: "/xend/domain".into(),
        states: vec![tab(None, "On the host"), tab(Some("halted"), "halted")],
        filter: String::new(),
        filter_error: None,
        state: None,
        sort: Sorting { by: Column::Name, descending: false },
        paging: Paging { page: 1, rows: 100, total: rows.len() },
        bulk: vec![("pause".into(), "Pause".into())],
        plain: Some(PlainList { url: URL.into(), lines: rows.iter().filter_map(line).collect() }),
        rows,
        can_create: true,
    }
}

#[test]
fn domains_on_the_host_have_the_line_that_monitors_parse() {
    let page = list(vec![row("Domain-0", Some(0)), row("pv1", Some(3))]).render();
    assert_document(&page);
    for (name, id) in [("Domain-0", 0), ("pv1", 3)] {
        let line = format!(
            "<li><a href=\"{URL}/{name}\">Domain {name}</a>: \
             id = {id}, memory = 128, ssidref = 0.</li>"
        );
        assert_eq!(page.lines().filter(|found| *found == line).count(), 1, "{line} in {page}");
    }
}

#[test]
fn only_domains_on_the_host_are_list_items() {
    let page = list(vec![row("pv1", Some(3)), row("web2", None)]).render();
    assert_eq!(page.matches("<li>").count(), 1, "{page}");
    assert!(page.contains(r#"<a href="/xend/domain/web2">web2</a>"#), "{page}");
    assert!(page.contains(r#"<span class="badge halted">halted</span>"#), "{page}");
}

#[test]
fn a_row_has_the_first_address() {
    let with = |addresses: &[&str]| {
        let addresses = addresses.iter().map(|&address| address.into()).collect();
        list(vec![DomainRow { addresses, ..row("pv1", Some(3)) }]).render()
    };
    for (addresses, cell) in [
        (&[][..], "–"),
        (&["203.0.113.10"], "203.0.113.10"),
        (
            &["203.0.113.10", "2001:db8::1", "10.0.0.1"],
            r#"203.0.113.10 <small title="2001:db8::1, 10.0.0.1">+2</small>"#,
        ),
    ] {
        let cell = format!(r#"<td class="address c-address" data-label="Address">{cell}</td>"#);
        let page = with(addresses);
        assert!(page.contains(&cell), "{cell} in {page}");
    }
}

#[test]
fn a_row_has_at_most_8_addresses() {
    let addresses: Vec<String> = (0..10).map(|n| format!("10.0.0.{n}")).collect();
    let page = list(vec![DomainRow { addresses, ..row("pv1", Some(3)) }]).render();
    assert!(page.contains(r#"10.0.0.7 and 2 more">+9</small>"#), "{page}");
}

#[test]
fn names_and_filters_are_escaped() {
    let mut page = list(vec![row(HOSTILE, Some(3)), row(HOSTILE, None)]);
    page.filter = HOSTILE.into();
    page.filter_error = Some(HOSTILE.into());
    assert_document(&page.render());
}

#[test]
fn operations_that_lose_data_lead_to_a_confirmation() {
    let page = list(vec![row("pv1", Some(3))]).render();
    assert_eq!(ops(&page), ["pause"]);
    assert!(page.contains(r#"href="/confirm" data-confirm aria-label="Destroy pv1""#), "{page}");
}

#[test]
fn the_selected_state_is_marked_and_kept() {
    let mut page = list(vec![]);
    assert!(page.render().contains(r#"aria-current="true">On the host (3)<"#));
    page.state = Some("HALTED".into());
    let text = page.render();
    assert!(text.contains(r#"?state=halted" aria-current="true">halted (3)<"#), "{text}");
    assert!(text.contains(r#"<input type="hidden" name="state" value="HALTED">"#), "{text}");
}

#[test]
fn a_user_who_may_not_create_domains_has_no_link_to_it() {
    let mut page = list(vec![]);
    for tab in &mut page.states {
        tab.count = 0;
    }
    assert_eq!(page.render().matches("/xend/new").count(), 2);
    page.can_create = false;
    let text = page.render();
    assert!(text.contains("<p>No domains.</p>") && !text.contains("/xend/new"), "{text}");
}

#[test]
fn an_empty_part_of_the_list_is_not_a_host_without_domains() {
    let mut page = list(vec![]);
    assert!(page.render().contains("<p>No domains on the host.</p>"));
    page.state = Some("CRASHED".into());
    let text = page.render();
    assert!(text.contains("<p>No crashed domains.</p>"), "{text}");
    assert_eq!(text.matches("/xend/new").count(), 1, "the button above the list");
    page.filter = "web".into();
    assert!(page.render().contains("<p>No matching domains.</p>"));
}

#[test]
fn a_second_click_on_a_column_reverses_the_order() {
    let mut page = list(vec![row("pv1", Some(3))]);
    let text = page.render();
    assert!(
        text.contains(
            r#"<th class="c-name" scope="col" aria-sort="ascending"><a href="/xend/domain?desc=1">Domain ▴"#
        ),
        "{text}"
    );
    let cpu =
        r#"<th class="c-cpu num" scope="col"><a href="/xend/domain?sort=cpu&amp;desc=1">CPU</a>"#;
    assert!(text.contains(cpu), "{text}");
    page.sort = Sorting { by: Column::Cpu, descending: true };
    let text = page.render();
    assert!(
        text.contains(r#"aria-sort="descending"><a href="/xend/domain?sort=cpu">CPU ▾"#),
        "{text}"
    );
}

#[test]
fn links_keep_the_filter_and_lead_to_the_first_page() {
    let mut page = list(vec![row("pv1", Some(3))]);
    page.filter = "mem>1G a&b".into();
    page.paging = Paging { page: 3, rows: 1, total: 5 };
    let text = page.render();
    let q = "q=mem%3E1G%20a%26b";
    for link in [
        format!(r#"href="/xend/domain?{q}" aria-current="true">On the host"#),
        format!(r#"href="/xend/domain?{q}&amp;sort=cpu&amp;desc=1">CPU"#),
        format!(r#"href="/xend/domain?{q}">First"#),
        format!(r#"href="/xend/domain?{q}&amp;page=2" rel="prev">Previous"#),
        format!(r#"href="/xend/domain?{q}&amp;page=4" rel="next">Next"#),
        format!(r#"href="/xend/domain?{q}&amp;page=5">Last"#),
    ] {
        assert!(text.contains(&link), "{link} in {text}");
    }
    assert!(text.contains("<span>3–3 of 5</span>"), "{text}");
    assert!(text.contains(r#"name="q" value="mem&gt;1G a&amp;b""#), "{text}");
    page.paging = Paging { page: 1, rows: 100, total: 1 };
    let text = page.render();
    assert!(!text.contains(">Next<") && !text.contains(">First<"), "{text}");
}

#[test]
fn a_filter_that_makes_no_sense_is_described() {
    let mut page = list(vec![]);
    page.filter = "mem>lots".into();
    page.filter_error = Some("write 2G".into());
    let text = page.render();
    assert!(text.contains(r#"aria-describedby="filter-error" aria-invalid"#), "{text}");
    let error =
        r#"<p class="error-text" id="filter-error" data-live="always" role="alert">write 2G</p>"#;
    assert!(text.contains(error), "{text}");
    assert!(text.contains("No matching domains.") && !text.contains("Create one"), "{text}");
}

#[test]
fn a_domain_that_is_saved_is_not_suspended() {
    let saving = DomainRow {
        state: "saving".into(),
        percent: Some(40),
        letters: "---s--".into(),
        ..row("pv1", Some(3))
    };
    let text = list(vec![saving]).render();
    let cell =
        r#"<td class="state"><span class="badge saving">saving</span><small>40 %</small></td>"#;
    assert!(text.contains(cell), "{text}");
}

#[test]
fn rows_are_selected_for_the_form_of_the_selection() {
    let mut page = list(vec![row("pv1", Some(3))]);
    let text = page.render();
    let pick =
        r#"<input type="checkbox" form="bulk" name="domain" value="pv1" aria-label="Select pv1">"#;
    assert!(text.contains(pick), "{text}");
    assert!(text.contains(r#"<form id="bulk" method="get" action="/xend/selection">"#), "{text}");
    page.bulk.clear();
    assert!(!page.render().contains(r#"id="bulk""#));
}

#[test]
fn a_browser_gets_no_plain_list() {
    let page = DomainList { plain: None, ..list(vec![row("pv1", Some(3))]) }.render();
    assert_document(&page);
    assert!(!page.contains("<li>"), "{page}");
}
