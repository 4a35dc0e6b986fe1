//! Sending.

use super::line::Line;
use crate::core::error::Error;
use crate::core::model::{Invalid, Uuid};
use crate::core::ports::{Built, Courier, Destination, Handover, Outgoing, Parcel, Verdict};
use crate::shape;
use crate::sxp::Sxp;
use async_trait::async_trait;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// How long reaching one address of a host may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How long the reason may take for which the other host broke off: it was sent before that was
/// noticed.
const REASON: Duration = Duration::from_secs(1);

/// How long the other host may take to clear away half a domain.
const CLEARING: Duration = Duration::from_secs(20);

/// Reaches other hosts over TCP.
#[derive(Debug, Clone, Copy)]
pub struct TcpCourier {
    patience: Duration,
}

impl TcpCourier {
    /// A courier that gives a connection up after a pause of `patience`.
    pub const fn new(patience: Duration) -> Self {
        Self { patience }
    }
}

async fn reach(to: &Destination, patience: Duration) -> Result<Line, Error> {
    let (host, port) = (to.host.clone(), to.port);
    let connected = tokio::task::spawn_blocking(move || {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (host.as_str(), port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT)
                .and_then(|stream| Line::new(stream, patience))
            {
                Ok(line) => return Ok(line),
                Err(error) => last = error,
            }
        }
        Err(last)
    });
    let unreachable =
        |error: io::Error| Invalid::new(format!("destination: {to} cannot be reached: {error}"));
    connected
        .await
        .map_err(|error| Error::backend("Connecting was given up", error))?
        .map_err(|error| unreachable(error).into())
}

fn id(id: Uuid) -> Sxp {
    Sxp::list([Sxp::atom("id"), Sxp::atom(id.to_string())])
}

/// The message if it is `expected`, or the reason that came instead.
fn expect(message: &Sxp, expected: &str) -> Result<(), Error> {
    match message.head() {
        Some(head) if head == expected => Ok(()),
        Some("err") => {
            let reason =
                message.tail().first().and_then(Sxp::as_str).unwrap_or("it gave no reason");
            Err(Error::Remote { reason: reason.chars().take(1000).collect() })
        }
        _ => Err(Error::Remote { reason: "something that is not expected here".to_owned() }),
    }
}

#[async_trait]
impl Courier for TcpCourier {
    async fn open(&self, to: &Destination, parcel: &Parcel) -> Result<Box<dyn Outgoing>, Error> {
        let line = reach(to, self.patience).await?;
        let named = |key, config| Sxp::list([Sxp::atom(key), shape::stored_config(config)]);
        let mut message = vec![
            Sxp::atom("receive"),
            Sxp::list([Sxp::atom("version"), Sxp::atom("1")]),
            id(parcel.id),
            named("config", &parcel.config),
        ];
        message.extend(parcel.definition.iter().map(|definition| named("definition", definition)));
        line.send(&Sxp::list(message)).await?;
        expect(&line.receive().await?, "ready")?;
        Ok(Box::new(Sending { line }))
    }

    async fn verdict(&self, of: &Handover) -> Result<Verdict, Error> {
        let line = reach(&of.to, self.patience).await?;
        line.send(&Sxp::list([Sxp::atom("verdict"), id(of.id)])).await?;
        let answer = line.receive().await?;
        match answer.head() {
            Some("taken") => Ok(Verdict::Taken),
            Some("not-taken") => Ok(Verdict::NotTaken),
            _ => Err(expect(&answer, "taken").err().unwrap_or(Error::Stopping)),
        }
    }
}

struct Sending {
    line: Line,
}

#[async_trait]
impl Outgoing for Sending {
    fn stream(&self) -> Result<OwnedFd, Error> {
        self.line.share()
    }

    async fn built(&mut self) -> Result<Built, Error> {
        let message = self.line.receive().await?;
        if message.head() == Some("building") {
            let stage = message.tail().first().and_then(Sxp::as_str).unwrap_or_default();
            return Ok(Built::NotYet(stage.chars().take(100).collect()));
        }
        expect(&message, "arrived").map(|()| Built::Completely)
    }

    async fn reason(&mut self) -> Option<Error> {
        while let Ok(message) = self.line.receive_within(REASON).await {
            if message.head() != Some("building") {
                return expect(&message, "arrived").err();
            }
        }
        // It was us. The other host has cleared away what it had of the domain when it says so:
        // then it can be tried again.
        self.line.end().await;
        while let Ok(message) = self.line.receive_within(CLEARING).await {
            if message.head() != Some("building") {
                break;
            }
        }
        None
    }

    async fn hand_over(&mut self) -> Result<Verdict, Error> {
        self.line.send(&Sxp::list([Sxp::atom("go")])).await?;
        let answer = self.line.receive().await?;
        match answer.head() {
            // The other host has said that it will not have it.
            Some("err") => Ok(Verdict::NotTaken),
            _ => expect(&answer, "taken").map(|()| Verdict::Taken),
        }
    }
}
