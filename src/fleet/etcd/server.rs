//! Which server of etcd is asked, and what a connection to it needs.

use super::error::{self, CallKind};
use crate::fleet::kv::{KvAlarm, KvError, KvServer};
use crate::fleet::settings::{EtcdEndpoint, EtcdLogin, EtcdSettings, read};
use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};

/// How long a server may take to say that it is there. The rest of a call's time is for the call.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// The first version whose watches lose no events.
const OLDEST: Version = Version(3, 5, 13);

/// A server that has answered.
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) endpoint: String,
    pub(super) version: Version,
    alarms: Vec<KvAlarm>,
}

impl Connection {
    /// Whether the progress of its watches is that of the events that it has sent.
    pub(super) fn has_true_progress(&self) -> bool {
        self.version >= OLDEST
    }
}

/// The servers of one etcd.
pub(super) struct Servers {
    settings: EtcdSettings,
    /// Who has all calls, until it fails one. Who finds nobody looks for one while the others wait.
    current: Mutex<Option<Arc<Connection>>>,
}

impl Servers {
    pub(super) fn new(settings: EtcdSettings) -> Self {
        Self { settings, current: Mutex::default() }
    }

    /// The server that is asked.
    pub(super) async fn connection(&self, deadline: Instant) -> Result<Arc<Connection>, KvError> {
        let find = async {
            let mut current = self.current.lock().await;
            if let Some(connection) = &*current {
                return Ok(Arc::clone(connection));
            }
            let connection = Arc::new(self.first().await?);
            *current = Some(Arc::clone(&connection));
            Ok(connection)
        };
        let late = || KvError::Unreachable("no server has answered in time".to_owned());
        timeout_at(deadline, find).await.unwrap_or_else(|_| Err(late()))
    }

    /// A server has failed: the next call is another one's, or this one's on a new connection.
    pub(super) async fn forget(&self, failed: &Arc<Connection>) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, failed)) {
            *current = None;
        }
    }

    /// What each server says of itself, or why it is of no use.
    pub(super) async fn status(&self) -> Vec<(String, Result<KvServer, String>)> {
        let asked = self.settings.endpoints.iter().map(|endpoint| async move {
            let opened = self.open(endpoint).await;
            let server = opened.map(|Connection { version, alarms, .. }| KvServer {
                version: version.to_string(),
                alarms,
            });
            let reason = |error| match error {
                // The endpoint stands before it in any case.
                KvError::Unreachable(reason) | KvError::Refused(reason) => {
                    reason.trim_start_matches(&format!("{endpoint}: ")).to_owned()
                }
                error => error.to_string(),
            };
            (endpoint.to_string(), server.map_err(reason))
        });
        join_all(asked).await
    }

    /// The first server that answers.
    async fn first(&self) -> Result<Connection, KvError> {
        let endpoints = self.settings.endpoints.iter();
        let mut opening: FuturesUnordered<_> =
            endpoints.map(|endpoint| self.open(endpoint)).collect();
        let mut reasons = Vec::new();
        let mut refusal = None;
        while let Some(opened) = opening.next().await {
            match opened {
                Ok(connection) => return Ok(connection),
                Err(KvError::Unreachable(reason)) => reasons.push(reason),
                Err(error) => refusal = Some(error),
            }
        }
        // A refusal says what to change, of this host or of etcd.
        Err(refusal.unwrap_or_else(|| KvError::Unreachable(reasons.join("; "))))
    }

    async fn open(&self, endpoint: &EtcdEndpoint) -> Result<Connection, KvError> {
        let opening = async {
            let options = self.options(endpoint).await?;
            let open = async {
                let client = Client::connect([endpoint.url()], Some(options)).await?;
                let status = client.maintenance_client().status().await?;
                Ok((client, status))
            };
            let failed = |error| error::of_call(&error, CallKind::Read, endpoint.url());
            let (client, status) = open.await.map_err(failed)?;
            let version = status.version();
            let version: Version = version.parse().map_err(|()| {
                KvError::Refused(format!("{endpoint} has the version {version:?}"))
            })?;
            if version < OLDEST && !self.settings.allows_old {
                return Err(KvError::Refused(format!(
                    "etcd {version} at {endpoint} can lose events: update it to {OLDEST} or later, \
                     or write (xend-fleet-old-etcd yes)"
                )));
            }
            let alarms = alarms(status.errors());
            Ok(Connection { client, endpoint: endpoint.to_string(), version, alarms })
        };
        timeout(CONNECT_LIMIT, opening).await.unwrap_or_else(|_| {
            let limit = CONNECT_LIMIT.as_secs();
            Err(KvError::Unreachable(format!("{endpoint}: no answer within {limit} s")))
        })
    }

    /// What a connection needs. The files are read for each, so that a new certificate counts when
    /// the old one is refused.
    async fn options(&self, endpoint: &EtcdEndpoint) -> Result<ConnectOptions, KvError> {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(CONNECT_LIMIT)
            // A server that is cut off from the others says so.
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        let settings = self.settings.clone();
        let read = move || Ok((tls(&settings)?, settings.login.as_ref().map(login).transpose()?));
        let read = spawn_blocking(read).await.unwrap_or_else(|error| Err(error.to_string()));
        let (tls, login) = read.map_err(KvError::Refused)?;
        if endpoint.is_encrypted() {
            options = options.with_tls(tls);
        }
        if let Some((user, password)) = login {
            options = options.with_user(user, password);
        }
        Ok(options)
    }
}

