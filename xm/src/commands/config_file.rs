//! Configuration files: where they are found, and what the command line changes in them.

use crate::bounded_file;
use crate::failure::Failure;
use std::env;
use std::path::{self, Path};
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
    pub(super) path: String,
    pub(super) text: Vec<u8>,
}

/// Reads a whole file.
pub(super) fn read_file(path: &str) -> Result<Vec<u8>, Failure> {
    bounded_file::read(Path::new(path), MAX_MIB)
        .map_err(|error| Failure::of_file("read", path, &error))
}

/// Finds a file in the directories of a search path, separated by colons.
pub(super) fn find(file: &str, search_path: Option<&str>) -> Result<Source, Failure> {
    let directories = search_path.unwrap_or(SEARCH_PATH).split(':');
    let candidates = directories.map(|directory| Path::new(directory).join(file));
    let found = candidates.into_iter().find(|path| path.is_file());
    let missing = || Failure::new(format!("Unable to open config file: {file}"));
    let path = found.ok_or_else(missing)?;
    // A file in the working directory is shown as it was given.
    let path = path.strip_prefix(".").unwrap_or(&path).to_string_lossy().into_owned();
    let text = read_file(&path)?;
    Ok(Source { path, text })
}

impl Source {
    /// xm's line about the file that it reads.
    pub(super) fn using(path: &str) -> String {
        format!("Using config file \"{path}\".")
    }

    /// The S-expression that xm made of the file and of `NAME=VALUE` on the command line.
    pub(super) fn convert(&self, overrides: &Overrides) -> Result<Conversion, Failure> {
        let name = Path::new(&self.path).file_name().map(|name| name.to_string_lossy());
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
        Failure::new(format!("{}: {error:#}", self.path))
    }
}

/// The words of a command line that are `NAME=VALUE`, and the others.
pub(super) fn split_overrides(words: &[String]) -> Result<(Overrides, Vec<&str>), Failure> {
    let mut overrides = Overrides::default();
    let mut others = Vec::new();
    for word in words {
        if word.split_once('=').is_some_and(|(name, _)| is_identifier(name)) {
            let added = overrides.add(word.as_bytes());
            added.map_err(|error| Failure::new(format!("{error:#}")))?;
        } else {
            others.push(word.as_str());
        }
    }
    Ok((overrides, others))
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use xend_sxp::Sxp;

    fn converted(text: &str, words: &[&str]) -> Result<Sxp, Failure> {
        let source = Source { path: "web.cfg".to_owned(), text: text.as_bytes().to_vec() };
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
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
    }

    #[test]
    fn words_are_told_apart() {
        let words = ["/etc/a=b", "a=b=c", "x", "=y", "1a=b"].map(str::to_owned);
        assert_eq!(split_overrides(&words).unwrap().1, ["/etc/a=b", "x", "=y", "1a=b"]);
    }
}
