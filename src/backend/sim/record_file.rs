//! The record of a domain as an S-expression.
//!
//! The keys are a format on disk: they stay when fields get other names.

use super::devices::{HotplugOutcome, Link};
use super::fields::{
    self, RecordError, duration_value, entry, flag, invalid, items, list, moment, moment_value,
    pair, parse, parse_moment, parse_seconds, parsed_value, read_entry, seconds, value, word,
};
use super::guest::{AgentKind, Behaviour, Guest};
use super::nodes::Nodes;
use super::record::{AgentWork, Record};
use super::system_file::{print_system, read_system};
use crate::core::model::{
    DomId, DomName, Rtds, SchedParams, SedfParams, ShutdownReason, parse_uuid,
};
use crate::core::op::Content;
use crate::shape;
use crate::sxp::Sxp;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

impl Record {
    /// The record as the text of its file.
    pub(super) fn print(&self) -> Vec<u8> {
        let mut record = vec![
            Sxp::atom("sim-domain"),
            pair("domid", self.domid),
            pair("uuid", self.uuid),
            pair("name", &self.name),
            pair("created", moment(self.created)),
            pair("memory-kib", self.memory_kib),
            Sxp::list([Sxp::atom("affinity")].into_iter().chain(self.affinity.iter().map(word))),
            pair("vcpu-avail", self.vcpu_avail),
            print_sched(self.sched),
        ];
        record.extend(guest_fields(&self.guest));
        let balloon =
            |(from, since): (u64, SystemTime)| list("balloon", [from.to_string(), moment(since)]);
        record.extend(self.balloon.map(balloon));
        record.extend(self.vnc_port.map(|port| pair("vnc-port", port)));
        record.extend(self.dying.map(|(since, gone)| list("dying", [moment(since), moment(gone)])));
        record.extend(self.crash_logged.then(|| flag("crash-told")));
        let links = self.links.iter().map(print_link);
        record.push(Sxp::list([Sxp::atom("links")].into_iter().chain(links)));
        record.extend(print_agent(&self.agent));
        let nodes = self.nodes.iter().map(|(path, value)| entry(path, value));
        record.push(Sxp::list([Sxp::atom("xenstore")].into_iter().chain(nodes)));
        record.push(Sxp::list([Sxp::atom("config"), shape::stored_config(&self.config)]));
        fields::print(&Sxp::list(record))
    }

    /// Reads the text of a record's file.
    pub(super) fn read(text: &[u8]) -> Result<Self, RecordError> {
        let tree = fields::read(text, "sim-domain")?;
        let config = shape::read_stored(value(&tree, "config")?)
            .map_err(|error| invalid("config", error))?;
        let uuid = parse_uuid(&parsed_value::<String>(&tree, "uuid")?)
            .map_err(|error| invalid("uuid", error))?;
        let affinity = items(&tree, "affinity")?.iter().map(|set| parse("affinity", set));
        let domid = DomId(parsed_value(&tree, "domid")?);
        let record = Self {
            domid,
            uuid,
            name: DomName::adopted(&parsed_value::<String>(&tree, "name")?),
            created: moment_value(&tree, "created")?,
            memory_kib: parsed_value(&tree, "memory-kib")?,
            balloon: match tree.get("balloon").map(Sxp::tail) {
                None => None,
                Some([from, since]) => {
                    Some((parse("balloon", from)?, parse_moment("balloon", since)?))
                }
                Some(_) => return Err(invalid("balloon", "a size and a moment expected")),
            },
            affinity: affinity.collect::<Result<_, _>>()?,
            vcpu_avail: parsed_value(&tree, "vcpu-avail")?,
            sched: read_sched(items(&tree, "sched")?)?,
            guest: guest_of(&tree)?,
            links: items(&tree, "links")?.iter().map(read_link).collect::<Result<_, _>>()?,
            vnc_port: tree.value("vnc-port").map(|port| parse("vnc-port", port)).transpose()?,
            dying: match tree.get("dying").map(Sxp::tail) {
                None => None,
                Some([since, gone]) => {
                    Some((parse_moment("dying", since)?, parse_moment("dying", gone)?))
                }
                Some(_) => return Err(invalid("dying", "two moments expected")),
            },
            crash_logged: tree.get("crash-told").is_some(),
            nodes: Arc::new(match tree.get("xenstore") {
                // An earlier version wrote the record.
                None => Nodes::new(domid, &config),
                Some(nodes) => read_nodes(nodes.tail())?,
            }),
            agent: read_agent(&tree)?,
            config: Arc::new(config),
        };
        if record.affinity.is_empty() {
            return Err(invalid("affinity", "no VCPUs"));
        }
        Ok(record)
    }
}

