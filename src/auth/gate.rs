//! The gate that every check of a password passes, on every wire.
//!
//! A login in order: a name or a password that is too long is refused at once, before it is hashed
//! or kept. A password that was right a short time ago is right again ([`Verified`]). Any other
//! login waits for one with the same name and password (`turns.rs`), then as long as
//! earlier failures demand ([`Slowdown`]), then for others from new sources ([`Lane`]), and then
//! for its hash (`hash.rs`). Each of these has a limit, beyond which the login fails with
//! [`LoginError::Busy`]. While a login waits for earlier failures, it takes nothing that others
//! wait for.
//!
//! The time of a refusal does not tell which accounts there are: a name without one takes as long
//! as some account would, always the same account. PAM is not asked then, since the name can be
//! that of a user of this machine: all refusals by PAM come after the same time instead.
//!
//! When the daemon stops, logins from new sources fail at once, also those that are being checked:
//! the end of the daemon waits for no stranger.
//!
//! Each login has a line in the log, but not those with a password that was right a short time ago.

use super::hash::{DUMMY_HASH, HASHER, Hasher};
use super::lane::{Lane, Slowed};
use super::machine_users::pam;
use super::slowdown::Slowdown;
use super::source::Source;
use super::verified::{Digest, DigestKey, Verified};
use crate::core::caller::Via;
use crate::core::ports::{Authenticator, LoginError, Logins, fits_a_login};
use crate::core::rights::{Accounts, Credential, User};
use crate::os::OsEntropy;
use async_trait::async_trait;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// When PAM's refusals are answered, after the question. On many hosts PAM itself waits for up to
/// 4.5 s after a wrong password.
const PAM_REFUSED_AFTER: Duration = Duration::from_secs(5);

/// The shortest time between two lines of the log about logins that failed unchecked.
const UNCHECKED_LOG: Duration = Duration::from_secs(10);

/// The gate that every check of a password passes.
pub struct LoginGate {
    accounts: Arc<Accounts>,
    hasher: &'static Hasher,
    /// Checks accounts that have the password of a user of this machine.
    pam: Option<Pam>,
    key: DigestKey,
    /// For the choice of accounts that names without one take as long as.
    decoys: RandomState,
    verified: Verified,
    lane: Lane,
    slowdown: Slowdown,
    slowed: Slowed,
    unchecked: Mutex<Unchecked>,
    /// Cancelled when the daemon stops.
    stopping: CancellationToken,
}

/// The users of this machine.
struct Pam {
    authenticator: Arc<dyn Authenticator>,
    /// When refusals are answered, after the question.
    refused_after: Duration,
}

/// Logins that failed unchecked, since the last line of the log about them.
struct Unchecked {
    count: u64,
    logged: Option<Instant>,
}

/// A login.
struct Login<'a> {
    user: &'a str,
    password: &'a str,
    via: &'a Via,
    digest: Digest,
}

impl LoginGate {
    /// A gate for these accounts.
    pub fn new(accounts: Arc<Accounts>) -> Arc<Self> {
        let pam =
            pam().map(|authenticator| Pam { authenticator, refused_after: PAM_REFUSED_AFTER });
        Self::with(accounts, &HASHER, pam)
    }

    fn with(accounts: Arc<Accounts>, hasher: &'static Hasher, pam: Option<Pam>) -> Arc<Self> {
        Arc::new(Self {
            accounts,
            hasher,
            pam,
            key: DigestKey::random(&OsEntropy),
            decoys: RandomState::new(),
            verified: Verified::default(),
            lane: Lane::default(),
            slowdown: Slowdown::default(),
            slowed: Slowed::default(),
            unchecked: Mutex::new(Unchecked { count: 0, logged: None }),
            stopping: CancellationToken::new(),
        })
    }

    /// Has logins from new sources fail from now on with [`LoginError::Busy`], those that wait
    /// included.
    pub fn begin_stop(&self) {
        self.stopping.cancel();
    }

    /// The same authenticator behind this gate.
    pub fn wrap(self: &Arc<Self>, authenticator: Arc<dyn Authenticator>) -> Arc<dyn Authenticator> {
        Arc::new(Gated { gate: self.clone(), lane: Lane::default(), authenticator })
    }

