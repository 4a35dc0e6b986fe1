//! The users file: who may read it, when it is read again, and what has changed in it.

use super::users_text::{self, MAX_BYTES, Users};
use crate::core::rights::{Account, Accounts};
use crate::host_file::{self, Stamp};
use crate::sxp::position;
use rustix::fs::OFlags;
use rustix::process::geteuid;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often the file is looked at.
const POLL: Duration = Duration::from_secs(2);

/// For how long a changed file must stay the same before it is read: an editor can write it in
/// several steps.
const SETTLED: Duration = Duration::from_millis(300);

/// The reasons why a users file is not used, one a line, each with its file, line and column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsersFileError(pub(super) String);

/// Who reads a users file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadBy {
    /// The daemon, which grants what the file says: the file must be its own or root's.
    Daemon,
    /// A command. As root, it works on the files of other users, too, such as that of a service.
    Command,
}

/// The users file.
#[derive(Debug)]
pub struct UsersFile {
    path: PathBuf,
    loaded: Mutex<Loaded>,
}

/// What was read last.
#[derive(Debug, Default)]
struct Loaded {
    /// `None` if there was no file.
    stamp: Option<Stamp>,
    /// Whether there has ever been one.
    was_there: bool,
    users: Users,
}

impl UsersFile {
    /// The file need not exist yet: there are no accounts then.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), loaded: Mutex::default() }
    }

    /// The accounts of the file, in its order and with `anonymous` at the end, without putting them
    /// in force. Blocks.
    pub fn accounts(&self) -> Result<Vec<Account>, UsersFileError> {
        let users = self.read(ReadBy::Command)?;
        let Users { mut accounts, anonymous } = users.unwrap_or_default();
        accounts.extend(anonymous);
        Ok(accounts)
    }

    /// The same of a file that must exist. Blocks.
    pub fn existing_accounts(&self) -> Result<Vec<Account>, UsersFileError> {
        check_there(&self.path)?;
        self.accounts()
    }

    /// Reads the file and puts its accounts in force. An error leaves the accounts as they are, and
    /// it is one if the file is gone: an empty file removes all accounts. From the first file on,
    /// even one with mistakes, accounts are in use. The log has what has changed, or the error.
    /// Blocks.
    pub fn reload(&self, accounts: &Accounts) -> Result<AccountChanges, UsersFileError> {
        let mut loaded = self.lock();
        loaded.stamp = self.stamp();
        let read = match self.read(ReadBy::Daemon) {
            Ok(None) if loaded.was_there => {
                let advice = "is gone, an empty file removes all accounts";
                Err(UsersFileError(format!("{}: {advice}", self.path.display())))
            }
            Ok(None) => return Ok(AccountChanges::default()),
            Ok(Some(users)) => Ok(users),
            Err(error) => Err(error),
        };
        loaded.was_there = true;
        accounts.put_in_use();
        let users = read.inspect_err(|error| {
            let what = if loaded.users == Users::default() {
                "Nobody has an account"
            } else {
                "The accounts stay as they are"
            };
            tracing::error!("{what}: {error}");
        })?;
        let changes = AccountChanges::between(&loaded.users, &users);
        accounts.replace(users.accounts.clone(), users.anonymous.clone());
        loaded.users = users;
        if changes != AccountChanges::default() {
            tracing::info!(file = %self.path.display(), "Accounts: {changes}");
        }
        Ok(changes)
    }

    /// Reads the file again whenever it changes, until the daemon stops.
    pub async fn watch(self: Arc<Self>, accounts: Arc<Accounts>, stopping: CancellationToken) {
        let poll = async {
            loop {
                sleep(POLL).await;
                if self.clone().has_changed().await {
                    self.clone().settled().await;
                    let file = self.clone();
                    let accounts = accounts.clone();
                    // Its result is in the log.
                    spawn_blocking(move || file.reload(&accounts).ok()).await.ok();
                }
            }
        };
        stopping.run_until_cancelled(poll).await;
    }

    async fn has_changed(self: Arc<Self>) -> bool {
        spawn_blocking(move || self.stamp() != self.lock().stamp).await.unwrap_or(false)
    }

    /// Waits until the file does not change for a moment.
    async fn settled(self: Arc<Self>) {
        let stamp = |file: Arc<Self>| spawn_blocking(move || file.stamp());
        let mut last = stamp(self.clone()).await.ok();
        loop {
            sleep(SETTLED).await;
            let now = stamp(self.clone()).await.ok();
            if now == last {
                return;
            }
            last = now;
        }
    }

    fn stamp(&self) -> Option<Stamp> {
        fs::metadata(&self.path).ok().map(|data| Stamp::of(&data))
    }

    /// `None` if there is no file.
    fn read(&self, by: ReadBy) -> Result<Option<Users>, UsersFileError> {
        match read_private(&self.path, by) {
            Ok(text) => parse(&self.path, &text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // The accounts are elsewhere, on a disk that is missing today: that is not none.
                if fs::symlink_metadata(&self.path).is_ok() {
                    let reason = "is a link that leads nowhere";
                    return Err(UsersFileError(format!("{}: {reason}", self.path.display())));
                }
                Ok(None)
            }
            Err(error) => Err(UsersFileError(format!("{}: {error}", self.path.display()))),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fails if there is no file, and says how to make one.
pub(super) fn check_there(path: &Path) -> Result<(), UsersFileError> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let advice = "there is no such file, xend user add makes it";
            Err(UsersFileError(format!("{}: {advice}", path.display())))
        }
        _ => Ok(()),
    }
}

