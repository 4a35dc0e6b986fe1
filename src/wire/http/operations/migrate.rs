//! `migrate`.

use crate::core::op::DomainOp;
use crate::core::ports::Destination;
use crate::core::rights::OpKind;
use crate::wire::http::operation::{
    GUEST, Operation, Param, ParamKind, Success, optional, required,
};
use crate::wire::http::params::{flag, integer, some_flag};
use serde::Deserialize;

pub(super) static MIGRATE: Operation = migrate(
    "Migrates the domain, and its definition if it is managed, to another host that runs this xend. \
     If the migration fails, the domain is still on one of the two hosts.",
    &[
        required(
            "destination",
            ParamKind::Text("name or address"),
            "Destination host",
            "xen2.example.org",
        ),
        LIVE,
        optional(
            "port",
            ParamKind::Number("TCP port"),
            "this host's relocation port, or its encrypted one",
            "Relocation port of the destination",
            "8002",
        ),
        optional(
            "ssl",
            ParamKind::Flag,
            "xend-relocation-ssl",
            "Encrypt the connection, see xend-relocation-ssl-ca-file",
            "1",
        ),
    ],
);

/// The same on a host in a fleet.
pub(super) static IN_FLEET: Operation = migrate(
    "Migrates the domain, and its definition if it is managed, to another host that runs this xend. \
     If the migration fails, the domain is still on one of the two hosts. A host of the fleet is \
     meant by its name there: the fleet knows its port and its certificate, and the connection is \
     encrypted.",
    &[
        required(
            "destination",
            ParamKind::Text("name or address"),
            "Destination host: one of the fleet by its name, or another one",
            "xen2",
        ),
        LIVE,
        optional(
            "port",
            ParamKind::Number("TCP port"),
            "that of the fleet's host, or else this host's relocation port",
            "Relocation port of a destination outside of the fleet",
            "8002",
        ),
        optional(
            "ssl",
            ParamKind::Flag,
            "xend-relocation-ssl",
            "Encrypt the connection to a destination outside of the fleet, see \
             xend-relocation-ssl-ca-file",
            "1",
        ),
    ],
);

const LIVE: Param =
    optional("live", ParamKind::Flag, "0", "Keep the guest running while its memory is sent", "1");

const fn migrate(about: &'static str, params: &'static [Param]) -> Operation {
    Operation {
        name: "migrate",
        label: "Migrate",
        about,
        kinds: &[OpKind::Migrate],
        stages: &GUEST,
        data_loss: None,
        params,
        success: Success::Empty,
        build: |request| {
            let Migrate { destination, live, port, ssl } = request.params.parse()?;
            let to = Destination::new(&destination, Some(port), ssl, &request.policy.relocation)?;
            request.change(DomainOp::Migrate { to, live })
        },
    }
}

/// xm 3.0.0 sends `live` and `resource`; libvirt sends `node`, `ssl`, `change_home_server` and
/// `resource`, too. Those without a field here have no effect today.
#[derive(Debug, Deserialize)]
struct Migrate {
    destination: String,
    #[serde(default, deserialize_with = "flag")]
    live: bool,
    #[serde(default, deserialize_with = "integer")]
    port: u16,
    #[serde(default, deserialize_with = "some_flag")]
    ssl: Option<bool>,
}
