//! Sessions of the Xen-API.

use super::events::Registration;
use super::failure::Failure;
use crate::core::caller::Principal;
use crate::core::engine::Engine;
use crate::core::model::Uuid;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// Lifetime of an unused session.
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);

/// Limit of sessions of one originator. A further session ends the oldest one.
const MAX_EACH: usize = 1000;

/// After how many replaced bytes old moments are looked for.
const LOOK_EVERY: u64 = 4 << 20;

/// The present time: that of the day, to be shown, and one to measure ages with. A session neither
/// ends nor lives longer when somebody sets the clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) time: SystemTime,
    pub(crate) monotonic: Duration,
}

impl Now {
    pub(crate) fn of(engine: &Engine) -> Self {
        Self { time: engine.now(), monotonic: engine.monotonic() }
    }
}

#[cfg(test)]
impl std::ops::Add<Duration> for Now {
    type Output = Self;

    fn add(self, age: Duration) -> Self {
        Self { time: self.time + age, monotonic: self.monotonic + age }
    }
}

/// The session that a call belongs to.
#[derive(Debug, Clone)]
pub(crate) struct CallSession {
    pub(crate) reference: String,
    /// The name that the user logged in with; that of the account for a user of one.
    pub(crate) user: String,
    /// Who makes the call, over whatever connection it comes.
    pub(crate) principal: Principal,
    /// The account, or the user or host that the login came from.
    pub(crate) originator: String,
}

/// A session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// The name that the user logged in with; that of the account for a user of one.
    pub(crate) user: String,
    principal: Principal,
    originator: String,
    /// The time of its last call.
    pub(crate) active: SystemTime,
    /// The same by the clock that nobody sets.
    used: Duration,
    /// The registration for events; `None` without one.
    registration: Option<Registration>,
}

impl Session {
    /// Whether its account is gone or has another password.
    fn is_revoked(&self) -> bool {
        matches!(&self.principal, Principal::User(user) if user.is_revoked())
    }

    fn is_over(&self, now: Now) -> bool {
        self.is_revoked() || now.monotonic.saturating_sub(self.used) >= IDLE
    }
}

