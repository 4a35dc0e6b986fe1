//! `migrate`

use super::table::{GUEST, Operation, Success, Takes, needed, optional};
use crate::core::model::Invalid;
use crate::core::op::DomainOp;
use crate::core::ports::Destination;
use crate::wire::http::params::{flag, whole};
use serde::Deserialize;

pub(super) static MIGRATE: Operation = Operation {
    name: "migrate",
    label: "Migrate",
    about: "Sends the domain, with its definition if it is managed, to the relocation port of another xend of this kind. \
            It is on one of the two hosts whatever fails.",
    when: &GUEST,
    loses: None,
    params: &[
        needed("destination", Takes::Text("name or address"), "The other host", "xen2.example.org"),
        optional(
            "live",
            Takes::Flag,
            "0",
            "Whether the guest goes on while most of its memory is sent",
            "1",
        ),
        optional(
            "port",
            Takes::Number("TCP port"),
            "this host's own relocation port",
            "The other host's",
            "8002",
        ),
        optional(
            "ssl",
            Takes::Flag,
            "0",
            "Must be 0: there is no encryption, use a network of your own",
            "0",
        ),
    ],
    success: Success::Empty,
    op: |asked| {
        let Migrate { destination, live, port, ssl } = asked.params.request()?;
        if ssl {
            return Err(Invalid::new("Invalid value for ssl: 1 is not possible, use 0"));
        }
        // libvirt sends 0 for the usual one.
        let port = if port == 0 { asked.settings.relocation_port } else { port };
        asked.domain(DomainOp::Migrate { to: Destination::new(&destination, port)?, live })
    },
};

/// xm 3.0.0 sends `live` and `resource`, libvirt `node`, `ssl`, `change_home_server` and `resource`
/// too. What is not here means nothing any more.
#[derive(Debug, Deserialize)]
struct Migrate {
    destination: String,
    #[serde(default, deserialize_with = "flag")]
    live: bool,
    #[serde(default, deserialize_with = "whole")]
    port: u16,
    #[serde(default, deserialize_with = "flag")]
    ssl: bool,
}