    fn login<'a>(&self, user: &'a str, password: &'a str, via: &'a Via) -> Login<'a> {
        Login { user, password, via, digest: self.key.digest(user, password) }
    }

    /// Refuses a login whose name or password is too long. It costs nothing, so it slows no other
    /// login down.
    fn check_length(&self, user: &str, password: &str, via: &Via) -> Result<(), LoginError> {
        if fits_a_login(user, password) {
            return Ok(());
        }
        if let Some(count) = self.count_unchecked(Instant::now()) {
            let user = Shown(user);
            tracing::warn!(
                %user, %via,
                "{count} logins were turned away unchecked: the name or the password of this one \
                 is too long"
            );
        }
        Err(LoginError::Refused("the name or the password is too long".to_owned()))
    }

    /// Lets a login through in its turn. `known` is the result if no check is needed.
    async fn admit<T>(
        &self,
        login: &Login<'_>,
        lane: &Lane,
        known: impl Fn() -> Option<T>,
        check: impl Future<Output = Result<T, LoginError>>,
    ) -> Result<T, LoginError> {
        if let Some(known) = known() {
            return Ok(known);
        }
        let result = match self.until_stopped(login, lane.turns.take(&login.digest)).await.flatten()
        {
            None => Err(LoginError::Busy),
            Some(was_refused) if *was_refused => {
                Err(LoginError::Refused("this password was refused at the same time".to_owned()))
            }
            Some(mut was_refused) => {
                if let Some(known) = known() {
                    return Ok(known);
                }
                let checked =
                    self.until_stopped(login, self.check_slowly(login, lane, check)).await;
                let result = checked.unwrap_or(Err(LoginError::Busy));
                *was_refused = matches!(result, Err(LoginError::Refused(_)));
                result
            }
        };
        self.log(login, result.as_ref().err());
        result
    }

    /// The end of a wait or a check; `None` for a stranger when the daemon stops.
    async fn until_stopped<T>(
        &self,
        login: &Login<'_>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        if self.slowdown.is_known(login.user, Source::from(login.via), Instant::now()) {
            return Some(work.await);
        }
        self.stopping.run_until_cancelled(work).await
    }

    /// Checks a login when earlier failures allow it.
    async fn check_slowly<T>(
        &self,
        login: &Login<'_>,
        lane: &Lane,
        check: impl Future<Output = Result<T, LoginError>>,
    ) -> Result<T, LoginError> {
        let now = Instant::now();
        let source = Source::from(login.via);
        let attempt = self.slowdown.plan(login.user, source, now).ok_or(LoginError::Busy)?;
        if attempt.at > now {
            let Some(_slowed) = self.slowed.take(attempt.is_known) else {
                self.slowdown.withdraw(&attempt);
                return Err(LoginError::Busy);
            };
            sleep_until(attempt.at).await;
        }
        let result = if attempt.is_known {
            check.await
        } else {
            match lane.enter().await {
                Some(_permit) => check.await,
                None => Err(LoginError::Busy),
            }
        };
        match &result {
            Ok(_) => self.slowdown.succeeded(attempt, Instant::now()),
            Err(LoginError::Refused(_)) => {}
            Err(LoginError::Broken(_) | LoginError::Busy) => self.slowdown.withdraw(&attempt),
        }
        result
    }

    /// Checks the password of an account.
    async fn check_account(&self, login: &Login<'_>) -> Result<Arc<User>, LoginError> {
        let refused = |reason: &str| Err(LoginError::Refused(reason.to_owned()));
        let user = self.accounts.get(login.user);
        let credential = user.as_deref().map(User::credential);
        match (credential, &self.pam) {
            (Some(Credential::Hash(hash)), _) => {
                if !self.hasher.matches(login.password, hash).await? {
                    return refused("wrong password");
                }
            }
            (Some(Credential::Pam), Some(pam)) => {
                pam.check(login).await?;
            }
            (Some(Credential::Pam), None) => {
                return Err(LoginError::Broken("this xend is built without PAM".to_owned()));
            }
            (Some(Credential::None), _) => {
                self.check_decoy(login).await?;
                return refused("the account has no password");
            }
            (None, _) => {
                self.check_decoy(login).await?;
                return refused("no such account");
            }
        }
        match user.filter(|user| !user.is_revoked()) {
            Some(user) => {
                self.verified.insert(user.clone(), login.digest, Instant::now());
                Ok(user)
            }
            None => refused("the account has changed meanwhile"),
        }
    }

    /// Takes as long as the refusal of a wrong password.
    async fn check_decoy(&self, login: &Login<'_>) -> Result<(), LoginError> {
        let decoy = self.decoy(login.user);
        match (decoy.as_deref().map(User::credential), &self.pam) {
            (Some(Credential::Pam), Some(pam)) => sleep(pam.refused_after).await,
            (Some(Credential::Hash(hash)), _) => {
                self.hasher.matches(login.password, hash).await?;
            }
            _ => {
                self.hasher.matches(login.password, DUMMY_HASH).await?;
            }
        }
        Ok(())
    }

    /// The account that a name without a password takes as long as; `None` if no account has one.
    /// Names are spread evenly over the accounts.
    fn decoy(&self, name: &str) -> Option<Arc<User>> {
        let users = self.accounts.all().into_iter();
        let with_password = users.filter(|user| *user.credential() != Credential::None);
        with_password.min_by_key(|user| self.decoys.hash_one((name, user.name())))
    }

    /// Writes the line of a login to the log.
    fn log(&self, login: &Login<'_>, error: Option<&LoginError>) {
        let user = Shown(login.user);
        let via = login.via;
        match error {
            None => tracing::info!(%user, %via, "Logged in"),
            Some(LoginError::Refused(reason)) => {
                tracing::warn!(%user, %via, "A login was refused: {reason}");
            }
            Some(LoginError::Broken(reason)) => {
                tracing::error!(%user, %via, "A login could not be checked: {reason}");
            }
            // Of the daemon's end alone.
            Some(LoginError::Busy) if self.stopping.is_cancelled() => {}
            Some(LoginError::Busy) => {
                if let Some(count) = self.count_unchecked(Instant::now()) {
                    tracing::warn!(
                        %user, %via,
                        "Too many logins fail or wait: {count} were turned away unchecked, this one \
                         is the last"
                    );
                }
            }
        }
    }

    /// Counts a login that failed unchecked. The result is the number that the log is to show now;
    /// `None` if it was written to a short time ago.
    fn count_unchecked(&self, now: Instant) -> Option<u64> {
        let mut unchecked = self.unchecked.lock().unwrap_or_else(PoisonError::into_inner);
        unchecked.count += 1;
        if unchecked.logged.is_some_and(|logged| now < logged + UNCHECKED_LOG) {
            return None;
        }
        let count = unchecked.count;
        *unchecked = Unchecked { count: 0, logged: Some(now) };
        Some(count)
    }
}

