//! CPUs, the scheduler and memory.

use super::{Function, Refused, Work, domain, on};
use crate::core::model::{Invalid, SchedParams, Scheduler, SedfParams, Trigger};
use crate::core::op::{DomainOp, Op, Outcome, Query};
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use std::time::Duration;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "xend.domain.pincpu",
        takes: &["dom", "vcpu", "cpumap"],
        needs: 3,
        make: |args, wire| {
            let vcpu = match args.text(1)?.trim() {
                "all" => None,
                _ => Some(args.number(1)?),
            };
            let cpus = args.cpus(2, wire.engine().host().topology.cpus)?;
            Ok(Work::zero(on(args, DomainOp::Pin { vcpu, cpus })?))
        },
    },
    Function {
        name: "xend.domain.cpu_sedf_get",
        takes: &["dom"],
        needs: 1,
        make: |args, _| Ok(Work::shown(Query::Sedf(domain(args)?))),
    },
    Function {
        name: "xend.domain.cpu_sedf_set",
        takes: &["dom", "period", "slice", "latency", "extratime", "weight"],
        needs: 6,
        make: |args, _| {
            let nanos = |at| Ok::<_, Refused>(Duration::from_nanos(args.number(at)?));
            let params = SedfParams {
                period: nanos(1)?,
                slice: nanos(2)?,
                latency: nanos(3)?,
                extratime: args.flag(4, false)?,
                weight: args.number(5)?,
            };
            Ok(Work::zero(on(args, DomainOp::SetSedf(params))?))
        },
    },
    Function {
        name: "xend.domain.sched_credit_get",
        takes: &["dom"],
        needs: 1,
        make: |args, _| share(args, Scheduler::Credit),
    },
    Function {
        name: "xend.domain.sched_credit_set",
        takes: &["dom", "weight", "cap"],
        needs: 1,
        make: |args, _| Ok(Work::zero(set_share(args, Scheduler::Credit)?)),
    },
    Function {
        name: "xend.domain.sched_credit2_get",
        takes: &["dom"],
        needs: 1,
        make: |args, _| share(args, Scheduler::Credit2),
    },
    Function {
        name: "xend.domain.sched_credit2_set",
        takes: &["dom", "weight", "cap"],
        needs: 1,
        make: |args, _| Ok(Work::zero(set_share(args, Scheduler::Credit2)?)),
    },
    Function {
        name: "xend.domain.maxmem_set",
        takes: &["dom", "memory"],
        needs: 2,
        make: |args, _| Ok(Work::silent(on(args, DomainOp::SetMaxMemory(args.number(1)?))?)),
    },
    Function {
        name: "xend.domain.setMemoryTarget",
        takes: &["dom", "target"],
        needs: 2,
        make: |args, _| Ok(Work::silent(on(args, DomainOp::SetMemory(args.number(1)?))?)),
    },
    Function {
        name: "xend.domain.setVCpuCount",
        takes: &["dom", "vcpus"],
        needs: 2,
        make: |args, _| Ok(Work::silent(on(args, DomainOp::SetVcpus(args.number(1)?))?)),
    },
    Function {
        name: "xend.domain.send_sysrq",
        takes: &["dom", "key"],
        needs: 2,
        make: |args, _| match args.text(1)?.as_bytes() {
            [key] => Ok(Work::silent(on(args, DomainOp::Sysrq(*key))?)),
            _ => Err(Invalid::new("key: one letter is expected").into()),
        },
    },
    Function {
        name: "xend.domain.send_trigger",
        takes: &["dom", "trigger", "vcpu"],
        needs: 2,
        make: |args, _| {
            let trigger: Trigger = args.text(1)?.parse()?;
            let vcpu = args.optional_number(2)?.unwrap_or(0);
            Ok(Work::zero(on(args, DomainOp::Trigger(trigger, vcpu))?))
        },
    },
];

fn share(args: &Args<'_>, scheduler: Scheduler) -> Result<Work, Refused> {
    Ok(Work::of(Query::Sched(domain(args)?, scheduler), |outcome| match outcome {
        Outcome::Sched(
            _,
            SchedParams::Credit { weight, cap } | SchedParams::Credit2 { weight, cap },
        ) => {
            let member = |name: &str, n: u16| (name.to_owned(), Value::Int(n.into()));
            Value::Struct(vec![member("cap", cap), member("weight", weight)])
        }
        _ => Value::Nil,
    }))
}

/// What is not given stays as it is.
fn set_share(args: &Args<'_>, scheduler: Scheduler) -> Result<Op, Refused> {
    let (weight, cap) = (args.optional_number::<i64>(1)?, args.optional_number::<i64>(2)?);
    let small = |what: &str, range: &str, n: Option<i64>| {
        let fits = n.map(u16::try_from).transpose();
        fits.map_err(|_| {
            Invalid::new(format!(
                "Cpu {what} out of range, valid values are within range from {range}"
            ))
        })
    };
    let weight = small("weight", "1 to 65535", weight)?;
    let cap = small("cap", "0 to 65535", cap)?;
    on(args, DomainOp::SetShare { scheduler, weight, cap })
}