/// The alarms among what a server says is wrong: `memberID:8211f1d0f64f3269 alarm:NOSPACE`.
fn alarms(errors: &[String]) -> Vec<KvAlarm> {
    let has = |word: &str| errors.iter().any(|error| error.contains(word));
    let known = [("NOSPACE", KvAlarm::NoSpace), ("CORRUPT", KvAlarm::Corrupt)];
    known.into_iter().filter(|(word, _)| has(word)).map(|(_, alarm)| alarm).collect()
}

fn tls(settings: &EtcdSettings) -> Result<TlsOptions, String> {
    // The client library names no file that it cannot use.
    settings.check_files()?;
    let mut tls = TlsOptions::new();
    if let Some(ca) = &settings.ca {
        tls = tls.ca_certificate(Certificate::from_pem(read(ca)?));
    }
    if let Some(own) = &settings.certificate {
        tls = tls.identity(Identity::from_pem(read(&own.cert)?, read(&own.key)?));
    }
    Ok(tls)
}

fn login(login: &EtcdLogin) -> Result<(String, String), String> {
    Ok((login.user.clone(), login.password()?))
}

/// A version of etcd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u32, u32, u32);

impl FromStr for Version {
    type Err = ();

    /// `3.5.16`, `3.6.0-rc.1`
    fn from_str(text: &str) -> Result<Self, ()> {
        let numbers = text.split(['-', '+']).next().unwrap_or_default();
        let mut numbers = numbers.split('.').map(|number| number.parse().map_err(drop));
        let mut next = || numbers.next().unwrap_or(Err(()));
        Ok(Self(next()?, next()?, next()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_among_errors() {
        let errors =
            ["memberID:1 alarm:NOSPACE ", "memberID:2 alarm:NOSPACE ", "etcdserver: no leader"];
        assert_eq!(alarms(&errors.map(str::to_owned)), [KvAlarm::NoSpace]);
        assert_eq!(alarms(&["memberID:1 alarm:CORRUPT ".to_owned()]), [KvAlarm::Corrupt]);
        assert_eq!(alarms(&[]), []);
    }

    #[test]
    fn versions_are_compared_by_numbers() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        for old in ["3.4.23", "3.5.9", "3.5.12", "2.9.99"] {
            assert!(version(old) < OLDEST, "{old}");
        }
        for new in ["3.5.13", "3.5.16", "3.6.0-rc.1", "3.10.0", "4.0.0+x"] {
            assert!(version(new) >= OLDEST, "{new}");
        }
        assert_eq!(version("3.5.16").to_string(), "3.5.16");
        for text in ["", "3", "3.5", "3.x.1", "v3.5.16"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
