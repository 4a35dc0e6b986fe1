//! Who has logged in.
//!
//! Over the unix socket the user is who the kernel says that it is; what a client calls itself is
//! noted and means nothing.

use super::XenApi;
use super::event::Seen;
use super::failure::Failure;
use super::notes::Shelf;
use super::table::{Call, Class, Field, Work};
use super::world::World;
use crate::core::caller::{Caller, Via};
use crate::core::model::Uuid;
use crate::core::ports::LoginError;
use crate::wire::xmlrpc::codec;
use crate::wire::xmlrpc::endpoint::LoginPolicy;
use crate::wire::xmlrpc::value::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a session lives that nobody uses.
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);

/// How many sessions one originator can have: beyond that its oldest one ends.
const EACH: usize = 1000;

/// Who a session belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Who {
    /// What the user called itself.
    pub(super) user: String,
}

/// How many passwords of one originator are checked at a time.
const TRIES: usize = 4;

/// How long a try waits for its turn.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the answer to a wrong password takes.
const REFUSED: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
struct Session {
    who: Who,
    /// Where it came from.
    originator: String,
    /// When it was last used.
    active: SystemTime,
    /// What it was told of, if it wants to be told.
    seen: Option<Seen>,
}

/// All sessions. They end with the daemon, and clients log in again.
///
/// A reference is looked up by its hash, with a key of the process's own: how long that takes says
/// nothing of how much of a guess is right.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    all: Mutex<HashMap<Uuid, Session>>,
    /// Whose passwords are being checked.
    trying: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Session>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets an originator try a password, when not too many of its other tries are under way; none
    /// if that takes too long.
    async fn turn(&self, originator: &str) -> Option<OwnedSemaphorePermit> {
        let turns = {
            let mut trying = self.trying.lock().unwrap_or_else(PoisonError::into_inner);
            trying.retain(|_, turns| Arc::strong_count(turns) > 1);
            let turns = trying.entry(originator.to_owned());
            turns.or_insert_with(|| Arc::new(Semaphore::new(TRIES))).clone()
        };
        tokio::time::timeout(PATIENCE, turns.acquire_owned()).await.ok()?.ok()
    }

    /// A new one, whose reference cannot be guessed: it is 122 random bits.
    fn begin(&self, user: String, originator: String, now: SystemTime) -> Uuid {
        let mut sessions = self.lock();
        sessions.retain(|_, session| now.duration_since(session.active).unwrap_or_default() < IDLE);
        let own = sessions.iter().filter(|(_, session)| session.originator == originator);
        let (count, oldest) = (own.clone().count(), own.min_by_key(|(_, session)| session.active));
        if let Some(oldest) = oldest.map(|(uuid, _)| *uuid).filter(|_| count >= EACH) {
            sessions.remove(&oldest);
        }
        let uuid = Uuid::new_v4();
        sessions.insert(uuid, Session { who: Who { user }, originator, active: now, seen: None });
        uuid
    }

    /// Whose session it is, which is in use from now on.
    pub(super) fn check(&self, session: &str) -> Result<Who, Failure> {
        let (now, invalid) = (SystemTime::now(), || Failure::new("SESSION_INVALID", [session]));
        let uuid = Uuid::try_parse(session).map_err(|_| invalid())?;
        let mut sessions = self.lock();
        let found = sessions.get_mut(&uuid).ok_or_else(invalid)?;
        if now.duration_since(found.active).unwrap_or_default() >= IDLE {
            sessions.remove(&uuid);
            return Err(invalid());
        }
        found.active = now;
        Ok(found.who.clone())
    }

    /// Works on what a session was told of.
    pub(super) fn seen<T>(
        &self,
        session: &str,
        work: impl FnOnce(&mut Option<Seen>) -> T,
    ) -> Result<T, Failure> {
        let invalid = || Failure::new("SESSION_INVALID", [session]);
        let uuid = Uuid::try_parse(session).map_err(|_| invalid())?;
        self.lock().get_mut(&uuid).map(|found| work(&mut found.seen)).ok_or_else(invalid)
    }

    pub(super) fn forget(&self, session: &str) {
        if let Ok(uuid) = Uuid::try_parse(session) {
            self.lock().remove(&uuid);
        }
    }

    fn get(&self, uuid: Uuid) -> Option<Session> {
        self.lock().get(&uuid).cloned()
    }
}

/// The login, which is no method of a class.
pub(super) const LOGIN: &str = "session.login_with_password";

/// Its parameters. Later clients add a version and an originator.
pub(super) const LOGIN_TAKES: &[&str] = &["uname", "pwd", "version", "originator"];

