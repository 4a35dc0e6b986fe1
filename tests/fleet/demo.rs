//! The fleet to try, by its script, as the page about it has it.

use crate::page::run_prepared_page;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The two ports of each host, and of each etcd, as the page has them.
const PORTS: [&str; 12] = [
    "8001", "8013", "8002", "8023", "8003", "8033", "23791", "23801", "23792", "23802", "23793",
    "23803",
];

/// Ends what the script has started, however the test ends.
struct Demo {
    script: PathBuf,
    dir: tempfile::TempDir,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let mut down = Command::new(&self.script);
        down.arg("down").env("XEND_DEMO", self.dir.path()).status().ok();
    }
}

#[test]
fn the_page_about_the_demo_works() {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist");
    let demo = Demo { script: dist.join("demo/fleet"), dir: tempfile::tempdir().unwrap() };
    let ports = PORTS.join(" ");
    run_prepared_page("docs/fleet-demo.md", &PORTS, &["curl", "etcd", "openssl"], |session| {
        symlink(&dist, session.dir.path().join("dist")).unwrap();
        let dir = demo.dir.path().display();
        session.run(&format!("export XEND_DEMO={dir} XEND_DEMO_PORTS='{ports}'"));
    });
}
