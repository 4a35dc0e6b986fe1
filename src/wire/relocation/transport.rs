//! The sending side.

use super::connection::Connection;
use crate::core::error::Error;
use crate::core::model::{Invalid, Uuid};
use crate::core::ports::{
    Built, Destination, Handover, MigratedDomain, MigrationTransport, OutgoingMigration, Verdict,
};
use crate::shape;
use crate::sxp::Sxp;
use async_trait::async_trait;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Time limit for connecting to one address of a host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait for the other host's reason after writing failed. It sent the reason before
/// this host noticed the failure.
const REASON_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the other host may take to remove an incomplete domain.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(20);

/// Sends domains to other hosts over TCP.
#[derive(Debug, Clone, Copy)]
pub struct TcpTransport {
    timeout: Duration,
}

impl TcpTransport {
    /// A transport whose connections fail after a pause of `timeout`.
    pub const fn new(timeout: Duration) -> Self {
        Self { timeout }
    }
}

async fn connect(to: &Destination, timeout: Duration) -> Result<Connection, Error> {
    let Destination { host, port } = to.clone();
    let connected = tokio::task::spawn_blocking(move || {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (host.as_str(), port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)
                .and_then(|stream| Connection::new(stream, timeout))
            {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    });
    let unreachable =
        |error: io::Error| Invalid::new(format!("destination: {to} cannot be reached: {error}"));
    connected
        .await
        .map_err(|error| Error::backend("Connecting was abandoned", error))?
        .map_err(|error| unreachable(error).into())
}

fn id_field(id: Uuid) -> Sxp {
    Sxp::list([Sxp::atom("id"), Sxp::atom(id.to_string())])
}

/// Checks that the message is the expected one. The error holds the other host's reason.
fn expect(message: &Sxp, expected: &str) -> Result<(), Error> {
    match message.head() {
        Some(head) if head == expected => Ok(()),
        Some("err") => {
            let reason = message.tail().first().and_then(Sxp::as_str).unwrap_or("no reason given");
            Err(Error::Remote { reason: reason.chars().take(1000).collect() })
        }
        _ => Err(Error::Remote { reason: "an unexpected message".to_owned() }),
    }
}

#[async_trait]
impl MigrationTransport for TcpTransport {
    async fn open(
        &self,
        to: &Destination,
        migrated: &MigratedDomain,
    ) -> Result<Box<dyn OutgoingMigration>, Error> {
        let connection = connect(to, self.timeout).await?;
        let config_field = |key, config| Sxp::list([Sxp::atom(key), shape::stored_config(config)]);
        let mut message = vec![
            Sxp::atom("receive"),
            Sxp::list([Sxp::atom("version"), Sxp::atom("1")]),
            id_field(migrated.id),
            config_field("config", &migrated.config),
        ];
        message.extend(
            migrated.definition.iter().map(|definition| config_field("definition", definition)),
        );
        connection.send(&Sxp::list(message)).await?;
        expect(&connection.receive().await?, "ready")?;
        Ok(Box::new(TcpOutgoing { connection }))
    }

    async fn verdict(&self, of: &Handover) -> Result<Verdict, Error> {
        let connection = connect(&of.to, self.timeout).await?;
        connection.send(&Sxp::list([Sxp::atom("verdict"), id_field(of.id)])).await?;
        let answer = connection.receive().await?;
        match answer.head() {
            Some("not-taken") => Ok(Verdict::NotTaken),
            _ => expect(&answer, "taken").map(|()| Verdict::Taken),
        }
    }
}

struct TcpOutgoing {
    connection: Connection,
}

#[async_trait]
impl OutgoingMigration for TcpOutgoing {
    fn stream(&self) -> Result<OwnedFd, Error> {
        self.connection.share()
    }

    async fn built(&mut self) -> Result<Built, Error> {
        let message = self.connection.receive().await?;
        if message.head() == Some("building") {
            let stage = message.tail().first().and_then(Sxp::as_str).unwrap_or_default();
            return Ok(Built::NotYet(stage.chars().take(100).collect()));
        }
        expect(&message, "arrived").map(|()| Built::Completely)
    }

    async fn reason(&mut self) -> Option<Error> {
        while let Ok(message) = self.connection.receive_within(REASON_TIMEOUT).await {
            if message.head() != Some("building") {
                return expect(&message, "arrived").err();
            }
        }
        // The failure was on this side. The other host answers when it has removed the incomplete
        // domain: then the migration can be tried again.
        self.connection.finish().await;
        while let Ok(message) = self.connection.receive_within(CLEANUP_TIMEOUT).await {
            if message.head() != Some("building") {
                break;
            }
        }
        None
    }

    async fn hand_over(&mut self) -> Result<Verdict, Error> {
        self.connection.send(&Sxp::list([Sxp::atom("go")])).await?;
        let answer = self.connection.receive().await?;
        match answer.head() {
            // The other host refuses the domain for good.
            Some("err") => Ok(Verdict::NotTaken),
            _ => expect(&answer, "taken").map(|()| Verdict::Taken),
        }
    }
}
