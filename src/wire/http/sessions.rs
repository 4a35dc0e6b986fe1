//! Sessions of users who have logged in on the login page.
//!
//! A session ends when the user logs out, after a time without use, after a time in any case, and
//! when the account changes its password or goes. It is used by opening a page or by an operation;
//! what the script of an open page reads by itself is no use.

use super::json::host::PageSession;
use crate::core::caller::Caller;
use crate::core::rights::User;
use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The lifetime of an unused session.
const MAX_IDLE: Duration = Duration::from_secs(30 * 60);
/// The lifetime of a session.
const MAX_AGE: Duration = Duration::from_secs(12 * 60 * 60);
/// The most sessions of one user. A further one ends the one that was unused for longest.
const MAX_EACH: usize = 50;
/// The most sessions of all users.
const MAX_ALL: usize = 2000;

/// The secret by which a browser is recognized.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Token([u8; 32]);

impl Token {
    /// A token of random bytes.
    pub(super) fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// Reads the text of a cookie.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes().chunks_exact(2);
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut secret = [0; 32];
        for (byte, pair) in secret.iter_mut().zip(digits) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(secret))
    }

    /// The text of a cookie.
    pub(super) fn text(self) -> String {
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            // A String takes everything.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    user: Arc<User>,
    began: Instant,
    used: Mutex<Instant>,
    has_ended: AtomicBool,
}

/// Whether what a caller has open may go on: neither the account nor the session, if there is one,
/// has ended.
pub(super) fn may_go_on(caller: &Caller, session: Option<&Session>) -> bool {
    caller.user().is_none_or(|user| !user.is_revoked()) && session.is_none_or(Session::is_alive)
}

impl Session {
    fn new(user: Arc<User>) -> Self {
        let now = Instant::now();
        Self { user, began: now, used: Mutex::new(now), has_ended: AtomicBool::new(false) }
    }

    /// The user who logged in.
    pub(super) fn user(&self) -> &Arc<User> {
        &self.user
    }

    /// Whether the session still counts.
    pub(super) fn is_alive(&self) -> bool {
        !self.has_ended.load(Ordering::Acquire)
            && !self.user.is_revoked()
            && self.began.elapsed() < MAX_AGE
            && self.last_use().elapsed() < MAX_IDLE
    }

    /// Starts the time without use anew.
    pub(super) fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last_use(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
    }
}

/// All sessions, by their tokens. Users log in again after a restart.
///
/// The map hashes tokens with a key of the process's own, so that the time of a lookup does not
/// tell how much of a guess is right.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<Token, Arc<Session>>>);

impl Sessions {
    /// Begins a session of a user who has logged in.
    pub(super) fn begin(&self, token: Token, user: Arc<User>) {
        let mut all = self.lock();
        all.retain(|_, session| session.is_alive());
        if all.values().filter(|session| session.user == user).count() >= MAX_EACH {
            end_longest_unused(&mut all, |session| session.user == user);
        }
        if all.len() >= MAX_ALL {
            end_longest_unused(&mut all, |_| true);
        }
        all.insert(token, Arc::new(Session::new(user)));
    }

    /// All sessions that are alive, by user, the newest first. Their secrets are nobody's to see.
    pub(super) fn all(&self) -> Vec<PageSession> {
        let all = self.lock();
        let alive = all.values().filter(|session| session.is_alive());
        let mut all: Vec<_> = alive
            .map(|session| PageSession {
                user: session.user.name().to_owned(),
                age_seconds: session.began.elapsed().as_secs(),
                idle_seconds: session.last_use().elapsed().as_secs(),
            })
            .collect();
        all.sort_by(|a, b| (&a.user, a.age_seconds).cmp(&(&b.user, b.age_seconds)));
        all
    }

    /// The session of a token, if there is one and it is alive.
    pub(super) fn find(&self, token: &Token) -> Option<Arc<Session>> {
        let mut all = self.lock();
        let session = all.get(token)?;
        if session.is_alive() {
            return Some(session.clone());
        }
        all.remove(token);
        None
    }

    /// Ends the session of a token, and the streams of events that it has.
    pub(super) fn end(&self, token: &Token) {
        if let Some(session) = self.lock().remove(token) {
            session.end();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Token, Arc<Session>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end_longest_unused(all: &mut HashMap<Token, Arc<Session>>, of: impl Fn(&Session) -> bool) {
    let those = all.iter().filter(|(_, session)| of(session));
    let longest = those.min_by_key(|(_, session)| session.last_use()).map(|(token, _)| *token);
    if let Some(session) = longest.and_then(|token| all.remove(&token)) {
        session.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rights::{Access, Account, Accounts, Credential};
    use tokio::time::advance;

    fn account(name: &str, hash: &str) -> Account {
        Account::new(name, Credential::Hash(hash.to_owned()), Access::default())
    }

    fn user(name: &str) -> Arc<User> {
        Arc::new(User::new(account(name, "")))
    }

    fn token(number: usize) -> Token {
        let mut secret = [0; 32];
        secret[..8].copy_from_slice(&number.to_be_bytes());
        Token::new(secret)
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_token_is_printed_and_read() {
        let token = token(0x0123_4567_89ab_cdef);
        assert!(token.text().starts_with("0123456789abcdef00"));
        assert_eq!(Token::parse(&token.text()), Some(token));
        assert_eq!(format!("{token:?}"), "Token(..)");
        for wrong in ["", "00", &"0".repeat(63), &"0".repeat(65), &"+1".repeat(32), &"ä".repeat(32)]
        {
            assert_eq!(Token::parse(wrong), None, "{wrong}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_when_it_is_unused_or_old() {
        let sessions = Sessions::default();
        sessions.begin(token(1), user("steve"));
        sessions.begin(token(2), user("ann"));
        advance(MAX_IDLE / 2).await;
        sessions.find(&token(1)).unwrap().touch();
        advance(MAX_IDLE / 2).await;
        assert!(sessions.find(&token(2)).is_none() && sessions.find(&token(3)).is_none());
        let session = sessions.find(&token(1)).unwrap();
        assert_eq!(session.user().name(), "steve");
        while session.is_alive() {
            session.touch();
            advance(60 * SECOND).await;
        }
        assert!(session.began.elapsed() >= MAX_AGE && sessions.find(&token(1)).is_none());
    }

    #[tokio::test]
    async fn a_session_ends_with_the_logout_and_with_the_account() {
        let sessions = Sessions::default();
        let accounts = Accounts::default();
        accounts.replace(vec![account("steve", "a")], None);
        let steve = accounts.get("steve").unwrap();
        sessions.begin(token(1), steve.clone());
        sessions.begin(token(2), steve);
        let first = sessions.find(&token(1)).unwrap();
        sessions.end(&token(1));
        assert!(!first.is_alive() && sessions.find(&token(1)).is_none());
        let second = sessions.find(&token(2)).unwrap();
        accounts.replace(vec![account("steve", "b")], None);
        assert!(!second.is_alive() && sessions.find(&token(2)).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_bounds() {
        let sessions = Sessions::default();
        let steve = user("steve");
        sessions.begin(token(0), user("ann"));
        for number in 1..=MAX_EACH + 1 {
            advance(SECOND).await;
            sessions.begin(token(number), steve.clone());
        }
        let has = |number| sessions.find(&token(number)).is_some();
        assert!(has(0) && !has(1) && has(2) && has(MAX_EACH + 1));
        for number in 0..MAX_ALL {
            sessions.begin(token(1_000_000 + number), user("many"));
        }
        assert_eq!(sessions.lock().len(), MAX_ALL);
        assert!(!has(0) && !has(2));
    }
}
