//! Programs that run with limits.

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitId, WaitIdOptions, getrlimit,
    kill_process_group, pidfd_open, prlimit, waitid,
};
use rustix::thread::set_no_new_privs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Once;
use std::thread;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, sink};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::warn;

/// The search path of programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How much of standard error is kept, in bytes. The rest is thrown away.
const MAX_ERRORS: u64 = 4 << 10;

/// The most processes of the user as whom a program runs, those of others included.
const MAX_PROCESSES: u64 = 100;

/// The most memory of a process, in bytes.
const MAX_MEMORY: u64 = 512 << 20;

/// The largest file that a process writes, in bytes.
const MAX_FILE: u64 = 1 << 30;

/// The most files that a process opens.
const MAX_OPEN_FILES: u64 = 256;

/// A user of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UserIds {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// What a program may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProgramLimits {
    pub(super) time: Duration,
    /// Bytes on standard output.
    pub(super) output: usize,
}

/// A program that has ended.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) status: ExitStatus,
    pub(super) output: Vec<u8>,
    /// The beginning of standard error.
    pub(super) errors: Vec<u8>,
}

/// Why a program gave no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramError {
    #[error("it cannot be run: {0}")]
    Start(#[source] io::Error),
    #[error("it did not end within {} s", .0.as_secs())]
    TooSlow(Duration),
    #[error("its output is longer than {0} bytes")]
    TooLong(usize),
    #[error("its output cannot be read: {0}")]
    Read(#[source] io::Error),
}

/// Runs a program without a shell: in `/`, with this environment alone, empty standard input and
/// none of the daemon's open files, and as `user` if the daemon is root. When it ends or is beyond
/// a limit, its process group is killed. A process that leaves the group keeps its other limits.
pub(super) async fn run(
    program: &Path,
    args: &[String],
    environment: &[(&'static str, String)],
    user: Option<UserIds>,
    limits: ProgramLimits,
) -> Result<Finished, ProgramError> {
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C.UTF-8")
        .envs(environment.iter().map(|(key, value)| (key, value)))
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(UserIds { uid, gid }) = user {
        // Supplementary groups are dropped with the user ID.
        command.gid(gid).uid(uid);
    }
    let resources = resources(user, limits);
    let program = Program::start(command, resources).await;
    let mut program = program.map_err(ProgramError::Start)?;
    let finished = program.finish(limits.output);
    timeout(limits.time, finished).await.unwrap_or(Err(ProgramError::TooSlow(limits.time)))
}

/// The limits of a program's processes.
fn resources(user: Option<UserIds>, limits: ProgramLimits) -> Vec<(Resource, u64)> {
    let mut resources = vec![
        // A process that leaves the group does not run for ever either.
        (Resource::Cpu, limits.time.as_secs() + 1),
        (Resource::Data, MAX_MEMORY),
        (Resource::Fsize, MAX_FILE),
        (Resource::Nofile, MAX_OPEN_FILES),
        (Resource::Core, 0),
    ];
    if user.is_some() {
        // The kernel counts all processes of a user: the daemon's own user may have many.
        resources.push((Resource::Nproc, MAX_PROCESSES));
    }
    resources
}

/// Limits a process that has just been started, whose number is in use. A daemon of root without
/// `CAP_SYS_RESOURCE`, in a container for example, cannot limit processes of others, and logs it.
fn restrict(process: Pid, resources: &[(Resource, u64)]) {
    static WARNED: Once = Once::new();
    if let Err(error) = set_limits(process, resources) {
        WARNED.call_once(|| warn!("Programs have no limits but that of time: {error}"));
    }
}

fn set_limits(process: Pid, resources: &[(Resource, u64)]) -> Result<(), Errno> {
    for (resource, most) in resources {
        let inherited = getrlimit(*resource).maximum.unwrap_or(u64::MAX);
        let most = Some(inherited.min(*most));
        prlimit(Some(process), *resource, Rlimit { current: most, maximum: most })?;
    }
    Ok(())
}

async fn read(from: Option<impl AsyncRead + Unpin>, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(most).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// Reads all, and keeps the beginning.
async fn read_and_drain(from: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        (&mut from).take(MAX_ERRORS).read_to_end(&mut bytes).await?;
        tokio::io::copy(&mut from, &mut sink()).await?;
    }
    Ok(bytes)
}

/// A program that runs. All its processes are killed when this is dropped.
struct Program {
    child: Child,
    /// Resolves when the first process has ended, and before it is waited for: until then the
    /// number of the group is sure to be its own.
    end: oneshot::Receiver<()>,
}

impl Program {
    /// Starts a program in a thread of its own, which then waits for the end of the program.
    ///
    /// The thread gives up new privileges, and so do its children: set-user-ID programs are run
    /// without them. The limits are set from outside, a moment after the start.
    async fn start(mut command: Command, limits: Vec<(Resource, u64)>) -> io::Result<Self> {
        let runtime = Handle::current();
        let (started, program) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let run = move || {
            let context = runtime.enter();
            let spawn = || {
                set_no_new_privs(true)?;
                let program = Self { child: command.spawn()?, end };
                let pid = program.group().ok_or(Errno::SRCH)?;
                restrict(pid, &limits);
                // Whatever else gets the number later.
                let process = pidfd_open(pid, PidfdFlags::empty())?;
                Ok((program, process))
            };
            // A program whose caller has left is killed.
            match spawn() {
                Err(error) => drop(started.send(Err(error))),
                Ok((program, process)) => {
                    drop(started.send(Ok(program)));
                    drop(context);
                    wait_for_end(&process);
                    let _ = ended.send(());
                }
            }
        };
        thread::Builder::new().name("argo-program".to_owned()).spawn(run)?;
        program.await.unwrap_or_else(|_| Err(Errno::SRCH.into()))
    }

    /// Reads the output until the program ends.
    async fn finish(&mut self, max_output: usize) -> Result<Finished, ProgramError> {
        let stdout = self.child.stdout.take();
        let stderr = self.child.stderr.take();
        // The group keeps its number until the wait at the end.
        let group = self.group();
        let output = async {
            let output = read(stdout, max_output as u64 + 1).await;
            if output.as_ref().is_ok_and(|output| output.len() > max_output) {
                kill(group);
            }
            output
        };
        let ended = async {
            // It is sent in any case.
            let _ = (&mut self.end).await;
            // What it left in the background would keep the pipes open.
            kill(group);
        };
        let (output, errors, ()) = tokio::join!(output, read_and_drain(stderr), ended);
        let output = output.map_err(ProgramError::Read)?;
        if output.len() > max_output {
            return Err(ProgramError::TooLong(max_output));
        }
        let status = self.child.wait().await.map_err(ProgramError::Read)?;
        Ok(Finished { status, output, errors: errors.unwrap_or_default() })
    }

    /// The process group; `None` once the program was waited for, since another group may have the
    /// number.
    fn group(&self) -> Option<Pid> {
        self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        kill(self.group());
    }
}

/// Kills a process group, in which nobody is left in most cases.
fn kill(group: Option<Pid>) {
    let _ = group.map(|group| kill_process_group(group, Signal::KILL));
}

/// Waits until a child has ended, and leaves its number in use.
fn wait_for_end(process: &OwnedFd) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    // It fails if somebody has waited for the child already.
    while matches!(waitid(WaitId::PidFd(process.as_fd()), options), Err(Errno::INTR)) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::fd::AsRawFd;
    use std::time::Instant;

    const LIMITS: ProgramLimits = ProgramLimits { time: Duration::from_secs(30), output: 1000 };

    async fn sh(script: &str, limits: ProgramLimits) -> Result<Finished, ProgramError> {
        let args = ["-c".to_owned(), script.to_owned(), "sh".to_owned(), "a b".to_owned()];
        let environment = [("XEND_DOMAIN", "lj".to_owned())];
        run(Path::new("/bin/sh"), &args, &environment, None, limits).await
    }

    #[tokio::test]
    async fn a_program_has_its_arguments_and_its_environment_alone() {
        let script =
            "echo \"$1|$XEND_DOMAIN|$HOME|$CARGO_MANIFEST_DIR\"; pwd; cat; echo e >&2; exit 3";
        let finished = sh(script, LIMITS).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&finished.output), "a b|lj||\n/\n");
        assert_eq!((finished.errors.as_slice(), finished.status.code()), (&b"e\n"[..], Some(3)));
    }

    #[tokio::test]
    async fn a_program_runs_as_another_user() {
        if !rustix::process::geteuid().is_root() {
            println!("Skipped: only root runs programs as others");
            return;
        }
        let args = ["-c".to_owned(), "id -u; id -g; id -G".to_owned()];
        let user = Some(UserIds { uid: 65_534, gid: 65_533 });
        let finished = run(Path::new("/bin/sh"), &args, &[], user, LIMITS).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&finished.output), "65534\n65533\n65533\n");
    }

    #[tokio::test]
    async fn a_program_inherits_no_files() {
        let file = fs::File::open("/").unwrap();
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let finished = sh("ls /proc/$$/fd", LIMITS).await.unwrap();
        let output = String::from_utf8(finished.output).unwrap();
        let open: Vec<i32> = output.lines().map(|number| number.parse().unwrap()).collect();
        assert!(open.starts_with(&[0, 1]) && open.contains(&2), "{open:?}");
        for inherited in [file.as_raw_fd(), socket.as_raw_fd()] {
            assert!(!open.contains(&inherited), "{open:?} {inherited}");
        }
    }

    /// What leaves the process group has them as well.
    #[tokio::test]
    async fn processes_have_limits() {
        // They are set a moment after the start, this one as the last.
        let script = "until grep -q 'core file size  *0  *0' /proc/self/limits; do :; done
            setsid -w cat /proc/self/status /proc/self/limits";
        let finished = sh(script, ProgramLimits { output: 10_000, ..LIMITS }).await.unwrap();
        let output = String::from_utf8_lossy(&finished.output);
        let words: Vec<String> = output
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        for line in [
            "NoNewPrivs: 1",
            "Max cpu time 31 31 seconds",
            "Max data size 536870912 536870912 bytes",
            "Max file size 1073741824 1073741824 bytes",
            "Max open files 256 256 files",
        ] {
            assert!(words.iter().any(|words| words == line), "{line}: {output}");
        }
        let own = fs::read_to_string("/proc/thread-self/status").unwrap();
        assert!(own.contains("NoNewPrivs:\t0"), "the daemon's own threads keep theirs");
        let nobody = Some(UserIds { uid: 65_534, gid: 65_534 });
        assert!(resources(nobody, LIMITS).contains(&(Resource::Nproc, MAX_PROCESSES)));
    }

    #[tokio::test]
    async fn output_has_a_limit() {
        let exact = sh("head -c 1000 /dev/zero; head -c 100000 /dev/zero >&2", LIMITS).await;
        let exact = exact.unwrap();
        assert_eq!((exact.output.len(), exact.errors.len() as u64), (1000, MAX_ERRORS));
        let more = sh("while :; do echo x; done", LIMITS).await.unwrap_err();
        assert!(matches!(more, ProgramError::TooLong(1000)), "{more}");
    }

    #[tokio::test]
    async fn the_whole_group_ends_at_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let script = format!("sleep 1000 & echo $! > {}; wait", file.display());
        let limits = ProgramLimits { time: Duration::from_millis(500), ..LIMITS };
        let error = sh(&script, limits).await.unwrap_err();
        assert!(matches!(error, ProgramError::TooSlow(_)), "{error}");
        let pid = fs::read_to_string(&file).unwrap();
        wait_until_gone(pid.trim()).await;
    }

    #[tokio::test]
    async fn what_is_left_in_the_background_is_killed() {
        let began = Instant::now();
        let finished = sh("sleep 1000 & echo $!", LIMITS).await.unwrap();
        assert!(began.elapsed() < LIMITS.time);
        wait_until_gone(String::from_utf8(finished.output).unwrap().trim()).await;
    }

    /// Waits until a process has ended; whoever inherits it reaps it at some time.
    async fn wait_until_gone(pid: &str) {
        let lives = || {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        let began = Instant::now();
        while lives() {
            assert!(began.elapsed() < Duration::from_secs(20), "process {pid} lives");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whoever gets the number of a group that has gone must not be killed in its place.
    #[tokio::test]
    async fn a_group_is_killed_only_while_its_number_is_in_use() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exit 3"]).process_group(0);
        let mut program = Program::start(command, Vec::new()).await.unwrap();
        timeout(LIMITS.time, &mut program.end).await.unwrap().unwrap();
        let group = program.group().expect("the number is still in use").as_raw_nonzero();
        let stat = fs::read_to_string(format!("/proc/{group}/stat")).unwrap();
        assert!(stat.contains(") Z "), "{stat}");
        assert_eq!(program.child.wait().await.unwrap().code(), Some(3));
        assert_eq!(program.group(), None, "nothing is killed from now on");
    }

    #[tokio::test]
    async fn a_missing_program_is_an_error() {
        let error = run(Path::new("/nonexistent"), &[], &[], None, LIMITS).await.unwrap_err();
        assert!(matches!(error, ProgramError::Start(_)), "{error}");
    }
}
