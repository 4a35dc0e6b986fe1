//! The manual and the service files, by the tools of the systems that read them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn dist(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dist").join(name)
}

/// What a program says; `None`, visibly, if it is not there.
fn run(program: &str, args: &[&str]) -> Option<Output> {
    match Command::new(program).args(args).env("LC_ALL", "C.UTF-8").output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("SKIPPED: {program}: {error}");
            None
        }
    }
}

fn complaints(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_manual_has_no_mistakes() {
    let manual = dist("xend-guest-agent.8");
    let manual = manual.to_str().unwrap();
    if let Some(output) = run("mandoc", &["-T", "lint", "-W", "warning", manual]) {
        assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    // Some images have a `man` that only says that there are no manuals.
    if let Some(output) = run("man", &["--warnings", "-E", "UTF-8", "-l", manual]) {
        assert_eq!(complaints(&output), "");
    }
}

#[test]
fn systemd_takes_the_unit() {
    let unit = fs::read_to_string(dist("xend-guest-agent.service")).unwrap();
    let command = "ExecStart=/usr/sbin/xend-guest-agent";
    assert!(unit.contains(&format!("{command}\n")));
    // It is not installed here.
    let unit = unit.replace(command, "ExecStart=/bin/sh");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("xend-guest-agent.service");
    fs::write(&path, unit).unwrap();
    let arguments = ["verify", "--man=no", path.to_str().unwrap()];
    if let Some(output) = run("systemd-analyze", &arguments) {
        let ours = complaints(&output);
        let ours: Vec<&str> = ours.lines().filter(|line| line.contains("guest-agent")).collect();
        assert!(ours.is_empty(), "{ours:?}");
    }
}

#[test]
fn the_openrc_script_is_a_script() {
    let script = dist("xend-guest-agent.openrc");
    let output = run("sh", &["-n", script.to_str().unwrap()]).unwrap();
    assert!(output.status.success(), "{}", complaints(&output));
    let text = fs::read_to_string(script).unwrap();
    assert!(
        text.starts_with("#!/sbin/openrc-run\n") && text.contains("/usr/sbin/xend-guest-agent\n")
    );
}
