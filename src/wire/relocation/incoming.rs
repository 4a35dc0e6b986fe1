//! What a request on the relocation port asks for, and a domain that arrives.

use super::connection::Connection;
use crate::core::error::Error;
use crate::core::fleet::ClusterName;
use crate::core::model::{CompleteConfig, Invalid, Uuid, parse_uuid};
use crate::core::op::{Arrival, Change, Once, Outcome};
use crate::core::ports::{IncomingMigration, MigratedDomain, Verdict};
use crate::shape;
use crate::sxp::Sxp;
use async_trait::async_trait;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// The change that a request asks for.
pub(super) fn change(connection: &Connection, request: &Sxp) -> Result<Change, Error> {
    match request.head() {
        Some("verdict") => Ok(Change::Settle(id_of(request)?)),
        Some("receive") => {
            let migrated = migrated_domain(request)?;
            let incoming: Box<dyn IncomingMigration> =
                Box::new(TcpIncoming { connection: connection.clone() });
            Ok(Change::Receive(Arrival { migrated, link: Once::new(incoming) }))
        }
        _ => Err(Invalid::new(
            "The sender is another kind of host: \
             version 1 of this xend's relocation protocol is expected",
        )
        .into()),
    }
}

/// The answer after a change. A domain that was received is taken.
pub(super) fn answer(outcome: &Outcome) -> Sxp {
    let not_taken = Sxp::atom("not-taken");
    match outcome {
        Outcome::Verdict(Verdict::Refused) => {
            Sxp::list([not_taken, Sxp::list([Sxp::atom("refused")])])
        }
        Outcome::Verdict(Verdict::Unknown) => Sxp::list([not_taken]),
        _ => Sxp::list([Sxp::atom("taken")]),
    }
}

fn id_of(request: &Sxp) -> Result<Uuid, Error> {
    let text = request.value("id").and_then(Sxp::as_str).unwrap_or_default();
    Ok(parse_uuid(text)?)
}

fn migrated_domain(request: &Sxp) -> Result<MigratedDomain, Error> {
    if request.value("version").and_then(Sxp::as_str) != Some("1") {
        return Err(Invalid::new("version: only 1 is supported").into());
    }
    let read = |key: &str| -> Result<Option<Arc<CompleteConfig>>, Error> {
        let Some(tree) = request.value(key) else { return Ok(None) };
        let config =
            shape::read_stored(tree).map_err(|error| Invalid::new(format!("{key}: {error}")))?;
        Ok(Some(Arc::new(CompleteConfig::try_from(config)?)))
    };
    let config = read("config")?.ok_or_else(|| Invalid::new("config: missing"))?;
    Ok(MigratedDomain { id: id_of(request)?, config, definition: read("definition")? })
}

struct TcpIncoming {
    connection: Connection,
}

#[async_trait]
impl IncomingMigration for TcpIncoming {
    async fn ready(&mut self) -> Result<(), Error> {
        self.connection.send(&Sxp::list([Sxp::atom("ready")])).await
    }

    fn stream(&self) -> Result<OwnedFd, Error> {
        self.connection.share()
    }

    async fn building(&mut self, stage: &str) -> Result<(), Error> {
        self.connection.send(&Sxp::list([Sxp::atom("building"), Sxp::atom(stage)])).await
    }

    async fn arrived(&mut self) -> Result<Option<ClusterName>, Error> {
        self.connection.send(&Sxp::list([Sxp::atom("arrived")])).await?;
        let message = self.connection.receive().await?;
        if message.head() != Some("go") {
            let reason = "it does not hand the domain over".to_owned();
            return Err(Error::Remote { reason });
        }
        match message.value("fleet") {
            Some(fleet) => Ok(Some(fleet.as_str().unwrap_or_default().parse()?)),
            None => Ok(None),
        }
    }
}
