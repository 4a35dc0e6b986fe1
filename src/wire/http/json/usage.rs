//! What a domain or the host used.

use crate::core::model::{Level as ModelLevel, Resource, Usage, UsageHistory as History};
use schemars::JsonSchema;
use serde::Serialize;

/// What was used over a span, in steps of one length.
#[derive(Serialize, JsonSchema)]
pub(crate) struct UsageHistory {
    /// `hour`, `day`, `week` or `month`
    span: &'static str,
    step_seconds: u32,
    /// The oldest first.
    steps: Vec<UsageStep>,
}

/// What was used in a step. What is not known is null: the domain was not on the host, or xend was
/// not running.
#[derive(Serialize, JsonSchema)]
struct UsageStep {
    /// Beginning of the step (RFC 3339).
    begins_at: String,
    /// Percent of one CPU: a domain with two busy VCPUs uses 200.
    cpu_percent: Option<Level>,
    memory_kib: Option<Level>,
    disk_read_bytes_per_second: Option<Level>,
    disk_written_bytes_per_second: Option<Level>,
    net_received_bytes_per_second: Option<Level>,
    net_sent_bytes_per_second: Option<Level>,
}

/// How much was used in a step.
#[derive(Serialize, JsonSchema)]
struct Level {
    mean: f32,
    /// The most at one moment.
    max: f32,
}

impl UsageHistory {
    pub(crate) fn of(history: &History) -> Self {
        Self {
            span: history.span.name(),
            step_seconds: history.span.step_minutes() * 60,
            steps: history.timed().map(|(begins, usage)| UsageStep::of(begins, usage)).collect(),
        }
    }
}

impl UsageStep {
    fn of(begins: i64, usage: &Usage) -> Self {
        let begins = jiff::Timestamp::from_second(begins).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let level = |resource| {
            let level: Option<ModelLevel> = usage.of(resource);
            level.map(|ModelLevel { mean, max }| Level { mean, max })
        };
        Self {
            begins_at: begins.to_string(),
            cpu_percent: level(Resource::Cpu),
            memory_kib: level(Resource::Memory),
            disk_read_bytes_per_second: level(Resource::DiskRead),
            disk_written_bytes_per_second: level(Resource::DiskWritten),
            net_received_bytes_per_second: level(Resource::NetReceived),
            net_sent_bytes_per_second: level(Resource::NetSent),
        }
    }
}
