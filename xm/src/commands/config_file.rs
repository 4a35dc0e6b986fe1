//! Configuration files: where they are found, and what the command line changes in them.

use crate::bounded_file;
use crate::failure::{Failure, reason};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{self, Path, PathBuf};
use xend_sxp::{Limits, Sxp, read_first};
use xend_xmconfig::{
    Conversion, Defaults, Overrides, Variables, XmConfigError, convert_with, read_with,
};

/// Where xm looked for a file.
const SEARCH_PATH: &str = ".:/etc/xen";

/// The longest configuration file.
const MAX_MIB: u64 = 1;

/// A configuration file.
pub(super) struct Source {
    /// The path under which it was found.
    pub(super) path: PathBuf,
    pub(super) text: Vec<u8>,
}

/// Reads a whole file.
pub(super) fn read_file(path: impl AsRef<Path>) -> Result<Vec<u8>, Failure> {
    let path = path.as_ref();
    bounded_file::read(path, MAX_MIB).map_err(|error| Failure::of_file("read", path, &error))
}

/// Reads a whole regular file.
pub(super) fn read_regular_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = bounded_file::read_regular(path, MAX_MIB);
    read.map_err(|error| Failure::of_file("read", path, &error))
}

/// Reads a whole file that the command line names; `missing` says that there is none.
pub(super) fn read_named(path: &Path, missing: &str) -> Result<Vec<u8>, Failure> {
    bounded_file::read(path, MAX_MIB).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::new(format!("{missing}: {}", path.display())),
        _ => Failure::of_file("read", path, &error),
    })
}

