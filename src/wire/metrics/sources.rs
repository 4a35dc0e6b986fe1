//! What is measured outside of the engine, and all figures of one moment.

use crate::core::view::HostMetrics;
use crate::memory_budget::{MemoryBudget, MemoryBudgets};
use crate::peers::{ConnectionFigures, ListenerCounts};

/// What is measured outside of the engine.
pub struct Sources {
    /// The version of the daemon.
    pub version: &'static str,
    /// The memory for what clients send and are sent.
    pub budgets: MemoryBudgets,
    /// The listeners.
    pub listeners: ListenerCounts,
    /// The number of the Xen-API's tasks that are under way, and of those that have ended and are
    /// kept.
    pub tasks: Box<dyn Fn() -> (usize, usize) + Send + Sync>,
}

/// All figures of one moment.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) version: &'static str,
    /// Memory for what clients send.
    pub(super) requests: BudgetFigures,
    /// Memory for what clients are sent.
    pub(super) answers: BudgetFigures,
    pub(super) connections: Vec<ConnectionFigures>,
    pub(super) tasks_under_way: usize,
    pub(super) tasks_ended: usize,
    pub(super) host: HostMetrics,
}

/// A budget of memory, in bytes.
#[derive(Debug)]
pub(super) struct BudgetFigures {
    pub(super) limit: usize,
    pub(super) reserved: usize,
}

impl BudgetFigures {
    fn of(budget: &MemoryBudget) -> Self {
        Self { limit: budget.limit(), reserved: budget.reserved() }
    }
}

impl Sources {
    /// The figures of now, with those of the engine.
    pub(super) fn figures(&self, host: HostMetrics) -> Figures {
        let (tasks_under_way, tasks_ended) = (self.tasks)();
        Figures {
            version: self.version,
            requests: BudgetFigures::of(&self.budgets.requests),
            answers: BudgetFigures::of(&self.budgets.answers),
            connections: self.listeners.figures(),
            tasks_under_way,
            tasks_ended,
            host,
        }
    }
}
