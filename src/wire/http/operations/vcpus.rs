//! `vcpuinfo`, the one operation that GET performs too, `set_vcpus`, `pincpu`

use super::table::{EVERYWHERE, Operation, Success, Takes, needed};
use crate::core::model::{CpuSet, Invalid};
use crate::core::op::{DomainOp, Query};
use crate::wire::http::params::whole;
use serde::Deserialize;

pub(super) static VCPUINFO: Operation = Operation {
    name: "vcpuinfo",
    label: "Show VCPUs",
    about: "Shows the domain's VCPUs. GET performs it too: ?op=vcpuinfo.",
    when: &EVERYWHERE,
    loses: None,
    params: &[],
    success: Success::Answer,
    op: |asked| Ok(Query::Vcpus(asked.target()).into()),
};

pub(super) static SET_VCPUS: Operation = Operation {
    name: "set_vcpus",
    label: "Set VCPUs",
    about: "Tells the guest how many of its VCPUs to use; a domain that is not on the host, how many it has.",
    when: &EVERYWHERE,
    loses: None,
    params: &[needed("vcpus", Takes::Number("VCPUs"), "At least 1", "2")],
    success: Success::Empty,
    op: |asked| {
        let SetVcpus { vcpus } = asked.params.request()?;
        asked.domain(DomainOp::SetVcpus(vcpus))
    },
};

pub(super) static PINCPU: Operation = Operation {
    name: "pincpu",
    label: "Pin VCPUs",
    about: "Says on which CPUs a VCPU may run.",
    when: &EVERYWHERE,
    loses: None,
    params: &[
        needed("vcpu", Takes::Text("a number, or all"), "Which VCPU", "0"),
        needed("cpumap", Takes::Text("CPUs like 0-3,^1"), "Which CPUs", "0-1"),
    ],
    success: Success::Zero,
    op: |asked| {
        let PinCpu { vcpu, cpumap } = asked.params.request()?;
        let vcpu = match vcpu.trim() {
            "all" => None,
            number => Some(number.parse().map_err(|_| {
                Invalid::new(format!(
                    "Invalid value for vcpu: '{number}' is neither a number nor all"
                ))
            })?),
        };
        if cpumap.trim().is_empty() {
            return Err(Invalid::new("Invalid value for cpumap: '' names no CPU"));
        }
        let cpus: CpuSet = cpumap
            .parse()
            .map_err(|reason| Invalid::new(format!("Invalid value for cpumap: {reason}")))?;
        asked.domain(DomainOp::Pin { vcpu, cpus })
    },
};

#[derive(Debug, Deserialize)]
struct SetVcpus {
    #[serde(deserialize_with = "whole")]
    vcpus: u32,
}

/// xm 3.0.0 sends `cpumap=[1, 2]`, libvirt `2,3`, xm 4.x `0-3,^1`.
#[derive(Debug, Deserialize)]
struct PinCpu {
    vcpu: String,
    cpumap: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::op::{Change, Op};
    use crate::wire::http::operations::tests::made;

    #[test]
    fn every_form_of_pinning() {
        let pin = |form: &str| made(&PINCPU, form);
        for (form, vcpu, cpus) in [
            ("vcpu=0&cpumap=[1, 2]", Some(0), "1,2"),
            ("vcpu=1&cpumap=2,3", Some(1), "2,3"),
            ("vcpu=all&cpumap=0-3,^1", None, "0,2,3"),
        ] {
            let Ok(Op::Change(Change::Domain(_, DomainOp::Pin { vcpu: v, cpus: c }))) = pin(form)
            else {
                panic!("{form}")
            };
            assert_eq!((v, c.to_string().as_str()), (vcpu, cpus));
        }
        assert!(
            pin("vcpu=x&cpumap=1")
                .unwrap_err()
                .to_string()
                .starts_with("Invalid value for vcpu: 'x'")
        );
        assert!(
            pin("vcpu=0&cpumap=foo")
                .unwrap_err()
                .to_string()
                .starts_with("Invalid value for cpumap:")
        );
    }
}