/// Reads the text of a users file.
pub(super) fn parse(path: &Path, text: &[u8]) -> Result<Users, UsersFileError> {
    users_text::read(text, cfg!(feature = "pam")).map_err(|mistakes| {
        let lines = mistakes.iter().map(|mistake| {
            let (line, column) = position(text, mistake.offset);
            format!("{}:{line}:{column}: {}", path.display(), mistake.message)
        });
        UsersFileError(lines.collect::<Vec<_>>().join("\n"))
    })
}

/// Reads a file that nobody but root and its owner can read or write.
pub(super) fn read_private(path: &Path, by: ReadBy) -> io::Result<Vec<u8>> {
    let file = host_file::open(path, OFlags::empty())?;
    check_private(&file, path, by)?;
    let mut text = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut text)?;
    if text.len() > MAX_BYTES {
        return Err(io::Error::other(format!("is larger than {} MiB", MAX_BYTES >> 20)));
    }
    Ok(text)
}

fn check_private(file: &File, path: &Path, by: ReadBy) -> io::Result<()> {
    let metadata = file.metadata()?;
    let shown = path.display();
    if !metadata.is_file() {
        return Err(io::Error::other("is no file"));
    }
    if metadata.mode() & 0o077 != 0 {
        let message = format!("other users can read or change it, run chmod 600 {shown}");
        return Err(io::Error::other(message));
    }
    let is_roots_command = by == ReadBy::Command && geteuid().is_root();
    if !host_file::is_own(&metadata) && !is_roots_command {
        let own = geteuid().as_raw();
        let message = format!("it belongs to another user, run chown {own} {shown}");
        return Err(io::Error::other(message));
    }
    Ok(())
}

/// The names of accounts that have changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountChanges {
    /// New accounts.
    pub added: Vec<String>,
    /// Accounts with another password, access or other users of this machine.
    pub changed: Vec<String>,
    /// Accounts that are gone.
    pub removed: Vec<String>,
}

impl AccountChanges {
    fn between(old: &Users, new: &Users) -> Self {
        let old = by_name(old);
        let new = by_name(new);
        let names = |filter: &dyn Fn(&str, &Account) -> bool, of: &BTreeMap<&str, &Account>| {
            let named = of.iter().filter(|(name, account)| filter(name, account));
            named.map(|(name, _)| (*name).to_owned()).collect()
        };
        Self {
            added: names(&|name, _| !old.contains_key(name), &new),
            changed: names(&|name, now| old.get(name).is_some_and(|before| *before != now), &new),
            removed: names(&|name, _| !new.contains_key(name), &old),
        }
    }
}

fn by_name(users: &Users) -> BTreeMap<&str, &Account> {
    let all = users.accounts.iter().chain(&users.anonymous);
    all.map(|account| (account.name.as_str(), account)).collect()
}