/// The state of a guest as text, for a saved domain.
pub(super) fn print_guest(guest: &Guest) -> Vec<u8> {
    fields::print(&Sxp::list([Sxp::atom("sim-life")].into_iter().chain(guest_fields(guest))))
}

pub(super) fn read_guest(text: &[u8]) -> Result<Guest, RecordError> {
    guest_of(&fields::read(text, "sim-life")?)
}

fn guest_fields(guest: &Guest) -> Vec<Sxp> {
    let mut record = vec![
        print_behaviour(&guest.behaviour),
        pair("mark", moment(guest.updated)),
        pair("ran", seconds(guest.run_time)),
        pair("cpu", seconds(guest.cpu_used)),
    ];
    record.extend(guest.paused.then(|| flag("paused")));
    record.extend(guest.shutdown_request.map(|stop| print_stop("asked", stop)));
    record.extend(guest.forced_stop.map(|stop| print_stop("ended", stop)));
    record.extend(print_system(&guest.system));
    record
}

fn guest_of(record: &Sxp) -> Result<Guest, RecordError> {
    let stop = |key| record.get(key).map(|stop| read_stop(key, stop.tail())).transpose();
    let behaviour = record.get("nature").ok_or_else(|| invalid("nature", "missing"))?;
    Ok(Guest {
        behaviour: read_behaviour(behaviour)?,
        updated: moment_value(record, "mark")?,
        run_time: duration_value(record, "ran")?,
        cpu_used: duration_value(record, "cpu")?,
        paused: record.get("paused").is_some(),
        shutdown_request: stop("asked")?,
        forced_stop: stop("ended")?,
        system: read_system(record)?,
    })
}

fn print_sched(params: SchedParams) -> Sxp {
    let words = match params {
        SchedParams::Credit { weight, cap } | SchedParams::Credit2 { weight, cap } => {
            vec![weight.to_string(), cap.to_string()]
        }
        SchedParams::Sedf(SedfParams { period, slice, latency, extratime, weight }) => {
            let extratime = u8::from(extratime).to_string();
            vec![seconds(period), seconds(slice), seconds(latency), extratime, weight.to_string()]
        }
        SchedParams::Rtds(Rtds { period, budget }) => vec![seconds(period), seconds(budget)],
    };
    list("sched", [params.scheduler().name().to_owned()].into_iter().chain(words))
}

fn read_sched(words: &[Sxp]) -> Result<SchedParams, RecordError> {
    const FIELD: &str = "sched";
    let time = |word| parse_seconds(FIELD, word);
    match words {
        [name, weight, cap] if name.as_str() == Some("credit") => {
            Ok(SchedParams::Credit { weight: parse(FIELD, weight)?, cap: parse(FIELD, cap)? })
        }
        [name, weight, cap] if name.as_str() == Some("credit2") => {
            Ok(SchedParams::Credit2 { weight: parse(FIELD, weight)?, cap: parse(FIELD, cap)? })
        }
        [name, period, slice, latency, extratime, weight] if name.as_str() == Some("sedf") => {
            Ok(SchedParams::Sedf(SedfParams {
                period: time(period)?,
                slice: time(slice)?,
                latency: time(latency)?,
                extratime: extratime.as_str() == Some("1"),
                weight: parse(FIELD, weight)?,
            }))
        }
        [name, period, budget] if name.as_str() == Some("rtds") => {
            Ok(SchedParams::Rtds(Rtds { period: time(period)?, budget: time(budget)? }))
        }
        _ => Err(invalid(FIELD, "no parameters of a scheduler")),
    }
}

