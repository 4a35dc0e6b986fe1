//! A domain's life.

use super::{Function, Refused, Work, domain, on};
use crate::core::lifecycle::State;
use crate::core::model::{DomName, DomainConfig, Invalid, ShutdownReason};
use crate::core::op::{Change, DomainOp, Outcome, Query};
use crate::core::ports::Destination;
use crate::shape;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "xend.domain.create",
        takes: &["config"],
        needs: 1,
        make: |args, _| Ok(Work::shown(Change::Create(Box::new(config(args)?)))),
    },
    Function {
        name: "xend.domain.new",
        takes: &["config"],
        needs: 1,
        make: |args, _| Ok(Work::silent(Change::Define(Box::new(config(args)?)))),
    },
    Function {
        name: "xend.domain.start",
        takes: &["dom", "start_paused"],
        needs: 1,
        make: |args, _| {
            Ok(Work::silent(on(args, DomainOp::Start { paused: args.flag(1, true)? })?))
        },
    },
    Function {
        name: "xend.domain.delete",
        takes: &["dom"],
        needs: 1,
        make: |args, _| Ok(Work::silent(on(args, DomainOp::Delete)?)),
    },
    // With `state` it answers xend's number of the state that the domain was in.
    Function {
        name: "xend.domain.pause",
        takes: &["dom", "state"],
        needs: 1,
        make: |args, _| {
            let pause = on(args, DomainOp::Pause)?;
            if !args.flag(1, false)? {
                return Ok(Work::silent(pause));
            }
            let tell = |outcomes: Vec<Outcome>| match outcomes.first() {
                Some(Outcome::Domain(view)) => Ok(Value::Int(state_number(view.state()))),
                _ => Ok(Value::Nil),
            };
            Ok(Work { ops: vec![Query::Domain(domain(args)?).into(), pause], tell: Box::new(tell) })
        },
    },
    Function {
        name: "xend.domain.unpause",
        takes: &["dom"],
        needs: 1,
        make: |args, _| Ok(Work::silent(on(args, DomainOp::Unpause)?)),
    },
    Function {
        name: "xend.domain.suspend",
        takes: &["dom"],
        needs: 1,
        make: |args, _| Ok(Work::silent(on(args, DomainOp::Suspend)?)),
    },
    Function {
        name: "xend.domain.resume",
        takes: &["dom", "start_paused"],
        needs: 1,
        make: |args, _| {
            Ok(Work::silent(on(args, DomainOp::Resume { paused: args.flag(1, false)? })?))
        },
    },
    Function {
        name: "xend.domain.destroy",
        takes: &["dom"],
        needs: 1,
        make: |args, _| Ok(Work::silent(on(args, DomainOp::Destroy)?)),
    },
    Function {
        name: "xend.domain.reset",
        takes: &["dom"],
        needs: 1,
        make: |args, _| Ok(Work::silent(on(args, DomainOp::Reset)?)),
    },
    Function {
        name: "xend.domain.shutdown",
        takes: &["dom", "reason"],
        needs: 2,
        make: |args, _| {
            let reason: ShutdownReason = args.text(1)?.parse()?;
            Ok(Work::silent(on(args, DomainOp::Shutdown(reason))?))
        },
    },
    Function {
        name: "xend.domain.setName",
        takes: &["dom", "name"],
        needs: 2,
        make: |args, _| {
            Ok(Work::silent(on(args, DomainOp::Rename(DomName::new(&args.text(1)?)?))?))
        },
    },
    Function {
        name: "xend.domain.migrate",
        takes: &["dom", "dst", "live", "port", "node", "ssl", "change_home_server"],
        needs: 2,
        make: |args, wire| {
            if args.flag(5, false)? {
                return Err(
                    Invalid::new("ssl: there is no encryption, use a network of your own").into()
                );
            }
            let default_port = wire.settings().relocation_port;
            let to = Destination::new(&args.text(1)?, args.optional_number(3)?, default_port)?;
            Ok(Work::silent(on(args, DomainOp::Migrate { to, live: args.flag(2, false)? })?))
        },
    },
    Function {
        name: "xend.domain.waitForDevices",
        takes: &["dom"],
        needs: 1,
        make: |args, _| Ok(Work::silent(Query::DevicesConnected(domain(args)?))),
    },
];

/// xend's number of a state, `DOM_STATE_*`.
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

/// What a domain is to be. Errors tell the field, and what was sent only where it is no secret.
fn config(args: &Args<'_>) -> Result<DomainConfig, Refused> {
    let config = shape::read_config(&args.sxp(0)?);
    Ok(config.map_err(|error| {
        Invalid::new(format!("Error creating domain: Invalid Configuration: {error}"))
    })?)
}
