//! The directory of programs.

use super::description::Description;
use super::process::{Finished, ProgramError, ProgramLimits, UserIds, run};
use super::slots::Slots;
use crate::host_file::{Stamp, check_owner};
use crate::wire::argo::answer::{Answer, Output, Refusal};
use crate::wire::argo::signature::Signature;
use rustix::process::geteuid;
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{info, warn};

/// The most programs of a directory. The rest is left out, in the order of names.
const MAX_PROGRAMS: usize = 100;
/// The longest name of a command.
const MAX_NAME: usize = 32;
/// The limits of a program that describes itself.
const DESCRIBING: ProgramLimits = ProgramLimits { time: Duration::from_secs(5), output: 4 << 10 };
/// The largest output of a command, in bytes.
const MAX_OUTPUT: usize = 64 << 10;
/// How long a caller waits for the directory.
const DIRECTORY_LIMIT: Duration = Duration::from_secs(10);
/// How long a caller waits for programs that describe themselves.
const DESCRIPTIONS_LIMIT: Duration = Duration::from_secs(10);
/// How long a program that could not describe itself is left alone.
const RETRY: Duration = Duration::from_secs(60);
/// The user as whom programs of a daemon of root run.
const NOBODY: &str = "nobody";
/// The argument for a program that is to describe itself.
const DESCRIBE: &str = "--describe";