impl Pam {
    async fn check(&self, login: &Login<'_>) -> Result<(), LoginError> {
        let refused_at = Instant::now() + self.refused_after;
        let result = self.authenticator.check(login.user, login.password, login.via).await;
        if matches!(result, Err(LoginError::Refused(_))) {
            sleep_until(refused_at).await;
        }
        result
    }
}

#[async_trait]
impl Logins for LoginGate {
    async fn log_in(&self, user: &str, password: &str, via: &Via) -> Result<Arc<User>, LoginError> {
        self.check_length(user, password, via)?;
        let login = self.login(user, password, via);
        let known = || self.verified.find(&self.key, user, password, Instant::now());
        self.admit(&login, &self.lane, known, self.check_account(&login)).await
    }

    fn by_uid(&self, uid: u32) -> Option<Arc<User>> {
        self.accounts.by_uid(uid)
    }

    fn anonymous(&self) -> Option<Arc<User>> {
        self.accounts.anonymous()
    }
}

/// An authenticator behind the gate.
struct Gated {
    gate: Arc<LoginGate>,
    lane: Lane,
    authenticator: Arc<dyn Authenticator>,
}

#[async_trait]
impl Authenticator for Gated {
    async fn check(&self, user: &str, password: &str, via: &Via) -> Result<(), LoginError> {
        self.gate.check_length(user, password, via)?;
        let login = self.gate.login(user, password, via);
        let check = self.authenticator.check(user, password, via);
        self.gate.admit(&login, &self.lane, || None, check).await
    }
}

/// A name that a client sent, for the log: short and in one line.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 64;
        let start: String = self.0.chars().take(MOST).collect();
        let more = if start.len() < self.0.len() { ".." } else { "" };
        write!(f, "{}{more}", start.escape_debug())
    }
}

#[cfg(test)]
mod tests;
