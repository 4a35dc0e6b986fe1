//! The commands of README.md and of the pages in `docs/`, run as they stand there.
//!
//! A page's `console` blocks are one session of a shell. A line that begins with `$ ` is a command
//! and a line that begins with `> ` continues it; the lines after it are its output, in which `...`
//! stands for any text. A block `console daemon` has a command that runs until the session ends.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The end of a command's output, with its exit status.
const MARK: &str = "@@ end of the command";

/// Time limit that nothing reaches unless it fails, even on a busy machine.
const GENEROUS: Duration = Duration::from_secs(60);

/// The beginning of the last address that a daemon prints.
const LAST_ADDRESS: &str = "Listening on unix:";

/// A command of a page, with its expected output.
#[derive(Debug, Default)]
struct Step {
    line: usize,
    command: String,
    output: String,
    is_daemon: bool,
}

/// The steps of a page.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut block = None;
    for (number, line) in page.lines().enumerate() {
        match (block, line) {
            (None, _) => block = line.strip_prefix("```console").map(|rest| rest == " daemon"),
            (Some(_), "```") => block = None,
            (Some(is_daemon), _) => {
                if let Some(command) = line.strip_prefix("$ ") {
                    let command = command.to_owned();
                    let line = number + 1;
                    steps.push(Step { line, command, output: String::new(), is_daemon });
                } else if let (Some(step), Some(more)) =
                    (steps.last_mut(), line.strip_prefix("> ").or((line == ">").then_some("")))
                {
                    write!(step.command, "\n{more}").unwrap();
                } else if let Some(step) = steps.last_mut() {
                    writeln!(step.output, "{line}").unwrap();
                }
            }
        }
    }
    steps
}

/// Whether `output` is the expected text, in which `...` stands for any text.
fn fits(expected: &str, output: &str) -> bool {
    let parts: Vec<String> = expected.split("...").map(regex::escape).collect();
    regex::Regex::new(&format!("(?s)^{}$", parts.join(".*"))).unwrap().is_match(output)
}

