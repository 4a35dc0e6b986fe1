//! `vcpuinfo`, the one operation that GET performs too, `set_vcpus`, `pincpu`

use super::{Operation, Success};
use crate::core::model::{CpuSet, Invalid};
use crate::core::op::{Change, DomainOp, Query};
use crate::wire::http::params::whole;
use serde::Deserialize;

pub(super) static VCPUINFO: Operation =
    Operation { name: "vcpuinfo", success: Success::Answer, op: |domain, _| Ok(Query::Vcpus(domain).into()) };

pub(super) static SET_VCPUS: Operation = Operation {
    name: "set_vcpus",
    success: Success::Empty,
    op: |domain, params| {
        let SetVcpus { vcpus } = params.request()?;
        Ok(Change::Domain(domain, DomainOp::SetVcpus(vcpus)).into())
    },
};

pub(super) static PINCPU: Operation = Operation {
    name: "pincpu",
    success: Success::Zero,
    op: |domain, params| {
        let PinCpu { vcpu, cpumap } = params.request()?;
        let vcpu = match vcpu.trim() {
            "all" => None,
            number => Some(number.parse().map_err(|_| {
                Invalid::new(format!("Invalid value for vcpu: '{number}' is neither a number nor all"))
            })?),
        };
        let cpus: CpuSet =
            cpumap.parse().map_err(|reason| Invalid::new(format!("Invalid value for cpumap: {reason}")))?;
        Ok(Change::Domain(domain, DomainOp::Pin { vcpu, cpus }).into())
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
    use crate::core::model::DomainRef;
    use crate::core::op::Op;
    use crate::wire::http::params::Params;

    #[test]
    fn every_form_of_pinning() {
        let pin = |form: &str| (PINCPU.op)(DomainRef::new("a"), &Params::from_form(form.as_bytes()));
        for (form, vcpu, cpus) in [
            ("vcpu=0&cpumap=[1, 2]", Some(0), "1,2"),
            ("vcpu=1&cpumap=2,3", Some(1), "2,3"),
            ("vcpu=all&cpumap=0-3,^1", None, "0,2,3"),
        ] {
            let Ok(Op::Change(Change::Domain(_, DomainOp::Pin { vcpu: v, cpus: c }))) = pin(form) else {
                panic!("{form}")
            };
            assert_eq!((v, c.to_string().as_str()), (vcpu, cpus));
        }
        assert_eq!(pin("vcpu=0").unwrap_err().to_string(), "Missing parameter: cpumap");
        assert!(pin("vcpu=x&cpumap=1").unwrap_err().to_string().starts_with("Invalid value for vcpu: 'x'"));
        assert!(pin("vcpu=0&cpumap=foo").unwrap_err().to_string().starts_with("Invalid value for cpumap:"));
    }
}
