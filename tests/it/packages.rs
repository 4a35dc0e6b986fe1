//! Debian's packages, as far as they can be checked without building them: `tests/packages/run` does
//! that.

use std::fs;
use std::path::PathBuf;

fn debian() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("debian")
}

#[test]
fn the_packages_have_the_version_of_the_crates() {
    let changelog = fs::read_to_string(debian().join("changelog")).unwrap();
    let version = changelog.strip_prefix("xend (").and_then(|rest| rest.split(')').next());
    assert_eq!(version, Some(env!("CARGO_PKG_VERSION")));
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
