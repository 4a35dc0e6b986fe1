//! CPUs, the scheduler, memory, keys and triggers.

use super::function::{Function, Plan, Refusal, domain, on_domain};
use super::record;
use crate::core::model::{Invalid, SchedParams, Scheduler, SedfParams, Trigger};
use crate::core::op::{Change, DomainOp};
use crate::core::rights::OpKind;
use crate::shape;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use std::time::Duration;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "xend.domain.pincpu",
        params: &["dom", "vcpu", "cpumap"],
        required: 3,
        plan: |args, call| {
            let vcpu = match args.text(1)?.trim() {
                "all" => None,
                _ => Some(args.number(1)?),
            };
            // A caller who may not know how many there are may pin none: the engine refuses it.
            let shows_host = call.view.may(OpKind::ShowHost);
            let host_cpus = if shows_host { call.view.host_info().topology.cpus } else { u32::MAX };
            let cpus = args.cpus(2, host_cpus)?;
            Ok(Plan::zero(on_domain(args, DomainOp::Pin { vcpu, cpus })?))
        },
    },
    Function {
        name: "xend.domain.cpu_sedf_get",
        params: &["dom"],
        required: 1,
        plan: |args, _| {
            let domain = domain(args)?;
            Ok(Plan::read(|view| async move {
                let (domain, params) = view.sedf(&domain).await?;
                Ok(record::written(|sink| shape::sedf(sink, &domain, &params)))
            }))
        },
    },
    Function {
        name: "xend.domain.cpu_sedf_set",
        params: &["dom", "period", "slice", "latency", "extratime", "weight"],
        required: 6,
        plan: |args, _| {
            let nanos = |at| Ok::<_, Refusal>(Duration::from_nanos(args.number(at)?));
            let params = SedfParams {
                period: nanos(1)?,
                slice: nanos(2)?,
                latency: nanos(3)?,
                extratime: args.flag(4, false)?,
                weight: args.number(5)?,
            };
            Ok(Plan::zero(on_domain(args, DomainOp::SetSedf(params))?))
        },
    },
    Function {
        name: "xend.domain.sched_credit_get",
        params: &["dom"],
        required: 1,
        plan: |args, _| get_share(args, Scheduler::Credit),
    },
    Function {
        name: "xend.domain.sched_credit_set",
        params: &["dom", "weight", "cap"],
        required: 1,
        plan: |args, _| Ok(Plan::zero(set_share(args, Scheduler::Credit)?)),
    },
    Function {
        name: "xend.domain.sched_credit2_get",
        params: &["dom"],
        required: 1,
        plan: |args, _| get_share(args, Scheduler::Credit2),
    },
    Function {
        name: "xend.domain.sched_credit2_set",
        params: &["dom", "weight", "cap"],
        required: 1,
        plan: |args, _| Ok(Plan::zero(set_share(args, Scheduler::Credit2)?)),
    },
    Function {
        name: "xend.domain.maxmem_set",
        params: &["dom", "memory"],
        required: 2,
        plan: |args, _| Ok(Plan::none(on_domain(args, DomainOp::SetMaxMemory(args.number(1)?))?)),
    },
    Function {
        name: "xend.domain.setMemoryTarget",
        params: &["dom", "target"],
        required: 2,
        plan: |args, _| Ok(Plan::none(on_domain(args, DomainOp::SetMemory(args.number(1)?))?)),
    },
    Function {
        name: "xend.domain.setVCpuCount",
        params: &["dom", "vcpus"],
        required: 2,
        plan: |args, _| Ok(Plan::none(on_domain(args, DomainOp::SetVcpus(args.number(1)?))?)),
    },
    Function {
        name: "xend.domain.send_sysrq",
        params: &["dom", "key"],
        required: 2,
        plan: |args, _| match args.text(1)?.as_bytes() {
            [key] => Ok(Plan::none(on_domain(args, DomainOp::Sysrq(*key))?)),
            _ => Err(Invalid::new("key: one letter is expected").into()),
        },
    },
    Function {
        name: "xend.domain.send_trigger",
        params: &["dom", "trigger", "vcpu"],
        required: 2,
        plan: |args, _| {
            let trigger: Trigger = args.text(1)?.parse()?;
            let vcpu = args.optional_number(2)?.unwrap_or(0);
            Ok(Plan::zero(on_domain(args, DomainOp::Trigger(trigger, vcpu))?))
        },
    },
];

/// Weight and cap.
fn get_share(args: &Args<'_>, scheduler: Scheduler) -> Result<Plan, Refusal> {
    let domain = domain(args)?;
    Ok(Plan::read(move |view| async move {
        let (_, params) = view.sched(&domain, scheduler).await?;
        Ok(match params {
            SchedParams::Credit { weight, cap } | SchedParams::Credit2 { weight, cap } => {
                let member = |name: &str, n: u16| (name.to_owned(), Value::Int(n.into()));
                Value::Struct(vec![member("cap", cap), member("weight", weight)])
            }
            _ => Value::Nil,
        })
    }))
}

/// A weight or cap that is left out stays as it is.
fn set_share(args: &Args<'_>, scheduler: Scheduler) -> Result<Change, Refusal> {
    let number = |at: usize, name: &str, range: &str| -> Result<Option<u16>, Refusal> {
        let number: Option<i64> = args.optional_number(at)?;
        Ok(number.map(u16::try_from).transpose().map_err(|_| {
            Invalid::new(format!(
                "Cpu {name} out of range, valid values are within range from {range}"
            ))
        })?)
    };
    let weight = number(1, "weight", "1 to 65535")?;
    let cap = number(2, "cap", "0 to 65535")?;
    on_domain(args, DomainOp::SetShare { scheduler, weight, cap })
}