/// Finds a file in the directories of a search path, separated by colons.
pub(super) fn find(file: &Path, search_path: Option<&Path>) -> Result<Source, Failure> {
    if file.as_os_str().is_empty() {
        return Err(Failure::new("The name of the configuration file is empty: give its path"));
    }
    let search_path = search_path.map_or(OsStr::new(SEARCH_PATH), Path::as_os_str);
    let mut obstacle = String::new();
    for directory in env::split_paths(search_path) {
        let path = directory.join(file);
        match fs::metadata(&path) {
            Ok(data) if data.is_dir() => ": it is a directory".clone_into(&mut obstacle),
            Ok(_) => {
                // A file in the working directory is shown as it was given.
                let path = path.strip_prefix(".").unwrap_or(&path).to_owned();
                let text = read_file(&path)?;
                return Ok(Source { path, text });
            }
            Err(error) if is_missing(&error) => {}
            Err(error) => obstacle = format!(": {}", reason(&error)),
        }
    }
    Err(Failure::new(format!("Unable to open config file: {}{obstacle}", file.display())))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

impl Source {
    /// xm's line about the file that it reads.
    pub(super) fn using(&self) -> String {
        format!("Using config file \"{}\".", self.path.display())
    }

    /// Whether the file is an S-expression, which no file in Python begins like.
    pub(super) fn is_expression(&self) -> bool {
        self.text.trim_ascii_start().starts_with(b"(")
    }

    /// The S-expression that the file is.
    pub(super) fn expression(&self) -> Result<Sxp, Failure> {
        read_first(&self.text, &Limits::DEFAULT).map_err(|error| {
            let line = error.line();
            let column = error.column();
            let path = self.path.display();
            Failure::new(format!("{path}: line {line}, column {column}: {error}"))
        })
    }

    /// The S-expression that xm made of the file and of `NAME=VALUE` on the command line.
    pub(super) fn convert(&self, overrides: &Overrides) -> Result<Conversion, Failure> {
        let name = self.path.file_name().map(|name| name.to_string_lossy());
        let directory = path::absolute(".").ok();
        let directory = directory.map(|directory| directory.to_string_lossy().into_owned());
        let display = env::var("DISPLAY").ok();
        let home = env::var("HOME").ok().map(|home| format!("{home}/.Xauthority"));
        let xauthority = env::var("XAUTHORITY").ok().or(home);
        let defaults = Defaults {
            name: name.as_deref(),
            directory: directory.as_deref(),
            display: display.as_deref(),
            xauthority: xauthority.as_deref(),
            ..Defaults::default()
        };
        convert_with(&self.text, &defaults, overrides).map_err(|error| self.failure(&error))
    }

    /// The variables of the file and of `NAME=VALUE` on the command line.
    pub(super) fn variables(&self, overrides: &Overrides) -> Result<Variables, Failure> {
        read_with(&self.text, overrides).map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &XmConfigError) -> Failure {
        let path = self.path.display();
        if self.text.trim_ascii_start().starts_with(b"<") {
            let advice = "use the S-expression that xend convert makes of libvirt's XML";
            return Failure::new(format!("{path} is XML: {advice}"));
        }
        Failure::new(format!("{path}: {error:#}"))
    }
}

/// The words of a command line that are `NAME=VALUE`, and the others, which name files.
pub(super) fn split_overrides(words: &[OsString]) -> Result<(Overrides, Vec<&Path>), Failure> {
    let mut overrides = Overrides::default();
    let mut others = Vec::new();
    for word in words {
        let bytes = word.as_bytes();
        let name = bytes.iter().position(|byte| *byte == b'=').map(|at| &bytes[..at]);
        if name.is_some_and(is_identifier) {
            let added = overrides.add(bytes);
            added.map_err(|error| Failure::new(format!("{error:#}")))?;
        } else {
            others.push(Path::new(word));
        }
    }
    Ok((overrides, others))
}

fn is_identifier(text: &[u8]) -> bool {
    text.first().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_')
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use xend_sxp::Sxp;

    fn converted(text: &str, words: &[&str]) -> Result<Sxp, Failure> {
        let source = Source { path: "web.cfg".into(), text: text.as_bytes().to_vec() };
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let (overrides, _) = split_overrides(&words)?;
        source.convert(&overrides).map(|converted| converted.config)
    }

    #[test]
    fn the_command_line_counts_more_than_the_file() {
        let text = "kernel = '/k'\nmemory = 64\nname = 'vm' + vmid\n";
        let config = converted(text, &["memory=128", "vmid=3"]).unwrap();
        assert_eq!(config.value("memory").and_then(Sxp::as_str), Some("128"));
        assert_eq!(config.value("name").and_then(Sxp::as_str), Some("vm3"));
        let text = "# mine\nkernel = '/k'\ndisk = ['phy:a,xvda,w']\n";
        let config = converted(text, &["disk=phy:b,xvdb,w", "disk=phy:c,xvdc,r"]).unwrap();
        let text = config.to_string();
        assert!(text.contains("phy:b") && text.contains("phy:c") && !text.contains("phy:a"));
        assert_eq!(config.value("name").and_then(Sxp::as_str), Some("web.cfg"));
    }

    #[test]
    fn errors_name_file_and_line() {
        let failure = converted("kernel = '/k'\nlambda\n", &["memory=1"]).err().unwrap();
        assert!(failure.to_string().starts_with("web.cfg: line 2, column 1: "), "{failure}");
        let xml = converted("\n<domain type='xen'>\n", &[]).err().unwrap().to_string();
        assert!(xml.starts_with("web.cfg is XML: ") && xml.contains("xend convert"), "{xml}");
    }

    #[test]
    fn words_are_told_apart() {
        let words = ["/etc/a=b", "a=b=c", "x", "=y", "1a=b"].map(OsString::from);
        let files = ["/etc/a=b", "x", "=y", "1a=b"].map(Path::new);
        assert_eq!(split_overrides(&words).unwrap().1, files);
    }

    #[test]
    fn whatever_exists_is_found() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("web")).unwrap();
        let latin = Path::new(OsStr::from_bytes(b"b\xfcro.cfg"));
        fs::write(dir.path().join(latin), "x").unwrap();
        let found = |file: &Path| find(file, Some(dir.path()));
        assert_eq!(found(latin).unwrap().path, dir.path().join(latin));
        assert_eq!(found(Path::new("/dev/null")).unwrap().text, b"");
        for (file, message) in [
            ("", "The name of the configuration file is empty: give its path"),
            ("web", "Unable to open config file: web: it is a directory"),
            ("none", "Unable to open config file: none"),
            ("none/web", "Unable to open config file: none/web"),
            ("/dev/zero", "Unable to read /dev/zero: it is longer than 1 MiB"),
        ] {
            assert_eq!(found(Path::new(file)).err().unwrap().to_string(), message);
        }
        let named = read_named(&dir.path().join("web"), "File not found").unwrap_err();
        assert!(named.to_string().ends_with("/web: Is a directory"), "{named}");
    }
}