impl fmt::Display for AccountChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The number of names of a kind that are shown.
        const MOST: usize = 20;
        let mut is_first = true;
        let kinds =
            [("added", &self.added), ("changed", &self.changed), ("removed", &self.removed)];
        for (what, names) in kinds.into_iter().filter(|(_, names)| !names.is_empty()) {
            let separator = if is_first { "" } else { "; " };
            is_first = false;
            let shown = names.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
            write!(f, "{separator}{what} {shown}")?;
            if names.len() > MOST {
                write!(f, " and {} more", names.len() - MOST)?;
            }
        }
        if is_first { f.write_str("no changes") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rights::Right;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};
    use tempfile::TempDir;

    struct Fixture {
        dir: TempDir,
        file: Arc<UsersFile>,
        accounts: Arc<Accounts>,
    }

    impl Fixture {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let file = Arc::new(UsersFile::new(dir.path().join("users.sxp")));
            Self { dir, file, accounts: Arc::default() }
        }

        fn write(&self, text: &str) {
            fs::write(&self.file.path, text).unwrap();
            self.chmod(0o600);
        }

        fn chmod(&self, mode: u32) {
            fs::set_permissions(&self.file.path, Permissions::from_mode(mode)).unwrap();
        }

        fn reload(&self) -> Result<String, String> {
            let changes = self.file.reload(&self.accounts);
            changes.map(|changes| changes.to_string()).map_err(|error| error.to_string())
        }
    }

    #[test]
    fn a_reload_tells_what_has_changed_and_keeps_the_accounts_after_an_error() {
        let fixture = Fixture::new();
        assert_eq!(fixture.reload().unwrap(), "no changes", "there is no file");
        fixture.write("(user a (uid 1)) (user b (uid 2)) (anonymous)");
        assert_eq!(fixture.reload().unwrap(), "added a, anonymous, b");
        let a = fixture.accounts.get("a").unwrap();
        fixture.write("(user a (uid 1) (domains x) (rights power)) (user c (uid 3))");
        assert_eq!(fixture.reload().unwrap(), "added c; changed a; removed anonymous, b");
        assert!(a.access().has(Right::Power) && fixture.accounts.anonymous().is_none());
        fixture.write("(user a (uid 1))\n(user c)\n(user)");
        let path = fixture.file.path.display().to_string();
        let error = fixture.reload().unwrap_err();
        let lines: Vec<_> = error.lines().collect();
        assert!(lines[0].starts_with(&format!("{path}:2:1: user c: nobody can log in")), "{error}");
        assert!(lines[1].starts_with(&format!("{path}:3:1: user: needs a name")), "{error}");
        assert!(a.access().has(Right::Power) && fixture.accounts.get("c").is_some());
        fixture.write("");
        assert_eq!(fixture.reload().unwrap(), "removed a, c");
        assert!(a.is_revoked());
    }

    #[test]
    fn a_file_that_is_gone_keeps_the_accounts() {
        let fixture = Fixture::new();
        fixture.write("(user a (uid 1))");
        fixture.reload().unwrap();
        fs::remove_file(&fixture.file.path).unwrap();
        let error = fixture.reload().unwrap_err();
        let path = fixture.file.path.display();
        assert_eq!(error, format!("{path}: is gone, an empty file removes all accounts"));
        assert!(fixture.accounts.get("a").is_some_and(|user| !user.is_revoked()));
        fixture.write("");
        assert_eq!(fixture.reload().unwrap(), "removed a");
    }

    #[test]
    fn accounts_are_in_use_from_the_first_file_on_even_with_mistakes() {
        let fixture = Fixture::new();
        fixture.reload().unwrap();
        assert!(!fixture.accounts.are_in_use(), "there is no file");
        fixture.write("(user a (uid 1)");
        fixture.reload().unwrap_err();
        assert!(fixture.accounts.are_in_use() && fixture.accounts.all().is_empty());
        fs::remove_file(&fixture.file.path).unwrap();
        fixture.reload().unwrap_err();
        assert!(fixture.accounts.are_in_use());
    }

    #[test]
    fn a_link_that_leads_nowhere_is_a_mistake_and_not_a_host_without_accounts() {
        let fixture = Fixture::new();
        symlink("nowhere", &fixture.file.path).unwrap();
        assert!(fixture.reload().unwrap_err().ends_with("is a link that leads nowhere"));
        assert!(fixture.accounts.are_in_use());
    }

    #[test]
    fn a_file_that_others_could_read_is_refused() {
        let fixture = Fixture::new();
        fixture.write("(user a (uid 1))");
        for mode in [0o640, 0o604, 0o620, 0o602] {
            fixture.chmod(mode);
            let error = fixture.reload().unwrap_err();
            let wanted = format!("run chmod 600 {}", fixture.file.path.display());
            assert!(error.ends_with(&wanted), "{error}");
        }
        fixture.chmod(0o400);
        fixture.reload().unwrap();
        if geteuid().is_root() {
            chown(&fixture.file.path, Some(1), None).unwrap();
            let error = fixture.reload().unwrap_err();
            assert!(error.contains("belongs to another user, run chown 0 "), "{error}");
            assert_eq!(fixture.file.accounts().unwrap().len(), 1, "root's commands read it");
            chown(&fixture.file.path, Some(0), None).unwrap();
        }
        let dir = UsersFile::new(fixture.dir.path());
        assert!(dir.accounts().unwrap_err().to_string().ends_with("is no file"));
        fixture.write(&" ".repeat(MAX_BYTES + 1));
        let error = fixture.file.accounts().unwrap_err().to_string();
        assert!(error.ends_with("is larger than 4 MiB"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_file_is_read_again() {
        let fixture = Fixture::new();
        let stopping = CancellationToken::new();
        let watch =
            tokio::spawn(fixture.file.clone().watch(fixture.accounts.clone(), stopping.clone()));
        let has = async |name: &str| {
            // Files are read in other threads, during which paused time does not pass.
            sleep(POLL * 3).await;
            fixture.accounts.get(name).is_some()
        };
        assert!(!has("a").await);
        fixture.write("(user a (uid 1))");
        assert!(has("a").await);
        fixture.write("(user a (uid 1)");
        assert!(has("a").await, "a mistake changes nothing");
        fixture.write("(user bb (uid 1))");
        fixture.chmod(0o644);
        assert!(!has("bb").await);
        fixture.chmod(0o600);
        assert!(has("bb").await);
        fs::remove_file(&fixture.file.path).unwrap();
        assert!(has("bb").await, "an empty file removes all accounts");
        fixture.write("(user ccc (uid 1))");
        assert!(has("ccc").await && !has("bb").await);
        stopping.cancel();
        watch.await.unwrap();
    }
}
