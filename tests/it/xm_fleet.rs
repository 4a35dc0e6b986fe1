//! Our xm on a host of a fleet.

use crate::http_fleet_support::{FleetHost, fleet};
use crate::xm_support::{Printed, program};
use std::process::{Command, Stdio};
use tokio::task::block_in_place;

/// Runs xm with these words, which are separated by blanks.
fn xm(host: &FleetHost, line: &str) -> Printed {
    let mut command = Command::new(program());
    command.args(line.split_whitespace()).env_clear().env("XM_SERVER", host.url());
    let output = block_in_place(|| command.stdin(Stdio::null()).output().unwrap());
    Printed::of(&output)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_domains_of_all_hosts_are_listed_with_their_hosts() {
    let host = FleetHost::of(fleet()).await;
    let list = xm(&host, "list --all").good();
    let lines: Vec<&str> = list.lines().collect();
    let header = "Name                                     Host                ID   Mem VCPUs      State  Age(s)";
    assert_eq!(lines[0], header);
    let line = |name: &str| lines.iter().find(|line| line.starts_with(name)).copied();
    let web2 = line("web2 ").unwrap_or_else(|| panic!("{list}"));
    let shown =
        "web2                                     xen2                 9   128     2    running ";
    assert!(web2.starts_with(shown) && !web2.contains("stale"), "{list}");
    let db = line("one.db ").unwrap_or_else(|| panic!("{list}"));
    let shown =
        "one.db                                   xen3                     512     2     halted ";
    assert!(db.starts_with(shown) && db.ends_with(" stale"), "{list}");
    assert!(line("lost ").unwrap().ends_with("- stale"), "{list}");
    assert_eq!(lines.len(), 8, "{list}");
    let paused = xm(&host, "list --all --state=paused").good();
    assert_eq!(paused.lines().count(), 2, "{paused}");
    let json: serde_json::Value =
        serde_json::from_str(&xm(&host, "list --all --json").good()).unwrap();
    assert_eq!((json.as_array().unwrap().len(), &json[2]["host"]), (7, &"xen4".into()));
    // Without it, the list is that of the host, as ever.
    assert!(!xm(&host, "list").good().contains("xen2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_all_hosts_is_refused_with_the_reason() {
    let host = FleetHost::of(fleet()).await;
    let alone = FleetHost::alone().await;
    let silent = FleetHost::without_etcd().await;
    for (host, line, error) in [
        (&host, "list --all web1", "--all and names of domains exclude each other"),
        (&host, "list --all --long", "--all and --long exclude each other: ask the host that has"),
        (&host, "list --all --watch", "--all and --watch exclude each other"),
        (&host, "list --all -v", "--all and --vcpus exclude each other"),
        (&host, "list --all --state=x", "There is no state 'x'"),
        (&alone, "list --all", "xend is in no fleet: xm list without --all lists the domains"),
        (&silent, "list --all", "etcd does not answer at https://etcd1:2379"),
    ] {
        let printed = xm(host, line);
        assert_eq!((printed.status, printed.out.as_str()), (1, ""), "{line}");
        assert!(printed.err.starts_with(&format!("Error: {error}")), "{line}: {}", printed.err);
    }
}
