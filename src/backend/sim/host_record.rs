//! The record of the host.

use super::fields::{self, RecordError, invalid, list, pair, parse, parsed_value};
use crate::core::model::CpuSet;
use crate::sxp::Sxp;

/// The record of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostRecord {
    /// The boot id of the machine's run that the record belongs to.
    pub(super) boot: String,
    pub(super) next_domid: u32,
    /// The CPU pools. The first one always exists.
    pub(super) pools: Vec<SimPool>,
}

/// A CPU pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SimPool {
    pub(super) name: String,
    pub(super) cpus: CpuSet,
}

impl HostRecord {
    pub(super) fn print(&self) -> Vec<u8> {
        let mut items = vec![
            Sxp::atom("sim-host"),
            pair("boot", &self.boot),
            pair("next-domid", self.next_domid),
        ];
        for pool in &self.pools {
            items.push(list("pool", [pool.name.clone(), pool.cpus.to_string()]));
        }
        fields::print(&Sxp::list(items))
    }

    pub(super) fn read(text: &[u8]) -> Result<Self, RecordError> {
        let record = fields::read(text, "sim-host")?;
        let pools = record.tail().iter().filter(|item| item.head() == Some("pool"));
        Ok(Self {
            boot: parsed_value(&record, "boot")?,
            next_domid: parsed_value(&record, "next-domid")?,
            pools: pools.map(read_pool).collect::<Result<_, _>>()?,
        })
    }
}

fn read_pool(pool: &Sxp) -> Result<SimPool, RecordError> {
    match pool.tail() {
        [name, cpus] => Ok(SimPool { name: parse("pool", name)?, cpus: parse("pool", cpus)? }),
        _ => Err(invalid("pool", "a name and CPUs expected")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back() {
        let host = HostRecord {
            boot: "5c2e".into(),
            next_domid: 17,
            pools: vec![SimPool { name: "Pool-0".into(), cpus: CpuSet::first(3) }],
        };
        assert_eq!(HostRecord::read(&host.print()).unwrap(), host);
        assert!(HostRecord::read(b"(sim-host (boot x))").is_err());
    }
}
