//! The sending side.

use super::connection::{Connection, is_silence};
use super::introduction::introduce;
use super::tunnel;
use crate::core::error::Error;
use crate::core::fleet::{ClusterName, HostName};
use crate::core::model::{Invalid, Uuid};
use crate::core::ports::{
    Built, Destination, Handover, MigratedDomain, MigrationTransport, OutgoingMigration, Verdict,
};
use crate::peer_tls::PeerTls;
use crate::shape;
use crate::sxp::Sxp;
use async_trait::async_trait;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_rustls::rustls::{self, pki_types::ServerName};

/// Time limit for connecting to one address of a host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait for the other host's reason after writing failed. It sent the reason before
/// this host noticed the failure.
const REASON_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the other host may take to remove an incomplete domain.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(20);

/// Time limit of a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends domains to other hosts over TCP.
#[derive(Debug, Clone)]
pub struct TcpTransport {
    timeout: Duration,
    /// The reason against encrypted connections if there are none.
    tls: Result<Arc<PeerTls>, String>,
    /// The name of this host in its fleet, if it is in one.
    own: Option<HostName>,
}

impl TcpTransport {
    /// A transport without encryption whose connections fail after a pause of `timeout`.
    pub fn new(timeout: Duration) -> Self {
        let tls = Err("this host has no certificate for migration".to_owned());
        Self { timeout, tls, own: None }
    }

    /// The same of a host that has this name in its fleet, if it is in one.
    #[must_use]
    pub fn named(self, own: Option<HostName>) -> Self {
        Self { own, ..self }
    }

    /// The same with encrypted connections, or the reason against them.
    #[must_use]
    pub fn with_tls(self, tls: Result<Arc<PeerTls>, String>) -> Self {
        Self { tls, ..self }
    }

    async fn connect(&self, to: &Destination) -> Result<Connection, Error> {
        let tls = match (to.encrypted, &self.tls) {
            (false, _) => None,
            (true, Ok(tls)) => Some(tls),
            (true, Err(reason)) => {
                let field = if to.member.is_some() { "destination" } else { "ssl" };
                let refusal = Invalid::new(format!("Invalid value for {field}: {reason}"));
                return Err(refusal.about(field).into());
            }
        };
        let connection = match (dial(to).await, tls) {
            (Err(error), _) => Err(error),
            (Ok(stream), None) => Connection::plain(stream, self.timeout),
            (Ok(stream), Some(tls)) => self.encrypt(tls, stream, to).await,
        };
        connection.map_err(|error| {
            let reason = reason(to, &error);
            let message = format!("destination: {to} cannot be reached: {reason}");
            Error::Unreachable { message, source: None }
        })
    }

    /// The handshake of an encrypted connection. To a host of the fleet, this one says its name; if
    /// it has left the fleet, it knows that host by the file of certificates.
    async fn encrypt(
        &self,
        tls: &PeerTls,
        stream: TcpStream,
        to: &Destination,
    ) -> io::Result<Connection> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let stream = tokio::net::TcpStream::from_std(stream)?;
        let of_fleet = to.member.as_ref().zip(self.own.as_ref());
        let (connector, name) = match of_fleet {
            Some((member, _)) => {
                let connector = tls.member_connector(member.certificate);
                // No name is sent: the certificate tells the host.
                (connector.map_err(io::Error::other)?, ServerName::from(stream.peer_addr()?.ip()))
            }
            None => {
                (tls.connector(), ServerName::try_from(to.host.clone()).map_err(io::Error::other)?)
            }
        };
        let late = || io::Error::new(io::ErrorKind::TimedOut, "no complete TLS handshake");
        let connected = timeout(HANDSHAKE_TIMEOUT, connector.connect(name, stream)).await;
        let mut stream = connected.map_err(|_| late())??;
        // A host that has left the fleet, or has an older xend, knows no introduction.
        let is_introduced = stream.get_ref().1.alpn_protocol().is_some();
        if let Some((_, own)) = of_fleet.filter(|_| is_introduced) {
            introduce(&mut stream, own).await.map_err(io::Error::other)?;
        }
        Connection::encrypted(stream, self.timeout)
    }
}

