//! A domain's life.

use super::{Function, Refused, Work, domain, on};
use crate::core::model::{DomName, DomainConfig, Invalid, ShutdownReason};
use crate::core::op::{Change, DomainOp, Query};
use crate::core::ports::Destination;
use crate::shape;
use crate::wire::xmlrpc::args::Args;

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
        make: |args, _| Ok(Work::silent(on(args, DomainOp::Start { paused: args.flag(1, true)? })?)),
    },
    Function {
        name: "xend.domain.delete",
        takes: &["dom"],
        needs: 1,
        make: |args, _| Ok(Work::silent(on(args, DomainOp::Delete)?)),
    },
    // With `state` the flag was to be left alone, which is none of today's Xen's.
    Function {
        name: "xend.domain.pause",
        takes: &["dom", "state"],
        needs: 1,
        make: |args, _| Ok(Work::silent(on(args, DomainOp::Pause)?)),
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
        make: |args, _| Ok(Work::silent(on(args, DomainOp::Resume { paused: args.flag(1, false)? })?)),
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
        make: |args, _| Ok(Work::silent(on(args, DomainOp::Rename(DomName::new(&args.text(1)?)?))?)),
    },
    Function {
        name: "xend.domain.migrate",
        takes: &["dom", "dst", "live", "port", "node", "ssl", "change_home_server"],
        needs: 3,
        make: |args, wire| {
            if args.flag(5, false)? {
                return Err(Invalid::new("ssl: there is no encryption, use a network of your own").into());
            }
            let port = args.optional_number::<u16>(3)?.filter(|port| *port != 0);
            let to = Destination::new(&args.text(1)?, port.unwrap_or(wire.settings().relocation_port))?;
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

/// What a domain is to be. Errors tell the field, and what was sent only where it is no secret.
fn config(args: &Args<'_>) -> Result<DomainConfig, Refused> {
    let config = shape::read_config(&args.sxp(0)?);
    Ok(config
        .map_err(|error| Invalid::new(format!("Error creating domain: Invalid Configuration: {error}")))?)
}
