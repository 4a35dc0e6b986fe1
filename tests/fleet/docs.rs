//! The commands of the page about fleets, run as they stand there.

use crate::page::run_page;

#[test]
fn the_page_about_fleets_works() {
    run_page(
        "docs/fleet.md",
        &["2379", "2380", "8000", "8003", "8010", "8013", "8020", "8023"],
        &["curl", "etcd", "openssl"],
    );
}