fn print_behaviour(behaviour: &Behaviour) -> Sxp {
    let mut record = vec![
        Sxp::atom("nature"),
        pair("boot", seconds(behaviour.boot)),
        pair("react", seconds(behaviour.react)),
    ];
    record.extend(behaviour.deaf.then(|| flag("deaf")));
    record.extend(behaviour.busy.then(|| flag("busy")));
    record.extend(behaviour.own_stop.map(|stop| print_stop("stops", stop)));
    record.push(pair("agent", behaviour.agent.name()));
    record.push(pair("answer", seconds(behaviour.answer)));
    Sxp::list(record)
}

fn read_behaviour(record: &Sxp) -> Result<Behaviour, RecordError> {
    Ok(Behaviour {
        boot: duration_value(record, "boot")?,
        react: duration_value(record, "react")?,
        deaf: record.get("deaf").is_some(),
        busy: record.get("busy").is_some(),
        own_stop: record.get("stops").map(|stop| read_stop("stops", stop.tail())).transpose()?,
        agent: match record.value("agent") {
            // A guest of an earlier version.
            None => AgentKind::Absent,
            Some(word) => word
                .as_str()
                .and_then(AgentKind::named)
                .ok_or_else(|| invalid("agent", "unknown kind"))?,
        },
        answer: record
            .value("answer")
            .map_or(Ok(Duration::ZERO), |time| parse_seconds("answer", time))?,
    })
}

fn print_agent(work: &AgentWork) -> Vec<Sxp> {
    let mut fields = Vec::new();
    fields.extend(work.due.map(|due| pair("agent-due", seconds(due))));
    let request = work.request.as_ref();
    fields.extend(
        request.map(|(id, Content(request))| {
            Sxp::list([Sxp::atom("agent-request"), entry(id, request)])
        }),
    );
    fields
}

fn read_agent(record: &Sxp) -> Result<AgentWork, RecordError> {
    let due = record.value("agent-due").map(|due| parse_seconds("agent-due", due));
    let request = record.value("agent-request");
    let request = request.map(|request| read_entry("agent-request", request)).transpose()?;
    Ok(AgentWork { due: due.transpose()?, request: request.map(|(id, text)| (id, Content(text))) })
}

fn read_nodes(entries: &[Sxp]) -> Result<Nodes, RecordError> {
    let mut nodes = Nodes::default();
    for node in entries {
        let (path, value) = read_entry("xenstore", node)?;
        nodes.set(&path, &value);
    }
    Ok(nodes)
}

/// A link has no key: `(vbd 2049 1795170261.55 0.1 connects /dev/vg0/web1)`.
fn print_link(link: &Link) -> Sxp {
    Sxp::list([
        Sxp::atom(&link.class),
        word(link.number),
        word(moment(link.started)),
        word(seconds(link.delay)),
        word(link.outcome.name()),
        Sxp::atom(link.path.as_slice()),
    ])
}

fn read_link(link: &Sxp) -> Result<Link, RecordError> {
    const FIELD: &str = "links";
    let Some([class, number, started, delay, outcome, path]) = link.as_list() else {
        return Err(invalid(FIELD, "six words expected"));
    };
    let outcome = outcome.as_str().and_then(HotplugOutcome::named);
    Ok(Link {
        class: parse(FIELD, class)?,
        number: parse(FIELD, number)?,
        started: parse_moment(FIELD, started)?,
        delay: parse_seconds(FIELD, delay)?,
        outcome: outcome.ok_or_else(|| invalid(FIELD, "unknown outcome"))?,
        path: path.as_bytes().ok_or_else(|| invalid(FIELD, "no path"))?.into(),
    })
}

fn print_stop(key: &str, (reason, at): (ShutdownReason, Duration)) -> Sxp {
    list(key, [reason.name().to_owned(), seconds(at)])
}

