//! A domain's life cycle.

use super::function::{Function, Plan, Refusal, domain, on_domain};
use crate::core::lifecycle::State;
use crate::core::model::{DomName, DomainConfig, Invalid, ShutdownReason};
use crate::core::op::{Change, DomainOp};
use crate::core::ports::Destination;
use crate::shape;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "xend.domain.create",
        params: &["config"],
        required: 1,
        plan: |args, _| Ok(Plan::record(Change::Create(Box::new(config(args)?)))),
    },
    Function {
        name: "xend.domain.new",
        params: &["config"],
        required: 1,
        plan: |args, _| Ok(Plan::none(Change::Define(Box::new(config(args)?)))),
    },
    Function {
        name: "xend.domain.start",
        params: &["dom", "start_paused"],
        required: 1,
        plan: |args, _| {
            Ok(Plan::none(on_domain(args, DomainOp::Start { paused: args.flag(1, true)? })?))
        },
    },
    Function {
        name: "xend.domain.delete",
        params: &["dom"],
        required: 1,
        plan: |args, _| Ok(Plan::none(on_domain(args, DomainOp::Delete)?)),
    },
    // With `state` it answers the number of the state that the domain was in.
    Function {
        name: "xend.domain.pause",
        params: &["dom", "state"],
        required: 1,
        plan: |args, _| {
            let pause = on_domain(args, DomainOp::Pause)?;
            if !args.flag(1, false)? {
                return Ok(Plan::none(pause));
            }
            let domain = domain(args)?;
            Ok(Plan::new(|engine, view| async move {
                let before = view.domain(&domain).await?;
                engine.execute(view.caller(), pause).await?;
                Ok(Value::Int(state_number(before.state())))
            }))
        },
    },
    Function {
        name: "xend.domain.unpause",
        params: &["dom"],
        required: 1,
        plan: |args, _| Ok(Plan::none(on_domain(args, DomainOp::Unpause)?)),
    },
    Function {
        name: "xend.domain.suspend",
        params: &["dom"],
        required: 1,
        plan: |args, _| Ok(Plan::none(on_domain(args, DomainOp::Suspend)?)),
    },
    Function {
        name: "xend.domain.resume",
        params: &["dom", "start_paused"],
        required: 1,
        plan: |args, _| {
            Ok(Plan::none(on_domain(args, DomainOp::Resume { paused: args.flag(1, false)? })?))
        },
    },
    Function {
        name: "xend.domain.destroy",
        params: &["dom"],
        required: 1,
        plan: |args, _| Ok(Plan::none(on_domain(args, DomainOp::Destroy)?)),
    },
    Function {
        name: "xend.domain.reset",
        params: &["dom"],
        required: 1,
        plan: |args, _| Ok(Plan::none(on_domain(args, DomainOp::Reset)?)),
    },
    Function {
        name: "xend.domain.shutdown",
        params: &["dom", "reason"],
        required: 2,
        plan: |args, _| {
            let reason: ShutdownReason = args.text(1)?.parse()?;
            Ok(Plan::none(on_domain(args, DomainOp::Shutdown(reason))?))
        },
    },
    Function {
        name: "xend.domain.setName",
        params: &["dom", "name"],
        required: 2,
        plan: |args, _| {
            Ok(Plan::none(on_domain(args, DomainOp::Rename(DomName::new(&args.text(1)?)?))?))
        },
    },
    Function {
        name: "xend.domain.migrate",
        params: &["dom", "dst", "live", "port", "node", "ssl", "change_home_server"],
        required: 2,
        plan: |args, call| {
            let defaults = call.view.policy().relocation;
            let port = args.optional_number(3)?;
            let to = Destination::new(&args.text(1)?, port, args.optional_flag(5)?, &defaults)?;
            Ok(Plan::none(on_domain(args, DomainOp::Migrate { to, live: args.flag(2, false)? })?))
        },
    },
    Function {
        name: "xend.domain.waitForDevices",
        params: &["dom"],
        required: 1,
        plan: |args, _| {
            let domain = domain(args)?;
            Ok(Plan::read(|view| async move {
                view.wait_for_devices(&domain).await?;
                Ok(Value::Nil)
            }))
        },
    },
];

/// xend's `DOM_STATE_*`.
const fn state_number(state: State) -> i64 {
    match state {
        State::Halted | State::Building | State::Gone => 0,
        State::Paused => 1,
        State::Running => 2,
        State::Suspended | State::Stopped(ShutdownReason::Suspend) => 3,
        State::Stopped(ShutdownReason::Crash) => 5,
        State::Stopped(_) | State::Dying => 4,
    }
}

/// The configuration of a new domain. Errors name the field, and quote no secret.
fn config(args: &Args<'_>) -> Result<DomainConfig, Refusal> {
    let config = shape::read_config(&args.sxp(0)?);
    Ok(config.map_err(|error| {
        Invalid::new(format!("Error creating domain: Invalid Configuration: {error}"))
    })?)
}
