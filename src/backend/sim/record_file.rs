//! A domain's record, and the host's, as S-expressions.

use super::devices::{Fate, Link};
use super::guest::{Life, Nature};
use super::machine::SimPool;
use super::record::Record;
use super::words::{
    Damaged, damaged, duration_field, field, flag, line, list, moment, moment_field, open, pair,
    parse, read_moment, read_seconds, rest, seconds, word,
};
use crate::core::model::{
    DomId, DomName, Rtds, SchedParams, SedfParams, ShutdownReason, parse_uuid,
};
use crate::shape;
use crate::sxp::Sxp;
use std::sync::Arc;
use std::time::Duration;

/// The host's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostRecord {
    /// The run of the machine that it belongs to.
    pub boot: String,
    /// The next domain's number.
    pub next_domid: u32,
    /// Its CPU pools, the first of which is always there.
    pub pools: Vec<SimPool>,
}

impl HostRecord {
    /// The record as text.
    pub(super) fn print(&self) -> Vec<u8> {
        let fields =
            [Sxp::atom("sim-host"), pair("boot", &self.boot), pair("next-domid", self.next_domid)];
        let pool = |pool: &SimPool| list("pool", [pool.name.clone(), pool.cpus.to_string()]);
        line(&Sxp::list(fields.into_iter().chain(self.pools.iter().map(pool))))
    }

    /// The opposite.
    pub(super) fn read(text: &[u8]) -> Result<Self, Damaged> {
        let tree = open(text, "sim-host")?;
        let pool = |form: &Sxp| match form.tail() {
            [name, cpus] => Ok(SimPool { name: parse("pool", name)?, cpus: parse("pool", cpus)? }),
            _ => Err(damaged("pool", "a name and CPUs expected")),
        };
        let pools = tree.tail().iter().filter(|form| form.head() == Some("pool")).map(pool);
        let pools = pools.collect::<Result<_, _>>()?;
        Ok(Self { boot: field(&tree, "boot")?, next_domid: field(&tree, "next-domid")?, pools })
    }
}

impl Record {
    /// The record as text.
    pub(super) fn print(&self) -> Vec<u8> {
        let life = &self.life;
        let mut fields = vec![
            Sxp::atom("sim-domain"),
            pair("domid", self.domid),
            pair("uuid", self.uuid),
            pair("name", &self.name),
            pair("created", moment(self.created)),
            pair("memory-kib", self.memory_kib),
            Sxp::list([Sxp::atom("affinity")].into_iter().chain(self.affinity.iter().map(word))),
            pair("vcpu-avail", self.vcpu_avail),
            sched_form(self.sched),
        ];
        fields.extend(life_fields(life));
        let balloon = |(from, since): (u64, _)| list("balloon", [from.to_string(), moment(since)]);
        fields.extend(self.balloon.map(balloon));
        fields.extend(self.vnc_port.map(|port| pair("vnc-port", port)));
        fields.extend(self.dying.map(|(since, gone)| list("dying", [moment(since), moment(gone)])));
        fields.extend(self.crash_told.then(|| flag("crash-told")));
        fields.push(Sxp::list(
            [Sxp::atom("links")].into_iter().chain(self.links.iter().map(link_form)),
        ));
        fields.push(Sxp::list([Sxp::atom("config"), shape::stored_config(&self.config)]));
        line(&Sxp::list(fields))
    }

