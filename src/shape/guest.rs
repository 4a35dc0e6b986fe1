//! What guests report about themselves, and what their agents answer.

use super::sink::Sink;
use crate::core::model::{GuestMemory, GuestReport};
use crate::core::op::GuestAnswer;
use std::time::SystemTime;

/// Writes the field `guest`. In JSON:
///
/// ```json
/// "guest": {
///   "name": "web1",
///   "os": {"name": "Debian GNU/Linux 12 (bookworm)", "distro": "debian"},
///   "addresses": [{"vif": 0, "address": "203.0.113.10"}],
///   "memory": {"total": 1024, "used": 300},
///   "agent": "1.0.0-1",
///   "updated": 1763733000
/// }
/// ```
///
/// Memory is in MiB, and the time in seconds since 1970. What the guest does not report is left
/// out.
pub(super) fn guest_report(sink: &mut impl Sink, report: &GuestReport) {
    sink.begin_section("guest");
    if let Some(name) = &report.host_name {
        sink.text_field("name", name.as_bytes());
    }
    if !report.os.is_empty() {
        sink.begin_section("os");
        for (key, value) in &report.os {
            sink.text_field(key, value.as_bytes());
        }
        sink.end_section();
    }
    sink.begin_many("addresses");
    for one in &report.addresses {
        sink.begin_fields_item("addresses");
        sink.uint_field("vif", one.vif);
        sink.text_field("address", one.address.to_string().as_bytes());
        sink.end_fields_item();
    }
    sink.end_many();
    if let Some(memory) = &report.memory {
        sink.begin_section("memory");
        sink.uint_field("total", memory.total_kib / 1024);
        sink.uint_field("used", used_mib(memory));
        sink.end_section();
    }
    if let Some(version) = agent_version(report) {
        sink.text_field("agent", version.as_bytes());
    }
    let updated = report.updated.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    sink.uint_field("updated", updated.as_secs());
    sink.end_section();
}

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
    use crate::core::model::GuestAddress;
    use crate::shape::json_sink::JsonSink;
    use std::collections::BTreeMap;
    use std::time::Duration;

    fn report() -> GuestReport {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        GuestReport {
            host_name: Some("web1".to_owned()),
            os: map(&[("name", "\"Debian\" <12>"), ("distro", "debian")]),
            agent_version: map(&[("major", "7"), ("minor", "30"), ("micro", "0"), ("build", "12")]),
            addresses: vec![GuestAddress {
                vif: 0,
                index: 0,
                address: "203.0.113.10".parse().unwrap(),
            }],
            memory: Some(GuestMemory { total_kib: 1024 * 1024, free_kib: 724 * 1024 }),
            other: BTreeMap::new(),
            updated: SystemTime::UNIX_EPOCH + Duration::from_millis(1_763_733_000_500),
        }
    }

    fn json(report: &GuestReport) -> String {
        let mut sink = JsonSink::default();
        sink.begin_fields();
        guest_report(&mut sink, report);
        sink.end_fields();
        String::from_utf8(sink.into_bytes()).unwrap()
    }

    #[test]
    fn a_report_is_a_section() {
        let expected = concat!(
            r#"{"guest":{"name":"web1","os":{"distro":"debian","name":"\"Debian\" <12>"},"#,
            r#""addresses":[{"vif":0,"address":"203.0.113.10"}],"#,
            r#""memory":{"total":1024,"used":300},"agent":"7.30.0-12","updated":1763733000}}"#,
        );
        assert_eq!(json(&report()), expected);
    }

    #[test]
    fn what_a_guest_does_not_report_is_left_out() {
        let report = GuestReport {
            host_name: None,
            os: BTreeMap::new(),
            agent_version: BTreeMap::new(),
            addresses: vec![],
            memory: None,
            ..report()
        };
        assert_eq!(json(&report), r#"{"guest":{"addresses":[],"updated":1763733000}}"#);
    }

    #[test]
    fn a_version_has_the_parts_that_are_known() {
        let version = |pairs: &[(&str, &str)]| {
            let parts = pairs.iter().map(|(key, value)| ((*key).into(), (*value).into()));
            agent_version(&GuestReport { agent_version: parts.collect(), ..report() })
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
