//! Debian's packages, as far as they can be checked without building them: `tests/packages/run`
//! does that.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

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

/// `tests/packages/run` builds in a shorter way, whose differences it names, and with
/// `PACKAGES_README=yes` by these commands.
#[test]
fn the_commands_of_the_readme_are_those_that_build_the_packages() {
    let read = |name: &str| fs::read_to_string(debian().join("..").join(name)).unwrap();
    let output = Command::new(debian().join("../tests/packages/readme-commands")).output().unwrap();
    let commands = String::from_utf8(output.stdout).unwrap();
    assert_eq!(commands.lines().count(), 3, "{commands}");
    let options = words(&commands, "dpkg-buildpackage ");
    assert_eq!(options, ["--build=binary", "--no-sign"]);
    let install = read("docs/install.md");
    assert_eq!(words(&install, "dpkg-buildpackage "), options);
    let package = words(&commands, "apt-get install ../");
    let package = package[0].strip_suffix("_*.deb").unwrap();
    assert!(read("debian/control").contains(&format!("\nPackage: {package}\n")), "{package}");

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
    assert!(run.contains(&format!("dpkg-buildpackage {}", options.join(" "))));
    let different = run.split_once("DEB_BUILD_OPTIONS=\"").unwrap().1;
    for option in different.split_once('"').unwrap().0.split(' ') {
        assert!(run.contains(&format!("#   {option} ")), "{option} has no reason");
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
