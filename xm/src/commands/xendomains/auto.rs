//! The directory of configurations whose domains start with the host: files of xm or xl, and
//! S-expressions.

use super::super::config_file::{Source, read_regular_file};
use super::report::Report;
use super::saved::files;
use crate::failure::Failure;
use crate::output::note;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use xend_sxp::Sxp;
use xend_xmconfig::Overrides;

/// A domain that starts with the host.
pub(super) struct AutoDomain {
    pub(super) name: String,
    pub(super) config: Sxp,
}

/// The domains of a directory, in the order of its files. What cannot be read is reported.
pub(super) fn domains(directory: &Path, report: &mut Report) -> Vec<AutoDomain> {
    let mut domains = Vec::new();
    for path in paths(directory, report) {
        match read(&path) {
            Ok(domain) => domains.push(domain),
            Err(failure) => report.failed(failure.to_string()),
        }
    }
    domains
}

/// The names of the domains. A file that cannot be read counts by its own name.
pub(super) fn names(directory: &Path, report: &mut Report) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in paths(directory, report) {
        names.insert(match read(&path) {
            Ok(domain) => domain.name,
            Err(failure) => {
                report.failed(failure.to_string());
                path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
            }
        });
    }
    names
}

/// The endings of what editors and package managers leave beside a file: no domain of its own.
const COPIES: [&str; 12] = [
    "~",
    ".bak",
    ".old",
    ".orig",
    ".swp",
    ".tmp",
    ".rpmnew",
    ".rpmorig",
    ".rpmsave",
    ".dpkg-dist",
    ".dpkg-new",
    ".dpkg-old",
];

fn is_copy(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    COPIES.iter().any(|ending| name.ends_with(ending.as_bytes()))
}

fn paths(directory: &Path, report: &mut Report) -> Vec<PathBuf> {
    let mut paths = files(directory).unwrap_or_else(|failure| {
        report.failed(failure.to_string());
        Vec::new()
    });
    paths.retain(|path| {
        let is_copy = is_copy(path);
        if is_copy {
            note(format!("Warning: {} is left out, as a copy of another file", path.display()));
        }
        !is_copy
    });
    paths
}

fn read(path: &Path) -> Result<AutoDomain, Failure> {
    let shown = path.display();
    let source = Source { path: path.to_owned(), text: read_regular_file(path)? };
    let config = if source.is_expression() {
        source.expression()?
    } else {
        let converted = source.convert(&Overrides::default())?;
        for warning in &converted.warnings {
            note(format!("Warning: {shown}: {warning:#}"));
        }
        converted.config
    };
    let name = config.value("name").and_then(Sxp::as_str).map(str::to_owned);
    let name = name.ok_or_else(|| Failure::new(format!("{shown}: the domain has no name")))?;
    Ok(AutoDomain { name, config })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounded_file::tests::fifo_with_writer;
    use std::fs;

    #[test]
    fn files_of_xm_and_expressions_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("10-web", "kernel = '/k'\nname = 'web'\n");
        write("20-db.sxp", "\n(vm (name db) (image (linux (kernel /k))))");
        write("30-broken.cfg", "lambda");
        write("40-none", "(vm)");
        write(".hidden", "lambda");
        for copy in ["10-web~", "10-web.rpmsave", "10-web.dpkg-old", "web.cfg.bak"] {
            write(copy, "kernel = '/k'\nname = 'copy'\n");
        }
        let mut report = Report::default();
        let found = domains(dir.path(), &mut report);
        let names_of: Vec<&str> = found.iter().map(|domain| domain.name.as_str()).collect();
        assert_eq!(names_of, ["web", "db"]);
        assert!(report.result().is_err());
        let known = names(dir.path(), &mut Report::default());
        assert_eq!(Vec::from_iter(known), ["30-broken", "40-none", "db", "web"]);
    }

    #[test]
    fn what_is_no_regular_file_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        fifo_with_writer(dir.path());
        fs::write(dir.path().join("web"), "kernel = '/k'\nname = 'web'\n").unwrap();
        let mut report = Report::default();
        let found = domains(dir.path(), &mut report);
        assert!(found.len() == 1 && found[0].name == "web");
        assert_eq!(Vec::from_iter(names(dir.path(), &mut report)), ["web"]);
        assert!(report.result().is_ok(), "it is no domain that has failed");
    }
}