/// Facts for a program, in its environment.
pub(in crate::wire::argo) type Facts = Vec<(&'static str, String)>;

/// The programs of a directory, each a command of the name of its file.
///
/// A program counts only if nobody but root and the daemon's own user can write it and its
/// directory. It is run as an unprivileged user, unless it asks for another one and is root's.
pub(in crate::wire::argo) struct Plugins {
    dir: PathBuf,
    /// The time limit of a command.
    limit: Duration,
    /// Names that the daemon's own commands have.
    reserved: Vec<&'static str>,
    known: Mutex<HashMap<String, Known>>,
    /// The state of a directory that is refused, which was logged.
    refused_dir: Mutex<Option<Stamp>>,
    slots: Slots,
    /// Held by the one program that describes itself.
    describing: AsyncMutex<()>,
}

/// A program as it was seen last.
#[derive(Clone)]
struct Known {
    stamp: Stamp,
    /// `None` if it is refused, which was logged.
    plugin: Option<Arc<Plugin>>,
    seen: Instant,
}

/// A program that serves a command.
#[derive(Debug)]
pub(in crate::wire::argo) struct Plugin {
    pub(in crate::wire::argo) signature: Signature,
    path: PathBuf,
    /// `None` for the daemon's own user.
    user: Option<UserIds>,
}

/// A file that may be a program.
struct Candidate {
    name: String,
    path: PathBuf,
    stamp: Stamp,
    is_of_root: bool,
    /// Why it is none.
    fault: Option<&'static str>,
}

impl Plugins {
    /// The programs in the directory `dir`, which need not exist. `limit` is the time limit of a
    /// command, and `reserved` has the names of the daemon's own commands.
    pub(in crate::wire::argo) fn new(
        dir: PathBuf,
        limit: Duration,
        reserved: Vec<&'static str>,
    ) -> Self {
        Self {
            dir,
            limit,
            reserved,
            known: Mutex::default(),
            refused_dir: Mutex::default(),
            slots: Slots::new(),
            describing: AsyncMutex::default(),
        }
    }

    /// The command of this name.
    pub(in crate::wire::argo) async fn find(&self, name: &str) -> Result<Arc<Plugin>, Refusal> {
        if !is_name(name) || self.reserved.contains(&name) {
            return Err(Refusal::UnknownCommand);
        }
        let name = name.to_owned();
        let found = self.look(move |dir| candidate(dir, name).into_iter().collect()).await;
        let candidate = found.into_iter().next().ok_or(Refusal::UnknownCommand)?;
        let plugin = timeout(DESCRIPTIONS_LIMIT, self.plugin(&candidate)).await;
        plugin.map_err(|_| Refusal::Busy)?.ok_or(Refusal::UnknownCommand)
    }

    /// All commands, sorted by name. Those that are not known in time are left out.
    pub(in crate::wire::argo) async fn all(&self) -> Vec<Arc<Plugin>> {
        let found = self.look(candidates).await;
        lock(&self.known).retain(|name, _| found.iter().any(|one| one.name == *name));
        let deadline = Instant::now() + DESCRIPTIONS_LIMIT;
        let mut plugins = Vec::new();
        for candidate in found {
            if self.reserved.contains(&candidate.name.as_str()) {
                self.refuse(&candidate, "xend has a command of this name");
            } else {
                // What is known already is there at once, and counts after the deadline as well.
                let plugin = timeout_at(deadline, self.plugin(&candidate)).await;
                plugins.extend(plugin.ok().flatten());
            }
        }
        plugins
    }

    /// Looks for programs in the directory, unless others can write it.
    async fn look(
        &self,
        find: impl FnOnce(&Path) -> Vec<Candidate> + Send + 'static,
    ) -> Vec<Candidate> {
        let dir = self.dir.clone();
        let looked = spawn_blocking(move || {
            let data = fs::metadata(&dir).ok()?;
            let stamp = Stamp::of(&data);
            Some((stamp, check_owner(&data).map(|()| find(&dir))))
        });
        let Ok(Ok(Some((stamp, found)))) = timeout(DIRECTORY_LIMIT, looked).await else {
            return Vec::new();
        };
        match found {
            Ok(found) => found,
            Err(fault) => {
                if lock(&self.refused_dir).replace(stamp) != Some(stamp) {
                    warn!("No command of {} is used: {fault}", self.dir.display());
                }
                Vec::new()
            }
        }
    }

    /// The command of a program, which describes itself if it is new or has changed.
    async fn plugin(&self, candidate: &Candidate) -> Option<Arc<Plugin>> {
        if let Some(known) = self.known(candidate) {
            return known.plugin;
        }
        let _turn = self.describing.lock().await;
        // Another caller may have waited for the same program.
        if let Some(known) = self.known(candidate) {
            return known.plugin;
        }
        let described = match candidate.fault {
            Some(fault) => Err(fault.to_owned()),
            None => self.describe(candidate).await,
        };
        match described {
            Ok(plugin) => {
                let plugin = Some(Arc::new(plugin));
                self.remember(candidate, plugin.clone());
                plugin
            }
            Err(fault) => {
                self.refuse(candidate, &fault);
                None
            }
        }
    }

    /// What is known of a file that has not changed.
    fn known(&self, candidate: &Candidate) -> Option<Known> {
        let known = lock(&self.known).get(&candidate.name).cloned()?;
        let counts = known.stamp == candidate.stamp
            && (known.plugin.is_some() || known.seen.elapsed() < RETRY);
        counts.then_some(known)
    }

    /// Remembers that a file is no program, and logs it once.
    fn refuse(&self, candidate: &Candidate, fault: &str) {
        let before = self.remember(candidate, None);
        if before.is_none_or(|before| before.stamp != candidate.stamp) {
            warn!("{} is not used as a command: {fault}", candidate.path.display());
        }
    }

    /// Returns what was known before.
    fn remember(&self, candidate: &Candidate, plugin: Option<Arc<Plugin>>) -> Option<Known> {
        let known = Known { stamp: candidate.stamp, plugin, seen: Instant::now() };
        lock(&self.known).insert(candidate.name.clone(), known)
    }

    /// Runs a program with `--describe`.
    async fn describe(&self, candidate: &Candidate) -> Result<Plugin, String> {
        let user = default_user()?;
        let args = [DESCRIBE.to_owned()];
        let finished = run(&candidate.path, &args, &[], user, DESCRIBING).await;
        let Finished { status, output, .. } = finished.map_err(|error| match error {
            ProgramError::Start(cause) if user.is_some() => {
                format!("{NOBODY} cannot run it: {cause}")
            }
            error => error.to_string(),
        })?;
        if !status.success() {
            return Err(format!("with {DESCRIBE} it fails: {status}"));
        }
        let Description { signature, run_as } = Description::parse(&candidate.name, &output)?;
        let user = match run_as {
            None => user,
            Some(name) => Some(chosen_user(&name, candidate)?),
        };
        Ok(Plugin { signature, path: candidate.path.clone(), user })
    }

    /// Runs a command for `user`; empty for an operator without an account.
    pub(in crate::wire::argo) async fn run(
        &self,
        plugin: &Plugin,
        user: &str,
        words: &[String],
        facts: &Facts,
    ) -> Answer {
        // A program would take such a word for an option.
        if words.iter().any(|word| word.starts_with('-')) {
            return Err(Refusal::Usage(plugin.signature.usage()));
        }
        let Ok(Ok(_slot)) = timeout(self.limit, self.slots.acquire(user)).await else {
            return Err(Refusal::Busy);
        };
        let limits = ProgramLimits { time: self.limit, output: MAX_OUTPUT };
        let name = &plugin.signature.name;
        let finished = run(&plugin.path, words, facts, plugin.user, limits).await;
        let Finished { status, output, errors } = finished.map_err(|error| {
            warn!("{} failed: {error}", plugin.path.display());
            Refusal::Failed(format!("{name} failed: {error}"))
        })?;
        if !errors.is_empty() {
            let errors = String::from_utf8_lossy(&errors).trim_end().replace(['\r', '\n'], " | ");
            info!("{} says: {errors}", plugin.path.display());
        }
        if !status.success() {
            let text = String::from_utf8_lossy(&output);
            let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
            let message = last.map_or_else(|| format!("{name} failed: {status}"), str::to_owned);
            return Err(Refusal::Failed(message));
        }
        let mut answer = Output::none();
        answer.text(&output);
        Ok(answer)
    }
}

/// Whether a file of this name can be a command. Other files, such as `README`, are no mistake.
fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(allowed)
}