/// How many of them must be given.
pub(super) const LOGIN_NEEDS: usize = 2;

/// `session.login_with_password(user, password)`, and the version and originator that later clients
/// add.
pub(super) async fn log_in(
    wire: &XenApi,
    login: &LoginPolicy,
    caller: &Caller,
    call: &codec::Call,
) -> Result<Value, Failure> {
    if call.method != LOGIN {
        return Err(Failure::new("MESSAGE_METHOD_UNKNOWN", [call.method.as_str()]));
    }
    let given = call.params.len();
    if !(LOGIN_NEEDS..=LOGIN_TAKES.len()).contains(&given) {
        let counts = [LOGIN, "2", &given.to_string()];
        return Err(Failure::new("MESSAGE_PARAMETER_COUNT_MISMATCH", counts));
    }
    let denied = || Failure::new("SESSION_AUTHENTICATION_FAILED", []);
    let [Some(Value::Text(user)), Some(Value::Text(password))] =
        [call.params.first(), call.params.get(1)]
    else {
        return Err(denied());
    };
    let originator = match &caller.via {
        Via::Unix { uid: Some(uid), .. } => format!("uid {uid}"),
        Via::Unix { uid: None, .. } => "unix".to_owned(),
        Via::Tcp { peer, .. } => peer.ip().to_canonical().to_string(),
        Via::Internal => "internal".to_owned(),
    };
    let sessions = &wire.sessions;
    match login {
        _ if wire.is_local_admin(caller) => {}
        LoginPolicy::Trust if matches!(caller.via, Via::Tcp { .. }) => {}
        LoginPolicy::Password(authenticator) => {
            let _turn = sessions.turn(&originator).await.ok_or_else(denied)?;
            if let Err(error) = authenticator.check(user, password).await {
                let broken = matches!(error, LoginError::Broken(_));
                if broken {
                    tracing::error!(%caller, %error, "Nobody can log in to the Xen-API");
                } else {
                    tracing::warn!(%caller, %error, "A login to the Xen-API was refused");
                }
                // While it waits, its originator has one turn less.
                tokio::time::sleep(REFUSED).await;
                return Err(denied());
            }
        }
        // Who it is is known, and it is nobody who may do anything here.
        LoginPolicy::Trust | LoginPolicy::Deny => {
            tracing::warn!(%caller, "A login to the Xen-API was refused");
            return Err(Failure::new("PERMISSION_DENIED", []));
        }
    }
    let session = sessions.begin(user.clone(), originator, SystemTime::now());
    tracing::info!(%caller, "A session of the Xen-API begins");
    Ok(Value::text(session.to_string()))
}

/// A session sees itself and no other one: whoever has a reference has the session.
fn own(world: &World) -> Option<Uuid> {
    Uuid::try_parse(&world.session).ok()
}

fn get(world: &World, uuid: Uuid) -> Option<Session> {
    world.wire.sessions.get(uuid).filter(|_| own(world) == Some(uuid))
}

pub(super) static SESSION: Class = Class {
    name: "session",
    all: |world| own(world).into_iter().collect(),
    needs: &[],
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, uuid| get(world, uuid).map(|_| Value::text(uuid.to_string()))),
        Field::read("this_host", |world, _| Some(world.host_ref())),
        Field::read("this_user", |world, uuid| Some(Value::text(get(world, uuid)?.who.user))),
        Field::read("last_active", |world, uuid| Some(World::time(get(world, uuid)?.active))),
    ],
    calls: &[
        Call::free("logout", &["session"], |_, _, _| Ok(Work::LogOut)),
        Call::free("local_logout", &["session"], |_, _, _| Ok(Work::LogOut)),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_nobody_uses_it_and_when_there_are_too_many() {
        let sessions = Sessions::default();
        let now = SystemTime::now();
        let old = sessions.begin("old".into(), "uid 0".into(), now - IDLE);
        assert!(sessions.check(&old.to_string()).is_err());
        let first = sessions.begin("first".into(), "uid 0".into(), now - Duration::from_secs(60));
        let other = sessions.begin("other".into(), "uid 7".into(), now - Duration::from_secs(120));
        for _ in 0..EACH {
            sessions.begin("more".into(), "uid 0".into(), now);
        }
        assert!(sessions.check(&first.to_string()).is_err(), "it was the oldest of its originator");
        assert_eq!(sessions.check(&other.to_string()), Ok(Who { user: "other".into() }));
        sessions.forget(&other.to_string());
        assert!(sessions.check(&other.to_string()).is_err());
        assert!(sessions.check("").is_err());
    }
}