/// Why another host cannot be reached, and what to look at.
fn reason(to: &Destination, error: &io::Error) -> String {
    if let Some(member) = &to.member {
        let tls = error.get_ref().and_then(|error| error.downcast_ref());
        if let Some(rustls::Error::InvalidCertificate(_)) = tls {
            let name = &member.name;
            return format!(
                "its certificate is not the one that the fleet knows, compare xend fleet status \
                 there, and restart xend on {name} if it has another one"
            );
        }
        if error.kind() == io::ErrorKind::ConnectionRefused {
            return "nothing listens there, see xend-relocation-ssl-server there".to_owned();
        }
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "nothing listens there, see xend-relocation-server and xend-relocation-port of that host"
                .to_owned()
        }
        io::ErrorKind::TimedOut => "it does not answer".to_owned(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "there is no route to it".to_owned()
        }
        _ => tunnel::reason(error),
    }
}

async fn dial(to: &Destination) -> io::Result<TcpStream> {
    let Destination { host, port, .. } = to.clone();
    let connected = tokio::task::spawn_blocking(move || {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (host.as_str(), port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    });
    connected.await.map_err(io::Error::other)?
}

/// The error of a host that takes a connection and gives no answer. An encrypted port does so if
/// the connection is plain.
fn no_answer(to: &Destination, error: Error) -> Error {
    let hint = if to.encrypted { "" } else { ": if its port is encrypted, use ssl=1" };
    match error {
        Error::Backend { message, source } => Error::Unreachable {
            message: format!("destination: {to} does not answer ({message}){hint}"),
            source,
        },
        other => other,
    }
}

/// The error of a connection that was lost before the domain was handed over.
fn lost_while_sending(to: &Destination, error: Error) -> Error {
    match error {
        Error::Backend { message, source } => Error::ConnectionLost {
            message: format!(
                "{message} while the domain was sent to {to}: it goes on here, try again when that \
                 host responds"
            ),
            source,
        },
        other => other,
    }
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
        let connection = self.connect(to).await?;
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
        connection.send(&Sxp::list(message)).await.map_err(|error| no_answer(to, error))?;
        let answer = connection.receive().await.map_err(|error| no_answer(to, error))?;
        expect(&answer, "ready")?;
        Ok(Box::new(TcpOutgoing { connection, to: to.clone() }))
    }

    async fn verdict(&self, of: &Handover) -> Result<Verdict, Error> {
        let connection = self.connect(&of.to).await?;
        connection.send(&Sxp::list([Sxp::atom("verdict"), id_field(of.id)])).await?;
        let answer = connection.receive().await?;
        match answer.head() {
            // Hosts of earlier versions do not say whether they know the migration.
            Some("not-taken") if answer.get("refused").is_some() => Ok(Verdict::Refused),
            Some("not-taken") => Ok(Verdict::Unknown),
            _ => expect(&answer, "taken").map(|()| Verdict::Taken),
        }
    }
}

struct TcpOutgoing {
    connection: Connection,
    to: Destination,
}

#[async_trait]
impl OutgoingMigration for TcpOutgoing {
    fn stream(&self) -> Result<OwnedFd, Error> {
        self.connection.share()
    }

    async fn built(&mut self) -> Result<Built, Error> {
        let received = self.connection.receive().await;
        let message = received.map_err(|error| lost_while_sending(&self.to, error))?;
        if message.head() == Some("building") {
            let stage = message.tail().first().and_then(Sxp::as_str).unwrap_or_default();
            return Ok(Built::NotYet(stage.chars().take(100).collect()));
        }
        expect(&message, "arrived").map(|()| Built::Completely)
    }

    async fn reason(&mut self) -> Option<Error> {
        loop {
            match self.connection.receive_within(REASON_TIMEOUT).await {
                Ok(message) if message.head() == Some("building") => {}
                Ok(message) => return expect(&message, "arrived").err(),
                Err(error) if is_silence(&error) => break,
                Err(error) => return Some(lost_while_sending(&self.to, error)),
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

    async fn hand_over(&mut self, fleet: Option<&ClusterName>) -> Result<(), Error> {
        let fleet =
            fleet.map(|fleet| Sxp::list([Sxp::atom("fleet"), Sxp::atom(fleet.to_string())]));
        let go = Sxp::list([Sxp::atom("go")].into_iter().chain(fleet));
        self.connection.send(&go).await?;
        expect(&self.connection.receive().await?, "taken")
    }
}
