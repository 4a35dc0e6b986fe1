//! A history of use as CSV (RFC 4180): a row for each step, the oldest first. What is not known is
//! empty.

use crate::core::model::{Resource, UsageHistory};
use std::fmt::Write as _;

/// The name of a resource's columns, with its unit, before `_mean` and `_max`.
const fn column(resource: Resource) -> &'static str {
    match resource {
        Resource::Cpu => "cpu_percent",
        Resource::Memory => "memory_kib",
        Resource::DiskRead => "disk_read_bytes_per_second",
        Resource::DiskWritten => "disk_written_bytes_per_second",
        Resource::NetReceived => "net_received_bytes_per_second",
        Resource::NetSent => "net_sent_bytes_per_second",
    }
}

/// The text of a file.
pub(super) fn print(history: &UsageHistory) -> String {
    let mut text = String::from("begins_at");
    for resource in Resource::ALL {
        let name = column(resource);
        // Writing into a string does not fail.
        let _ = write!(text, ",{name}_mean,{name}_max");
    }
    text.push_str("\r\n");
    for (begins, step) in history.timed() {
        let begins = jiff::Timestamp::from_second(begins).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let _ = write!(text, "{begins}");
        for resource in Resource::ALL {
            let _ = match step.of(resource) {
                Some(level) => write!(text, ",{:.2},{:.2}", level.mean, level.max),
                None => write!(text, ",,"),
            };
        }
        text.push_str("\r\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{Level, Span, Usage};

    #[test]
    fn each_step_has_a_row() {
        let usage = Usage::default().with(Resource::Cpu, Level { mean: 12.345, max: 40.0 });
        let steps = vec![Usage::default(), usage];
        let text = print(&UsageHistory { span: Span::Day, first: 2_000_000, steps });
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert!(
            lines[0].starts_with("begins_at,cpu_percent_mean,cpu_percent_max,memory_kib_mean,")
        );
        assert_eq!(lines[1], format!("2027-01-15T08:00:00Z{}", ",".repeat(12)));
        assert_eq!(lines[2], format!("2027-01-15T08:15:00Z,12.35,40.00{}", ",".repeat(10)));
        assert_eq!(lines[3..], [""]);
    }
}
