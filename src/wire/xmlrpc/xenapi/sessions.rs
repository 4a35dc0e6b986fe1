//! Sessions of the Xen-API.

use super::events::Registration;
use super::failure::Failure;
use crate::core::caller::Principal;
use crate::core::model::Uuid;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Lifetime of an unused session.
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);

/// Limit of sessions of one originator. A further session ends the oldest one.
const MAX_EACH: usize = 1000;

/// The session that a call belongs to.
#[derive(Debug, Clone)]
pub(crate) struct CallSession {
    pub(crate) reference: String,
    /// The name that the user logged in with; that of the account for a user of one.
    pub(crate) user: String,
    /// Who makes the call, over whatever connection it comes.
    pub(crate) principal: Principal,
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
    /// The registration for events; `None` without one.
    registration: Option<Registration>,
}

impl Session {
    /// Whether its account is gone or has another password.
    fn is_revoked(&self) -> bool {
        matches!(&self.principal, Principal::User(user) if user.is_revoked())
    }

    fn is_over(&self, now: SystemTime) -> bool {
        self.is_revoked() || now.duration_since(self.active).unwrap_or_default() >= IDLE
    }
}

/// All sessions, by their references. Clients log in again after a restart.
///
/// The map hashes references with a key of the process's own, so that the time of a lookup does not
/// tell how much of a guess is right.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<Uuid, Session>>);

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a session. Its reference must be random. `originator` is the user or host that the
    /// login comes from.
    pub(crate) fn begin(
        &self,
        reference: Uuid,
        user: String,
        principal: Principal,
        originator: String,
        now: SystemTime,
    ) {
        let mut sessions = self.lock();
        sessions.retain(|_, session| !session.is_over(now));
        let own = sessions.iter().filter(|(_, session)| session.originator == originator);
        let count = own.clone().count();
        let oldest = own.min_by_key(|(_, session)| session.active).map(|(uuid, _)| *uuid);
        if let Some(oldest) = oldest.filter(|_| count >= MAX_EACH) {
            sessions.remove(&oldest);
        }
        let session = Session { user, principal, originator, active: now, registration: None };
        sessions.insert(reference, session);
    }

    /// The session with this reference, which is in use from now on.
    pub(crate) fn check(&self, reference: &str, now: SystemTime) -> Result<CallSession, Failure> {
        let invalid = || Failure::new("SESSION_INVALID", [reference]);
        let uuid = Uuid::try_parse(reference).map_err(|_| invalid())?;
        let mut sessions = self.lock();
        let session = sessions.get_mut(&uuid).ok_or_else(invalid)?;
        if session.is_over(now) {
            sessions.remove(&uuid);
            return Err(invalid());
        }
        session.active = now;
        Ok(CallSession {
            reference: reference.to_owned(),
            user: session.user.clone(),
            principal: session.principal.clone(),
        })
    }

    /// Works on the registration of a session for events.
    pub(crate) fn with_registration<T>(
        &self,
        reference: &str,
        work: impl FnOnce(&mut Option<Registration>) -> T,
    ) -> Result<T, Failure> {
        let invalid = || Failure::new("SESSION_INVALID", [reference]);
        let uuid = Uuid::try_parse(reference).map_err(|_| invalid())?;
        let mut sessions = self.lock();
        let session = sessions.get_mut(&uuid).filter(|session| !session.is_revoked());
        Ok(work(&mut session.ok_or_else(invalid)?.registration))
    }

    pub(crate) fn end(&self, reference: &str) {
        if let Ok(uuid) = Uuid::try_parse(reference) {
            self.lock().remove(&uuid);
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

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
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
        let old = begin("old", "uid 0", now - IDLE);
        assert_eq!(user(old), None);
        let first = begin("first", "uid 0", now - Duration::from_secs(60));
        let other = begin("other", "uid 7", now - Duration::from_secs(120));
        for _ in 0..MAX_EACH {
            begin("more", "uid 0", now);
        }
        assert_eq!(user(first), None, "it was the oldest of its originator");
        assert_eq!(user(other).as_deref(), Some("other"));
        sessions.end(&other.to_string());
        assert_eq!(user(other), None);
        assert!(sessions.check("", now).is_err());
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
