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
    /// The same of the tasks of JSON.
    pub json_tasks: Box<dyn Fn() -> (usize, usize) + Send + Sync>,
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
    pub(super) tasks: TaskFigures,
    pub(super) json_tasks: TaskFigures,
    pub(super) host: HostMetrics,
}

/// The tasks of a wire.
#[derive(Debug)]
pub(super) struct TaskFigures {
    pub(super) running: usize,
    /// Ended, and kept for their clients.
    pub(super) ended: usize,
}

impl TaskFigures {
    const fn of((running, ended): (usize, usize)) -> Self {
        Self { running, ended }
    }
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
        Figures {
            version: self.version,
            requests: BudgetFigures::of(&self.budgets.requests),
            answers: BudgetFigures::of(&self.budgets.answers),
            connections: self.listeners.figures(),
            tasks: TaskFigures::of((self.tasks)()),
            json_tasks: TaskFigures::of((self.json_tasks)()),
            host,
        }
    }
}