/// The files of the directory that may be programs, sorted by name.
fn candidates(dir: &Path) -> Vec<Candidate> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| is_name(name)).collect();
    names.sort();
    names.truncate(MAX_PROGRAMS);
    names.into_iter().filter_map(|name| candidate(dir, name)).collect()
}

fn candidate(dir: &Path, name: String) -> Option<Candidate> {
    let path = dir.join(&name);
    // Where a link leads, others might write.
    let data = fs::symlink_metadata(&path).ok()?;
    let fault = if data.is_file() {
        check_owner(&data).err()
    } else {
        Some("it is a link or a directory, and no file")
    };
    Some(Candidate { name, path, stamp: Stamp::of(&data), is_of_root: data.uid() == 0, fault })
}

/// The user as whom programs run; `None` for the daemon's own.
fn default_user() -> Result<Option<UserIds>, String> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    user_ids(NOBODY).map(Some)
}

/// The user that a program chooses.
fn chosen_user(name: &str, candidate: &Candidate) -> Result<UserIds, String> {
    if !candidate.is_of_root {
        return Err("run-as: only root's programs choose a user".to_owned());
    }
    if !geteuid().is_root() {
        return Err("run-as: only a daemon of root runs programs as others".to_owned());
    }
    user_ids(name)
}

fn user_ids(name: &str) -> Result<UserIds, String> {
    let user = uzers::get_user_by_name(name).ok_or_else(|| format!("there is no user {name}"))?;
    Ok(UserIds { uid: user.uid(), gid: user.primary_group_id() })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rights::{Need, Right};
    use crate::wire::argo::answer::print;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};
    use tempfile::TempDir;

    /// A directory of programs that `nobody` can reach.
    struct Dir(TempDir);

    impl Dir {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
            Self(dir)
        }

        /// Writes a program: what it says about itself, and what it does.
        fn write(&self, name: &str, description: &str, action: &str) -> PathBuf {
            let script = format!(
                "#!/bin/sh\nif [ \"$1\" = --describe ]; then\ncat <<'X'\n{description}\nX\nexit\nfi\n{action}\n"
            );
            self.install(name, &script)
        }

        /// A process of its own writes the script: as long as the file is open for writing, it
        /// cannot be run, and a child that another test forks meanwhile has it open as well.
        fn install(&self, name: &str, script: &str) -> PathBuf {
            let path = self.0.path().join(name);
            let new = self.0.path().join("NEW");
            let install = "printf %s \"$1\" > \"$2\" && chmod 755 \"$2\" && mv \"$2\" \"$3\"";
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", install, "sh", script]).args([&new, &path]);
            assert!(shell.status().unwrap().success());
            path
        }

        fn plugins(&self, limit: Duration) -> Plugins {
            Plugins::new(self.0.path().to_owned(), limit, vec!["pause"])
        }
    }

    const LIMIT: Duration = Duration::from_secs(30);
    const SEE: &str = "arguments: NAME [WORD]\nright: see\nhelp: Say it.";

    async fn run_one(plugins: &Plugins, name: &str, words: &[&str]) -> String {
        let plugin = plugins.find(name).await.unwrap();
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let facts = vec![("XEND_DOMAIN", "lj".to_owned())];
        print(&plugins.run(&plugin, "ann", &words, &facts).await, true)
    }

    #[tokio::test]
    async fn a_program_is_a_command() {
        let dir = Dir::new();
        dir.write("say", SEE, "echo \"$XEND_DOMAIN $2 $#\"; echo 300 x; echo odd >&2");
        dir.write("fail", SEE, "echo first; echo 'no such snapshot'; echo; exit 1");
        dir.write("silent", SEE, "exit 1");
        let plugins = dir.plugins(LIMIT);
        let say = plugins.find("say").await.unwrap();
        assert_eq!(say.signature.usage(), "say NAME [WORD]");
        assert_eq!(say.signature.need, Need::Domain(Right::See));
        let answer = run_one(&plugins, "say", &["lj", "a; echo *"]).await;
        assert_eq!(answer, "200 OK\nlj a; echo * 2\n 300 x\n300 DONE\n");
        assert_eq!(run_one(&plugins, "fail", &["lj"]).await, "400 no such snapshot\n");
        let silent = run_one(&plugins, "silent", &["lj"]).await;
        assert_eq!(silent, "400 silent failed: exit status: 1\n");
        let option = run_one(&plugins, "say", &["lj", "--describe"]).await;
        assert_eq!(option, "400 USAGE: say NAME [WORD]\n");
        let names: Vec<_> =
            plugins.all().await.iter().map(|plugin| plugin.signature.name.clone()).collect();
        assert_eq!(names, ["fail", "say", "silent"]);
    }

    #[tokio::test]
    async fn a_program_runs_as_nobody() {
        let dir = Dir::new();
        dir.write("who", SEE, "id -un");
        dir.write("root", &format!("{SEE}\nrun-as: root"), "id -un");
        dir.write("ghost", &format!("{SEE}\nrun-as: no-such-user"), "id -un");
        let plugins = dir.plugins(LIMIT);
        if geteuid().is_root() {
            assert_eq!(run_one(&plugins, "who", &["lj"]).await, "200 OK\nnobody\n300 DONE\n");
            assert_eq!(run_one(&plugins, "root", &["lj"]).await, "200 OK\nroot\n300 DONE\n");
        } else {
            println!("Skipped: only root runs programs as others");
            assert!(run_one(&plugins, "who", &["lj"]).await.starts_with("200 OK\n"));
            assert!(plugins.find("root").await.is_err());
        }
        assert!(plugins.find("ghost").await.is_err());
    }

    #[tokio::test]
    async fn files_that_are_no_programs_are_refused() {
        let dir = Dir::new();
        let writable = dir.write("writable", SEE, "id");
        fs::set_permissions(&writable, Permissions::from_mode(0o775)).unwrap();
        let closed = dir.write("closed", SEE, "id");
        fs::set_permissions(&closed, Permissions::from_mode(0o644)).unwrap();
        symlink("/bin/true", dir.0.path().join("link")).unwrap();
        fs::create_dir(dir.0.path().join("folder")).unwrap();
        dir.write("README", SEE, "id");
        dir.write("pause", SEE, "id");
        dir.write("dumb", "hello", "id");
        dir.write("slow", SEE, "id");
        fs::write(dir.0.path().join("slow"), "#!/bin/sh\nexit 1\n").unwrap();
        let plugins = dir.plugins(LIMIT);
        for name in ["writable", "closed", "link", "folder", "README", "pause", "dumb", "slow"] {
            assert!(plugins.find(name).await.is_err(), "{name}");
        }
        for name in ["", "../say", "a/b", "no-such", "Say"] {
            assert!(plugins.find(name).await.is_err(), "{name}");
        }
        assert!(plugins.all().await.is_empty());
        if geteuid().is_root() {
            let foreign = dir.write("foreign", SEE, "id");
            chown(&foreign, Some(65_534), None).unwrap();
            assert!(plugins.find("foreign").await.is_err());
        }
        fs::set_permissions(&writable, Permissions::from_mode(0o755)).unwrap();
        assert!(plugins.find("writable").await.is_ok(), "a file that was put right counts");
    }

    #[tokio::test]
    async fn a_directory_that_others_can_write_has_no_commands() {
        let dir = Dir::new();
        dir.write("say", SEE, "id");
        fs::set_permissions(dir.0.path(), Permissions::from_mode(0o777)).unwrap();
        let plugins = dir.plugins(LIMIT);
        assert!(plugins.find("say").await.is_err() && plugins.all().await.is_empty());
        fs::set_permissions(dir.0.path(), Permissions::from_mode(0o755)).unwrap();
        assert!(plugins.find("say").await.is_ok());
        let missing = Plugins::new(dir.0.path().join("missing"), LIMIT, vec![]);
        assert!(missing.find("say").await.is_err() && missing.all().await.is_empty());
    }

    #[tokio::test]
    async fn a_program_that_changes_describes_itself_again() {
        let dir = Dir::new();
        dir.write("say", SEE, "id");
        let plugins = dir.plugins(LIMIT);
        assert_eq!(plugins.find("say").await.unwrap().signature.help, "Say it.");
        dir.write("say", "help: Be quiet.", "id");
        assert_eq!(plugins.find("say").await.unwrap().signature.help, "Be quiet.");
        fs::remove_file(dir.0.path().join("say")).unwrap();
        assert!(plugins.find("say").await.is_err());
    }

    #[tokio::test]
    async fn a_slow_program_is_killed() {
        let dir = Dir::new();
        dir.write("say", SEE, "sleep 1000");
        let plugins = dir.plugins(Duration::from_millis(300));
        let answer = run_one(&plugins, "say", &["lj"]).await;
        assert_eq!(answer, "400 say failed: it did not end within 0 s\n");
    }

    /// A place where programs leave their marks.
    fn marks() -> TempDir {
        let marks = tempfile::tempdir().unwrap();
        fs::set_permissions(marks.path(), Permissions::from_mode(0o777)).unwrap();
        marks
    }

    fn count(marks: &TempDir) -> usize {
        fs::read_dir(marks.path()).unwrap().count()
    }

    #[tokio::test]
    async fn a_program_describes_itself_once_to_many() {
        let dir = Dir::new();
        let marks = marks();
        let script =
            format!("#!/bin/sh\nmktemp -p {} > /dev/null\necho help: X.\n", marks.path().display());
        dir.install("say", &script);
        let plugins = dir.plugins(LIMIT);
        let found = futures_util::future::join_all((0..10).map(|_| plugins.find("say"))).await;
        assert!(found.iter().all(Result::is_ok));
        assert_eq!(count(&marks), 1);
    }

    /// Programs that do not end when they are to describe themselves hold up nobody else.
    #[tokio::test]
    async fn descriptions_take_no_slots() {
        let dir = Dir::new();
        dir.write("say", SEE, "echo x");
        for number in 0..6 {
            dir.install(&format!("stuck{number}"), "#!/bin/sh\nsleep 1000\n");
        }
        let plugins = Arc::new(dir.plugins(Duration::from_secs(3)));
        plugins.find("say").await.unwrap();
        let began = std::time::Instant::now();
        let stuck: Vec<_> = (0..6)
            .map(|number| {
                let plugins = plugins.clone();
                tokio::spawn(async move { plugins.find(&format!("stuck{number}")).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(run_one(&plugins, "say", &["lj"]).await, "200 OK\nx\n300 DONE\n");
        for one in stuck {
            assert!(one.await.unwrap().is_err());
        }
        assert!(began.elapsed() < DESCRIPTIONS_LIMIT * 2, "nobody waits longer than that");
    }

    #[tokio::test]
    async fn one_user_does_not_take_all_slots() {
        let dir = Dir::new();
        let marks = marks();
        let path = marks.path().display();
        let wait = format!("mktemp -p {path}\nuntil [ -e {path}/go ]; do sleep 0.1; done");
        dir.write("wait", SEE, &wait);
        dir.write("say", SEE, "echo x");
        let plugins = Arc::new(dir.plugins(LIMIT));
        let plugin = plugins.find("wait").await.unwrap();
        let waiting: Vec<_> = (0..6)
            .map(|_| {
                let plugins = plugins.clone();
                let plugin = plugin.clone();
                tokio::spawn(async move { plugins.run(&plugin, "bob", &[], &vec![]).await })
            })
            .collect();
        while count(&marks) < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(run_one(&plugins, "say", &["lj"]).await, "200 OK\nx\n300 DONE\n");
        assert_eq!(count(&marks), 2, "no more of them run");
        fs::write(marks.path().join("go"), "").unwrap();
        for one in waiting {
            assert!(one.await.unwrap().is_ok());
        }
    }
}
