//! Finds Debian's xenstored, and compiles what stands in for Xen.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Replaces the functions of Xen's libraries that xenstored calls.
const SHIM: &str = include_str!("../../xenstored/shim.c");

/// xenstored, and what it needs to run.
pub(super) struct Program {
    pub(super) path: PathBuf,
    /// Xen's libraries, if they are not installed.
    pub(super) libraries: Option<PathBuf>,
    /// The library to preload.
    pub(super) shim: Vec<u8>,
}

/// The program, or why the tests that need it must be skipped.
pub(super) fn program() -> &'static Result<Program, String> {
    static PROGRAM: OnceLock<Result<Program, String>> = OnceLock::new();
    PROGRAM.get_or_init(find)
}

fn find() -> Result<Program, String> {
    let path = candidates().into_iter().find(|path| path.is_file()).ok_or(
        "there is no xenstored of Xen 4.17: get it by `tests/xenstored/fetch target/xenstored`",
    )?;
    // As tests/xenstored/fetch lays them out: bin/xenstored, lib and include.
    let root = path.ancestors().nth(2).unwrap_or(Path::new("/"));
    let libraries = Some(root.join("lib")).filter(|lib| lib.join("libxenctrl.so.4.17").exists());
    let headers = [root.join("include"), PathBuf::from("/usr/include")];
    let headers = headers.iter().find(|headers| headers.join("xenctrl.h").exists());
    let headers = headers.ok_or("the headers of Debian's libxen-dev are missing")?;
    Ok(Program { shim: compile_shim(headers)?, libraries, path })
}

fn candidates() -> Vec<PathBuf> {
    if let Some(path) = env::var_os("XENSTORED") {
        return vec![path.into()];
    }
    // The tests of several packages use this file.
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = package.ancestors().find(|dir| dir.join("tests/xenstored/fetch").exists());
    let target = workspace.unwrap_or(package).join("target");
    vec![
        PathBuf::from("/usr/lib/xen-4.17/bin/xenstored"),
        target.join("xenstored/bin/xenstored"),
        target.join("xen/work/root/usr/lib/xen-4.17/bin/xenstored"),
    ]
}

fn compile_shim(headers: &Path) -> Result<Vec<u8>, String> {
    let directory = tempfile::tempdir().unwrap();
    let shim = directory.path().join("shim.so");
    let compiler = Command::new("cc")
        .args(["-x", "c", "-std=gnu11", "-O1", "-fPIC", "-shared", "-I"])
        .arg(headers)
        .args(["-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-o"])
        .arg(&shim)
        .arg("-")
        .stdin(Stdio::piped())
        .spawn();
    let mut compiler = compiler.map_err(|error| format!("there is no C compiler, cc: {error}"))?;
    compiler.stdin.take().unwrap().write_all(SHIM.as_bytes()).unwrap();
    let status = compiler.wait().unwrap();
    assert!(status.success(), "shim.c does not compile");
    Ok(std::fs::read(shim).unwrap())
}
