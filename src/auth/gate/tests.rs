use super::*;
use crate::auth::hash::cheap_hash;
use crate::core::rights::{Access, Account};
use futures_util::future::join_all;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use tracing::dispatcher::Dispatch;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::fmt::MakeWriter;

/// Counts checks. The password of everybody is `right`, and `broken` is an error.
#[derive(Default)]
struct Counting(AtomicU32);

#[async_trait]
impl Authenticator for Counting {
    async fn check(&self, _: &str, password: &str, _: &Via) -> Result<(), LoginError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(10)).await;
        match password {
            "right" => Ok(()),
            "broken" => Err(LoginError::Broken("no PAM today".to_owned())),
            _ => Err(LoginError::Refused("wrong".to_owned())),
        }
    }
}

/// A gate with the accounts `steve` and `ann`, whose passwords a counting authenticator checks.
struct Fixture {
    accounts: Arc<Accounts>,
    counting: Arc<Counting>,
    gate: Arc<LoginGate>,
}

impl Fixture {
    fn new() -> Self {
        let accounts = Arc::new(Accounts::default());
        accounts.replace(
            vec![account("steve", Credential::Pam), account("ann", Credential::Pam)],
            None,
        );
        let counting = Arc::new(Counting::default());
        // The one of the process would have these tests wait for others, and paused time passes
        // meanwhile.
        let hasher = Box::leak(Box::new(Hasher::new()));
        let pam = Pam { authenticator: counting.clone(), refused_after: Duration::ZERO };
        let gate = LoginGate::with(accounts.clone(), hasher, Some(pam));
        Self { accounts, counting, gate }
    }

    /// The same, but refusals by PAM take some seconds, as they do for `new`.
    fn with_slow_refusals() -> Self {
        let Self { accounts, counting, gate } = Self::new();
        let pam = Pam { authenticator: counting.clone(), refused_after: PAM_REFUSED_AFTER };
        let gate = LoginGate::with(accounts.clone(), gate.hasher, Some(pam));
        Self { accounts, counting, gate }
    }

    fn checks(&self) -> u32 {
        self.counting.0.load(Ordering::Relaxed)
    }

    /// Logs in, and tells the seconds that it took.
    async fn log_in(&self, user: &str, password: &str, via: &Via) -> (Result<(), LoginError>, u64) {
        let start = Instant::now();
        let result = self.gate.log_in(user, password, via).await;
        (result.map(drop), start.elapsed().as_secs())
    }
}

fn account(name: &str, credential: Credential) -> Account {
    Account::new(name, credential, Access::default())
}

fn from(host: u8) -> Via {
    let peer = SocketAddr::from(([192, 0, 2, host], 4711));
    Via::Tcp { peer, local: peer, encrypted: true }
}

fn is_refused<T>(result: &Result<T, LoginError>) -> bool {
    matches!(result, Err(LoginError::Refused(_)))
}

#[tokio::test(start_paused = true)]
async fn a_right_password_is_checked_once() {
    let fixture = Fixture::new();
    let steve = fixture.gate.log_in("steve", "right", &from(1)).await.unwrap();
    assert_eq!(steve.name(), "steve");
    for _ in 0..100 {
        assert_eq!(fixture.gate.log_in("steve", "right", &from(2)).await.unwrap(), steve);
    }
    assert_eq!(fixture.checks(), 1);
    // Requests at the same time wait for the first.
    let source = from(1);
    let all = (0..20).map(|_| fixture.log_in("ann", "right", &source));
    assert!(join_all(all).await.iter().all(|(result, seconds)| result.is_ok() && *seconds == 0));
    assert_eq!(fixture.checks(), 2);
    // A new password ends that.
    let hash = Credential::Hash(cheap_hash("new"));
    fixture.accounts.replace(vec![account("steve", hash)], None);
    assert!(steve.is_revoked());
    assert!(is_refused(&fixture.gate.log_in("steve", "right", &from(1)).await));
    let again = fixture.gate.log_in("steve", "new", &from(1)).await.unwrap();
    assert!(again != steve && fixture.checks() == 2);
}

#[tokio::test(start_paused = true)]
async fn failures_slow_down_the_source_and_nobody_else() {
    let fixture = Fixture::new();
    let mut waits = Vec::new();
    for n in 0..7 {
        let (result, seconds) = fixture.log_in("steve", &format!("wrong{n}"), &from(1)).await;
        assert!(is_refused(&result));
        waits.push(seconds);
    }
    assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8]);
    let (result, seconds) = fixture.log_in("steve", "right", &from(1)).await;
    assert!(matches!(result, Err(LoginError::Busy)) && seconds == 0);
    assert_eq!(fixture.checks(), 7);
    for (user, host) in [("steve", 2), ("ann", 1)] {
        let (result, seconds) = fixture.log_in(user, "right", &from(host)).await;
        assert!(result.is_ok() && seconds == 0, "{user} at {host}");
    }
    // The password that is known to be right is right from everywhere.
    assert!(fixture.log_in("steve", "right", &from(1)).await.0.is_ok());
}

