//! The domains of all hosts of a fleet, for `xm list --all`.

use crate::failure::Failure;
use crate::output::{bold, print_styled, shown};
use serde::Deserialize;
use serde_json::Value as Json;
use std::fmt::Write as _;

/// A domain as the fleet shows it. Figures are at its host alone.
#[derive(Deserialize)]
struct Row {
    name: String,
    host: String,
    domid: Option<u32>,
    state: String,
    memory_mib: u64,
    vcpus: u32,
    /// `None` if nobody knows.
    age_seconds: Option<u64>,
    is_stale: bool,
}

/// Prints the domains as a table.
pub(super) fn print(domains: &Json) -> Result<(), Failure> {
    let rows: Vec<Row> =
        Vec::deserialize(domains).map_err(|error| Failure::not_understood(&error.to_string()))?;
    print_styled(table(&rows))
}

/// A line for each domain, whose last column is the age of what is known of it.
fn table(rows: &[Row]) -> String {
    let header = format!(
        "{:<40} {:<16} {:>5} {:>5} {:>5} {:>10} {:>7}",
        "Name", "Host", "ID", "Mem", "VCPUs", "State", "Age(s)"
    );
    let mut out = bold(&header);
    out.push('\n');
    for row in rows {
        let domid = row.domid.map(|domid| domid.to_string()).unwrap_or_default();
        let age = row.age_seconds.map_or_else(|| "-".to_owned(), |seconds| seconds.to_string());
        let _ = writeln!(
            out,
            "{:<40} {:<16} {domid:>5} {:>5} {:>5} {:>10} {age:>7}{}",
            shown(&row.name),
            shown(&row.host),
            row.memory_mib,
            row.vcpus,
            shown(&row.state),
            if row.is_stale { " stale" } else { "" }
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_says_where_a_domain_is_and_how_old_that_is() {
        let domain = json!({
            "name": "web1", "uuid": "x", "host": "xen1", "domid": 3, "state": "running",
            "memory_mib": 128, "vcpus": 2, "started_at": null, "age_seconds": 1, "is_stale": false
        });
        let mut lost = domain.clone();
        for (key, value) in [
            ("name", json!("db")),
            ("host", json!("xen2")),
            ("domid", json!(null)),
            ("state", json!("halted")),
            ("age_seconds", json!(null)),
            ("is_stale", json!(true)),
        ] {
            lost[key] = value;
        }
        let rows: Vec<Row> = Vec::deserialize(&json!([domain, lost])).unwrap();
        let table = table(&rows);
        let lines: Vec<&str> = table.lines().collect();
        let shown = [
            "Name                                     Host                ID   Mem VCPUs      State  Age(s)",
            "web1                                     xen1                 3   128     2    running       1",
            "db                                       xen2                     128     2     halted       - stale",
        ];
        assert_eq!(lines, shown);
        assert!(print(&json!([{"name": "web1"}])).is_err());
    }
}
