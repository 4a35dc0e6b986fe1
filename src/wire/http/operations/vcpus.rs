//! `vcpuinfo`, which GET performs, too; `set_vcpus`, `pincpu`.

use crate::core::model::{CpuSet, Invalid, MAX_VCPUS};
use crate::core::op::DomainOp;
use crate::core::rights::OpKind;
use crate::wire::http::engine_request::Query;
use crate::wire::http::operation::{
    ANY_STAGE, AnswerType, Operation, ParamKind, Success, required,
};
use crate::wire::http::params::{bad_value, integer_in};
use serde::Deserialize;

pub(crate) static VCPUINFO: Operation = Operation {
    name: "vcpuinfo",
    label: "Show VCPUs",
    about: "Shows the domain's VCPUs. Also available with GET: ?op=vcpuinfo.",
    kinds: &[OpKind::ShowVcpus],
    stages: &ANY_STAGE,
    data_loss: None,
    params: &[],
    success: Success::Answer(AnswerType::Vcpus),
    build: |request| Ok(Query::Vcpus(request.domain()).into()),
};

pub(super) static SET_VCPUS: Operation = Operation {
    name: "set_vcpus",
    label: "Set VCPUs",
    about: "Sets the number of VCPUs that the guest uses. For a domain that is not on the host, \
            sets the number that it has.",
    kinds: &[OpKind::SetVcpus],
    stages: &ANY_STAGE,
    data_loss: None,
    params: &[required("vcpus", ParamKind::Number("VCPUs"), "Number of VCPUs", "2")],
    success: Success::Empty,
    build: |request| {
        let SetVcpus { vcpus } = request.params.parse()?;
        request.change(DomainOp::SetVcpus(vcpus))
    },
};

pub(super) static PINCPU: Operation = Operation {
    name: "pincpu",
    label: "Pin VCPUs",
    about: "Sets the CPUs on which a VCPU may run.",
    kinds: &[OpKind::Pin],
    stages: &ANY_STAGE,
    data_loss: None,
    params: &[
        required("vcpu", ParamKind::Text("a number, or all"), "VCPU to pin", "0"),
        required("cpumap", ParamKind::Text("a list such as 0-3,^1"), "CPUs to pin it to", "0-1"),
    ],
    success: Success::Zero,
    build: |request| {
        let PinCpu { vcpu, cpumap } = request.params.parse()?;
        let vcpu = match vcpu.trim() {
            "all" => None,
            number => Some(number.parse().map_err(|_| {
                bad_value("vcpu", format!("'{number}' is neither a number nor all"))
            })?),
        };
        if cpumap.trim().is_empty() {
            return Err(bad_value("cpumap", "'' names no CPU"));
        }
        let cpus: CpuSet = cpumap.parse().map_err(|reason: Invalid| bad_value("cpumap", reason))?;
        if cpus.is_empty() && cpumap.contains('^') {
            let advice = "say which CPUs it is taken from, like 0-3,^1";
            return Err(bad_value("cpumap", format!("'{cpumap}' names no CPU, {advice}")));
        }
        request.change(DomainOp::Pin { vcpu, cpus })
    },
};

#[derive(Debug, Deserialize)]
struct SetVcpus {
    #[serde(deserialize_with = "integer_in::<_, 1, MAX_VCPUS>")]
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
    use crate::core::op::Change;
    use crate::wire::http::engine_request::EngineRequest;
    use crate::wire::http::operation::build_from_form;

    #[test]
    fn pincpu_accepts_the_syntax_of_all_clients() {
        let pin = |form: &str| build_from_form(&PINCPU, form);
        for (form, vcpu, cpus) in [
            ("vcpu=0&cpumap=[1, 2]", Some(0), "1,2"),
            ("vcpu=1&cpumap=2,3", Some(1), "2,3"),
            ("vcpu=all&cpumap=0-3,^1", None, "0,2,3"),
        ] {
            let Ok(EngineRequest::Change(change)) = pin(form) else { panic!("{form}") };
            let Change::Domain(_, DomainOp::Pin { vcpu: v, cpus: c }) = change else {
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
