//! The table of metrics beside the fixture and the page that list it.

use super::families;
use super::family::{Family, Kind, Unit};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The name of the metric in its `TYPE` line.
fn name(family: &Family) -> String {
    let unit = match family.unit {
        Some(Unit::Seconds) => "_seconds",
        Some(Unit::Bytes) => "_bytes",
        None => "",
    };
    format!("xend_{}{unit}", family.name)
}

/// The name of its samples, as queries have it.
fn sample_name(family: &Family) -> String {
    let suffix = match family.kind {
        Kind::Counter => "_total",
        Kind::Info => "_info",
        Kind::Gauge | Kind::Histogram => "",
    };
    name(family) + suffix
}

fn kind(family: &Family) -> &'static str {
    match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
        Kind::Info => "info",
    }
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// Dashboards and alerts of other people use these names: one that is in the fixture stays.
#[test]
fn names_types_and_labels_are_those_of_the_fixture() {
    let mut found = String::new();
    for family in families::all() {
        let name = name(family);
        let words = [&[&*name, kind(family)], family.labels].concat();
        writeln!(found, "{}", words.join(" ")).unwrap();
    }
    let known = read("sexpr-fixtures/metrics/names");
    assert!(known == found, "The fixture should be:\n{found}");
}

#[test]
fn the_page_lists_all_metrics() {
    let mut table = String::from("| metric | type | labels | |\n|---|---|---|---|\n");
    for family in families::all() {
        let labels: Vec<_> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let Family { help, .. } = family;
        let name = format!("`{}`", sample_name(family));
        let labels = labels.join(", ");
        let row = [&*name, kind(family), &labels, help];
        writeln!(table, "| {} |", row.join(" | ").replace("|  |", "| |")).unwrap();
    }
    assert!(read("docs/metrics.md").contains(&table), "The table of the page should be:\n{table}");
}

#[test]
fn a_metric_says_what_it_is_in_one_sentence() {
    for family in families::all() {
        let Family { name, help, unit, .. } = family;
        assert!(help.ends_with('.') && !help.contains('\n'), "{name}: {help}");
        // What the library appends is not in the name.
        let endings = ["_total", "_info", "_seconds", "_bytes", "_count", "_sum", "_bucket"];
        assert!(!endings.iter().any(|ending| name.ends_with(ending)), "{name}");
        assert!(family.kind != Kind::Histogram || *unit == Some(Unit::Seconds), "{name}");
    }
}
