//! The program that cuts another one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// What happens at a change of files.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode {
    /// The program is killed before it.
    Kill,
    /// The program is killed when half of it is done.
    Tear,
    /// It fails: the disk is full.
    Fail,
}

impl Mode {
    /// Whether the program ends.
    pub(crate) fn is_deadly(self) -> bool {
        matches!(self, Self::Kill | Self::Tear)
    }
}

/// The built program.
pub(crate) struct Cut {
    dir: TempDir,
}

impl Cut {
    /// Builds it; `None`, and a line on standard error, where that is not possible.
    pub(crate) fn build() -> Option<Self> {
        if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
            eprintln!("Skipped: cut.c is for Linux on x86-64");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crash/cut.c");
        let built = dir.path().join("cut");
        match Command::new("cc").args(["-O1", "-o"]).arg(built).arg(source).status() {
            Ok(status) => assert!(status.success(), "cut.c was not built"),
            Err(error) => {
                eprintln!("Skipped: there is no C compiler: {error}");
                return None;
            }
        }
        let this = Self { dir };
        let tried = this.command(this.dir.path(), 0, Mode::Kill, "true").status().unwrap();
        if !tried.success() {
            eprintln!("Skipped: this system lets nobody trace a process");
            return None;
        }
        Some(this)
    }

    /// A program that is cut at its change `number` below `dir`; 0 for never.
    pub(crate) fn command(&self, dir: &Path, number: usize, mode: Mode, program: &str) -> Command {
        let mode = match mode {
            Mode::Kill => "kill",
            Mode::Tear => "tear",
            Mode::Fail => "fail",
        };
        let mut command = Command::new(self.dir.path().join("cut"));
        command.arg(dir).arg(number.to_string()).arg(mode).arg(count_file(dir));
        command.arg("--").arg(program);
        command
    }
}

/// How many changes a program made below `dir`, which has ended.
pub(crate) fn count(dir: &Path) -> usize {
    fs::read_to_string(count_file(dir)).unwrap().trim().parse().unwrap()
}

/// Beside the directory, so that it is no change below it.
fn count_file(dir: &Path) -> PathBuf {
    dir.with_extension("count")
}