fn read_stop(field: &str, words: &[Sxp]) -> Result<(ShutdownReason, Duration), RecordError> {
    match words {
        [reason, at] => Ok((parse(field, reason)?, parse_seconds(field, at)?)),
        _ => Err(invalid(field, "a reason and a time expected")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::SimSettings;
    use super::super::testing::{as_stored, block, config, vif};
    use super::*;
    use crate::core::model::{Scheduler, Uuid};
    use std::time::UNIX_EPOCH;
    use xend_guest_protocol::network::Mac;

    fn at(nanos: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(1_795_170_261_550_000_000 + nanos)
    }

    fn full(scheduler: Scheduler) -> Record {
        let settings = SimSettings { scheduler, ..SimSettings::default() };
        let mut config = config("busy-deaf", 128);
        config.set_vcpus(3);
        config.cpus[1] = "1-2".parse().unwrap();
        config.devices = vec![block("sda1", "phy:/dev/it's here/hotpluglost"), vif()];
        if let Some(image) = &mut config.image {
            image.args = "sim-reboot=2.25".into();
        }
        let mut record = Record::new(DomId(7), Uuid::from_u128(9), config, at(1), &settings);
        record.guest.paused = false;
        record.guest.shutdown_request = Some((ShutdownReason::Halt, Duration::from_nanos(1)));
        record.guest.forced_stop = Some((ShutdownReason::Crash, Duration::MAX));
        record.guest.behaviour.agent = AgentKind::Broken;
        let system = &mut record.guest.system;
        let mac = Mac([0, 0x16, 0x3e, 1, 2, 3]);
        system.addresses.insert(mac, vec!["2001:db8::1".parse().unwrap()]);
        system.files.insert("/etc/it's here".into(), Content(b"\x00\xff\n".to_vec()));
        let nodes = Arc::make_mut(&mut record.nodes);
        nodes.set("data/host/id", b"{\"name\":\"version\"}\n\xe9");
        record.agent.request = Some(("id".into(), Content(b"{}".to_vec())));
        record.vnc_port = Some(5907);
        record.dying = Some((at(3), at(4)));
        record.crash_logged = true;
        record
    }

    #[test]
    fn a_record_reads_back() {
        for scheduler in [Scheduler::Credit, Scheduler::Credit2, Scheduler::Sedf, Scheduler::Rtds] {
            let settings = SimSettings { scheduler, ..SimSettings::default() };
            let fresh = Record::new(DomId(1), Uuid::nil(), config("a", 64), at(0), &settings);
            for record in [full(scheduler), fresh] {
                let text = record.print();
                assert!(text.ends_with(b")\n") && text.is_ascii());
                let mut back = Record::read(&text).unwrap();
                assert_eq!(*back.config, as_stored(&record.config));
                back.config = Arc::clone(&record.config);
                assert_eq!(back, record);
            }
        }
    }

    #[test]
    fn a_record_of_an_earlier_version_is_read() {
        let record = full(Scheduler::Credit);
        let text = record.print();
        let tree = fields::read(&text, "sim-domain").unwrap();
        let is_new = |item: &Sxp| {
            let new = [
                "xenstore",
                "agent-due",
                "agent-request",
                "agent",
                "answer",
                "host-name",
                "addresses",
                "files",
            ];
            item.head().is_some_and(|head| new.contains(&head))
        };
        let older = |tree: &Sxp| {
            Sxp::list(tree.as_list().unwrap().iter().filter(|item| !is_new(item)).cloned())
        };
        let nature = older(tree.get("nature").unwrap());
        let items = older(&tree);
        let items = items.as_list().unwrap().iter().cloned();
        let items =
            items.map(|item| if item.head() == Some("nature") { nature.clone() } else { item });
        let back = Record::read(&fields::print(&Sxp::list(items))).unwrap();
        assert_eq!(back.guest.behaviour.agent, AgentKind::Absent);
        assert_eq!((back.agent, back.domid), (AgentWork::default(), record.domid));
        assert_eq!(back.nodes.read("name"), Some(b"busy-deaf".as_slice()));
    }

    #[test]
    fn shortened_and_damaged_records_are_refused_without_a_panic() {
        let text = full(Scheduler::Sedf).print();
        for end in 0..text.len() - 1 {
            assert!(Record::read(&text[..end]).is_err(), "{end}");
        }
        for n in 0..text.len() {
            for byte in [b'9', b'(', b' ', b'x', 0xff] {
                let mut damaged = text.clone();
                damaged[n] = byte;
                let _ = Record::read(&damaged);
            }
        }
        assert_eq!(Record::read(b"(sim-domain)").unwrap_err().to_string(), "config: missing");
    }
}