/// All sessions, by their references. Clients log in again after a restart.
///
/// The map hashes references with a key of the process's own, so that the time of a lookup does not
/// tell how much of a guess is right.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    all: Mutex<HashMap<Uuid, Session>>,
    ends: watch::Sender<u64>,
    /// The count of replaced bytes when old moments were looked for.
    looked_at: AtomicU64,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Session>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A counter of sessions that were ended: by their users, or to make room for others.
    pub(crate) fn ends(&self) -> watch::Receiver<u64> {
        self.ends.subscribe()
    }

    /// Begins a session. Its reference must be random. `originator` is the user or host that the
    /// login comes from.
    pub(crate) fn begin(
        &self,
        reference: Uuid,
        user: String,
        principal: Principal,
        originator: String,
        now: Now,
    ) {
        let mut sessions = self.lock();
        sessions.retain(|_, session| !session.is_over(now));
        let own = sessions.iter().filter(|(_, session)| session.originator == originator);
        let count = own.clone().count();
        let oldest = own.min_by_key(|(_, session)| session.used).map(|(uuid, _)| *uuid);
        if let Some(oldest) = oldest.filter(|_| count >= MAX_EACH) {
            sessions.remove(&oldest);
            self.ends.send_modify(|ends| *ends += 1);
        }
        let Now { time, monotonic } = now;
        let session = Session {
            user,
            principal,
            originator,
            active: time,
            used: monotonic,
            registration: None,
        };
        sessions.insert(reference, session);
    }

    /// The session with this reference, which is in use from now on.
    pub(crate) fn check(&self, reference: &str, now: Now) -> Result<CallSession, Failure> {
        let invalid = || Failure::no_session(reference);
        let uuid = Uuid::try_parse(reference).map_err(|_| invalid())?;
        let mut sessions = self.lock();
        let session = sessions.get_mut(&uuid).ok_or_else(invalid)?;
        if session.is_over(now) {
            sessions.remove(&uuid);
            return Err(invalid());
        }
        session.active = now.time;
        session.used = now.monotonic;
        Ok(CallSession {
            reference: uuid.to_string(),
            user: session.user.clone(),
            principal: session.principal.clone(),
            originator: session.originator.clone(),
        })
    }

    /// Whether the session with this reference is live. Its time of last use stays as it is.
    pub(crate) fn is_live(&self, reference: &str, now: Now) -> bool {
        let Ok(uuid) = Uuid::try_parse(reference) else { return false };
        self.lock().get(&uuid).is_some_and(|session| !session.is_over(now))
    }

    /// Ends the sessions that are over.
    pub(crate) fn end_old(&self, now: Now) {
        self.lock().retain(|_, session| !session.is_over(now));
    }

    /// Works on the registration of a session for events, while no other session is served: not for
    /// long.
    pub(crate) fn with_registration<T>(
        &self,
        reference: &str,
        work: impl FnOnce(&mut Option<Registration>) -> T,
    ) -> Result<T, Failure> {
        let invalid = || Failure::no_session(reference);
        let uuid = Uuid::try_parse(reference).map_err(|_| invalid())?;
        let mut sessions = self.lock();
        let session = sessions.get_mut(&uuid).filter(|session| !session.is_revoked());
        Ok(work(&mut session.ok_or_else(invalid)?.registration))
    }

    /// Drops the moments of last answers that keep too much in memory which has been replaced, up
    /// to this count. They are looked for when the count has grown by some MiB.
    pub(crate) fn drop_old_moments(&self, replaced: u64) {
        if replaced.saturating_sub(self.looked_at.load(Ordering::Relaxed)) < LOOK_EVERY {
            return;
        }
        self.looked_at.store(replaced, Ordering::Relaxed);
        for registration in self.lock().values_mut().filter_map(|one| one.registration.as_mut()) {
            registration.drop_if_too_old(replaced);
        }
    }

    pub(crate) fn end(&self, reference: &str) {
        if let Ok(uuid) = Uuid::try_parse(reference) {
            self.lock().remove(&uuid);
            self.ends.send_modify(|ends| *ends += 1);
        }
    }

    pub(crate) fn get(&self, uuid: Uuid) -> Option<Session> {
        self.lock().get(&uuid).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rights::{Access, Account, Accounts, Credential};

    fn now() -> Now {
        let monotonic = Duration::from_secs(1_000_000);
        Now { time: SystemTime::UNIX_EPOCH + monotonic, monotonic }
    }

    /// The time that was so long ago.
    fn ago(age: Duration) -> Now {
        let Now { time, monotonic } = now();
        Now { time: time - age, monotonic: monotonic.saturating_sub(age) }
    }

    #[test]
    fn a_session_ends_when_it_is_unused_and_when_there_are_too_many() {
        let sessions = Sessions::default();
        let now = now();
        let mut last = 0;
        let mut begin = |user: &str, originator: &str, active| {
            last += 1;
            let reference = Uuid::from_u128(last);
            let originator = originator.to_owned();
            sessions.begin(reference, user.into(), Principal::Operator, originator, active);
            reference
        };
        let user = |reference: Uuid| {
            sessions.check(&reference.to_string(), now).ok().map(|session| session.user)
        };
        let old = begin("old", "uid 0", ago(IDLE));
        assert_eq!(user(old), None);
        let first = begin("first", "uid 0", ago(Duration::from_secs(60)));
        let other = begin("other", "uid 7", ago(Duration::from_secs(120)));
        for _ in 0..MAX_EACH {
            begin("more", "uid 0", now);
        }
        assert_eq!(user(first), None, "it was the oldest of its originator");
        assert_eq!(user(other).as_deref(), Some("other"));
        sessions.end(&other.to_string());
        assert_eq!(user(other), None);
        assert!(sessions.check("", now).is_err());
        let unused = begin("unused", "uid 8", now).to_string();
        assert!(sessions.is_live(&unused, now + IDLE / 2));
        assert!(!sessions.is_live(&unused, now + IDLE), "to ask is no use");
        assert!(!sessions.is_live("", now) && !sessions.is_live(&other.to_string(), now));
        sessions.end_old(now + IDLE);
        assert!(sessions.lock().is_empty());
    }

    #[test]
    fn a_step_of_the_clock_neither_ends_nor_prolongs_a_session() {
        let sessions = Sessions::default();
        let reference = Uuid::from_u128(1);
        let Now { time, monotonic } = now();
        let operator = Principal::Operator;
        sessions.begin(reference, "root".into(), operator, "uid 0".into(), now());
        let alive = |time, monotonic| {
            sessions.check(&reference.to_string(), Now { time, monotonic }).is_ok()
        };
        assert!(alive(time + IDLE * 2, monotonic), "the clock was put on");
        assert_eq!(sessions.get(reference).unwrap().active, time + IDLE * 2);
        assert!(alive(time - IDLE, monotonic + IDLE / 2), "the clock was put back");
        assert!(!alive(time - IDLE, monotonic + IDLE / 2 + IDLE), "it was not used for a day");
    }

    #[test]
    fn a_session_ends_with_the_account() {
        let account = Account::new("steve", Credential::None, Access::default());
        let accounts = Accounts::default();
        accounts.replace(vec![account], None);
        let steve = accounts.get("steve").unwrap();
        let sessions = Sessions::default();
        let principal = Principal::User(steve.clone());
        let reference = Uuid::from_u128(1);
        sessions.begin(reference, "steve".into(), principal, "user steve".into(), now());
        let reference = reference.to_string();
        let session = sessions.check(&reference, now()).unwrap();
        assert_eq!(session.principal, Principal::User(steve));
        assert_eq!(sessions.with_registration(&reference, |one| one.is_none()), Ok(true));
        accounts.replace(vec![], None);
        let gone = Failure::new("SESSION_INVALID", [reference.as_str()]);
        assert_eq!(sessions.with_registration(&reference, |_| ()), Err(gone.clone()));
        assert_eq!(sessions.check(&reference, now()).unwrap_err(), gone);
        assert!(sessions.lock().is_empty());
    }
}
