//! `xend user`.

use crate::terminal_support::terminal;
use rustix::termios::{LocalModes, tcgetattr};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A directory for the files of a test.
struct Fixture {
    dir: TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("users.sxp")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    fn write(&self, text: &str) {
        fs::write(self.file(), text).unwrap();
        fs::set_permissions(self.file(), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xend"));
        command.arg("user").args(line).arg("--file").arg(self.file());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs `xend user` with this standard input.
    fn run(&self, line: &[&str], input: &str) -> Output {
        let mut child = self.command(line).stdin(Stdio::piped()).spawn().unwrap();
        // A command that needs no input may have ended.
        child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
        child.wait_with_output().unwrap()
    }

    /// Runs a command that succeeds, and returns its output.
    fn succeed(&self, line: &[&str], input: &str) -> String {
        let output = self.run(line, input);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && stderr.is_empty(), "{line:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that fails, and returns its errors.
    fn fail(&self, line: &[&str], input: &str) -> String {
        let output = self.run(line, input);
        assert_eq!(
            (output.status.code(), output.stdout.as_slice()),
            (Some(1), &b""[..]),
            "{line:?}"
        );
        String::from_utf8(output.stderr).unwrap()
    }
}

#[test]
fn an_operator_keeps_accounts() {
    let fixture = Fixture::new();
    let add = ["add", "steve", "--domains", "lj,one.my.*", "--rights", "see,power,console"];
    assert_eq!(fixture.succeed(&add, "ge:heim\n"), "");
    let text = fixture.text();
    assert!(text.starts_with("(user steve (password '$argon2id$v=19$"), "{text}");
    assert!(text.ends_with("') (domains lj 'one.my.*') (rights see power console))\n"), "{text}");
    assert_eq!(fs::metadata(fixture.file()).unwrap().permissions().mode() & 0o777, 0o600);

    let by_hand = format!("# ours\n{text}# roles\n(role owner (rights power)) # all owners\n");
    fixture.write(&by_hand);
    let add = [
        "add",
        "ann",
        "--uid",
        "1000,1001",
        "--no-password",
        "--role",
        "owner",
        "--domains",
        "ann-*",
    ];
    fixture.succeed(&add, "");
    let ann = "(user ann (uid 1000 1001) (role owner) (domains 'ann-*'))\n";
    assert_eq!(fixture.text(), format!("{by_hand}{ann}"));
    let set = [
        "set",
        "ann",
        "--role",
        "",
        "--rights",
        "all",
        "--max-memory",
        "4096",
        "--disks",
        "/srv/ann/",
    ];
    fixture.succeed(&set, "");
    let ann = "(user ann (uid 1000 1001) (domains 'ann-*') (rights all) \
               (limits (memory 4096) (disks /srv/ann/)))\n";
    assert_eq!(fixture.text(), format!("{by_hand}{ann}"));
    fixture.succeed(&["add", "root", "--operator"], "x");

    let list = fixture.succeed(&["list"], "");
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines[0], "steve  password            lj,one.my.*: see,power,console");
    assert!(lines[1].starts_with("ann    uid 1000, uid 1001  ann-*: see,power,"), "{list}");
    assert!(lines[1].ends_with("host-facts; at most 4096 MiB"), "{list}");
    assert_eq!(lines[2], "root   password            operator");
    assert!(!list.contains("argon2"));
    assert_eq!(fixture.succeed(&["check"], ""), "");

    let before = fixture.text();
    fixture.succeed(&["password", "steve"], "other\n");
    let hash = |text: &str| text.lines().nth(1).unwrap().to_owned();
    assert_ne!(hash(&fixture.text()), hash(&before));
    fixture.succeed(&["del", "steve"], "");
    assert!(fixture.text().starts_with("# ours\n# roles\n(role owner (rights power)) # all"));
}

#[test]
fn mistakes_have_a_line_and_a_column() {
    let fixture = Fixture::new();
    let shown = fixture.file().display().to_string();
    fixture.write("(user a (uid 1))\n(user b)\n  (usr c (password geheim))\n");
    let errors = fixture.fail(&["check"], "");
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(lines.len(), 2, "{errors}");
    assert!(lines[0].starts_with(&format!("{shown}:2:1: user b: nobody can log in")), "{errors}");
    assert_eq!(lines[1], format!("{shown}:3:3: usr: unknown, user is a key"));
    // A command that meets a mistake changes nothing.
    assert_eq!(fixture.fail(&["del", "a"], ""), errors);
    fixture.write("(user a (uid 1))");
    for (line, wanted) in [
        (&["del", "b"][..], format!("{shown}: there is no user b\n")),
        (&["password", "b"], format!("{shown}: there is no user b\n")),
        (&["add", "a"], format!("{shown}: there is a user a already\n")),
        (
            &["set", "a"],
            "xend: Nothing to change: give an option, see xend user set --help\n".into(),
        ),
    ] {
        assert_eq!(fixture.fail(line, "x"), wanted, "{line:?}");
    }
    let error = fixture.fail(&["set", "a", "--domains", "lj"], "");
    assert!(error.starts_with(&format!("{shown}:1:1: user a: domains without rights")), "{error}");
    assert_eq!(fixture.fail(&["password", "a"], "\n"), "xend: The password is empty\n");
    assert_eq!(fixture.text(), "(user a (uid 1))");
    fs::set_permissions(fixture.file(), fs::Permissions::from_mode(0o644)).unwrap();
    for line in [&["check"][..], &["list"], &["del", "a"]] {
        let error = fixture.fail(line, "");
        assert!(error.trim_end().ends_with(&format!("run chmod 600 {shown}")), "{error}");
    }
}

#[test]
fn a_file_that_is_missing_or_no_file_is_named() {
    let fixture = Fixture::new();
    let shown = fixture.file().display().to_string();
    let commands =
        [&["list"][..], &["check"], &["del", "a"], &["set", "a", "--uid", "2"], &["password", "a"]];
    for line in commands {
        let missing = format!("{shown}: there is no such file, xend user add makes it\n");
        assert_eq!(fixture.fail(line, "x"), missing, "{line:?}");
    }
    assert!(!fixture.file().exists());
    // A link to a file that is missing, whose directory is missing, too.
    std::os::unix::fs::symlink("real/users", fixture.file()).unwrap();
    for line in commands {
        let missing = format!("{shown}: there is no such file, xend user add makes it\n");
        assert_eq!(fixture.fail(line, "x"), missing, "{line:?}");
    }
    assert!(!fixture.dir.path().join("real").exists());
    fixture.succeed(&["add", "a", "--uid", "1", "--no-password"], "");
    assert!(fs::symlink_metadata(fixture.file()).unwrap().is_symlink());
    let real = fixture.dir.path().join("real/users");
    assert_eq!(fs::read_to_string(real).unwrap(), "(user a (uid 1))\n");
    fs::remove_file(fixture.file()).unwrap();
    fs::create_dir(fixture.file()).unwrap();
    let add = ["add", "a", "--uid", "1", "--no-password"];
    for line in commands.iter().copied().chain([&add[..]]) {
        assert_eq!(fixture.fail(line, "x"), format!("{shown}: is no file\n"), "{line:?}");
    }
    fs::remove_dir(fixture.file()).unwrap();
    fixture.write("(user a (uid 1))");
    fs::set_permissions(fixture.file(), fs::Permissions::from_mode(0o000)).unwrap();
    if rustix::process::geteuid().is_root() {
        println!("Skipped: root can read every file");
        return;
    }
    for line in commands.iter().copied().chain([&add[..]]) {
        let error = fixture.fail(line, "x");
        assert!(error.starts_with(&format!("{shown}: Permission denied")), "{line:?}: {error}");
    }
}

/// The status and errors of a command that is given these lines on a terminal, each after a prompt.
fn on_a_terminal(fixture: &Fixture, line: &[&str], answers: &[&str]) -> (Option<i32>, String) {
    let (mut person, program) = terminal();
    let stdin = Stdio::from(program.try_clone().unwrap());
    let mut child = fixture.command(line).stdin(stdin).spawn().unwrap();
    let mut errors = child.stderr.take().unwrap();
    let mut shown = String::new();
    for answer in answers {
        while !shown.ends_with(": ") {
            let mut byte = [0];
            assert_eq!(errors.read(&mut byte).unwrap(), 1, "no prompt after {shown:?}");
            shown.push(char::from(byte[0]));
        }
        let modes = tcgetattr(&program).unwrap().local_modes;
        assert!(!modes.contains(LocalModes::ECHO), "the password would be shown");
        person.write_all(answer.as_bytes()).unwrap();
        shown.push('|');
    }
    errors.read_to_string(&mut shown).unwrap();
    let status = child.wait().unwrap().code();
    assert!(tcgetattr(&program).unwrap().local_modes.contains(LocalModes::ECHO));
    (status, shown)
}

#[test]
fn a_terminal_does_not_show_the_password() {
    let fixture = Fixture::new();
    let add = ["add", "a"];
    let (status, shown) = on_a_terminal(&fixture, &add, &["ge:heim\r", "ge:heim\r"]);
    assert_eq!((status, shown.as_str()), (Some(0), "Password: |\nAgain: |\n"));
    assert!(fixture.text().starts_with("(user a (password "));
    let before = fixture.text();
    for (answers, error) in [
        (&["ge:heim\r", "geheim\r"][..], "Password: |\nAgain: |\nxend: The passwords differ\n"),
        (&["ge\u{3}"], "Password: |\nxend: operation interrupted\n"),
        (&["\r"], "Password: |\nxend: The password is empty\n"),
    ] {
        let (status, shown) = on_a_terminal(&fixture, &["password", "a"], answers);
        assert_eq!((status, shown.as_str()), (Some(1), error));
    }
    assert_eq!(fixture.text(), before);
}
