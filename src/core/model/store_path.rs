//! Paths of nodes in XenStore, relative to a domain's directory.

use super::invalid::Invalid;
use std::fmt;

/// The path of a node below a domain's directory: `vm-data/hostname`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorePath(String);

impl StorePath {
    /// The longest path in bytes: half of what XenStore takes, so that it stays valid below the
    /// directory of any domain.
    pub const MAX_LEN: usize = 1024;

    /// Checks a path: names of letters, digits and `- _ @`, with single slashes between them.
    pub fn new(path: impl Into<String>) -> Result<Self, Invalid> {
        let path = path.into();
        let refuse = |reason: &str| Err(Invalid::new(format!("path: {reason}")));
        if path.len() > Self::MAX_LEN {
            return refuse(&format!("it is longer than {} bytes", Self::MAX_LEN));
        }
        if path.split('/').any(str::is_empty) {
            return refuse("it must be names with single slashes between them, like vm-data/name");
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_@/".contains(c);
        match path.chars().find(|c| !allowed(*c)) {
            Some(bad) => {
                refuse(&format!("{bad:?} is not allowed, use letters, digits and - _ @ /"))
            }
            None => Ok(Self(path)),
        }
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this node, or one below it, as [`std::path::Path::starts_with`].
    pub fn starts_with(&self, node: &str) -> bool {
        self.0.strip_prefix(node).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The name of the node itself.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_names_with_slashes_between() {
        for good in ["name", "vm-data/networking/00163E112233", "data/host/a_b@c-d"] {
            assert_eq!(StorePath::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "/", "/a", "a/", "a//b", "a b", "a\0b", "ä", "a.b", "../x"] {
            let error = StorePath::new(bad).unwrap_err().to_string();
            assert!(error.starts_with("path: "), "{bad:?}: {error}");
        }
        assert!(StorePath::new("a".repeat(StorePath::MAX_LEN + 1)).is_err());
    }

    #[test]
    fn a_path_is_below_a_node() {
        let path = StorePath::new("vm-data/hostname").unwrap();
        assert!(path.starts_with("vm-data") && path.starts_with("vm-data/hostname"));
        assert!(!path.starts_with("vm-dat") && !path.starts_with("vm-data/h"));
        assert_eq!(path.name(), "hostname");
    }
}
