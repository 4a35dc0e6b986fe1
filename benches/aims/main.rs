//! What the daemon should be as fast as, in one table: each figure beside its aim.
//!
//! Most figures are ratios of one run, so that the machine's speed cancels out. Run with
//! `cargo bench --bench aims`; `-- NAME...` measures the named parts alone (`lists`, `records`,
//! `start`, `text`, `events`, `creates`), `-- --test` few domains and rounds only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark fails by a panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod creates;
mod events;
mod host;
mod lists;
mod records;
mod start;
mod table;
mod text;

use std::time::Duration;
use table::Table;

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    quick: bool,
}

impl Effort {
    /// A number of domains.
    fn domains(self, many: u32) -> u32 {
        if self.quick { many / 500 + 5 } else { many }
    }

    fn rounds(self, many: usize) -> usize {
        if self.quick { 1 } else { many }
    }

    fn quick(self) -> bool {
        self.quick
    }

    fn time(self, millis: u64) -> Duration {
        Duration::from_millis(if self.quick { 20 } else { millis })
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let effort = Effort { quick: args.iter().any(|arg| arg == "--test") };
    let names: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|one| *one == name);
    let mut table = Table::default();
    // First: later parts leave memory behind that the allocator keeps.
    if is_wanted("start") {
        start::measure(effort, &mut table);
    }
    if is_wanted("text") {
        text::measure(effort, &mut table);
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        if is_wanted("lists") {
            lists::measure(effort, &mut table).await;
        }
        if is_wanted("records") {
            records::measure(effort, &mut table).await;
        }
        if is_wanted("events") {
            events::measure(effort, &mut table).await;
        }
        if is_wanted("creates") {
            creates::measure(effort, &mut table).await;
        }
    });
    table.print();
}
