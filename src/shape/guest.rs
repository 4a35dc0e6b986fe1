//! What guests report about themselves, and what their agents answer.

use super::sink::Sink;
use crate::core::model::{GuestMemory, GuestReport};
use crate::core::op::GuestAnswer;

/// The memory in MiB that programs in the guest use.
pub fn used_mib(memory: &GuestMemory) -> u64 {
    memory.total_kib.saturating_sub(memory.free_kib) / 1024
}

/// The version of the agent that reports: `7.30.0-12`.
pub fn agent_version(report: &GuestReport) -> Option<String> {
    let part = |name: &str| report.agent_version.get(name).filter(|part| !part.is_empty());
    let numbers: Vec<&str> =
        ["major", "minor", "micro"].into_iter().map_while(part).map(String::as_str).collect();
    let version = numbers.join(".");
    match part("build") {
        _ if version.is_empty() => None,
        Some(build) => Some(format!("{version}-{build}")),
        None => Some(version),
    }
}

/// Writes `(agent (message 1.39.1))`: what the agent in a guest answered.
pub fn agent_answer(sink: &mut impl Sink, answer: &GuestAnswer) {
    sink.begin_record("agent");
    sink.text_field("message", agent_message(answer));
    sink.end_record();
}

/// What the agent in a guest said.
pub fn agent_message(answer: &GuestAnswer) -> &[u8] {
    match answer {
        GuestAnswer::Message(text) => text.as_bytes(),
        GuestAnswer::Response(response) => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::time::SystemTime;

    #[test]
    fn a_version_has_the_parts_that_are_known() {
        let version = |pairs: &[(&str, &str)]| {
            let parts = pairs.iter().map(|(key, value)| ((*key).into(), (*value).into()));
            agent_version(&GuestReport {
                host_name: None,
                os: BTreeMap::new(),
                agent_version: parts.collect(),
                addresses: vec![],
                memory: None,
                other: BTreeMap::new(),
                updated: SystemTime::UNIX_EPOCH,
            })
        };
        assert_eq!(version(&[("major", "7")]), Some("7".to_owned()));
        assert_eq!(version(&[("major", "7"), ("minor", "1"), ("build", "x")]).unwrap(), "7.1-x");
        assert_eq!(version(&[("major", "7"), ("micro", "1")]).unwrap(), "7");
        assert_eq!(version(&[("minor", "1"), ("build", "2")]), None);
        assert_eq!(version(&[("installed", "1")]), None);
    }

    #[test]
    fn free_memory_beyond_the_total_is_no_used_memory() {
        assert_eq!(used_mib(&GuestMemory { total_kib: 1024, free_kib: 2048 }), 0);
    }
}