#[tokio::test(start_paused = true)]
async fn guesses_at_the_same_time_are_not_all_checked() {
    let fixture = Fixture::new();
    let guesses: Vec<String> = (0..100).map(|n| format!("wrong{n}")).collect();
    let source = from(1);
    let all = join_all(guesses.iter().map(|guess| fixture.log_in("steve", guess, &source))).await;
    let refused = all.iter().filter(|(result, _)| is_refused(result)).count();
    assert_eq!((refused, fixture.checks()), (6, 6));
    // The same guess many times is one guess.
    let fixture = Fixture::new();
    let all = join_all((0..20).map(|_| fixture.log_in("steve", "wrong", &source))).await;
    assert!(all.iter().all(|(result, seconds)| is_refused(result) && *seconds == 0));
    assert_eq!(fixture.checks(), 1);
}

#[tokio::test(start_paused = true)]
async fn names_without_an_account_are_not_told_apart() {
    let fixture = Fixture::new();
    fixture.accounts.replace(vec![account("uid", Credential::None)], None);
    for name in ["uid", "nobody"] {
        let mut waits = Vec::new();
        for n in 0..4 {
            let (result, seconds) = fixture.log_in(name, &format!("wrong{n}"), &from(1)).await;
            assert!(is_refused(&result));
            waits.push(seconds);
        }
        assert_eq!(waits, [0, 0, 0, 1], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_refusal_by_pam_does_not_tell_which_accounts_there_are() {
    let fixture = Fixture::with_slow_refusals();
    for (name, host) in [("steve", 1), ("nobody", 2), ("root", 3)] {
        let start = Instant::now();
        assert!(is_refused(&fixture.gate.log_in(name, "wrong", &from(host)).await));
        assert_eq!(start.elapsed().as_secs(), 5, "{name}");
    }
    assert_eq!(fixture.checks(), 1, "PAM is asked about accounts alone");
    assert_eq!(fixture.log_in("ann", "right", &from(4)).await.1, 0);
}

#[test]
fn names_without_an_account_take_as_long_as_the_accounts_of_the_file() {
    let fixture = Fixture::new();
    let by_hash = Credential::Hash(cheap_hash("x"));
    let mut accounts = vec![
        account("steve", by_hash.clone()),
        account("ann", Credential::Pam),
        account("uid", Credential::None),
    ];
    fixture.accounts.replace(accounts.clone(), None);
    let names: Vec<String> = (0..100).map(|n| format!("name{n}")).collect();
    let decoys = || -> Vec<Arc<User>> {
        names.iter().map(|name| fixture.gate.decoy(name).unwrap()).collect()
    };
    let before = decoys();
    for credential in [by_hash, Credential::Pam] {
        let count = before.iter().filter(|user| *user.credential() == credential).count();
        assert!(count > 10, "{credential:?}: {count}");
    }
    assert_eq!(decoys(), before, "a name has the same one each time");
    // A further account is the decoy of some names, and the others keep theirs.
    accounts.push(account("eve", Credential::Pam));
    fixture.accounts.replace(accounts, None);
    let kept = decoys().iter().zip(&before).all(|(now, old)| now == old || now.name() == "eve");
    assert!(kept);
    fixture.accounts.replace(vec![account("uid", Credential::None)], None);
    assert!(fixture.gate.decoy("uid").is_none(), "nobody has a password");
}

#[tokio::test(start_paused = true)]
async fn a_flood_from_many_addresses_leaves_room_for_sources_of_earlier_logins() {
    let fixture = Fixture::with_slow_refusals();
    fixture.log_in("steve", "right", &from(1)).await.0.unwrap();
    // PAM is asked again after this time.
    tokio::time::advance(Duration::from_secs(11 * 60)).await;
    let sources: Vec<(String, Via)> = (2..=250).map(|n| (format!("name{n}"), from(n))).collect();
    let flood = sources.iter().map(|(name, via)| fixture.log_in(name, "wrong", via));
    let here = from(1);
    let owner = async {
        sleep(Duration::from_secs(1)).await;
        let elsewhere = from(251);
        let (stranger, _) = fixture.log_in("ann", "right", &elsewhere).await;
        assert!(matches!(stranger, Err(LoginError::Busy)), "from a new source");
        fixture.log_in("steve", "right", &here).await
    };
    let (flood, (result, seconds)) = tokio::join!(join_all(flood), owner);
    assert!(result.is_ok() && seconds == 0, "{result:?} after {seconds} s");
    let busy = flood.iter().filter(|(result, _)| matches!(result, Err(LoginError::Busy))).count();
    assert!(busy > 0 && busy < flood.len(), "{busy}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_daemon_waits_for_no_stranger() {
    let fixture = Fixture::with_slow_refusals();
    fixture.log_in("steve", "right", &from(1)).await.0.unwrap();
    let sources: Vec<(String, Via)> = (2..=100).map(|n| (format!("name{n}"), from(n))).collect();
    let flood = sources.iter().map(|(name, via)| fixture.log_in(name, "wrong", via));
    // They wait for the check, for earlier failures, and for the same login.
    let guesses: Vec<String> = (0..6).map(|n| format!("wrong{}", n / 2)).collect();
    let stranger = from(101);
    let guesses = guesses.iter().map(|guess| fixture.log_in("ann", guess, &stranger));
    let here = from(1);
    let known = fixture.log_in("steve", "wrong", &here);
    let stop = async {
        sleep(Duration::from_secs(1)).await;
        fixture.gate.begin_stop();
    };
    let (flood, guesses, known, ()) = tokio::join!(join_all(flood), join_all(guesses), known, stop);
    for (result, seconds) in flood.into_iter().chain(guesses) {
        assert!(matches!(result, Err(LoginError::Busy)) && seconds <= 1, "{result:?} {seconds}");
    }
    assert!(is_refused(&known.0) && known.1 == 5, "what a known source has begun is completed");
    let (late, _) = fixture.log_in("ann", "right", &stranger).await;
    assert!(matches!(late, Err(LoginError::Busy)));
}

#[tokio::test(start_paused = true)]
async fn checks_that_fail_by_themselves_are_no_failures_of_the_user() {
    let fixture = Fixture::new();
    for _ in 0..20 {
        let (result, seconds) = fixture.log_in("steve", "broken", &from(1)).await;
        assert!(matches!(result, Err(LoginError::Broken(_))) && seconds == 0);
    }
    let without_pam = LoginGate::with(fixture.accounts.clone(), &HASHER, None);
    let result = without_pam.log_in("steve", "right", &from(1)).await;
    assert!(matches!(result, Err(LoginError::Broken(_))));
}

#[tokio::test(start_paused = true)]
async fn other_authenticators_are_behind_the_same_gate() {
    let fixture = Fixture::new();
    let gated = fixture.gate.wrap(fixture.counting.clone());
    gated.check("root", "right", &from(1)).await.unwrap();
    gated.check("root", "right", &from(1)).await.unwrap();
    assert_eq!(fixture.checks(), 2, "each login is checked");
    for n in 0..3 {
        let wrong = format!("wrong{n}");
        assert!(is_refused(&gated.check("steve", &wrong, &from(1)).await));
    }
    let (result, seconds) = fixture.log_in("steve", "right", &from(1)).await;
    assert!(result.is_ok() && seconds == 1, "failures of both count");
    let source = from(9);
    let many = join_all((0..20).map(|_| gated.check("ann", "right", &source))).await;
    assert!(many.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn names_and_passwords_have_a_limit() {
    let fixture = Fixture::new();
    let gated = fixture.gate.wrap(fixture.counting.clone());
    let long = "x".repeat(1025);
    for _ in 0..100 {
        for (user, password) in [(long.as_str(), "right"), ("steve", long.as_str())] {
            let (result, seconds) = fixture.log_in(user, password, &from(1)).await;
            assert!(is_refused(&result) && seconds == 0);
            assert!(is_refused(&gated.check(user, password, &from(1)).await));
        }
    }
    assert_eq!(fixture.checks(), 0);
    let (result, seconds) = fixture.log_in("steve", "right", &from(1)).await;
    assert!(result.is_ok() && seconds == 0, "they slow nobody down");
}

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn each_login_has_a_line_in_the_log() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_writer(log.clone()).without_time().with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // With a single one, tests in other threads turn off the lines that they come to first.
    let _second = Dispatch::new(NoSubscriber::new());
    let fixture = Fixture::new();
    let name = format!("eve\n{}", "x".repeat(100));
    for _ in 0..3 {
        fixture.log_in("steve", "right", &from(1)).await.0.unwrap();
    }
    fixture.log_in("ann", "geheim", &from(2)).await.0.unwrap_err();
    fixture.log_in(&name, "geheim", &from(2)).await.0.unwrap_err();
    let guesses: Vec<String> = (0..100).map(|n| format!("geheim{n}")).collect();
    let source = from(3);
    join_all(guesses.iter().map(|guess| fixture.log_in("ann", guess, &source))).await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].contains("INFO") && lines[0].contains("Logged in user=steve via=192.0.2.1:4711")
    );
    assert!(
        lines[1].contains("WARN") && lines[1].contains("refused: wrong user=ann via=192.0.2.2")
    );
    assert!(lines[2].contains(r"user=eve\nxxx") && lines[2].len() < 200, "{}", lines[2]);
    assert!(!text.contains("geheim") && !text.contains("right"));
    let unchecked: Vec<_> = lines.iter().filter(|line| line.contains("turned away")).collect();
    assert_eq!(unchecked.len(), 1, "{text}");
}
