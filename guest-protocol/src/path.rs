//! Where a file may be put inside the guest.

use thiserror::Error;

/// The longest path, in bytes: Linux's `PATH_MAX` without its NUL.
const MAX_PATH: usize = 4095;

/// The longest name of a file, in bytes: `NAME_MAX` of Linux's file systems.
const MAX_NAME: usize = 255;

/// The absolute path of a file inside a guest: without `..`, without control characters, and it
/// does not end like that of a directory. Whether there is a directory is for the agent to see.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GuestPath(String);

impl GuestPath {
    /// Checks a path.
    pub fn new(path: impl Into<String>) -> Result<Self, BadPath> {
        let path = path.into();
        check(&path).map(|()| Self(path))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadPath {
    #[error("The file's path is not absolute")]
    Relative,
    #[error("The file's path has a part \"..\"")]
    Parent,
    #[error("The file's path has a control character")]
    Control,
    #[error("The file's path is that of a directory")]
    Directory,
    #[error("The file's path is not UTF-8")]
    NotUtf8,
    #[error("The file's path is too long")]
    TooLong,
}

fn check(path: &str) -> Result<(), BadPath> {
    if !path.starts_with('/') {
        return Err(BadPath::Relative);
    }
    if path.chars().any(char::is_control) {
        return Err(BadPath::Control);
    }
    let mut name = "";
    for part in path.split('/') {
        if part == ".." {
            return Err(BadPath::Parent);
        }
        if part.len() > MAX_NAME {
            return Err(BadPath::TooLong);
        }
        name = part;
    }
    if matches!(name, "" | ".") {
        return Err(BadPath::Directory);
    }
    if path.len() > MAX_PATH { Err(BadPath::TooLong) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_files_are_taken() {
        let name = format!("/{}", "a".repeat(MAX_NAME));
        for path in
            ["/etc/motd", "/a", "/etc//motd", "/etc/./motd", "/a b/\u{fc},..c", "/...", &name]
        {
            assert_eq!(GuestPath::new(path).map(|path| path.0), Ok(path.to_owned()));
        }
    }

    #[test]
    fn other_paths_are_refused() {
        let long = format!("/{}", "a".repeat(MAX_NAME + 1));
        let deep = "/a".repeat(MAX_PATH);
        let refused = [
            ("", BadPath::Relative),
            ("etc/motd", BadPath::Relative),
            ("../etc/motd", BadPath::Relative),
            ("/etc/../motd", BadPath::Parent),
            ("/..", BadPath::Parent),
            ("/../", BadPath::Parent),
            ("/etc/mo\0td", BadPath::Control),
            ("/etc/motd\n", BadPath::Control),
            ("/etc/\u{85}", BadPath::Control),
            ("/", BadPath::Directory),
            ("/etc/", BadPath::Directory),
            ("/etc/.", BadPath::Directory),
            (&long, BadPath::TooLong),
            (&deep, BadPath::TooLong),
        ];
        for (path, bad) in refused {
            assert_eq!(GuestPath::new(path), Err(bad), "{path:?}");
        }
    }
}