/// Where programs are: those of the workspace come first.
fn path() -> String {
    let binaries = Path::new(env!("CARGO_BIN_EXE_xend")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{}:{path}:/usr/sbin:/sbin", binaries.display())
}

/// A shell in a directory of its own, and the daemons that it started.
struct Session {
    dir: TempDir,
    shell: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    daemons: Vec<Child>,
    /// Ports of the page, and the free ports that stand for them here.
    ports: Vec<(String, String)>,
}

impl Session {
    /// `ports` are the ports that the page names.
    fn start(ports: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut shell = Self::command(&dir, "bash");
        shell.args(["--norc", "--noprofile"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        let mut input = shell.stdin.take().unwrap();
        input.write_all(b"exec 2>&1\n").unwrap();
        let output = BufReader::new(shell.stdout.take().unwrap());
        // All are held until all are known, so that no two are the same.
        let listeners: Vec<_> =
            ports.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let free = listeners.iter().map(|one| one.local_addr().unwrap().port().to_string());
        let ports = ports.iter().map(|port| (*port).to_owned()).zip(free).collect();
        Self { dir, shell, input, output, daemons: Vec::new(), ports }
    }

    fn command(dir: &TempDir, program: &str) -> Command {
        let home = dir.path();
        let mut command = Command::new(program);
        command
            .current_dir(home)
            .env_clear()
            .env("PATH", path())
            .env("HOME", home)
            .env("XDG_RUNTIME_DIR", home)
            .env("LANG", "C.UTF-8");
        command
    }

    fn here(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (page, here)| text.replace(page, here))
    }

    fn page(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (page, here)| text.replace(here, page))
    }

    /// Runs a command, and gives its output.
    fn run(&mut self, command: &str) -> String {
        writeln!(self.input, "{}\necho '{MARK}'", self.here(command)).unwrap();
        let mut output = String::new();
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).unwrap();
            assert_ne!(read, 0, "the shell ended in {command}: {output}");
            // The last line of an answer need not end.
            if let Some(rest) = line.strip_suffix(&format!("{MARK}\n")) {
                output.push_str(rest);
                return self.page(&output);
            }
            output.push_str(&line);
        }
    }

    /// Starts a daemon, and waits for the last address of one that has addresses.
    fn start_daemon(&mut self, command: &str, last: Option<&str>) {
        let mut child = Self::command(&self.dir, "bash");
        let command = format!("exec {}", self.here(command));
        let path = self.dir.path().join(format!("daemon-{}.log", self.daemons.len()));
        let log = std::fs::File::create(&path).unwrap();
        child.args(["-c", &command]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = child.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let began = Instant::now();
        while let Some(last) = last {
            let mut line = String::new();
            let read = lines.read_line(&mut line).unwrap();
            let log = || std::fs::read_to_string(&path).unwrap();
            assert_ne!(read, 0, "{command} ended: {}", log());
            if line.contains(last) {
                break;
            }
            assert!(began.elapsed() < GENEROUS, "{command} is not ready: {}", log());
        }
        // Nothing more is read, and the daemon writes nothing more.
        std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
        self.daemons.push(child);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for child in self.daemons.iter_mut().chain([&mut self.shell]) {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// Runs the steps of a page. `programs` are the programs that it needs beside Debian's essential
/// ones; without one of them, the test skips visibly.
fn run_page(name: &str, ports: &[&str], programs: &[&str]) {
    run_page_beside(None, name, ports, programs);
}

/// Runs the steps of a page beside a daemon that the page says how to build.
fn run_page_beside(daemon: Option<&str>, name: &str, ports: &[&str], programs: &[&str]) {
    let prepare = |session: &mut Session| {
        if let Some(daemon) = daemon {
            session.start_daemon(daemon, Some(LAST_ADDRESS));
        }
    };
    run_prepared_page(name, ports, programs, prepare);
}

/// Runs the steps of a page in a session to which `prepare` gives what the page presumes.
fn run_prepared_page(
    name: &str,
    ports: &[&str],
    programs: &[&str],
    prepare: impl FnOnce(&mut Session),
) {
    for program in programs {
        if Command::new(program).arg("--version").env("PATH", path()).output().is_err() {
            eprintln!("SKIPPED: {name} needs {program}");
            return;
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let page = std::fs::read_to_string(path).unwrap();
    let steps = steps(&page);
    assert!(!steps.is_empty(), "{name} has no commands");
    let mut session = Session::start(ports);
    prepare(&mut session);
    for Step { line, command, output, is_daemon } in steps {
        if is_daemon {
            // An agent takes the requests that came before its start.
            let last = command.starts_with("xend ").then_some(LAST_ADDRESS);
            session.start_daemon(&command, last);
            continue;
        }
        let got = session.run(&command);
        assert!(
            fits(&output, &got) || fits(&output, &format!("{got}\n")),
            "{name}:{line}: $ {command}\nexpected:\n{output}\ngot:\n{got}"
        );
    }
}

#[test]
fn the_session_of_the_readme_works() {
    let daemon = "xend --http 127.0.0.1:8000 --state-dir state --unix xend-socket";
    run_page_beside(Some(daemon), "README.md", &["8000"], &["curl", "python3"]);
}

#[test]
fn the_page_about_the_first_session_works() {
    run_page("docs/first-session.md", &["8000"], &["curl"]);
}

#[test]
fn the_page_about_consoles_works() {
    crate::xm_support::program();
    run_page("docs/console.md", &["8000"], &["curl", "xm"]);
}

#[test]
fn the_page_about_xm_works() {
    crate::xm_support::program();
    run_page("docs/xm.md", &["8000"], &["xm"]);
}

#[test]
fn the_page_about_configurations_works() {
    run_page("docs/configurations.md", &[], &[]);
}

#[test]
fn the_page_about_the_simulated_host_works() {
    run_page("docs/simulator.md", &["8000"], &["curl"]);
}

#[test]
fn the_page_about_xml_rpc_works() {
    run_page("docs/xml-rpc.md", &["8000", "9363"], &["curl", "python3"]);
}

#[test]
fn the_page_about_operating_works() {
    run_page("docs/operations.md", &[], &["curl"]);
}

#[test]
fn the_page_about_accounts_works() {
    let ports = ["8443", "9363", "20203"];
    run_page("docs/hosting.md", &ports, &["curl", "openssl", "python3"]);
}

#[test]
fn the_page_about_migration_works() {
    let ports = ["8000", "8003", "8010", "8013"];
    run_page("docs/migration.md", &ports, &["curl", "openssl", "pkill"]);
}

/// The backup is one of a host with a managed domain and two files of xm.
#[test]
fn the_page_about_old_hosts_works() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("sexpr-fixtures");
    let backup = |session: &mut Session| {
        for (fixture, file) in [
            ("config/debian-lenny.sxp", "etc/xen/xend-config.sxp"),
            ("xm-config/old1.cfg", "etc/xen/old1.cfg"),
            ("xm-config/win.hvm.cfg", "etc/xen/win.cfg"),
            (
                "store/xend-4.1-pv.sxp",
                "var/lib/xend/domains/11111111-2222-3333-4444-555555550030/config.sxp",
            ),
        ] {
            let file = session.dir.path().join("old").join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::copy(fixtures.join(fixture), file).unwrap();
        }
        session.run("tar -C old -czf xend-backup.tar.gz etc/xen var/lib/xend; rm -r old");
    };
    run_prepared_page("docs/from-xend.md", &["8000"], &["curl", "tar"], backup);
}

#[test]
fn the_page_about_histories_works() {
    run_page("docs/history.md", &["8000"], &["curl", "python3"]);
}

#[test]
fn the_page_about_json_works() {
    run_page("docs/json.md", &["8000"], &["curl", "python3"]);
}

#[test]
fn the_page_about_the_guest_agent_works() {
    let programs = ["curl", "openssl", "python3", "xend-guest-agent"];
    run_page("docs/guest-agent.md", &["8000", "9363"], &programs);
}

#[test]
fn the_page_about_metrics_works() {
    run_page("docs/metrics.md", &["8000", "8007"], &["curl"]);
}

/// What is installed in a guest is not run here.
#[test]
fn the_page_about_the_guest_agent_installs_what_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/guest-agent.md")).unwrap();
    assert!(page.contains("agent/static") && root.join("agent/static").exists());
    let names = regex::Regex::new(r"xend-guest-agent\.[a-z0-9]+").unwrap();
    let names: Vec<&str> = names.find_iter(&page).map(|name| name.as_str()).collect();
    let missing: Vec<_> =
        names.iter().filter(|name| !root.join("agent/dist").join(name).exists()).collect();
    assert!(names.len() > 5 && missing.is_empty(), "{missing:?}");
}

/// The book has every page, and every link of README.md and of a page leads to a file.
#[test]
fn pages_are_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let link = regex::Regex::new(r"\]\(([^)#]+)[^)]*\)").unwrap();
    let summary = read(&root.join("docs/SUMMARY.md"));
    let mut pages = vec![root.join("README.md")];
    for entry in std::fs::read_dir(root.join("docs")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_some_and(|extension| extension == "md") {
            let is_listed = summary.contains(&format!("({name})"));
            assert!(is_listed || name == "SUMMARY.md", "{name} is not in docs/SUMMARY.md");
            pages.push(path);
        }
    }
    for page in pages {
        for captures in link.captures_iter(&read(&page)) {
            let target = &captures[1];
            let exists = target.contains("://") || page.parent().unwrap().join(target).exists();
            assert!(exists, "{}: {target}", page.display());
        }
    }
}

/// Why a block of commands is not run here.
const NOT_RUN: [&str; 4] = [
    "sh install",  // changes the machine; tests/packages/run installs the packages
    "sh real-xen", // is for a Xen host
    "sh guest",    // is for the inside of a guest
    "sh network",  // downloads; tests/sdk/run does the same
];

/// Blocks that are no commands.
const NO_COMMANDS: [&str; 3] = ["", "lisp", "yaml"];

/// The lines that begin a block, by number.
fn fences(page: &str) -> Vec<(usize, &str)> {
    let fences = page
        .lines()
        .enumerate()
        .filter_map(|(number, line)| Some((number + 1, line.trim_start().strip_prefix("```")?)));
    fences.step_by(2).collect()
}

#[test]
fn each_block_of_commands_is_run_or_says_why_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let this = std::fs::read_to_string(root.join("tests/it/docs.rs")).unwrap();
    let pages = std::fs::read_dir(root.join("docs")).unwrap();
    let pages = pages.map(|entry| format!("docs/{}", entry.unwrap().file_name().display()));
    let pages = pages.filter(|page| Path::new(page).extension().is_some_and(|ext| ext == "md"));
    let mut marked = 0;
    for page in pages.chain(["README.md".to_owned()]) {
        let text = std::fs::read_to_string(root.join(&page)).unwrap();
        let is_run = this.contains(&format!("\"{page}\", &"));
        for (line, fence) in fences(&text) {
            let is_console = fence == "console" || fence == "console daemon";
            let is_known = NOT_RUN.contains(&fence) || NO_COMMANDS.contains(&fence);
            assert!(is_known || (is_console && is_run), "{page}:{line}: ```{fence}");
            marked += usize::from(NOT_RUN.contains(&fence));
        }
    }
    assert!((8..=14).contains(&marked), "{marked} blocks are not run");
}

#[test]
fn steps_are_read_and_compared() {
    let page = "x\n```console\n$ a \\\n> b\n1\n2\n$ c\n```\n```sh\n$ no\n```\n```console daemon\n$ d\n```\n";
    let steps = steps(page);
    let commands: Vec<_> = steps.iter().map(|step| step.command.as_str()).collect();
    assert_eq!(commands, ["a \\\nb", "c", "d"]);
    assert_eq!((steps[0].output.as_str(), steps[0].line), ("1\n2\n", 3));
    assert!(steps[2].is_daemon && !steps[1].is_daemon);
    assert!(fits("a...c...e", "abcdde") && fits("a", "a") && fits("...", "x"));
    assert!(!fits("a...c", "acb") && !fits("a", "ab") && !fits("a...b...c", "ac"));
}