    /// The opposite.
    pub(super) fn read(text: &[u8]) -> Result<Self, Damaged> {
        let tree = open(text, "sim-domain")?;
        let config = tree.value("config").ok_or_else(|| damaged("config", "missing"))?;
        let config = shape::read_stored(config).map_err(|e| damaged("config", e))?;
        let record = Self {
            domid: DomId(field(&tree, "domid")?),
            uuid: parse_uuid(&field::<String>(&tree, "uuid")?).map_err(|e| damaged("uuid", e))?,
            name: DomName::adopted(&field::<String>(&tree, "name")?),
            created: moment_field(&tree, "created")?,
            memory_kib: field(&tree, "memory-kib")?,
            balloon: match tree.get("balloon").map(Sxp::tail) {
                None => None,
                Some([from, since]) => {
                    Some((parse("balloon", from)?, read_moment("balloon", since)?))
                }
                Some(_) => return Err(damaged("balloon", "a size and a moment expected")),
            },
            affinity: rest(&tree, "affinity")?
                .iter()
                .map(|set| parse("affinity", set))
                .collect::<Result<_, _>>()?,
            vcpu_avail: field(&tree, "vcpu-avail")?,
            sched: read_sched(rest(&tree, "sched")?)?,
            life: life_of(&tree)?,
            links: rest(&tree, "links")?.iter().map(read_link).collect::<Result<_, _>>()?,
            vnc_port: tree.value("vnc-port").map(|port| parse("vnc-port", port)).transpose()?,
            dying: match tree.get("dying").map(Sxp::tail) {
                None => None,
                Some([since, gone]) => {
                    Some((read_moment("dying", since)?, read_moment("dying", gone)?))
                }
                Some(_) => return Err(damaged("dying", "two moments expected")),
            },
            crash_told: tree.get("crash-told").is_some(),
            config: Arc::new(config),
        };
        if record.affinity.is_empty() {
            return Err(damaged("affinity", "no VCPUs"));
        }
        Ok(record)
    }
}

fn life_fields(life: &Life) -> Vec<Sxp> {
    let mut fields = vec![
        nature_form(&life.nature),
        pair("mark", moment(life.mark)),
        pair("ran", seconds(life.ran)),
        pair("cpu", seconds(life.cpu)),
    ];
    fields.extend(life.paused.then(|| flag("paused")));
    fields.extend(life.asked.map(|event| event_form("asked", event)));
    fields.extend(life.ended.map(|event| event_form("ended", event)));
    fields
}

fn life_of(tree: &Sxp) -> Result<Life, Damaged> {
    let event = |key| tree.get(key).map(|form| read_event(key, form.tail())).transpose();
    Ok(Life {
        nature: read_nature(tree.get("nature").ok_or_else(|| damaged("nature", "missing"))?)?,
        mark: moment_field(tree, "mark")?,
        ran: duration_field(tree, "ran")?,
        cpu: duration_field(tree, "cpu")?,
        paused: tree.get("paused").is_some(),
        asked: event("asked")?,
        ended: event("ended")?,
    })
}

/// A guest's life as text, for a saved domain.
pub(super) fn life(life: &Life) -> Vec<u8> {
    line(&Sxp::list([Sxp::atom("sim-life")].into_iter().chain(life_fields(life))))
}

/// The opposite.
pub(super) fn read_life(text: &[u8]) -> Result<Life, Damaged> {
    life_of(&open(text, "sim-life")?)
}

