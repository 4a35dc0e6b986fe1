//! Debian's packages, as far as they can be checked without building them: `tests/packages/run`
//! does that.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn debian() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("debian")
}

#[test]
fn the_packages_have_the_version_of_the_crates() {
    let changelog = fs::read_to_string(debian().join("changelog")).unwrap();
    let version = changelog.strip_prefix("xend (").and_then(|rest| rest.split(')').next());
    assert_eq!(version, Some(env!("CARGO_PKG_VERSION")));
}

/// The words of the command in a text that begins so.
fn words<'a>(text: &'a str, command: &str) -> Vec<&'a str> {
    let line =
        text.lines().find(|line| line.starts_with(command)).unwrap_or_else(|| panic!("{command}"));
    let words = line.split('#').next().unwrap_or_default().strip_prefix(command);
    words.unwrap_or_default().split_whitespace().collect()
}

/// The packages that a command installs. pkg-config is pkgconf's other name.
fn installed<'a>(text: &'a str, command: &str) -> BTreeSet<&'a str> {
    let words = words(text, command).into_iter().filter(|word| !word.starts_with('-'));
    words.map(|word| if word == "pkg-config" { "pkgconf" } else { word }).collect()
}

/// `tests/packages/run` builds by these commands, in an environment whose differences `readme` names.
#[test]
fn the_commands_of_the_readme_are_those_that_build_the_packages() {
    let read = |name: &str| fs::read_to_string(debian().join("..").join(name)).unwrap();
    let output = Command::new(debian().join("../tests/packages/readme-commands")).output().unwrap();
    let commands = String::from_utf8(output.stdout).unwrap();
    let first: Vec<_> = commands.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(first, ["apt-get", "apt-get", "dpkg-buildpackage", "apt-get"], "{commands}");
    assert!(commands.starts_with("apt-get update\n"));
    let options = words(&commands, "dpkg-buildpackage ");
    assert_eq!(options, ["--build=binary", "--no-sign"]);
    let install = read("docs/install.md");
    assert_eq!(words(&install, "dpkg-buildpackage "), options);
    // Nobody who copies the commands boots into Xen unawares.
    assert!(
        commands.ends_with("\napt-get install -y ../xend_$(debian/version)_*.deb\n"),
        "{commands}"
    );

    let needed = installed(&commands, "apt-get install -y dpkg-dev");
    assert_eq!(installed(&install, "sudo apt-get install -y dpkg-dev"), needed);
    let control = read("debian/control");
    let depends = control.split_once("Build-Depends:").unwrap().1;
    let depends = depends.split_once("\nStandards").unwrap().0;
    for depend in depends.split(',').map(str::trim).filter(|depend| !depend.is_empty()) {
        let name = depend.split([' ', '(']).next().unwrap();
        // debhelper provides these two.
        let is_debhelper = name.starts_with("debhelper") || name.starts_with("dh-sequence");
        let name = if is_debhelper { "debhelper" } else { name };
        assert!(needed.contains(name), "{depend} is not installed by README.md");
    }
    let builder = read("tests/packages/builder");
    for name in needed.iter().filter(|name| !name.starts_with("cargo")) {
        assert!(builder.contains(name), "{name} is not in tests/packages/builder");
    }
    let run = read("tests/packages/run");
    let readme = read("tests/packages/readme");
    for script in [&run, &readme] {
        let (_, options) = script.split_once("DEB_BUILD_OPTIONS=").unwrap();
        let options = options.trim_start_matches('"').split_once('"').unwrap().0;
        assert_eq!(options, "noopt nocheck noautodbgsym");
        for option in options.split(' ') {
            assert!(readme.contains(&format!("#   {option} ")), "{option} has no reason");
        }
    }
}

/// Runs a program in a directory, with one time for all that git notes; `None` without the program.
fn run(dir: &Path, time: &str, program: &str, args: &[&str]) -> Option<Output> {
    let mut command = Command::new(program);
    command.current_dir(dir).args(args).envs([
        ("GIT_AUTHOR_NAME", "a"),
        ("GIT_AUTHOR_EMAIL", "a@example.org"),
        ("GIT_COMMITTER_NAME", "a"),
        ("GIT_COMMITTER_EMAIL", "a@example.org"),
        ("GIT_AUTHOR_DATE", time),
        ("GIT_COMMITTER_DATE", time),
    ]);
    command.output().ok()
}

#[test]
fn packages_of_a_later_commit_have_a_higher_version() {
    let dir = tempfile::tempdir().unwrap();
    let project = dir.path();
    fs::create_dir(project.join("debian")).unwrap();
    for name in ["changelog", "version"] {
        fs::copy(debian().join(name), project.join("debian").join(name)).unwrap();
    }
    let version = || {
        let output = run(project, "", "debian/version", &[]).unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let commit = |time: &str| {
        let args = ["-c", "commit.gpgsign=false", "commit", "-q", "--allow-empty", "-am", "x"];
        let output = run(project, time, "git", &args).unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let mut versions = vec![version()];
    assert_eq!(versions[0], env!("CARGO_PKG_VERSION"), "without a history");
    if run(project, "", "git", &["init", "-q"]).is_none() {
        println!("Skipped: there is no git");
        return;
    }
    run(project, "", "git", &["add", "."]).unwrap();
    commit("2026-11-30T23:59:59-08:00");
    versions.push(version());
    let first = format!("{}+git20261201075959.", versions[0]);
    assert!(versions[1].starts_with(&first), "{}", versions[1]);
    fs::write(project.join("debian/changelog"), "xend (0.1.0) unstable\n").unwrap();
    versions.push(version());
    commit("2026-12-01T08:00:00Z");
    versions.push(version());
    assert_eq!(version(), versions[3], "the same commit again");
    for pair in versions.windows(2) {
        let args = ["--compare-versions", &pair[0], "lt", &pair[1]];
        let Some(compared) = run(project, "", "dpkg", &args) else {
            println!("Skipped: there is no dpkg");
            return;
        };
        assert!(compared.status.success(), "{pair:?}");
    }
}

#[test]
fn the_files_that_debian_links_to_are_there() {
    let links: Vec<PathBuf> = fs::read_dir(debian())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_symlink())
        .map(|entry| entry.path())
        .collect();
    let broken: Vec<_> = links.iter().filter(|link| !link.exists()).collect();
    assert!(links.len() > 5 && broken.is_empty(), "{broken:?}");
}
