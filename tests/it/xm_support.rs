//! Our xm as a program, beside a daemon on a simulated host.

use crate::http_support::Daemon;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// The program, which is built when it is first needed: cargo builds the programs of the tested
/// package alone.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = Path::new(env!("CARGO_BIN_EXE_xend")).parent().unwrap();
        let profile = match folder.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            profile => profile,
        };
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--offline", "--package", "xm"])
            .args(["--profile", profile, "--target-dir"])
            .arg(folder.parent().unwrap())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(built.success(), "xm could not be built");
        folder.join("xm")
    })
}

/// What a command printed.
#[derive(Debug)]
pub(crate) struct Printed {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Printed {
    /// Of a program that has ended.
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            status: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// Standard output of a command that succeeded and said nothing else.
    pub(crate) fn good(self) -> String {
        assert_eq!((self.status, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }
}

/// xm, run in the daemon's directory.
pub(crate) struct Xm<'a>(pub &'a Daemon);

impl Xm<'_> {
    /// xm with these words, which are separated by blanks. `WORK` is the directory.
    pub(crate) fn command(&self, line: &str) -> Command {
        let work = self.0.dir.path().to_str().unwrap();
        let mut command = Command::new(program());
        command
            .args(line.split_whitespace().map(|word| word.replace("WORK", work)))
            .current_dir(work)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("XM_SERVER", format!("unix:{}", self.0.socket().display()))
            .stdin(Stdio::null());
        command
    }

    /// Runs xm.
    pub(crate) fn run(&self, line: &str) -> Printed {
        Printed::of(&self.command(line).output().unwrap())
    }

    /// Runs xm, which must succeed and print no error.
    pub(crate) fn good(&self, line: &str) -> String {
        let printed = self.run(line);
        assert_eq!((printed.status, printed.err.as_str()), (0, ""), "xm {line}: {}", printed.out);
        printed.out
    }

    /// Runs xm, which must fail with this status and say why in one line.
    pub(crate) fn fail(&self, line: &str, status: i32) -> String {
        let printed = self.run(line);
        assert_eq!(printed.status, status, "xm {line}: {printed:?}");
        let mut lines = printed.err.lines();
        let error = lines.next().and_then(|line| line.strip_prefix("Error: "));
        let error = error.unwrap_or_else(|| panic!("xm {line}: {printed:?}"));
        assert_eq!(lines.next(), None, "xm {line}: {printed:?}");
        error.to_owned()
    }

    /// Writes a file into the directory.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.dir.path().join(name), text).unwrap();
    }
}

/// The configuration of the recorded sessions.
pub(crate) const PV: &str = r#"
kernel = "/boot/vmlinuz-2.6-xenU"
memory = 96
name = "oldvm"
vcpus = 2
disk = [ "phy:/dev/vg0/oldvm,sda1,w" ]
vif = [ "mac=00:16:3e:5a:00:01, bridge=xenbr0" ]
root = "/dev/sda1 ro"
extra = "4"
"#;