fn sched_form(params: SchedParams) -> Sxp {
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

fn read_sched(words: &[Sxp]) -> Result<SchedParams, Damaged> {
    const WHAT: &str = "sched";
    let time = |word| read_seconds(WHAT, word);
    match words {
        [name, weight, cap] if name.as_str() == Some("credit") => {
            Ok(SchedParams::Credit { weight: parse(WHAT, weight)?, cap: parse(WHAT, cap)? })
        }
        [name, weight, cap] if name.as_str() == Some("credit2") => {
            Ok(SchedParams::Credit2 { weight: parse(WHAT, weight)?, cap: parse(WHAT, cap)? })
        }
        [name, period, slice, latency, extratime, weight] if name.as_str() == Some("sedf") => {
            Ok(SchedParams::Sedf(SedfParams {
                period: time(period)?,
                slice: time(slice)?,
                latency: time(latency)?,
                extratime: extratime.as_str() == Some("1"),
                weight: parse(WHAT, weight)?,
            }))
        }
        [name, period, budget] if name.as_str() == Some("rtds") => {
            Ok(SchedParams::Rtds(Rtds { period: time(period)?, budget: time(budget)? }))
        }
        _ => Err(damaged(WHAT, "no parameters of a scheduler")),
    }
}

fn nature_form(nature: &Nature) -> Sxp {
    let mut fields = vec![
        Sxp::atom("nature"),
        pair("boot", seconds(nature.boot)),
        pair("react", seconds(nature.react)),
    ];
    fields.extend(nature.deaf.then(|| flag("deaf")));
    fields.extend(nature.busy.then(|| flag("busy")));
    fields.extend(nature.stops.map(|event| event_form("stops", event)));
    Sxp::list(fields)
}

fn read_nature(form: &Sxp) -> Result<Nature, Damaged> {
    Ok(Nature {
        boot: duration_field(form, "boot")?,
        react: duration_field(form, "react")?,
        deaf: form.get("deaf").is_some(),
        busy: form.get("busy").is_some(),
        stops: form.get("stops").map(|stops| read_event("stops", stops.tail())).transpose()?,
    })
}

fn link_form(link: &Link) -> Sxp {
    Sxp::list([
        Sxp::atom(&link.class),
        word(link.number),
        word(moment(link.since)),
        word(seconds(link.takes)),
        word(link.fate.name()),
        Sxp::atom(link.path.as_slice()),
    ])
}

fn read_link(form: &Sxp) -> Result<Link, Damaged> {
    const WHAT: &str = "links";
    let Some([class, number, since, takes, fate, path]) = form.as_list() else {
        return Err(damaged(WHAT, "six words expected"));
    };
    Ok(Link {
        class: parse(WHAT, class)?,
        number: parse(WHAT, number)?,
        since: read_moment(WHAT, since)?,
        takes: read_seconds(WHAT, takes)?,
        fate: fate.as_str().and_then(Fate::named).ok_or_else(|| damaged(WHAT, "unknown fate"))?,
        path: path.as_bytes().ok_or_else(|| damaged(WHAT, "no path"))?.into(),
    })
}

fn event_form(key: &str, (reason, at): (ShutdownReason, Duration)) -> Sxp {
    list(key, [reason.name().to_owned(), seconds(at)])
}

fn read_event(what: &str, words: &[Sxp]) -> Result<(ShutdownReason, Duration), Damaged> {
    use ShutdownReason::{Crash, Halt, Poweroff, Reboot, Suspend};
    let [reason, at] = words else {
        return Err(damaged(what, "a reason and a time expected"));
    };
    let known = [Poweroff, Reboot, Halt, Suspend, Crash]
        .into_iter()
        .find(|r| reason.as_str() == Some(r.name()));
    Ok((known.ok_or_else(|| damaged(what, "unknown reason"))?, read_seconds(what, at)?))
}

#[cfg(test)]
mod tests {
    use super::super::settings::SimSettings;
    use super::super::testing::{as_stored, block, config, vif};
    use super::*;
    use crate::core::model::{Scheduler, Uuid};
    use std::time::{SystemTime, UNIX_EPOCH};

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
        record.life.paused = false;
        record.life.asked = Some((ShutdownReason::Halt, Duration::from_nanos(1)));
        record.life.ended = Some((ShutdownReason::Crash, Duration::MAX));
        record.vnc_port = Some(5907);
        record.dying = Some((at(3), at(4)));
        record.crash_told = true;
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
    fn every_shortened_or_bent_record_is_refused_and_none_is_a_panic() {
        let text = full(Scheduler::Sedf).print();
        for end in 0..text.len() - 1 {
            assert!(Record::read(&text[..end]).is_err(), "{end}");
        }
        for n in 0..text.len() {
            for byte in [b'9', b'(', b' ', b'x', 0xff] {
                let mut bent = text.clone();
                bent[n] = byte;
                let _ = Record::read(&bent);
            }
        }
        assert_eq!(Record::read(b"(sim-domain)").unwrap_err().to_string(), "config: missing");
    }

    #[test]
    fn the_hosts_record_reads_back() {
        let host = HostRecord {
            boot: "5c2e".into(),
            next_domid: 17,
            pools: vec![SimPool {
                name: "Pool-0".into(),
                cpus: crate::core::model::CpuSet::first(3),
            }],
        };
        assert_eq!(HostRecord::read(&host.print()).unwrap(), host);
        assert!(HostRecord::read(b"(sim-host (boot x))").is_err());
    }
}
