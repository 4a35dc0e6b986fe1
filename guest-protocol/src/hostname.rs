//! The guest's name in its network: the node `vm-data/hostname`.

use thiserror::Error;

/// The longest host name, in bytes: Linux's `HOST_NAME_MAX`.
pub const MAX_HOSTNAME: usize = 64;

/// A host name: letters, digits, `-`, `_` and `.`, so that no file it is written to is damaged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hostname(String);

impl Hostname {
    /// Reads a host name. White space around it does not count.
    pub fn new(text: &str) -> Result<Self, BadHostname> {
        let name = text.trim();
        if name.is_empty() {
            return Err(BadHostname::Empty);
        }
        if name.len() > MAX_HOSTNAME {
            return Err(BadHostname::TooLong);
        }
        if !name.split('.').all(is_label) {
            return Err(BadHostname::Invalid);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first dot.
    pub fn short(&self) -> &str {
        self.0.split_once('.').map_or(&self.0, |(short, _)| short)
    }
}

/// Why a host name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadHostname {
    #[error("The host name is empty")]
    Empty,
    #[error("The host name is longer than {MAX_HOSTNAME} bytes")]
    TooLong,
    #[error("The host name has other characters than letters, digits, \"-\", \"_\" and \".\"")]
    Invalid,
}

fn is_label(label: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !label.is_empty() && !label.starts_with('-') && label.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_checked() {
        for name in ["web1", "RESCUE-web1", "web_1.example.org", "1", &"a".repeat(MAX_HOSTNAME)] {
            assert_eq!(Hostname::new(name).map(|name| name.0), Ok(name.to_owned()));
        }
        assert_eq!(Hostname::new(" web1\n").map(|name| name.0), Ok("web1".to_owned()));
        for name in ["", " \n"] {
            assert_eq!(Hostname::new(name), Err(BadHostname::Empty));
        }
        for name in ["a b", "a\nb", "a..b", ".a", "a.", "-a", "a.-b", "a/b", "\u{fc}", "a\0", "a=b"]
        {
            assert_eq!(Hostname::new(name), Err(BadHostname::Invalid), "{name:?}");
        }
        assert_eq!(Hostname::new(&"a".repeat(MAX_HOSTNAME + 1)), Err(BadHostname::TooLong));
    }

    #[test]
    fn the_short_name_ends_at_the_first_dot() {
        assert_eq!(Hostname::new("web1.example.org").unwrap().short(), "web1");
        assert_eq!(Hostname::new("web1").unwrap().short(), "web1");
    }
}
