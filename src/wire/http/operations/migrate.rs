//! `migrate`.

use crate::core::op::DomainOp;
use crate::core::ports::Destination;
use crate::core::rights::OpKind;
use crate::wire::http::operation::{GUEST, Operation, ParamKind, Success, optional, required};
use crate::wire::http::params::{flag, integer, some_flag};
use serde::Deserialize;

pub(super) static MIGRATE: Operation = Operation {
    name: "migrate",
    label: "Migrate",
    about: "Migrates the domain, and its definition if it is managed, to another host that runs \
            this xend. If the migration fails, the domain is still on one of the two hosts.",
    kinds: &[OpKind::Migrate],
    stages: &GUEST,
    data_loss: None,
    params: &[
        required(
            "destination",
            ParamKind::Text("name or address"),
            "Destination host",
            "xen2.example.org",
        ),
        optional(
            "live",
            ParamKind::Flag,
            "0",
            "Keep the guest running while its memory is sent",
            "1",
        ),
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
    success: Success::Empty,
    build: |request| {
        let Migrate { destination, live, port, ssl } = request.params.parse()?;
        let to = Destination::new(&destination, Some(port), ssl, &request.policy.relocation)?;
        request.change(DomainOp::Migrate { to, live })
    },
};

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
