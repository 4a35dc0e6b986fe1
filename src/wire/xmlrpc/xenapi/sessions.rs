//! Sessions of the Xen-API.

use super::events::Registration;
use super::failure::Failure;
use crate::core::model::Uuid;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Lifetime of an unused session.
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);

/// Limit of sessions of one originator. A further session ends the oldest one.
const MAX_EACH: usize = 1000;

/// Limit of simultaneous password checks of one originator.
const MAX_LOGINS: usize = 4;

/// Time limit of waiting for other logins of the same originator.
const LOGIN_QUEUE: Duration = Duration::from_secs(20);

/// A session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// The name that the user logged in with.
    pub(crate) user: String,
    originator: String,
    /// The time of its last call.
    pub(crate) active: SystemTime,
    /// The registration for events; `None` without one.
    registration: Option<Registration>,
}

/// All sessions, by their references. Clients log in again after a restart.
///
/// The map hashes references with a key of the process's own, so that the time of a lookup does not
/// tell how much of a guess is right.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    all: Mutex<HashMap<Uuid, Session>>,
    /// Limits of logins, by originator.
    logins: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Session>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Permission to check a password of an originator; `None` if too many of its other logins are
    /// under way for too long.
    pub(crate) async fn login_permit(&self, originator: &str) -> Option<OwnedSemaphorePermit> {
        let permits = {
            let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
            logins.retain(|_, permits| Arc::strong_count(permits) > 1);
            let permits = logins.entry(originator.to_owned());
            permits.or_insert_with(|| Arc::new(Semaphore::new(MAX_LOGINS))).clone()
        };
        tokio::time::timeout(LOGIN_QUEUE, permits.acquire_owned()).await.ok()?.ok()
    }

    /// Begins a session. Its reference must be random.
    pub(crate) fn begin(&self, reference: Uuid, user: String, originator: String, now: SystemTime) {
        let mut sessions = self.lock();
        sessions.retain(|_, session| now.duration_since(session.active).unwrap_or_default() < IDLE);
        let own = sessions.iter().filter(|(_, session)| session.originator == originator);
        let count = own.clone().count();
        let oldest = own.min_by_key(|(_, session)| session.active).map(|(uuid, _)| *uuid);
        if let Some(oldest) = oldest.filter(|_| count >= MAX_EACH) {
            sessions.remove(&oldest);
        }
        sessions.insert(reference, Session { user, originator, active: now, registration: None });
    }

    /// The user of a session, which is in use from now on.
    pub(crate) fn check(&self, reference: &str, now: SystemTime) -> Result<String, Failure> {
        let invalid = || Failure::new("SESSION_INVALID", [reference]);
        let uuid = Uuid::try_parse(reference).map_err(|_| invalid())?;
        let mut sessions = self.lock();
        let session = sessions.get_mut(&uuid).ok_or_else(invalid)?;
        if now.duration_since(session.active).unwrap_or_default() >= IDLE {
            sessions.remove(&uuid);
            return Err(invalid());
        }
        session.active = now;
        Ok(session.user.clone())
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
        let session = sessions.get_mut(&uuid).ok_or_else(invalid)?;
        Ok(work(&mut session.registration))
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

    #[test]
    fn a_session_ends_when_it_is_unused_and_when_there_are_too_many() {
        let sessions = Sessions::default();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let mut last = 0;
        let mut begin = |user: &str, originator: &str, active| {
            last += 1;
            let reference = Uuid::from_u128(last);
            sessions.begin(reference, user.into(), originator.into(), active);
            reference
        };
        let user = |reference: Uuid| sessions.check(&reference.to_string(), now).ok();
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
}
